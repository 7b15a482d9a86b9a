//! Reading of the source: its files, and the tests in it.

use crate::Error;
use regex::Regex;
use std::fs;
use std::path::{Path, PathBuf};
use walkdir::WalkDir;

/// Returns all Rust files of a folder, in the order of their names.
pub(crate) fn rust_files(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut files = Vec::new();
    for entry in WalkDir::new(folder).sort_by_file_name() {
        let path = entry?.into_path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(files)
}

/// Function with the attribute `#[test]` or one like it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Test {
    /// Folders and file of the test, without those that hold no name of a module, and its name:
    /// `["transport", "datagrams", "name_of_the_test"]`.
    path: Vec<String>,
}

impl Test {
    /// Returns all tests in the Rust files of a folder.
    pub(crate) fn all(folder: &Path) -> Result<Vec<Self>, Error> {
        let mut tests = Vec::new();
        for file in rust_files(folder)? {
            let module = module(file.strip_prefix(folder)?);
            for name in names(&fs::read_to_string(&file)?)? {
                let path = module.iter().cloned().chain([name]).collect();
                tests.push(Self { path });
            }
        }
        Ok(tests)
    }

    /// Returns true if the test has this path, such as `datagrams::name_of_the_test`. Outer modules
    /// may be left out.
    pub(crate) fn is_named(&self, path: &str) -> bool {
        let parts: Vec<&str> = path.split("::").collect();
        let Some(outer) = self.path.len().checked_sub(parts.len()) else { return false };
        self.path[outer..] == parts
    }
}

impl std::fmt::Display for Test {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.path.join("::"))
    }
}

/// Returns the modules that a file stands for. Tests in a file of their own belong to the module that
/// they test.
fn module(file: &Path) -> Vec<String> {
    let file = file.with_extension("");
    let parts = file.iter().map(|part| part.to_string_lossy());
    let parts = parts.map(|part| part.strip_suffix("_tests").unwrap_or(&part).to_owned());
    parts.filter(|part| !matches!(&**part, "tests" | "main" | "mod")).collect()
}

/// Returns the names of the tests in a source text.
fn names(source: &str) -> Result<Vec<String>, Error> {
    let attribute = Regex::new(r"^ *#\[(tokio::)?test[\](]")?;
    let function = Regex::new(r"^ *(?:async )?fn ([a-z0-9_]+)\(\)")?;
    let lines: Vec<&str> = source.lines().collect();
    let mut names = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        if attribute.is_match(line) {
            // Further attributes may come in between.
            let following = lines[index + 1..].iter().take(4);
            let name = following.filter_map(|line| function.captures(line)).next();
            names.extend(name.map(|found| found[1].to_owned()));
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_are_found_with_their_modules() {
        let source = "    #[test]\n    #[cfg(unix)]\n    fn one() {\n}\n#[tokio::test(start_paused = \
                      true)]\nasync fn two() {\nfn three() {\n";
        assert_eq!(names(source).expect("valid patterns"), ["one", "two"]);
        assert_eq!(module(Path::new("transport/datagrams/tests.rs")), ["transport", "datagrams"]);
        assert_eq!(module(Path::new("faults/main.rs")), ["faults"]);
        assert_eq!(module(Path::new("origin_tests.rs")), ["origin"]);
    }

    #[test]
    fn outer_modules_may_be_left_out_of_a_name() {
        let path = ["transport", "datagrams", "one"].map(str::to_owned).to_vec();
        let test = Test { path };
        assert!(test.is_named("one") && test.is_named("datagrams::one"));
        assert!(test.is_named("transport::datagrams::one"));
        assert!(!test.is_named("transport::one") && !test.is_named("datagrams::two"));
        assert!(!test.is_named("flush::transport::datagrams::one"));
    }
}
