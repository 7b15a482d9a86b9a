//! Runs every model; then weakens every ordering and plants every fault, one at a time, in a copy
//! of the source, and expects the model to fail that the source names for the ordering, or
//! `faults.rs` for the fault.
//!
//! ```sh
//! cargo prove              # all; rewrites PROOF.md
//! cargo prove published    # the changes that have this in their rows; puts these into PROOF.md anew
//! cargo prove --models     # the models alone; puts their table into PROOF.md anew
//! cargo prove --check      # runs nothing: that all can be made, and PROOF.md has a row for each, and no other
//! ```
//!
//! Exits with 1 if anything is not caught, or, when all is run, a model fails on the source as it
//! is.

mod copy;
mod faults;
mod models;
mod orderings;
mod report;
mod stale;

use copy::{Copy, Verdict};
use models::Sources;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc;
use std::thread;

const PROOF: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/PROOF.md");

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

impl Mutation {
    /// What the file is in this repository, and what it becomes.
    ///
    /// # Panics
    /// If the file does not have what is to be changed.
    fn of_file_in(&self, root: &Path) -> (String, String) {
        let path = root.join(&self.file);
        let original = std::fs::read_to_string(&path).expect("the file that is to be changed");
        let mut changed = original.clone();
        for (from, to) in &self.edits {
            let times = original.matches(from.as_str()).count();
            assert_eq!(times, 1, "{}: this is there {times} times: {from}", self.row);
            changed = changed.replace(from, to);
        }
        (original, changed)
    }
}

/// Changes of one kind, as they were judged.
struct Judged {
    table: String,
    caught: usize,
    all: usize,
}

/// Makes each of the changes, one in each copy at a time, and prints in their order what becomes
/// of them.
fn judge(head: &str, mutations: &[Mutation], copies: &[Copy], sources: &Sources) -> Judged {
    let mut table = format!("| {head} | caught by | which says |\n");
    table += &("|---".repeat(head.split('|').count() + 2) + "|\n");
    print!("{table}");
    let mut judged = Judged { table, caught: 0, all: 0 };
    let next = &AtomicUsize::new(0);
    let (tell, told) = mpsc::channel();
    thread::scope(|scope| {
        for copy in copies {
            let tell = tell.clone();
            scope.spawn(move || {
                while let Some(index) = Some(next.fetch_add(1, Relaxed))
                    && let Some(mutation) = mutations.get(index)
                {
                    tell.send((index, copy.run_with(mutation, sources))).expect("it is heard");
                }
            });
        }
        drop(tell);
        let mut early = BTreeMap::new();
        for (index, verdict) in told {
            early.insert(index, verdict);
            while let Some(verdict) = early.remove(&judged.all) {
                judged.add(&mutations[judged.all], verdict);
            }
        }
    });
    judged
}

impl Judged {
    fn add(&mut self, mutation: &Mutation, verdict: Verdict) {
        let row = match verdict {
            Verdict::Uncaught(why) => format!("| {} | **nothing** | {why} |\n", mutation.row),
            Verdict::Caught(words) => {
                self.caught += 1;
                format!("| {} | `{}` | {words} |\n", mutation.row, mutation.model)
            }
        };
        self.all += 1;
        print!("{row}");
        self.table += &row;
    }
}

fn main() -> ExitCode {
    let only = std::env::args().nth(1).unwrap_or_default();
    if only == "--check" {
        return stale::check();
    }
    // As many as a machine has processors that is not large: each model takes one.
    let copies = [0, 1].map(Copy::make);
    let root = copies[0].root();
    let sources = Sources::read(root);
    // Known before the long part: all can be made.
    let (mut orderings, mut faults) = (orderings::all(root), Vec::from_iter(faults::all()));
    orderings.iter().chain(&faults).for_each(|mutation| _ = mutation.of_file_in(root));
    let mut models = String::new();
    if only.is_empty() || only == "--models" {
        let Some(table) = models::table(&copies[0], &sources) else {
            println!("the models fail on the source as it is");
            return ExitCode::FAILURE;
        };
        println!("{table}");
        models = table;
    }
    if only == "--models" {
        report::replace_models(&models);
        return ExitCode::SUCCESS;
    }
    for mutations in [&mut orderings, &mut faults] {
        mutations.retain(|mutation| mutation.row.contains(&only));
    }
    let weakened = judge("place | ordering | weakened to", &orderings, &copies, &sources);
    let planted = judge("fault | planted in", &faults, &copies, &sources);
    let (caught, all) = (weakened.caught + planted.caught, weakened.all + planted.all);
    assert!(all > 0, "no change has {only:?} in its row");
    println!("{caught} of {all} caught");
    if only.is_empty() {
        report::write(&models, &weakened, &planted);
    } else {
        report::replace(&[weakened, planted]);
    }
    if caught == all { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
