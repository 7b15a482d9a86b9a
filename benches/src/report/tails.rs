//! Tables of the slowest calls: latency by pace, a service's mix of calls, and the system calls of
//! the emitting thread.

use super::all_results::AllResults;
use super::bar_chart::{number, percent, rate, time};
use super::tables::{cell, format_spread, table};
use crate::measures::latency::{FLOOR_PREFIX, PACES};
use crate::measures::syscalls::{self, NAME_PREFIX};
use crate::results::Results;
use crate::subject::Info;
use crate::workload::paced::LIMITS;

const QUANTILES: [&str; 5] = ["p50", "p99", "p99.9", "p99.99", "max"];
/// Column of the ratio of a client's p99.9 to the floor's p99.9 in the same slices of time.
const RATIO: &str = "p99.9 / floor's beside it";

/// Formats the latency tables, one for each pace that was measured.
pub(super) fn latency(all: &AllResults) -> Option<String> {
    let results = all.results("latency")?;
    let mut text = String::new();
    let columns = columns(results, true);
    for (pace, ..) in PACES {
        if !results.has_case("pace", pace) {
            continue;
        }
        let case: [(&str, &str); 1] = [("pace", pace)];
        text += &format!("\n{}\n\n", pace.replace("us", "µs"));
        text += &table(
            &headings(&columns),
            |_| true,
            |info, column| tail_cell(results, info, &case, columns[column], ""),
        );
        text += &floor_row(results, &case, &columns);
    }
    Some(text)
}

/// Formats a row of the floor's values in the slices between freewheel's. Returns no row if
/// they were not measured so.
fn floor_row(results: &Results, case: &[(&str, &str)], columns: &[&'static str]) -> String {
    let ours = crate::subjects::info("freewheel");
    let cells: Vec<_> = columns
        .iter()
        .map(|column| match *column {
            RATIO => None,
            column => tail_cell(results, &ours, case, column, FLOOR_PREFIX),
        })
        .collect();
    if cells.iter().all(Option::is_none) {
        return String::new();
    }
    let cells = cells.into_iter().map(|cell| cell.unwrap_or_else(|| "-".to_owned()));
    format!("| the floor beside freewheel | {} |\n", cells.collect::<Vec<_>>().join(" | "))
}

/// Formats the table of a service's mix of calls.
pub(super) fn service(all: &AllResults) -> Option<String> {
    let results = all.results("service")?;
    let tails = columns(results, false);
    let mut names = headings(&tails);
    names.extend(["lines/s", "arrived", "dropped and counted"].map(str::to_owned));
    Some(table(
        &names,
        |_| true,
        |info, column| match column.checked_sub(tails.len()) {
            None => tail_cell(results, info, &[], tails[column], ""),
            Some(0) => cell(results, info, &[], "lines_per_second", rate),
            Some(1) => {
                let lost = results.median(info.id, &[], "share_lost")?;
                Some(percent(1.0 - lost))
            }
            Some(_) => {
                let dropped = results.median(info.id, &[], "dropped_by_its_own_count")?;
                Some(percent(dropped / results.median(info.id, &[], "emitted")?))
            }
        },
    ))
}

/// Formats the table of system calls per million calls, with the kinds of system calls. A client
/// that drops lines may save system calls, so that dropped lines are stated beside them.
pub(super) fn syscalls(all: &AllResults) -> Option<String> {
    let results = all.results("syscalls")?;
    let paces = syscalls::PACES.map(|(pace, ..)| pace);
    Some(table(
        &paces.map(|pace| pace.replace("us", "µs")),
        |_| true,
        |info, column| {
            let case = [("pace", paces[column])];
            let per_million = cell(results, info, &case, "per_million", number)?;
            let names = results.figure_names(info.id, &case);
            let names: Vec<_> =
                names.iter().filter_map(|name| name.strip_prefix(NAME_PREFIX)).collect();
            let dropped = results.median(info.id, &case, "dropped_by_its_own_count");
            let dropped = dropped.filter(|&lines| lines > 0.0);
            let dropped = dropped.map(|lines| format!("{} lines dropped", number(lines)));
            let notes: Vec<_> = names.into_iter().map(str::to_owned).chain(dropped).collect();
            Some(match notes.as_slice() {
                [] => per_million,
                notes => format!("{per_million} <sub>{}</sub>", notes.join(", ")),
            })
        },
    ))
}

/// Returns the columns for which there are values.
fn columns(results: &Results, with_ratio: bool) -> Vec<&'static str> {
    let mut columns = Vec::new();
    for name in QUANTILES.into_iter().chain(LIMITS.map(|(name, _)| name)) {
        if results.has_figure(name) {
            columns.push(name);
        }
        if name == "p99.9" && with_ratio && results.has_figure(&format!("{FLOOR_PREFIX}{name}")) {
            columns.push(RATIO);
        }
    }
    columns
}

fn headings(columns: &[&'static str]) -> Vec<String> {
    let per_million = |name: &str| match name.strip_prefix("over ") {
        Some(limit) => format!("over {limit}, per million").replace("us", "µs"),
        None => name.to_owned(),
    };
    columns.iter().map(|name| per_million(name)).collect()
}

/// Formats one value of a client, or of the floor beside it if `prefix` is [`FLOOR_PREFIX`].
fn tail_cell(
    results: &Results,
    info: &Info,
    case: &[(&str, &str)],
    column: &str,
    prefix: &str,
) -> Option<String> {
    if column == RATIO {
        let ours = results.median(info.id, case, "p99.9")?;
        let floor = results.median(info.id, case, &format!("{FLOOR_PREFIX}p99.9"))?;
        return Some(format!("{:.2}", ours / floor));
    }
    let spread = results.spread(info.id, case, &format!("{prefix}{column}"))?;
    let format = if column.starts_with("over ") { number } else { time };
    Some(format_spread(spread, format))
}
