//! Checker of the report PROOF.md: it must have a row for each model, weakened ordering and fault,
//! and no other row. The results in the rows are not checked.

use super::sources::Sources;
use super::{PROOF, faults, orderings};
use std::path::Path;
use std::process::ExitCode;

/// Prints the rows that the report PROOF.md lacks, and its obsolete rows of changes and models that
/// no longer exist. Fails if there are any.
pub fn check() -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mutations = orderings::all(&root).into_iter().chain(faults::all());
    let mutations = mutations.inspect(|mutation| _ = mutation.apply_in(&root));
    let mutations =
        mutations.map(|mutation| format!("| {} | `{}` |", mutation.row, mutation.model));
    let sources = Sources::read(&root);
    let models = sources.models().map(|(model, claim)| format!("| `{model}` | {claim} |"));
    let expected: Vec<String> = models.chain(mutations).collect();

    let proof = std::fs::read_to_string(PROOF).expect("PROOF.md is readable");
    let is_row =
        |line: &&str| line.starts_with("| ") && !HEADS.iter().any(|head| line.starts_with(head));
    let rows: Vec<&str> = proof.lines().filter(is_row).collect();
    let missing = expected.iter().filter(|row| !rows.iter().any(|line| line.starts_with(*row)));
    let missing = missing.map(|row| format!("PROOF.md has no such row: {row}"));
    let obsolete = rows.iter().filter(|line| !expected.iter().any(|row| line.starts_with(row)));
    let obsolete = obsolete.map(|line| format!("PROOF.md has an obsolete row: {line}"));
    let stale: Vec<String> = missing.chain(obsolete).collect();
    stale.iter().for_each(|problem| println!("{problem}"));
    if stale.is_empty() {
        println!("PROOF.md has a row for each of {} models, orderings and faults", expected.len());
        return ExitCode::SUCCESS;
    }
    println!("to regenerate it: cd loom-tests && cargo prove");
    ExitCode::FAILURE
}

const HEADS: &[&str] = &["| model |", "| place |", "| fault |"];
