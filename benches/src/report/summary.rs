//! The table of `BENCHMARKS.md`: ten rows that compare freewheel with its floor and with other clients.

use super::all_results::AllResults;
use super::bar_chart::{memory, number, rate, time};
use crate::subject::Info;
use crate::subjects;

/// Subjects of the columns: the floor, freewheel by name, its handle, and clients as their users
/// would choose them.
const COLUMNS: [&str; 7] = [
    "floor",
    "freewheel",
    "freewheel_prepared",
    "cadence_queued",
    "statsd_pipeline",
    "dogstatsd",
    "mx_dogstatsd_handle",
];

/// Row of the table: its title, the measure, the case, the value and its format.
type Row = (
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static str,
    fn(f64) -> String,
);

const UDP: (&str, &str) = ("transport", "udp");
const PAYLOAD: (&str, &str) = ("payload", "1432");

const ROWS: [Row; 10] = [
    ("a counter", "callers_cost", &[("call", "incr")], "nanoseconds", time),
    ("a counter with two tags", "callers_cost", &[("call", "incr_tagged")], "nanoseconds", time),
    ("a timing", "callers_cost", &[("call", "timing")], "nanoseconds", time),
    ("instructions of a counter", "instructions", &[("call", "incr")], "instructions", number),
    (
        "slowest thousandth, a call every 10 µs",
        "latency",
        &[("pace", "every 10 us")],
        "p99.9",
        time,
    ),
    ("median, a call every 100 µs", "latency", &[("pace", "every 100 us")], "p50", time),
    ("lines sustained over UDP", "sustained", &[UDP, PAYLOAD], "lines_per_second", rate),
    (
        "processor time of a line, at a million a second",
        "delivered",
        &[UDP, PAYLOAD, ("load", "1,000,000/s")],
        "processor_per_line",
        time,
    ),
    ("wake-ups a second while idle", "idle", &[("threads", "1")], "wake_ups_per_second", number),
    ("memory with 100 threads", "idle", &[("threads", "100")], "resident_kib", memory),
];

/// Formats the table. The values are medians.
pub(super) fn table(all: &AllResults) -> Option<String> {
    let infos = subjects::all();
    let column = |id| infos.iter().find(|info| info.id == id);
    let columns: Vec<&Info> = COLUMNS.into_iter().filter_map(column).collect();
    let labels: Vec<&str> = columns.iter().map(|info| info.label).collect();
    let mut text = format!("| | {} |\n|---|{}\n", labels.join(" | "), "--:|".repeat(labels.len()));
    let mut is_empty = true;
    for (title, measure, case, figure, format) in ROWS {
        let Some(results) = all.results(measure) else { continue };
        is_empty = false;
        text += &format!("| {title} |");
        for info in &columns {
            let value = results.median(info.id, case, figure).map(format);
            text += &format!(" {} |", value.unwrap_or_else(|| "-".to_owned()));
        }
        text += "\n";
    }
    (!is_empty).then_some(text)
}
