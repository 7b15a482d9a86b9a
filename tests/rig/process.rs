//! Tests that need a process of their own: this program once more, told to run one test alone.

use std::io::{self, Write};
use std::process::Command;

/// Set in such a process: what it is to do there.
const PART: &str = "FREEWHEEL_RIG_PART";

/// Says in the midst of a test that passes that it did not test a thing, and why.
pub(crate) fn skip(test: &str, why: impl std::fmt::Display) {
    // Not by a macro, whose output would be captured.
    let _ = writeln!(io::stderr(), "SKIPPED {test}: {why}");
}

/// The name of the test that this closure stands in.
pub(crate) fn test_of<F>() -> &'static str {
    // `rig::module::test::{{closure}}`
    let closure = std::any::type_name::<F>();
    let (_, path) = closure.split_once("::").expect("a crate");
    path.strip_suffix("::{{closure}}").expect("a closure within a test")
}

/// Runs this test alone by a command that ends with this program.
#[track_caller]
pub(crate) fn must_pass(test: &str, command: &mut Command) {
    let output = command.args([test, "--exact", "--include-ignored", "--nocapture"]).output();
    let output = output.expect("this program runs");
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    // A name that is none runs nothing, with success.
    let passed = output.status.success() && text.contains("1 passed");
    assert!(passed, "in its process:\n{text}\n{errors}");
    for line in errors.lines().filter(|line| line.starts_with("SKIPPED")) {
        let _ = writeln!(io::stderr(), "{line}");
    }
}

/// The part that this process has in the test, if it is not the test's own.
pub(crate) fn part() -> Option<String> {
    std::env::var(PART).ok()
}

/// This program, to run this test alone, where [`part`] says `part`.
pub(crate) fn program(test: &str, part: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args([test, "--exact", "--nocapture", "--test-threads=1"]).env(PART, part);
    command
}

/// Runs the whole body of a test in a process where nothing else runs.
pub(crate) fn alone<F: FnOnce()>(body: F) {
    if part().is_some() {
        return body();
    }
    let program = std::env::current_exe().expect("this program");
    must_pass(test_of::<F>(), Command::new(program).env(PART, "alone"));
}
