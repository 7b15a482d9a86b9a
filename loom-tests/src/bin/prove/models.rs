//! Table of the models (loom tests) for PROOF.md: what each model proves, and how many
//! interleavings loom explored.

use crate::copy::Copy;
use crate::sources::Sources;
use freewheel_loom_tests::Explored;

/// Runs all models (loom tests), and returns a table of them in Markdown, or `None` if a model
/// fails.
pub fn table(copy: &Copy, sources: &Sources) -> Option<String> {
    let output = copy.run_all()?;
    let row = |Explored { name, interleavings, floor, bound, .. }: Explored| {
        let claim = sources.claim(&name)?;
        let bound = bound.map_or("none".to_owned(), |bound| format!("{bound} preemptions"));
        Some(format!("| `{name}` | {claim} | {interleavings} | {floor} | {bound} |\n"))
    };
    let mut rows: Vec<_> = output.lines().filter_map(Explored::parse).filter_map(row).collect();
    rows.sort();
    let head =
        "| model | what it proves | interleavings | floor | bound |\n|---|---|---|---|---|\n";
    Some(head.to_owned() + &rows.concat())
}
