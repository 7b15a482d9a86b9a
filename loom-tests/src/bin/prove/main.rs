//! Runs every model; then weakens every ordering and plants every fault, one at a time, in a copy
//! of the source, and expects the model to fail that the source names for the ordering, or
//! `faults.rs` for the fault.
//!
//! ```sh
//! cargo run --release --bin prove               # all; rewrites PROOF.md
//! cargo run --release --bin prove -- published  # the changes that have this in their description
//! ```
//!
//! Exits with 1 if anything is not caught, or, when all is run, a model fails on the source as it
//! is.

mod copy;
mod faults;
mod models;
mod orderings;

use copy::{Copy, Verdict};
use std::process::ExitCode;

/// A change to the source that makes it wrong.
struct Mutation {
    description: String,
    /// From the top of the repository.
    file: String,
    /// Pieces of the file, each of which is there once, and what they become.
    edits: Vec<(String, String)>,
    /// The model that must fail.
    model: String,
}

fn main() -> ExitCode {
    let only = std::env::args().nth(1).unwrap_or_default();
    let copy = Copy::make();
    let orderings = orderings::all(copy.root());
    let weakened = orderings.len();
    let mut mutations: Vec<Mutation> = orderings.into_iter().chain(faults::all()).collect();
    mutations.retain(|mutation| mutation.description.contains(&only));
    let all = mutations.len();
    assert!(all > 0, "no change is described by {only:?}");

    let mut models = String::new();
    if only.is_empty() {
        let Some(table) = models::table(&copy) else {
            println!("the models fail on the source as it is");
            return ExitCode::FAILURE;
        };
        println!("{table}");
        models = table;
    }
    let mut rows = String::new();
    let mut caught = 0;
    for mutation in &mutations {
        let verdict = copy.run_with(mutation);
        caught += usize::from(!matches!(verdict, Verdict::Passed));
        let row = format!("| {} | `{}` | {verdict} |", mutation.description, mutation.model);
        println!("{row}");
        rows += &(row + "\n");
    }
    println!("{caught} of {all} caught");
    if only.is_empty() {
        let planted = all - weakened;
        let report = format!(
            "# The proof\n\n\
             Written by `cargo run --release --bin prove`.\n\n\
             ## The models\n\n{models}\n\
             ## What they catch\n\n\
             Each of these changes was made, alone, to a copy of the source, and the model that is named\n\
             for it was run: {weakened} weakened orderings and {planted} planted faults, {caught} caught.\n\n\
             | change | model | what it said |\n|---|---|---|\n{rows}"
        );
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/PROOF.md");
        std::fs::write(path, report).expect("the report can be written");
    }
    if caught == all { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
