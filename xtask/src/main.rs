//! Checks that tests cannot make: of the source's comments, of the machine code, of the public
//! interface without the client, and of instruction counts.
//!
//! `cargo xtask` lists them. Each fails with a list of what is wrong.

mod faults;
mod instructions;
mod interface;
mod links;
mod no_lock;
mod orderings;
mod package;
mod source;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// Error of a check: the findings, or the reason why the check could not run.
type Error = Box<dyn std::error::Error>;

/// Result of a check that ran: a summary, or what is wrong.
type Verdict = Result<String, Findings>;

/// Findings of a check, one line each.
type Findings = Vec<String>;

const USAGE: &str = "usage: cargo xtask CHECK

  orderings               each ordering has a comment that names an existing loom model
  faults                  FAULTS.md names existing tests, and each test of the rig
  interface               the interface without the feature `client` is the client's
  links                   the links of all documents, and of the rendered documentation
  package                 the packages have what their documents link to, and build their examples
  no-lock                 no hot call contains an atomic read-modify-write (x86-64)
  instructions [--update] no call takes over 3 % more instructions than the baseline";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let root = root();
    let result = match arguments[..] {
        ["orderings"] => orderings::check(&root),
        ["faults"] => faults::check(&root),
        ["interface"] => interface::check(&root),
        ["links"] => links::check(&root),
        ["package"] => package::check(&root),
        ["no-lock"] => no_lock::check(&root),
        ["instructions"] => instructions::check(&root),
        ["instructions", "--update"] => instructions::update(&root),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(Ok(summary)) => {
            println!("{summary}");
            ExitCode::SUCCESS
        }
        Ok(Err(findings)) => {
            for finding in findings {
                println!("{finding}");
            }
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("the check could not run: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Returns the folder of the workspace.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask is in the workspace").to_owned()
}

/// Runs a command and returns what it prints. A failure is an error.
fn output(command: &mut Command) -> Result<String, Error> {
    let output = command.stderr(std::process::Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err(format!("{command:?}: {}", output.status).into());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Returns true if a program of this name can be run.
fn is_installed(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success())
}

/// Returns the summary, or the findings if there are any.
fn verdict(findings: Findings, summary: impl FnOnce() -> String) -> Verdict {
    if findings.is_empty() { Ok(summary()) } else { Err(findings) }
}
