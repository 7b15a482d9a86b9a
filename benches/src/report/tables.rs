//! Tables of benchmark results for `docs/benchmarks.md`. Cells have the median, and in subscript the
//! minimum and maximum over all repetitions.

use super::all_results::{AllResults, Drawing};
use super::bar_chart::{memory, number, percent, rate, time};
use super::subject_style::is_ours;
use super::{tails, targets};
use crate::measures::small_buffer;
use crate::results::{Header, Results, Spread};
use crate::subject::{Call, Info, Kind};
use crate::subjects;

/// Formats every table for which there are results. Yields the name that marks the table's section
/// in `docs/benchmarks.md`, and the text of the table.
pub(super) fn all(all: &AllResults) -> impl Iterator<Item = (&'static str, String)> {
    let tables: [Drawing; 13] = [
        ("machine", machine),
        ("targets", targets::table),
        ("callers_cost", callers_cost),
        ("latency", tails::latency),
        ("syscalls", tails::syscalls),
        ("scaling", scaling),
        ("account", account),
        ("service", tails::service),
        ("delivered", delivered),
        ("sustained", sustained),
        ("small_buffer", small_buffer),
        ("idle", idle),
        ("instructions", instructions),
    ];
    tables.into_iter().filter_map(|(name, table)| Some((name, table(all)?)))
}

type Case<'a> = &'a [(&'a str, &'a str)];

/// Formats the table of the runs: what was measured in each, of which commit and on which machine.
///
/// The letters name runs in other tables. Values of different runs are not comparable.
fn machine(all: &AllResults) -> Option<String> {
    let mut text = String::from(
        "| run | measured | of commit | on | taken by other processes, by other machines | on the processor | with |\n|---|---|---|---|---|---|---|\n",
    );
    for results in all.iter() {
        let Header { measure, machine, disturbance, .. } = &results.header;
        let run = all.run_name(measure).unwrap_or_default();
        let disturbance = disturbance.map_or("not recorded".to_owned(), |disturbance| {
            format!("{}, {}", percent(disturbance.others), percent(disturbance.stolen))
        });
        text += &format!(
            "| {run} | {measure} | {} | {} | {disturbance} | {}, {} cores; {} | {} |\n",
            machine.commit,
            machine.date,
            machine.processor,
            machine.cores,
            machine.kernel,
            machine.rustc
        );
    }
    Some(text)
}

/// Formats a Markdown table with a row for each client that the predicate `wanted` selects. Leaves
/// out rows without any value.
pub(super) fn table(
    headings: &[String],
    wanted: impl Fn(&Info) -> bool,
    cell: impl Fn(&Info, usize) -> Option<String>,
) -> String {
    let mut text =
        format!("| | {} |\n|---|{}\n", headings.join(" | "), "---:|".repeat(headings.len()));
    for info in subjects::all().into_iter().filter(wanted) {
        let cells: Vec<_> = (0..headings.len()).map(|column| cell(&info, column)).collect();
        if cells.iter().all(Option::is_none) {
            continue;
        }
        let strong = if is_ours(&info) { "**" } else { "" };
        text += &format!("| {strong}{}{strong} |", info.label);
        for cell in cells {
            text += &format!(" {} |", cell.unwrap_or_else(|| "-".to_owned()));
        }
        text += "\n";
    }
    text
}

/// Formats a result as its median, followed by the minimum and maximum if they differ after
/// formatting.
pub(super) fn format_spread(spread: Spread, format: fn(f64) -> String) -> String {
    let Spread { median, min, max } = spread;
    let [median, min, max] = [median, min, max].map(format);
    if min == max { median } else { format!("{median} <sub>{min} - {max}</sub>") }
}

pub(super) fn cell(
    results: &Results,
    info: &Info,
    case: Case,
    figure: &str,
    format: fn(f64) -> String,
) -> Option<String> {
    Some(format_spread(results.spread(info.id, case, figure)?, format))
}

fn headings<const N: usize>(headings: [&str; N]) -> [String; N] {
    headings.map(str::to_owned)
}

/// Column headings for the kinds of calls in tables of benchmark results, in the order of
/// `Call::ALL`.
const CALLS: [&str; 6] =
    ["counter", "counter, 2 tags", "gauge, whole", "gauge, two decimals", "gauge, full", "timing"];

fn callers_cost(all: &AllResults) -> Option<String> {
    let results = all.results("callers_cost")?;
    Some(table(
        &headings(CALLS),
        |_| true,
        |info, column| {
            cell(results, info, &[("call", Call::ALL[column].id())], "nanoseconds", time)
        },
    ))
}

fn scaling(all: &AllResults) -> Option<String> {
    let results = all.results("scaling")?;
    let threads = ["1", "2", "4", "8", "16"];
    Some(table(
        &threads.map(|threads| format!("{threads} threads")),
        |_| true,
        |info, column| {
            let case = [("load", "bursts"), ("threads", threads[column])];
            let lost = results.median(info.id, &case, "share_lost").filter(|&share| share > 0.0);
            let lost = lost.map_or(String::new(), |share| format!(", {} lost", percent(share)));
            Some(cell(results, info, &case, "nanoseconds", time)? + &lost)
        },
    ))
}

/// Formats the table of lines that several threads emit at full speed: lines received per second,
/// and the shares that arrived, were dropped and were lost.
fn account(all: &AllResults) -> Option<String> {
    let results = all.results("scaling")?;
    let threads = ["1", "4", "16"];
    Some(table(
        &threads.map(|threads| format!("{threads} threads")),
        |_| true,
        |info, column| {
            let case = [("load", "unthrottled"), ("threads", threads[column])];
            let figure = |name| results.median(info.id, &case, name);
            let emitted = figure("emitted")?;
            let arrived = percent(figure("received")? / emitted);
            let lost = match figure("dropped_by_its_own_count") {
                Some(dropped) => {
                    let elsewhere = emitted - figure("received")? - dropped;
                    let elsewhere = percent((elsewhere / emitted).max(0.0));
                    format!("{} dropped and counted, {elsewhere} lost", percent(dropped / emitted))
                }
                None => format!("{} lost, not counted", percent(figure("share_lost")?)),
            };
            let emitted = number(emitted);
            Some(format!(
                "{emitted} emitted at {}; {arrived} arrived, {lost}",
                rate(figure("lines_per_second")?)
            ))
        },
    ))
}

const LINKS: [(&str, &str, &str); 4] = [
    ("UDP, datagrams of 1432 bytes", "udp", "1432"),
    ("UDP, datagrams of 8192 bytes", "udp", "8192"),
    ("TCP", "tcp", "1432"),
    ("Unix datagrams of 8192 bytes", "unix_datagram", "8192"),
];

fn delivered(all: &AllResults) -> Option<String> {
    let results = all.results("delivered")?;
    let names = headings([
        "unthrottled",
        "lost",
        "CPU per line",
        "peak memory",
        "CPU per line at 100,000/s",
        "at 1,000,000/s",
        "lost",
        "at 4,000,000/s",
        "lost",
    ]);
    let mut text = String::new();
    for (title, transport, payload) in LINKS {
        text += &format!("\n{title}\n\n");
        text += &table(
            &names,
            |_| true,
            |info, column| {
                let load = ["unthrottled", "100,000/s", "1,000,000/s", "4,000,000/s"]
                    [[0, 0, 0, 0, 1, 2, 2, 3, 3][column]];
                let case = [("transport", transport), ("payload", payload), ("load", load)];
                // A client that aggregates sends one line for many calls, so the cost is per call.
                let aggregates = info.kind == Kind::Aggregates;
                let processor =
                    if aggregates { "processor_per_call" } else { "processor_per_line" };
                match column {
                    0 if aggregates => Some("aggregates".to_owned()),
                    0 => cell(results, info, &case, "lines_per_second", rate),
                    1 | 6 | 8 if aggregates => None,
                    1 | 6 | 8 => cell(results, info, &case, "share_lost", percent),
                    3 => cell(results, info, &case, "peak_kib", memory),
                    _ => cell(results, info, &case, processor, time),
                }
            },
        );
    }
    Some(text)
}

fn sustained(all: &AllResults) -> Option<String> {
    let results = all.results("sustained")?;
    let names = LINKS.map(|(title, ..)| title.to_owned());
    Some(table(
        &names,
        |_| true,
        |info, column| {
            let (_, transport, payload) = LINKS[column];
            let case = [("transport", transport), ("payload", payload)];
            let held = results.spread(info.id, &case, "lines_per_second")?;
            Some(if held.max == 0.0 { "none".to_owned() } else { format_spread(held, rate) })
        },
    ))
}

fn small_buffer(all: &AllResults) -> Option<String> {
    let results = all.results("small_buffer")?;
    let rates = small_buffer::RATES;
    Some(table(
        &rates.map(|(rate, _)| rate.to_owned()),
        |_| true,
        |info, column| {
            let case = [("load", rates[column].0)];
            let Spread { median, min, max } = results.spread(info.id, &case, "share_lost")?;
            let arrived = Spread { median: 1.0 - median, min: 1.0 - max, max: 1.0 - min };
            Some(format_spread(arrived, percent))
        },
    ))
}

fn idle(all: &AllResults) -> Option<String> {
    let results = all.results("idle")?;
    let names = headings([
        "wake-ups/s",
        "CPU",
        "first line after",
        "memory, 1 thread",
        "100 threads",
        "1,000 threads",
    ]);
    let microseconds = |value: f64| format!("{}/s", time(value * 1e3));
    let milliseconds = |value: f64| time(value * 1e6);
    Some(table(
        &names,
        |_| true,
        |info, column| {
            let case = [("threads", ["1", "1", "1", "1", "100", "1000"][column])];
            match column {
                0 => cell(results, info, &case, "wake_ups_per_second", number),
                1 => cell(results, info, &case, "processor_us_per_second", microseconds),
                2 if info.kind == Kind::Bound => None,
                2 => cell(results, info, &case, "first_line_ms", milliseconds).or_else(|| {
                    results
                        .median(info.id, &case, "resident_kib")
                        .map(|_| "not within 12 s".to_owned())
                }),
                _ => cell(results, info, &case, "resident_kib", memory),
            }
        },
    ))
}

fn instructions(all: &AllResults) -> Option<String> {
    let results = all.results("instructions")?;
    Some(table(
        &headings(CALLS),
        |_| true,
        |info, column| {
            cell(results, info, &[("call", Call::ALL[column].id())], "instructions", |n| {
                format!("{n:.0}")
            })
        },
    ))
}
