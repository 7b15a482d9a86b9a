//! Program that runs all loom models, or the models with the argument in their names, and prints a
//! table with the number of interleavings that loom explored for each.
//!
//! ```sh
//! cargo models                  # all
//! cargo models reused_slot      # some
//! ```
//!
//! Exits with 1 if a model fails, or none is run.

use freewheel_loom_tests::Explored;
use std::io::{BufRead, BufReader};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

fn main() -> ExitCode {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(env!("CARGO_MANIFEST_DIR"));
    cargo.args(["test", "--release", "--quiet", "--tests", "--no-fail-fast", "--"]);
    cargo.args(["--nocapture", "--test-threads=2"]).args(std::env::args().skip(1));
    let begun = Instant::now();
    let mut tests = cargo.stdout(Stdio::piped()).spawn().expect("cargo can be run");
    let printed = BufReader::new(tests.stdout.take().expect("stdout is piped"));

    println!(
        "{:<42}{:>14}{:>9}  {:<24}{:>7}",
        "model", "interleavings", "floor", "bound", "seconds"
    );
    let (mut models, mut interleavings) = (0, 0);
    for explored in
        printed.lines().filter_map(|line| Explored::parse(&line.expect("the output is text")))
    {
        let Explored { name, interleavings: count, floor, seconds, .. } = &explored;
        let bound = explored.bound();
        println!("{name:<42}{count:>14}{floor:>9}  {bound:<24}{seconds:>7.1}");
        models += 1;
        interleavings += count;
    }
    let passed = tests.wait().expect("cargo was started").success() && models > 0;
    let verdict = if passed { "all passed" } else { "FAILED" };
    let seconds = begun.elapsed().as_secs();
    println!("{models} models, {interleavings} interleavings, {seconds} s: {verdict}");
    if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
