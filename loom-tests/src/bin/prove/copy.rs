//! Copy of the repository in which the source is changed, and in which the model (loom test) that
//! must catch the change is run.

use super::Mutation;
use super::sources::Sources;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Copy of the repository with a separate target directory, in which the source can be changed.
pub struct Copy {
    root: PathBuf,
    target: PathBuf,
}

/// Result of running a model (loom test) on a deliberately wrong change of the source.
pub enum Verdict {
    /// Outcome in which the model did not catch the change. Contains the reason, for example that
    /// the model passed.
    Uncaught(&'static str),
    /// Outcome in which the model failed, as it should. Contains the message of the failure.
    Caught(String),
}

/// Maximum duration of one run of a model (loom test), ten times the duration of the longest model.
/// A model that runs longer on a change counts as not having caught the change.
const TIMEOUT: Duration = Duration::from_secs(20 * 60);

/// Messages of failures that do not count as catching a change: the model explored too few
/// interleavings, or exceeded loom's limit.
const NOT_COUNTED: &[&str] = &["interleavings of at least", "exceeded maximum number of branches"];

impl Copy {
    /// Creates a copy of the repository in this crate's target directory. Copies that are used at
    /// the same time need different numbers.
    pub fn create(number: usize) -> Self {
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

    /// Runs all models (loom tests) and returns their output, or returns `None` if a model fails.
    pub fn run_all(&self) -> Option<String> {
        let output = self
            .cargo_test(&["--tests"])
            .args(["--", "--nocapture"])
            .output()
            .expect("cargo can be run");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        output.status.success().then_some(text)
    }

    /// Makes the deliberately wrong change `mutation` in the copy, runs the model that must catch
    /// it, and reverts the change.
    pub fn run_with(&self, mutation: &Mutation, sources: &Sources) -> Verdict {
        let path = self.root.join(&mutation.file);
        let (original, changed) = mutation.apply_in(&self.root);
        fs::write(&path, changed).expect("the copy is writable");
        let verdict = self.run(&mutation.model, sources);
        fs::write(&path, original).expect("the copy is writable");
        verdict
    }

    fn run(&self, model: &str, sources: &Sources) -> Verdict {
        let file = sources.file_of(model).unwrap_or_else(|| panic!("no such model: {model}"));
        let Some(program) = self.build(file) else {
            return Verdict::Uncaught("it does not compile");
        };
        // The output goes to a file: an unread pipe would block a model that prints much.
        let path = self.root.join("output");
        let output = File::create(&path).expect("the copy is writable");
        let mut test = Command::new(program);
        test.args(["--test-threads=1", "--nocapture", "--exact", model]);
        test.env_remove("LOOM_MAX_PREEMPTIONS").env_remove("FREEWHEEL_UNBOUNDED");
        test.stdout(output.try_clone().expect("the file is open")).stderr(output);
        let Some(status) = wait(test.spawn().expect("the models can be run")) else {
            return Verdict::Uncaught("it did not end in time");
        };
        if status.success() {
            return Verdict::Uncaught("it passed");
        }
        let output = fs::read(&path).expect("the model has written its output");
        let output = String::from_utf8_lossy(&output);
        assert!(output.contains("running 1 test"), "{model} was not run: {output}");
        let Some(message) = first_message(&output) else {
            // A crash, for example after a double free, prints no message and counts as caught.
            return match status.code() {
                None => Verdict::Caught(status.to_string()),
                Some(_) => Verdict::Uncaught("it failed without a message"),
            };
        };
        if NOT_COUNTED.iter().any(|uncounted| message.contains(uncounted)) {
            return Verdict::Uncaught("it explored too little, or more than loom's limit");
        }
        Verdict::Caught(message)
    }

    /// Compiles the models in the test file with the name `file`. Returns the path of the compiled
    /// test program, or `None` if the models do not compile.
    fn build(&self, file: &str) -> Option<PathBuf> {
        let mut cargo = self.cargo_test(&["--test", file, "--no-run", "--message-format=json"]);
        let built = cargo.stderr(Stdio::null()).output().expect("cargo can be run");
        let text = String::from_utf8_lossy(&built.stdout);
        // The output also lists this crate's binaries.
        let test = text.lines().find(|line| line.contains("\"kind\":[\"test\"]"))?;
        let (_, program) = test.split_once("\"executable\":\"")?;
        built
            .status
            .success()
            .then(|| program.split('"').next().expect("split yields one piece or more").into())
    }

    fn cargo_test(&self, which: &[&str]) -> Command {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.current_dir(self.root.join("loom-tests")).env("CARGO_TARGET_DIR", &self.target);
        cargo.env_remove("LOOM_MAX_PREEMPTIONS").env_remove("FREEWHEEL_UNBOUNDED");
        cargo.args(["test", "--release"]).args(which);
        cargo
    }
}

/// Waits for a test program to end, and returns its exit status. Kills the program after
/// [`TIMEOUT`], and returns `None`.
fn wait(mut program: Child) -> Option<ExitStatus> {
    let begun = Instant::now();
    while begun.elapsed() < TIMEOUT {
        if let Some(status) = program.try_wait().expect("the program was started here") {
            return Some(status);
        }
        thread::sleep(Duration::from_millis(50));
    }
    program.kill().and_then(|()| program.wait()).expect("the program was started here");
    None
}

fn copy_directory(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("the target directory is writable");
    for entry in fs::read_dir(from).expect("the repository is readable") {
        let entry = entry.expect("the repository is readable");
        let (path, to) = (entry.path(), to.join(entry.file_name()));
        if !path.is_dir() {
            fs::copy(&path, &to).expect("the target directory is writable");
        } else if !["target", ".git", "fuzz"].iter().any(|name| path.ends_with(name)) {
            copy_directory(&path, &to);
        }
    }
}

/// Returns the first message of a panic, or of a memory error that the allocator found, from the
/// output of a model (loom test).
///
/// More messages may follow, because loom panics again while it unwinds.
fn first_message(output: &str) -> Option<String> {
    let mut lines = output.lines();
    let allocator = |line: &str| line.starts_with("free(): ") || line.starts_with("double free");
    let line = lines.find(|line| line.contains("panicked at") || allocator(line))?;
    let message = if allocator(line) { line } else { lines.next()? };
    let message = message.split(". ").next().unwrap_or(message).replace('|', "");
    Some(message.trim_end_matches(['.', ' ']).chars().take(90).collect())
}
