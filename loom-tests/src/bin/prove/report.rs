//! Functions that write the report PROOF.md: the whole file, or some of its rows.

use super::{Judged, PROOF};
use std::fs;

const MODELS: &str = "## The models\n\n";
const CHANGES: &str = "## What they catch\n\n";
const ORDERINGS: &str = "### Orderings, weakened: ";
const FAULTS: &str = "### Faults, planted: ";

pub fn write(models: &str, weakened: &Judged, planted: &Judged) {
    let section = |head: &str, judged: &Judged| {
        let Judged { table, caught, all } = judged;
        format!("{head}{caught} of {all} caught\n\n{table}")
    };
    let report = format!(
        "# The proof\n\n\
         Written by `cargo prove`. What the columns mean: [README.md](README.md).\n\n\
         {MODELS}{models}\n\
         {CHANGES}\
         Each of these changes was made, alone, to a copy of the source, and the one model that is named\n\
         for it was run.\n\n\
         {}\n{}",
        section(ORDERINGS, weakened),
        section(FAULTS, planted)
    );
    fs::write(PROOF, report).expect("PROOF.md is writable");
}

/// Replaces the table of the models (loom tests) in the report PROOF.md.
pub fn replace_models(models: &str) {
    let proof = fs::read_to_string(PROOF).expect("PROOF.md is readable");
    let (before, rest) = proof.split_once(MODELS).expect("PROOF.md has the table of the models");
    let (_, after) = rest.split_once(CHANGES).expect("PROOF.md has the tables of the changes");
    let proof = format!("{before}{MODELS}{models}\n{CHANGES}{after}");
    fs::write(PROOF, proof).expect("PROOF.md is writable");
}

/// Replaces the rows of all changes in `judged` in the report PROOF.md by new results. Changes
/// without a row are ignored, because only a full run adds rows.
pub fn replace(judged: &[Judged]) {
    let mut lines: Vec<_> = fs::read_to_string(PROOF)
        .expect("PROOF.md is readable")
        .lines()
        .map(String::from)
        .collect();
    // The first two lines are the head of the table.
    for row in judged.iter().flat_map(|judged| judged.table.lines().skip(2)) {
        if let Some(line) = lines.iter_mut().find(|line| change(line) == change(row)) {
            *line = row.to_owned();
        }
    }
    for head in [ORDERINGS, FAULTS] {
        count(&mut lines, head);
    }
    fs::write(PROOF, lines.join("\n") + "\n").expect("PROOF.md is writable");
}

/// Returns the cells that describe a change of the source, from the change's row in the report
/// PROOF.md. The cells of the result are left out.
fn change(row: &str) -> Option<&str> {
    let (change, _) = row.strip_suffix(" |")?.rsplit_once(" | ")?;
    change.rsplit_once(" | ").map(|(change, _)| change)
}

/// Updates the number of caught changes in the heading of a table in the report PROOF.md.
fn count(lines: &mut [String], head: &str) {
    let Some(at) = lines.iter().position(|line| line.starts_with(head)) else { return };
    let rows = lines[at + 1..].iter().take_while(|line| !line.starts_with('#'));
    let rows: Vec<_> = rows.filter(|line| line.starts_with('|')).skip(2).collect();
    let caught = rows.iter().filter(|row| !row.contains("| **nothing** |")).count();
    lines[at] = format!("{head}{caught} of {} caught", rows.len());
}
