//! A copy of the repository to be changed, and the models run in it.

use super::Mutation;
use super::models::Sources;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

pub struct Copy {
    root: PathBuf,
    target: PathBuf,
}

/// What a model said of a change.
pub enum Verdict {
    /// For this reason.
    Uncaught(&'static str),
    /// With these words.
    Caught(String),
}

/// The max_line model takes two minutes. A change that makes one go on for ever is not caught.
const PATIENCE: Duration = Duration::from_secs(20 * 60);

/// To explore less, or more than loom will, is not to notice.
const GAVE_UP: &[&str] = &["interleavings of at least", "exceeded maximum number of branches"];

impl Copy {
    /// A fresh one, below this crate's target directory: whoever works at the same time has another
    /// number.
    pub fn make(number: usize) -> Self {
        let original = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let work = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("target/prove/{number}"));
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

    /// Makes the change, runs its model, and takes the change back.
    pub fn run_with(&self, mutation: &Mutation, sources: &Sources) -> Verdict {
        let path = self.root.join(&mutation.file);
        let (original, changed) = mutation.of_file_in(&self.root);
        fs::write(&path, changed).expect("the copy can be written");
        let verdict = self.run(&mutation.model, sources);
        fs::write(&path, original).expect("the copy can be written");
        verdict
    }

    fn run(&self, model: &str, sources: &Sources) -> Verdict {
        let file = sources.file_of(model).unwrap_or_else(|| panic!("no such model: {model}"));
        let Some(program) = self.build(file) else {
            return Verdict::Uncaught("it does not compile");
        };
        // Into a file: a pipe that nobody empties would stop who writes much.
        let path = self.root.join("said");
        let said = File::create(&path).expect("the copy can be written");
        let mut test = Command::new(program);
        test.args(["--test-threads=1", "--nocapture", "--exact", model]);
        test.env_remove("LOOM_MAX_PREEMPTIONS").env_remove("FREEWHEEL_UNBOUNDED");
        test.stdout(said.try_clone().expect("a file")).stderr(said);
        let Some(status) = wait(test.spawn().expect("the models can be run")) else {
            return Verdict::Uncaught("it did not end within the time that it was given");
        };
        if status.success() {
            return Verdict::Uncaught("it passed");
        }
        let said = fs::read(&path).expect("it was written");
        let said = String::from_utf8_lossy(&said);
        assert!(said.contains("running 1 test"), "{model} was not run: {said}");
        let Some(words) = first_words(&said) else {
            // A crash says nothing and is noticed: so ends, for example, what is freed twice.
            return match status.code() {
                None => Verdict::Caught(status.to_string()),
                Some(_) => Verdict::Uncaught("it failed without a word"),
            };
        };
        if GAVE_UP.iter().any(|unnoticed| words.contains(unnoticed)) {
            return Verdict::Uncaught("it explored less, or more than loom will");
        }
        Verdict::Caught(words)
    }

    /// The program with the models of this file. None if it does not compile.
    fn build(&self, file: &str) -> Option<PathBuf> {
        let mut cargo = self.cargo_test(&["--test", file, "--no-run", "--message-format=json"]);
        let built = cargo.stderr(Stdio::null()).output().expect("cargo");
        let text = String::from_utf8_lossy(&built.stdout);
        // Beside this crate's own programs, which are built for the models to call.
        let test = text.lines().find(|line| line.contains("\"kind\":[\"test\"]"))?;
        let (_, program) = test.split_once("\"executable\":\"")?;
        built.status.success().then(|| program.split('"').next().expect("a piece").into())
    }

    fn cargo_test(&self, which: &[&str]) -> Command {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.current_dir(self.root.join("loom-tests")).env("CARGO_TARGET_DIR", &self.target);
        cargo.env_remove("LOOM_MAX_PREEMPTIONS").env_remove("FREEWHEEL_UNBOUNDED");
        cargo.args(["test", "--release"]).args(which);
        cargo
    }
}

/// Until it has ended. None, and it is killed, if that takes too long.
fn wait(mut program: Child) -> Option<ExitStatus> {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        if let Some(status) = program.try_wait().expect("it was started here") {
            return Some(status);
        }
        thread::sleep(Duration::from_millis(50));
    }
    program.kill().and_then(|()| program.wait()).expect("it was started here");
    None
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
