//! Runs every model; then weakens every ordering and plants every fault, one at a time, in a copy
//! of the source, and expects the model to fail that the source names for the ordering, or
//! `faults.rs` for the fault.
//!
//! ```sh
//! cargo prove              # all; rewrites PROOF.md
//! cargo prove published    # the changes that have this in their rows
//! ```
//!
//! Exits with 1 if anything is not caught, or, when all is run, a model fails on the source as it
//! is.

mod copy;
mod faults;
mod models;
mod orderings;

use copy::{Copy, Verdict};
use models::Sources;
use std::process::ExitCode;

/// A change to the source that makes it wrong.
struct Mutation {
    /// What it is: the first cells of its row.
    row: String,
    /// From the top of the repository.
    file: String,
    /// Pieces of the file, each of which is there once, and what they become.
    edits: Vec<(String, String)>,
    /// The model that must fail.
    model: String,
}

/// Changes of one kind, as they were judged.
struct Judged {
    table: String,
    caught: usize,
    all: usize,
}

/// Makes each of the changes that are asked for, and prints what becomes of it.
fn judge(
    head: &str,
    mutations: impl IntoIterator<Item = Mutation>,
    only: &str,
    copy: &Copy,
    sources: &Sources,
) -> Judged {
    let mut table = format!("| {head} | caught by | which says |\n");
    table += &("|---".repeat(head.split('|').count() + 2) + "|\n");
    print!("{table}");
    let mut judged = Judged { table, caught: 0, all: 0 };
    for mutation in mutations.into_iter().filter(|mutation| mutation.row.contains(only)) {
        let row = match copy.run_with(&mutation, sources) {
            Verdict::Passed => format!("| {} | **nothing** | |\n", mutation.row),
            Verdict::Caught(words) => {
                judged.caught += 1;
                format!("| {} | `{}` | {words} |\n", mutation.row, mutation.model)
            }
        };
        judged.all += 1;
        print!("{row}");
        judged.table += &row;
    }
    judged
}

fn main() -> ExitCode {
    let only = std::env::args().nth(1).unwrap_or_default();
    let copy = Copy::make();
    let sources = Sources::read(copy.root());
    // Known before the long part: all can be made.
    let (orderings, faults) = (orderings::all(copy.root()), Vec::from_iter(faults::all()));
    orderings.iter().chain(&faults).for_each(|mutation| _ = copy.change(mutation));
    let mut models = String::new();
    if only.is_empty() {
        let Some(table) = models::table(&copy, &sources) else {
            println!("the models fail on the source as it is");
            return ExitCode::FAILURE;
        };
        println!("{table}");
        models = table;
    }
    let weakened = judge("place | ordering | weakened to", orderings, &only, &copy, &sources);
    let planted = judge("fault | planted in", faults, &only, &copy, &sources);
    let (caught, all) = (weakened.caught + planted.caught, weakened.all + planted.all);
    assert!(all > 0, "no change has {only:?} in its row");
    println!("{caught} of {all} caught");
    if only.is_empty() {
        let report = format!(
            "# The proof\n\n\
             Written by `cargo prove`. What the columns mean: [README.md](README.md).\n\n\
             ## The models\n\n{models}\n\
             ## What they catch\n\n\
             Each of these changes was made, alone, to a copy of the source, and the one model that is named\n\
             for it was run.\n\n\
             ### Orderings, weakened: {} of {} caught\n\n{}\n\
             ### Faults, planted: {} of {} caught\n\n{}",
            weakened.caught,
            weakened.all,
            weakened.table,
            planted.caught,
            planted.all,
            planted.table
        );
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/PROOF.md");
        std::fs::write(path, report).expect("the report can be written");
    }
    if caught == all { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
