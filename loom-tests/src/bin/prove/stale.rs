//! Whether PROOF.md is of the source as it is, by its rows and by what they change: what they say is
//! found out only by running everything.

use super::models::Sources;
use super::{PROOF, faults, orderings};
use std::path::Path;
use std::process::ExitCode;

/// Prints which rows are missing, and which are of what is no more.
pub fn check() -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mutations = orderings::all(&root).into_iter().chain(faults::all());
    let mutations = mutations.inspect(|mutation| _ = mutation.of_file_in(&root));
    let mutations =
        mutations.map(|mutation| format!("| {} | `{}` |", mutation.row, mutation.model));
    let sources = Sources::read(&root);
    let models = sources.models().map(|(model, claim)| format!("| `{model}` | {claim} |"));
    let expected: Vec<String> = models.chain(mutations).collect();

    let proof = std::fs::read_to_string(PROOF).expect("PROOF.md");
    let is_row =
        |line: &&str| line.starts_with("| ") && !HEADS.iter().any(|head| line.starts_with(head));
    let rows: Vec<&str> = proof.lines().filter(is_row).collect();
    let missing = expected.iter().filter(|row| !rows.iter().any(|line| line.starts_with(*row)));
    let missing = missing.map(|row| format!("PROOF.md has no such row: {row}"));
    let left = rows.iter().filter(|line| !expected.iter().any(|row| line.starts_with(row)));
    let left = left.map(|line| format!("PROOF.md has a row of what is no more: {line}"));
    let stale: Vec<String> = missing.chain(left).collect();
    stale.iter().for_each(|what| println!("{what}"));
    if stale.is_empty() {
        println!("PROOF.md has a row for each of {} models, orderings and faults", expected.len());
        return ExitCode::SUCCESS;
    }
    println!("to make it anew: cd loom-tests && cargo prove");
    ExitCode::FAILURE
}

const HEADS: &[&str] = &["| model |", "| place |", "| fault |"];
