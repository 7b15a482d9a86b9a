//! A copy of the repository to be changed, and the models run in it.

use super::Mutation;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub struct Copy {
    root: PathBuf,
    target: PathBuf,
}

/// What a model said of a change.
pub enum Verdict {
    Passed,
    /// With these words.
    Caught(String),
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passed => f.write_str("**not caught**"),
            Self::Caught(words) => f.write_str(words),
        }
    }
}

impl Copy {
    /// A fresh one, below this crate's target directory.
    pub fn make() -> Self {
        let original = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let work = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/prove");
        let copy = Self { root: work.join("copy"), target: work.join("target") };
        let _ = fs::remove_dir_all(&copy.root);
        copy_directory(&original, &copy.root);
        copy
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Runs all models, and returns what they print. None if one fails.
    pub fn run_all(&self) -> Option<String> {
        let output = self.cargo_test().args(["--", "--nocapture"]).output().expect("cargo");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        output.status.success().then_some(text)
    }

    /// Makes the change, runs its model, and takes the change back.
    pub fn run_with(&self, mutation: &Mutation) -> Verdict {
        let path = self.root.join(&mutation.file);
        let original = fs::read_to_string(&path).expect("the file that is to be changed");
        let mut changed = original.clone();
        for (from, to) in &mutation.edits {
            let times = original.matches(from.as_str()).count();
            assert_eq!(times, 1, "{}: this is there {times} times: {from}", mutation.description);
            changed = changed.replace(from, to);
        }
        fs::write(&path, changed).expect("the copy can be written");
        let verdict = self.run(&mutation.model);
        fs::write(&path, original).expect("the copy can be written");
        verdict
    }

    fn run(&self, model: &str) -> Verdict {
        // What does not compile, or names no model, proves nothing.
        let built = self.cargo_test().arg("--no-run").stderr(Stdio::null()).status();
        assert!(built.expect("cargo").success(), "the changed source does not compile");
        let mut tests = self.cargo_test();
        tests.args(["--no-fail-fast", "--", "--test-threads=1", "--nocapture", "--exact", model]);
        let output = tests.output().expect("cargo");
        let printed = String::from_utf8_lossy(&output.stdout);
        let was_run = printed.lines().any(|line| line.starts_with(&format!("test {model} ...")));
        assert!(was_run, "no such model: {model}");
        if output.status.success() {
            return Verdict::Passed;
        }
        let words = first_words(&String::from_utf8_lossy(&output.stderr));
        // To explore less is not to notice.
        if words.as_ref().is_some_and(|words| words.contains(" interleavings, expected")) {
            return Verdict::Passed;
        }
        Verdict::Caught(words.unwrap_or_else(|| panic!("{model} failed without a word")))
    }

    fn cargo_test(&self) -> Command {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.current_dir(self.root.join("loom-tests")).env("CARGO_TARGET_DIR", &self.target);
        cargo.env_remove("LOOM_MAX_PREEMPTIONS");
        cargo.args(["test", "--release", "--tests"]);
        cargo
    }
}

fn copy_directory(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("room for a copy");
    for entry in fs::read_dir(from).expect("the repository") {
        let entry = entry.expect("the repository");
        let (path, to) = (entry.path(), to.join(entry.file_name()));
        if !path.is_dir() {
            fs::copy(&path, &to).expect("room for a copy");
        } else if !["target", ".git", "fuzz"].iter().any(|name| path.ends_with(name)) {
            copy_directory(&path, &to);
        }
    }
}

/// What the first panic said, or the allocator. (More may follow, and end the process: loom
/// panics again while it unwinds.)
fn first_words(stderr: &str) -> Option<String> {
    let mut lines = stderr.lines();
    let allocator = |line: &str| line.starts_with("free(): ") || line.starts_with("double free");
    let line = lines.find(|line| line.contains("panicked at") || allocator(line))?;
    let words = if allocator(line) { line } else { lines.next()? };
    let words = words.split(". ").next().unwrap_or(words).replace('|', "");
    Some(words.trim_end_matches(['.', ' ']).chars().take(90).collect())
}
