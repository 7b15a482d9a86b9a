//! A copy of the repository to be changed, and the models run in it.

use super::Mutation;
use super::models::Sources;
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
        let output =
            self.cargo_test(&["--tests"]).args(["--", "--nocapture"]).output().expect("cargo");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        output.status.success().then_some(text)
    }

    /// What the file is, and what it becomes.
    ///
    /// # Panics
    /// If the file does not have what is to be changed.
    pub fn change(&self, mutation: &Mutation) -> (String, String) {
        let path = self.root.join(&mutation.file);
        let original = fs::read_to_string(&path).expect("the file that is to be changed");
        let mut changed = original.clone();
        for (from, to) in &mutation.edits {
            let times = original.matches(from.as_str()).count();
            assert_eq!(times, 1, "{}: this is there {times} times: {from}", mutation.row);
            changed = changed.replace(from, to);
        }
        (original, changed)
    }

    /// Makes the change, runs its model, and takes the change back.
    pub fn run_with(&self, mutation: &Mutation, sources: &Sources) -> Verdict {
        let path = self.root.join(&mutation.file);
        let (original, changed) = self.change(mutation);
        fs::write(&path, changed).expect("the copy can be written");
        let verdict = self.run(&mutation.model, sources);
        fs::write(&path, original).expect("the copy can be written");
        verdict
    }

    fn run(&self, model: &str, sources: &Sources) -> Verdict {
        // What does not compile, or names no model, proves nothing.
        let file = sources.file_of(model).unwrap_or_else(|| panic!("no such model: {model}"));
        let test = ["--test", file];
        let built = self.cargo_test(&test).arg("--no-run").stderr(Stdio::null()).status();
        if !built.expect("cargo").success() {
            println!("it does not compile:");
            return Verdict::Passed;
        }
        let mut tests = self.cargo_test(&test);
        tests.args(["--", "--test-threads=1", "--nocapture", "--exact", model]);
        let output = tests.output().expect("cargo");
        if output.status.success() {
            return Verdict::Passed;
        }
        let words = first_words(&String::from_utf8_lossy(&output.stderr));
        let words = words.unwrap_or_else(|| panic!("{model} failed without a word"));
        // To explore less, or more than loom will, is not to notice.
        let gave_up = ["interleavings of at least", "exceeded maximum number of branches"];
        if gave_up.iter().any(|unnoticed| words.contains(unnoticed)) {
            return Verdict::Passed;
        }
        Verdict::Caught(words)
    }

    fn cargo_test(&self, which: &[&str]) -> Command {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.current_dir(self.root.join("loom-tests")).env("CARGO_TARGET_DIR", &self.target);
        cargo.env_remove("LOOM_MAX_PREEMPTIONS").env_remove("FREEWHEEL_UNBOUNDED");
        cargo.args(["test", "--release"]).args(which);
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
