//! Table of the demo's results, with a row for each count and a column for each run.

use crate::account::Run;

/// Row of the table: label, unit, and a function that returns the count to show for a run, or
/// `None` if there is none. An empty label repeats the label of the row above.
type Row = (&'static str, &'static str, fn(&Run) -> Option<u64>);

/// Table rows of the counts that freewheel keeps: emitted lines, and the sent, buffered, dropped
/// and lost lines that add up to them.
const FREEWHEEL: &[Row] = &[
    ("emitted", "lines", |run| Some(run.stats.emitted.lines)),
    ("", "bytes", |run| Some(run.stats.emitted.bytes)),
    ("= sent", "lines", |run| Some(run.stats.sent.lines)),
    ("", "bytes", |run| Some(run.stats.sent.bytes)),
    ("+ buffered", "lines", |run| Some(run.stats.buffered.lines)),
    ("+ dropped: queue full", "lines", |run| Some(run.stats.drops.full.lines)),
    ("+ dropped: line too long", "lines", |run| Some(run.stats.drops.oversize.lines)),
    ("+ dropped: invalid", "lines", |run| Some(run.stats.drops.invalid.lines)),
    ("+ dropped: thread ending", "lines", |run| Some(run.stats.drops.thread_exit.lines)),
    ("+ lost: refused", "lines", |run| Some(run.stats.losses.refused.lines)),
    ("+ lost: datagram too long", "lines", |run| Some(run.stats.losses.too_long.lines)),
];

/// Table rows of the counts that the receiver keeps.
const RECEIVER: &[Row] = &[
    ("received", "lines", |run| Some(run.received.size.lines)),
    ("", "bytes", |run| Some(run.received.size.bytes)),
    ("lost in its socket buffer", "datagrams", |run| run.received.overflowed),
];

const SPEED: &[Row] = &[
    ("delivered", "lines/s", |run| Some(run.lines_per_second())),
    ("one call, median", "ns", |run| Some(run.work.nanos_per_call())),
];

const LABEL: usize = 26;
const UNIT: usize = 9;
const NUMBER: usize = 15;

/// Renders the results of the runs as a text table.
pub(crate) fn render(runs: &[Run]) -> String {
    let rule = "─".repeat(LABEL + UNIT + NUMBER * runs.len());
    let mut text = row("", "", runs.iter().map(|run| run.name.to_owned()));
    for section in [FREEWHEEL, RECEIVER, SPEED] {
        text += &format!("{rule}\n");
        for (label, unit, number) in section {
            let numbers = runs.iter().map(number);
            text += &row(label, unit, numbers.map(|n| n.map_or("–".to_owned(), thousands)));
        }
    }
    text
}

fn row(label: &str, unit: &str, cells: impl Iterator<Item = String>) -> String {
    let cells: String = cells.map(|cell| format!("{cell:>NUMBER$}")).collect();
    format!("{label:<LABEL$}{unit:<UNIT$}{cells}\n")
}

/// Formats a number with thousands separators, such as `1,234,567`.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let groups = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy);
    groups.collect::<Vec<_>>().join(",")
}
