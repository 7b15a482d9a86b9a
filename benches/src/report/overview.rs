//! Overview plot of the benchmark report: the most important charts side by side.

use super::all_results::AllResults;
use super::bar_chart::{rate, time};
use super::plots::{Case, bar_plot, bars, chart, sustained_bars};
use super::subject_style::colour;
use super::svg::AGGREGATE;
use crate::subject::Info;

/// Returns true if the overview plot shows this client or reference program. The plot shows each
/// client in its recommended use, and most reference programs.
fn is_headline(info: &Info) -> bool {
    !matches!(
        info.id,
        "nothing"
            | "floor_handed"
            | "freewheel_dogstatsd"
            | "freewheel_prepared"
            | "freewheel_low_latency"
            | "cadence_formats_only"
            | "one_item_per_line"
            | "statsd_pipeline"
            | "mx_dogstatsd_handle"
            | "rylv_prepared"
    )
}

/// Draws the overview plot, with one chart each for cost of a call, latency, sustained rate, and
/// processor time per line. Leaves out charts that have no results.
///
/// If the charts are of different runs of the suite, each names its run, as their values are then
/// not comparable.
pub(super) fn overview(all: &AllResults) -> Option<String> {
    let load: Case = &[("transport", "udp"), ("payload", "1432"), ("load", "1,000,000/s")];
    let sends = |info: &Info| is_headline(info) && colour(info) != AGGREGATE;
    let cost = all.results("callers_cost").map(|results| {
        chart(
            "What a call costs its caller",
            "Nanoseconds of one counter, back to back. Less is better; logarithmic.",
            bars(results, &[("call", "incr")], "nanoseconds", is_headline),
            time,
        )
    });
    let latency = all.results("latency").map(|results| {
        chart(
            "The slowest in a thousand calls",
            "p99.9 of a counter every 100 µs. Less is better; logarithmic.",
            bars(results, &[("pace", "every 100 us")], "p99.9", is_headline),
            time,
        )
    });
    let sustained = all.results("sustained").map(|results| {
        chart(
            "Sustained over UDP with nothing lost",
            "Lines a second for ten seconds, datagrams of 1432 bytes. More is better; logarithmic.",
            sustained_bars(results, "udp", "1432", is_headline),
            rate,
        )
    });
    let delivered = all.results("delivered").map(|results| {
        chart(
            "Processor time of the client for each line",
            "All its threads, a million lines a second over UDP. Less is better; logarithmic.",
            bars(results, load, "processor_per_line", sends),
            time,
        )
    });
    let measures = ["callers_cost", "latency", "sustained", "delivered"];
    let charts = [cost, latency, sustained, delivered];
    let mut charts: Vec<_> = measures.into_iter().zip(charts).collect();
    charts.retain(|(_, chart)| chart.is_some());
    let measured: Vec<_> = charts.iter().map(|&(measure, _)| measure).collect();
    let one_run = all.are_of_one_run(&measured);
    let charts = charts.into_iter().filter_map(|(measure, chart)| {
        let mut chart = chart?;
        if let Some(run) = all.run_name(measure).filter(|_| !one_run) {
            chart.title += &format!(" (run {run})");
        }
        Some(chart)
    });
    let charts: Vec<_> = charts.collect();
    let title = "freewheel beside the other StatsD clients for Rust";
    (!charts.is_empty()).then(|| bar_plot(title, &charts))
}
