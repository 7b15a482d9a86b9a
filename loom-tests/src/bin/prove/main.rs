//! Program that proves that the models (loom tests) catch mistakes: it plants one mistake at a time
//! in a copy of the source, and checks that the model for this mistake fails.
//!
//! It runs every model. Then it weakens every ordering and plants every fault, one at a time, in a
//! copy of the source. The comment of an ordering, or the fault in `faults/`, names the model that
//! must fail.
//!
//! ```sh
//! cargo prove              # all; rewrites PROOF.md
//! cargo prove published    # the changes whose rows contain this; replaces their rows in PROOF.md
//! cargo prove --models     # only the models; replaces their table in PROOF.md
//! cargo prove --check      # runs nothing: checks that each change can be made, and has a row
//! ```
//!
//! Exits with 1 if a change is not caught, or if a model fails on the unchanged source.

mod copy;
mod faults;
mod models;
mod orderings;
mod report;
mod sources;
mod stale;

use copy::{Copy, Verdict};
use sources::Sources;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc;
use std::thread;

const PROOF: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/PROOF.md");

/// Change that makes the source wrong, and the model (loom test) that must then fail.
struct Mutation {
    /// First cells of the change's row in the report PROOF.md. They describe the change.
    row: String,
    /// Path of the source file that this mutation (a fault planted to test the models) changes,
    /// relative to the root of the repository.
    file: String,
    /// Edits of the source file: texts that each occur once in the file, each with its replacement.
    edits: Vec<(String, String)>,
    /// Name of the model (loom test) that must fail.
    model: String,
}

impl Mutation {
    /// Returns the text of the source file that this mutation changes, before and after the change.
    /// Reads the file below `root`, the root directory of the repository or of a copy.
    ///
    /// # Panics
    /// If a text to replace does not occur exactly once.
    fn apply_in(&self, root: &Path) -> (String, String) {
        let path = root.join(&self.file);
        let original = std::fs::read_to_string(&path).expect("the file to change is readable");
        let mut changed = original.clone();
        for (from, to) in &self.edits {
            let times = original.matches(from.as_str()).count();
            assert_eq!(
                times, 1,
                "{}: expected this text once, found it {times} times: {from}",
                self.row
            );
            changed = changed.replace(from, to);
        }
        (original, changed)
    }
}

/// Results of all changes of one kind (weakened orderings, or planted faults): the table of
/// results, and the number of caught changes.
struct Judged {
    table: String,
    caught: usize,
    all: usize,
}

/// Makes each change in a copy of the repository, runs the model that must catch the change, and
/// prints the results in the order of the changes.
fn judge(head: &str, mutations: &[Mutation], copies: &[Copy], sources: &Sources) -> Judged {
    let mut table = format!("| {head} | caught by | which says |\n");
    table += &("|---".repeat(head.split('|').count() + 2) + "|\n");
    print!("{table}");
    let mut judged = Judged { table, caught: 0, all: 0 };
    let next = &AtomicUsize::new(0);
    let (sender, results) = mpsc::channel();
    thread::scope(|scope| {
        for copy in copies {
            let sender = sender.clone();
            scope.spawn(move || {
                while let Some(index) = Some(next.fetch_add(1, Relaxed))
                    && let Some(mutation) = mutations.get(index)
                {
                    sender
                        .send((index, copy.run_with(mutation, sources)))
                        .expect("the receiver is alive");
                }
            });
        }
        drop(sender);
        let mut pending = BTreeMap::new();
        for (index, verdict) in results {
            pending.insert(index, verdict);
            while let Some(verdict) = pending.remove(&judged.all) {
                judged.add(&mutations[judged.all], verdict);
            }
        }
    });
    judged
}

impl Judged {
    fn add(&mut self, mutation: &Mutation, verdict: Verdict) {
        let row = match verdict {
            Verdict::Uncaught(reason) => format!("| {} | **nothing** | {reason} |\n", mutation.row),
            Verdict::Caught(message) => {
                self.caught += 1;
                format!("| {} | `{}` | {message} |\n", mutation.row, mutation.model)
            }
        };
        self.all += 1;
        print!("{row}");
        self.table += &row;
    }
}

fn main() -> ExitCode {
    let filter = std::env::args().nth(1).unwrap_or_default();
    if filter == "--check" {
        return stale::check();
    }
    // Two copies suit a small machine: each model takes one processor.
    let copies = [0, 1].map(Copy::create);
    let root = copies[0].root();
    let sources = Sources::read(root);
    // Checks that each change can be made, before the models run.
    let (mut orderings, mut faults) = (orderings::all(root), Vec::from_iter(faults::all()));
    orderings.iter().chain(&faults).for_each(|mutation| _ = mutation.apply_in(root));
    let mut models = String::new();
    if filter.is_empty() || filter == "--models" {
        let Some(table) = models::table(&copies[0], &sources) else {
            println!("the models fail on the unchanged source");
            return ExitCode::FAILURE;
        };
        println!("{table}");
        models = table;
    }
    if filter == "--models" {
        report::replace_models(&models);
        return ExitCode::SUCCESS;
    }
    for mutations in [&mut orderings, &mut faults] {
        mutations.retain(|mutation| mutation.row.contains(&filter));
    }
    let weakened = judge("place | ordering | weakened to", &orderings, &copies, &sources);
    let planted = judge("fault | planted in", &faults, &copies, &sources);
    let (caught, all) = (weakened.caught + planted.caught, weakened.all + planted.all);
    assert!(all > 0, "no change has {filter:?} in its row");
    println!("{caught} of {all} caught");
    if filter.is_empty() {
        report::write(&models, &weakened, &planted);
    } else {
        report::replace(&[weakened, planted]);
    }
    if caught == all { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
