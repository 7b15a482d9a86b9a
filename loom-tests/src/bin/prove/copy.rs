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

/// What a model said.
pub enum Verdict {
    Passed,
    Failed,
    /// The process ended: loom panics again while it unwinds from a deadlock.
    Aborted,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Passed => "NOT CAUGHT",
            Self::Failed => "caught",
            Self::Aborted => "caught, by an abort",
        })
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
        let built = self.cargo_test().arg("--no-run").status().expect("cargo");
        assert!(built.success(), "the changed source does not compile");
        let mut tests = self.cargo_test();
        tests.args(["--no-fail-fast", "--", "--test-threads=1", "--exact", model]);
        let output = tests.output().expect("cargo");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.lines().any(|line| line.starts_with("test ")), "no such model: {model}");
        match (output.status.success(), text.contains("... FAILED")) {
            (true, _) => Verdict::Passed,
            (false, true) => Verdict::Failed,
            (false, false) => Verdict::Aborted,
        }
    }

    fn cargo_test(&self) -> Command {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.current_dir(self.root.join("loom-tests")).env("CARGO_TARGET_DIR", &self.target);
        cargo.args(["test", "--release", "--tests"]).stderr(Stdio::null());
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
