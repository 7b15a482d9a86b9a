//! Table of freewheel's performance targets. Each row has a target, the measured value, and `yes`
//! or `no` to tell if freewheel meets the target. Most targets are ratios of two benchmark results.

use super::all_results::AllResults;
use super::bar_chart::{number, percent, rate, time};
use crate::measures::latency::FLOOR_PREFIX;
use crate::measures::{links, small_buffer, syscalls};
use crate::results::{Results, Spread};
use crate::subject::{Info, Kind};
use crate::subjects;
use std::fmt::Write;

const OURS: &str = "freewheel";

type Case<'a> = &'a [(&'a str, &'a str)];

pub(super) fn table(all: &AllResults) -> Option<String> {
    let text = String::from("| run | target | measured | met |\n|---|---|---|---|\n");
    let mut rows = Rows { all, text };
    let cost = all.results("callers_cost");
    for (call, name) in [
        ("incr", "`incr`"),
        ("timing", "`timing`"),
        ("gauge_whole", "gauge, whole number,"),
        ("gauge_two_decimals", "gauge, two decimals,"),
    ] {
        let target = format!("{name} at most 1.5 times the floor");
        rows.row(
            &["callers_cost"],
            &target,
            cost.and_then(|results| ratio_to_floor(results, &[("call", call)], "nanoseconds", 1.5)),
        );
    }
    rows.row(
        &["scaling"],
        "no slower with 16 threads (by the threads' clocks; at most 1.5 times one thread's, as the floor is slower too)",
        all.results("scaling").and_then(|results| {
            let at = |id, threads| {
                results.median(id, &[("load", "bursts"), ("threads", threads)], "nanoseconds")
            };
            let (one, many) = (at(OURS, "1")?, at(OURS, "16")?);
            let floor = at("floor", "16")? / at("floor", "1")?;
            let measured = format!(
                "{} and {}; the floor becomes {floor:.1} times slower",
                time(one),
                time(many)
            );
            Some((measured, many <= 1.5 * one || many / one <= 1.1 * floor))
        }),
    );
    let latency = all.results("latency");
    for (pace, times) in
        [("every 1 us", 2.2), ("every 10 us", 1.5), ("every 100 us", 1.3), ("back to back", 2.0)]
    {
        let name = pace.replace("us", "µs");
        let target = format!("p99.9 of a call {name} at most {times} times the floor's beside it");
        let measured =
            latency.and_then(|results| ratio_to_floor_beside(results, pace, "p99.9", times, 0.0));
        rows.row(&["latency"], &target, measured);
    }
    rows.row(
        &["latency"],
        "p99.99 of a call every 10 µs at most 1.5 times the floor's beside it, or 5 µs",
        latency.and_then(|results| {
            ratio_to_floor_beside(results, "every 10 us", "p99.99", 1.5, 5_000.0)
        }),
    );
    rows.row(
        &["service"],
        "p99.9 with 16 threads and tasks: no target, beside the floor",
        all.results("service").and_then(|results| {
            let p99_9 = |id| results.median(id, &[], "p99.9").map(time);
            let (tagged, floor) = (p99_9("freewheel_dogstatsd")?, p99_9("floor")?);
            Some((format!("{tagged} and {floor}, in turns of seconds"), None::<bool>))
        }),
    );
    rows.row(
        &["syscalls"],
        "no system call by the emitting thread, per million calls every 1 µs to 1 ms",
        all.results("syscalls").and_then(no_system_calls),
    );
    rows.row(
        &["latency"],
        "p50 at 100 µs at least 50 times below the queue clients'",
        latency.and_then(queue_latency_target),
    );
    let sustained = all.results("sustained");
    rows.row(
        &["sustained", "delivered"],
        "UDP: sustained at 3 times the best peer's most",
        sustained.and_then(|results| {
            let case: Case = &[("transport", "udp"), ("payload", "1432")];
            let ours = results.median(OURS, case, "lines_per_second")?;
            // The peer's unthrottled rate counts even if the peer loses lines.
            let unthrottled: Case =
                &[("transport", "udp"), ("payload", "1432"), ("load", "unthrottled")];
            let delivered = all.results("delivered")?;
            let (peer, theirs) =
                best_peer(delivered, unthrottled, "lines_per_second", f64::total_cmp)?;
            Some((
                format!("{}, {peer} {}: {:.1}", rate(ours), rate(theirs), ours / theirs),
                ours >= 3.0 * theirs,
            ))
        }),
    );
    rows.row(
        &["sustained"],
        "UDP: 0.8 of the raw ceiling with segmentation offload",
        sustained.and_then(|results| {
            ratio_to_ceiling(
                results,
                &[("transport", "udp"), ("payload", "1432")],
                "raw_segmented",
                0.8,
            )
        }),
    );
    rows.row(
        &["sustained"],
        "TCP: 0.8 of the raw ceiling",
        sustained
            .and_then(|results| ratio_to_ceiling(results, &[("transport", "tcp")], "raw", 0.8)),
    );
    rows.row(
        &["small_buffer"],
        "default socket buffer: at least as much arrives as from any peer, at every rate",
        all.results("small_buffer").and_then(default_buffer_target),
    );
    rows.row(
        &["delivered"],
        "processor time per line, UDP: a third of the best peer's, at every rate",
        all.results("delivered").and_then(|results| {
            let (mut measured, mut met) = (Vec::new(), true);
            for (load, _) in links::LOADS {
                let case: Case = &[("transport", "udp"), ("payload", "1432"), ("load", load)];
                let ours = results.median(OURS, case, "processor_per_line")?;
                let (peer, theirs) =
                    best_peer(results, case, "processor_per_line", |one, other| {
                        other.total_cmp(one)
                    })?;
                let (cost, ratio) = (time(ours), ours / theirs);
                measured.push(format!("{load}: {cost}, {peer} {}: {ratio:.2}", time(theirs)));
                met &= ours * 3.0 <= theirs;
            }
            Some((measured.join("; "), met))
        }),
    );
    let idle = all.results("idle");
    rows.row(
        &["idle"],
        "idle: no wake-up at all",
        idle.and_then(|results| {
            let ours = results.median(OURS, &[("threads", "1")], "wake_ups_per_second")?;
            Some((format!("{ours:.1} a second"), ours == 0.0))
        }),
    );
    rows.row(
        &["idle"],
        "the first line after idleness leaves within one flush interval (100 ms, and 5 for the receiver's waking)",
        idle.and_then(|results| {
            let ours = results.median(OURS, &[("threads", "1")], "first_line_ms")?;
            // The receiver's scheduling delay is included.
            Some((time(ours * 1e6), ours <= 105.0))
        }),
    );
    Some(rows.text)
}

/// Table of targets, row by row.
struct Rows<'a> {
    all: &'a AllResults,
    text: String,
}

impl Rows<'_> {
    /// Adds a row, from the results of the benchmarks `measures`. `measured` has the text of the
    /// measured value, and whether the target is met, or `None` if there is no target.
    fn row<M: Into<Option<bool>>>(
        &mut self,
        measures: &[&str],
        target: &str,
        measured: Option<(String, M)>,
    ) {
        let exist = measures.iter().all(|measure| self.all.results(measure).is_some());
        let (measured, met) = match measured.map(|(measured, met)| (measured, met.into())) {
            // Values of different runs are not set beside each other.
            _ if exist && !self.all.are_of_one_run(measures) => {
                ("not measured in one run".to_owned(), "-")
            }
            Some((measured, Some(true))) => (measured, "yes"),
            Some((measured, Some(false))) => (measured, "**no**"),
            Some((measured, None)) => (measured, "-"),
            None => ("not measured".to_owned(), "-"),
        };
        let run = self.all.run_name(measures[0]).map_or("-".to_owned(), String::from);
        let _ = writeln!(self.text, "| {run} | {target} | {measured} | {met} |");
    }
}

/// Compares freewheel's time with the time of the floor (code that only formats a line). Returns
/// the text for the table, and true if freewheel takes at most `times` times as long.
fn ratio_to_floor(
    results: &Results,
    case: Case,
    figure: &str,
    times: f64,
) -> Option<(String, bool)> {
    let ours = results.median(OURS, case, figure)?;
    let floor = results.median("floor", case, figure)?;
    let ratio = ours / floor;
    Some((format!("{} and {}: {ratio:.2}", time(ours), time(floor)), ratio <= times))
}

/// Compares freewheel's latency with the floor's, which was called in turns with it. Returns
/// the text for the table, and true if freewheel takes at most `times` times as long, or at most
/// `enough` nanoseconds.
fn ratio_to_floor_beside(
    results: &Results,
    pace: &str,
    figure: &str,
    times: f64,
    enough: f64,
) -> Option<(String, bool)> {
    let case: Case = &[("pace", pace)];
    let ours = results.median(OURS, case, figure)?;
    let floor = results.median(OURS, case, &format!("{FLOOR_PREFIX}{figure}"))?;
    let ratio = ours / floor;
    let met = ratio <= times || ours <= enough;
    Some((format!("{} and {}: {ratio:.2}", time(ours), time(floor)), met))
}

/// Returns the number of system calls per million calls at each pace, as text for the table, and
/// true if no repetition had any.
fn no_system_calls(results: &Results) -> Option<(String, bool)> {
    let (mut measured, mut met) = (Vec::new(), true);
    for (pace, ..) in syscalls::PACES {
        let Spread { median, max, .. } = results.spread(OURS, &[("pace", pace)], "per_million")?;
        let pace = pace.replace("us", "µs");
        measured.push(format!("{pace}: {}, at most {}", number(median), number(max)));
        met &= max == 0.0;
    }
    Some((measured.join("; "), met))
}

/// Compares freewheel's rate of lines with that of `ceiling`, a sender of prebuilt lines. Returns
/// the text for the table, and true if freewheel reaches at least the fraction `share` of the
/// ceiling's rate.
fn ratio_to_ceiling(
    results: &Results,
    case: Case,
    ceiling: &str,
    share: f64,
) -> Option<(String, bool)> {
    let ours = results.median(OURS, case, "lines_per_second")?;
    let theirs = results.median(ceiling, case, "lines_per_second")?;
    let ratio = ours / theirs;
    Some((format!("{} of {}: {ratio:.2}", rate(ours), rate(theirs)), ratio >= share))
}

/// Yields the clients other than freewheel that send one line per call.
fn peers() -> impl Iterator<Item = Info> {
    let ours = |info: &Info| info.id.starts_with(OURS) || info.id == "one_item_per_line";
    subjects::all().into_iter().filter(move |info| info.kind == Kind::LinePerCall && !ours(info))
}

/// Returns the name of the best client other than freewheel, and its measured value `figure`. The
/// closure `order` compares two values: the best value is the greatest in this order.
fn best_peer(
    results: &Results,
    case: Case,
    figure: &str,
    order: impl Fn(&f64, &f64) -> std::cmp::Ordering,
) -> Option<(&'static str, f64)> {
    let figures =
        peers().filter_map(|info| Some((info.label, results.median(info.id, case, figure)?)));
    figures.max_by(|(_, one), (_, other)| order(one, other))
}

fn queue_latency_target(results: &Results) -> Option<(String, bool)> {
    let p50 = |id| results.median(id, &[("pace", "every 100 us")], "p50");
    let ours = p50(OURS)?;
    let theirs = ["cadence_queued", "dogstatsd", "libdd"].into_iter().filter_map(p50);
    let least = theirs.reduce(f64::min)?;
    Some((format!("{} and {}: {:.0}", time(ours), time(least), least / ours), least >= 50.0 * ours))
}

fn default_buffer_target(results: &Results) -> Option<(String, bool)> {
    let (mut measured, mut met) = (Vec::new(), true);
    for (rate, _) in small_buffer::RATES {
        let lost = |id| results.median(id, &[("load", rate)], "share_lost");
        let ours = lost(OURS)?;
        let theirs = peers().filter_map(|info| lost(info.id)).reduce(f64::min)?;
        measured.push(format!("{rate}: {} of {}", percent(1.0 - ours), percent(1.0 - theirs)));
        met &= ours <= theirs;
    }
    Some((measured.join("; "), met))
}
