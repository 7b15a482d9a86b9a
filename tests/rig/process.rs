//! Helpers for tests in separate processes: this program starts itself again, and the new process
//! runs only one test.

use std::io::{self, Write};
use std::process::Command;

/// Name of the environment variable that tells a child process its role in a test. The original
/// process does not have it.
const ROLE: &str = "FREEWHEEL_RIG_ROLE";

/// Prints that a test is skipped, and the reason. The test passes nevertheless.
pub(crate) fn skip(test: &str, reason: impl std::fmt::Display) {
    // The test harness captures the output of `eprintln!`, but not of `writeln!`.
    let _ = writeln!(io::stderr(), "SKIPPED {test}: {reason}");
}

/// Returns the name of the test function that contains the closure of type `F`.
pub(crate) fn test_of<F>() -> &'static str {
    // `rig::module::test::{{closure}}`
    let closure = std::any::type_name::<F>();
    let (_, path) = closure.split_once("::").expect("a type's path begins with its crate");
    path.strip_suffix("::{{closure}}").expect("the type is a closure of a test function")
}

/// Runs `command`, which starts this test program, with arguments that select only this test.
/// Panics unless the test passes.
#[track_caller]
pub(crate) fn assert_passes(test: &str, command: &mut Command) {
    let output = command.args([test, "--exact", "--include-ignored", "--nocapture"]).output();
    let output = output.expect("this program can be started");
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    // An unknown test name runs nothing and succeeds.
    let passed = output.status.success() && text.contains("1 passed");
    assert!(passed, "the test failed in its process:\n{text}\n{errors}");
    for line in errors.lines().filter(|line| line.starts_with("SKIPPED")) {
        let _ = writeln!(io::stderr(), "{line}");
    }
}

/// Returns the role of this child process in its test, or `None` in the original process.
pub(crate) fn role() -> Option<String> {
    std::env::var(ROLE).ok()
}

/// Returns a command that starts this program again, and runs only this test in this role.
pub(crate) fn command_of_test(test: &str, role: &str) -> Command {
    let mut command =
        Command::new(std::env::current_exe().expect("the path of this program is known"));
    command.args([test, "--exact", "--nocapture", "--test-threads=1"]).env(ROLE, role);
    command
}

/// Runs the whole body of a test in a child process where no other test runs.
pub(crate) fn in_own_process<F: FnOnce()>(body: F) {
    if role().is_some() {
        return body();
    }
    let program = std::env::current_exe().expect("the path of this program is known");
    let mut command = Command::new(program);
    // With many arenas, the memory of the C library's allocator depends on the load of the machine.
    command.env(ROLE, "whole body").env("MALLOC_ARENA_MAX", "2");
    assert_passes(test_of::<F>(), &mut command);
}
