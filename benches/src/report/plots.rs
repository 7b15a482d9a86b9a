//! Definitions of the plots of the benchmark report: the charts of each plot, and the results that
//! each chart shows.

use super::all_results::{AllResults, Drawing};
use super::bar_chart::{self, Bar, BarChart, number, percent, rate, time};
use super::line_chart::{LineChart, Series};
use super::overview::overview;
use super::subject_style::{colour, is_ours};
use super::svg::{AGGREGATE, BOUND, FAINT, INK, OURS, PEER, Style, Svg};
use crate::results::Results;
use crate::subject::Info;
use crate::subjects;

/// Draws every plot for which there are results. Yields the file name and the SVG text of each
/// plot.
pub(super) fn all(all: &AllResults) -> impl Iterator<Item = (&'static str, String)> {
    let plots: [Drawing; 9] = [
        ("overview", overview),
        ("callers_cost", callers_cost),
        ("latency", latency),
        ("scaling", scaling),
        ("delivered", delivered),
        ("sustained", sustained),
        ("small_buffer", small_buffer),
        ("idle", idle),
        ("instructions", instructions),
    ];
    plots.into_iter().filter_map(|(name, draw)| Some((name, draw(all)?)))
}

const LABELS: f64 = 236.0;
const PANEL: f64 = 560.0;
const MARGIN: f64 = 24.0;

/// Draws a plot of bar charts, with two charts per row, and returns it as SVG.
pub(super) fn bar_plot(title: &str, charts: &[BarChart]) -> String {
    let columns = charts.len().min(2);
    let rows: Vec<_> = charts.chunks(2).collect();
    let heights: Vec<f64> =
        rows.iter().map(|row| row.iter().map(BarChart::height).fold(0.0, f64::max)).collect();
    let width = MARGIN + columns as f64 * (PANEL + MARGIN);
    let gaps = 14.0 * rows.len() as f64;
    let mut svg = Svg::new(width, 92.0 + heights.iter().sum::<f64>() + gaps);
    heading(&mut svg, title);
    let mut y = 74.0;
    for (row, height) in rows.iter().zip(heights) {
        for (column, chart) in row.iter().enumerate() {
            let x = MARGIN + column as f64 * (PANEL + MARGIN);
            chart.draw(&mut svg, x, y, LABELS, PANEL);
        }
        y += height + 14.0;
    }
    svg.finish()
}

/// Draws a plot of line charts, with two charts per row, and returns it as SVG.
fn line_plot(title: &str, charts: &[LineChart], height: f64) -> String {
    let columns = charts.len().min(2);
    let rows = charts.len().div_ceil(2);
    let width = MARGIN + columns as f64 * (PANEL + 60.0 + MARGIN);
    let mut svg = Svg::new(width, 84.0 + rows as f64 * (height + 10.0));
    heading(&mut svg, title);
    for (index, chart) in charts.iter().enumerate() {
        let x = MARGIN + (index % 2) as f64 * (PANEL + 60.0 + MARGIN);
        let y = 70.0 + (index / 2) as f64 * (height + 10.0);
        chart.draw(&mut svg, x, y, PANEL + 60.0, height);
    }
    svg.finish()
}

/// Draws the title of a plot, and the legend that explains the colours of the clients.
fn heading(svg: &mut Svg, title: &str) {
    svg.text(MARGIN, 34.0, Style::new(19.0, INK).bold(true), title);
    let mut x = MARGIN;
    for (colour, meaning, width) in [
        (OURS, "freewheel", 84.0),
        (PEER, "clients that send each line", 190.0),
        (AGGREGATE, "clients that aggregate", 160.0),
        (BOUND, "bounds: no client", 130.0),
    ] {
        svg.rectangle(x, 47.0, 11.0, 11.0, colour);
        svg.text(x + 16.0, 56.5, Style::new(11.5, FAINT), meaning);
        x += width;
    }
}

pub(super) type Case<'a> = &'a [(&'a str, &'a str)];

/// Returns a bar for each client that satisfies `wanted` and has a measured value named `figure`
/// under the parameters `case`.
pub(super) fn bars(
    results: &Results,
    case: Case,
    figure: &str,
    wanted: impl Fn(&Info) -> bool,
) -> Vec<Bar> {
    let all = subjects::all().into_iter().filter(|info| wanted(info));
    all.filter_map(|info| {
        let spread = results.spread(info.id, case, figure)?;
        let aggregates = colour(&info) == AGGREGATE;
        Some(Bar {
            label: info.label.to_owned(),
            colour: colour(&info),
            ours: is_ours(&info),
            figure: Some(spread),
            warning: (!aggregates).then(|| loss_note(results, &info, case)).flatten(),
        })
    })
    .collect()
}

/// Returns a note on the share of lines that did not arrive, or `None` if all arrived. The note
/// separates lines that the client counted as dropped from other lost lines.
fn loss_note(results: &Results, info: &Info, case: Case) -> Option<String> {
    let figure = |name| results.median(info.id, case, name);
    let not_arrived = figure("share_lost").filter(|&share| share > 0.0)?;
    let dropped = figure("dropped_by_its_own_count").unwrap_or(0.0) / figure("emitted")?;
    let lost = not_arrived - dropped;
    Some(match (dropped > 0.0, lost > 1e-6) {
        (true, false) => format!("{} dropped, counted", percent(dropped)),
        (true, true) => format!("{} dropped, {} lost", percent(dropped), percent(lost)),
        (false, _) => format!("{} lost", percent(not_arrived)),
    })
}

pub(super) fn chart(
    title: &str,
    subtitle: &str,
    bars: Vec<Bar>,
    format: fn(f64) -> String,
) -> BarChart {
    BarChart { title: title.to_owned(), subtitle: subtitle.to_owned(), bars, format }
}

fn callers_cost(all: &AllResults) -> Option<String> {
    let results = all.results("callers_cost")?;
    let subtitle = "Nanoseconds a call, back to back, one thread. Less is better; logarithmic.";
    let charts = [
        ("Counter", "incr"),
        ("Counter with two tags", "incr_tagged"),
        ("Gauge, a whole number", "gauge_whole"),
        ("Gauge, two decimals", "gauge_two_decimals"),
        ("Gauge, full precision", "gauge_full_precision"),
        ("Timing", "timing"),
    ]
    .map(|(title, call)| {
        let bars = bars(results, &[("call", call)], "nanoseconds", |_| true);
        chart(title, subtitle, bars, time)
    });
    Some(bar_plot("What a call costs its caller", &charts))
}

/// Returns a chart line for each client that the predicate `wanted` selects. Leaves out clients
/// without a measured value for any point of the horizontal axis.
fn series(
    steps: usize,
    wanted: impl Fn(&Info) -> bool,
    figure: impl Fn(&Info, usize) -> Option<f64>,
) -> Vec<Series> {
    let all = subjects::all().into_iter().filter(|info| wanted(info));
    let all_series = all.map(|info| Series {
        label: info.label.to_owned(),
        colour: colour(&info),
        ours: is_ours(&info),
        figures: (0..steps).map(|step| figure(&info, step)).collect(),
    });
    all_series.filter(|line| line.figures.iter().any(Option::is_some)).collect()
}

fn latency(all: &AllResults) -> Option<String> {
    let results = all.results("latency")?;
    let steps = ["p50", "p99", "p99.9", "p99.99", "max"];
    let paces = ["every 1 ms", "every 100 us", "every 10 us", "every 1 us", "back to back"];
    let paces = paces.into_iter().filter(|pace| results.has_case("pace", pace));
    let charts: Vec<_> = paces
        .map(|pace| LineChart {
            title: format!("Calls {}", pace.replace("us", "µs")),
            subtitle: "How long a counter takes, the clock's two readings included. Logarithmic."
                .to_owned(),
            steps: steps.map(str::to_owned).into(),
            series: series(
                steps.len(),
                |_| true,
                |info, step| results.median(info.id, &[("pace", pace)], steps[step]),
            ),
            format: time,
            is_share: false,
        })
        .collect();
    Some(line_plot("How long a single call takes", &charts, 400.0))
}

fn scaling(all: &AllResults) -> Option<String> {
    let results = all.results("scaling")?;
    let threads = ["1", "2", "4", "8", "16"];
    let chart = |title: &str, subtitle: &str, figure: &'static str| LineChart {
        title: title.to_owned(),
        subtitle: subtitle.to_owned(),
        steps: threads.map(|threads| format!("{threads} threads")).into(),
        series: series(
            threads.len(),
            |_| true,
            |info, step| {
                results.median(info.id, &[("load", "bursts"), ("threads", threads[step])], figure)
            },
        ),
        format: time,
        is_share: false,
    };
    let charts = [
        chart(
            "Processor time of a call",
            "By the emitting thread's own clock; two cores. Logarithmic.",
            "nanoseconds",
        ),
        chart(
            "A call by the clock on the wall",
            "The median burst: waiting for locks included. Logarithmic.",
            "nanoseconds_on_the_wall",
        ),
    ];
    Some(line_plot("Several threads", &charts, 420.0))
}

const LINKS: [(&str, &str, &str); 4] = [
    ("UDP, 1432 bytes", "udp", "1432"),
    ("UDP, 8192 bytes", "udp", "8192"),
    ("TCP", "tcp", "1432"),
    ("Unix datagrams, 8192 bytes", "unix_datagram", "8192"),
];

fn delivered(all: &AllResults) -> Option<String> {
    let results = all.results("delivered")?;
    let lines_only = |info: &Info| colour(info) != AGGREGATE;
    let mut charts = Vec::new();
    for (title, transport, payload) in LINKS {
        let case = |load| [("transport", transport), ("payload", payload), ("load", load)];
        charts.push(chart(
            &format!("{title}: unthrottled"),
            "Lines a second that arrived, and the share that did not, dropped included. Logarithmic.",
            bars(results, &case("unthrottled"), "lines_per_second", lines_only),
            rate,
        ));
        charts.push(chart(
            &format!("{title}: a million lines a second"),
            "Processor time of the client for each line that arrived. Less is better; logarithmic.",
            bars(results, &case("1,000,000/s"), "processor_per_line", lines_only),
            time,
        ));
    }
    Some(bar_plot("What arrives, and what it takes", &charts))
}

pub(super) fn sustained_bars(
    results: &Results,
    transport: &str,
    payload: &str,
    wanted: impl Fn(&Info) -> bool,
) -> Vec<Bar> {
    let case = [("transport", transport), ("payload", payload)];
    let mut bars = bars(results, &case, "lines_per_second", wanted);
    for bar in &mut bars {
        if bar.figure.is_some_and(|figure| figure.median == 0.0) {
            bar.figure = None;
            bar.warning = Some("loses some at any rate that was tried".to_owned());
        }
    }
    bars
}

fn sustained(all: &AllResults) -> Option<String> {
    let results = all.results("sustained")?;
    let charts = LINKS.map(|(title, transport, payload)| {
        let bars = sustained_bars(results, transport, payload, |_| true);
        let subtitle = "Lines a second for ten seconds. More is better; logarithmic.";
        chart(title, subtitle, bars, rate)
    });
    Some(bar_plot("Sustained with nothing lost", &charts))
}

fn small_buffer(all: &AllResults) -> Option<String> {
    use crate::measures::small_buffer::RATES;
    let results = all.results("small_buffer")?;
    let chart = LineChart {
        title: "Share of the lines that arrive".to_owned(),
        subtitle: "UDP, a receiver whose socket holds 208 KiB, by lines emitted a second."
            .to_owned(),
        steps: RATES.map(|(rate, _)| rate.to_owned()).into(),
        series: series(
            RATES.len(),
            |_| true,
            |info, step| {
                let case = [("load", RATES[step].0)];
                results.median(info.id, &case, "share_lost").map(|lost| 1.0 - lost)
            },
        ),
        format: percent,
        is_share: true,
    };
    Some(line_plot("Bursts at a receiver with the default socket buffer", &[chart], 400.0))
}

fn idle(all: &AllResults) -> Option<String> {
    let results = all.results("idle")?;
    let one: Case = &[("threads", "1")];
    let clients = |info: &Info| info.id != "floor";
    let mut late = bars(results, one, "first_line_ms", clients);
    for info in subjects::all() {
        let idle = results.median(info.id, one, "resident_kib").is_some();
        if idle && clients(&info) && !late.iter().any(|bar| bar.label == info.label) {
            late.push(Bar {
                label: info.label.to_owned(),
                colour: colour(&info),
                ours: is_ours(&info),
                figure: None,
                warning: Some("not within 12 s".to_owned()),
            });
        }
    }
    let milliseconds = |value: f64| time(value * 1e6);
    let charts = [
        chart(
            "Wake-ups a second while idle",
            "Of all the client's threads, over 20 s. Less is better; logarithmic.",
            bars(results, one, "wake_ups_per_second", clients),
            number,
        ),
        chart(
            "The first line after idleness",
            "From the call to its arrival. Logarithmic.",
            late,
            milliseconds,
        ),
        chart(
            "Memory with 1,000 threads that have emitted",
            "Resident, of the whole process. The floor keeps 16 KiB a thread too.",
            bars(results, &[("threads", "1000")], "resident_kib", |_| true),
            bar_chart::memory,
        ),
        chart(
            "Memory with one",
            "Resident, of the whole process.",
            bars(results, one, "resident_kib", |_| true),
            bar_chart::memory,
        ),
    ];
    Some(bar_plot("Idle", &charts))
}

fn instructions(all: &AllResults) -> Option<String> {
    let results = all.results("instructions")?;
    let subtitle = "Of the calling thread, counted by valgrind. Logarithmic.";
    let charts = [("Counter", "incr"), ("Timing", "timing")].map(|(title, call)| {
        let bars = bars(results, &[("call", call)], "instructions", |_| true);
        chart(title, subtitle, bars, number)
    });
    Some(bar_plot("Instructions of a call", &charts))
}
