//! Bar charts of benchmark results: one bar per client on a logarithmic scale, with the range over
//! all repetitions and an optional note.

use super::svg::{Anchor, FAINT, GRID, INK, LOST, OURS, Style, Svg};
use crate::results::Spread;

pub struct BarChart {
    pub title: String,
    /// Text below the title: the meaning of the values, and whether more or less is better.
    pub subtitle: String,
    pub bars: Vec<Bar>,
    /// Function that formats a value of the chart with its unit.
    pub format: fn(f64) -> String,
}

pub struct Bar {
    pub label: String,
    pub colour: &'static str,
    pub ours: bool,
    /// Measured value that the bar shows (median and range), or `None` if there is no measurement.
    pub figure: Option<Spread>,
    /// Note in red after the bar's value, such as the share of lost lines, or a note in place of a
    /// missing value.
    pub warning: Option<String>,
}

const ROW: f64 = 21.0;
const HEAD: f64 = 62.0;
const FOOT: f64 = 16.0;

impl BarChart {
    #[must_use]
    pub fn height(&self) -> f64 {
        HEAD + ROW * self.bars.len() as f64 + FOOT
    }

    /// Draws the chart with its top left corner at `x` and `y`. The leftmost `labels` units of its
    /// `width` are for the labels of the bars.
    pub fn draw(&self, svg: &mut Svg, x: f64, y: f64, labels: f64, width: f64) {
        svg.text(x, y + 18.0, Style::new(15.0, INK).bold(true), &self.title);
        svg.text(x, y + 36.0, Style::new(11.5, FAINT), &self.subtitle);
        // Leaves space after the longest bar for its figure and note.
        let (left, room) = (x + labels, 118.0);
        let scale = Scale::around(self.bars.iter().filter_map(|bar| bar.figure));
        let at = |value: f64| left + scale.share(value) * (width - labels - room);
        let (top, bottom) = (y + HEAD - 10.0, y + self.height() - FOOT + 2.0);
        for power in scale.low..=scale.high {
            let tick = 10_f64.powi(power);
            svg.line((at(tick), top), (at(tick), bottom), GRID, 1.0);
            // On a long scale, only every second tick has a label, so that labels do not overlap.
            if scale.high - scale.low > 4 && (power - scale.low) % 2 == 1 {
                continue;
            }
            let style = Style::new(10.0, FAINT).anchor(Anchor::Middle);
            svg.text(at(tick), top - 3.0, style, &(self.format)(tick));
        }
        for (index, bar) in self.bars.iter().enumerate() {
            let middle = y + HEAD + ROW * (index as f64 + 0.5);
            let baseline = middle + 4.0;
            if bar.ours {
                svg.rectangle(x - 4.0, middle - ROW / 2.0, width + 4.0, ROW, "#fff4e6");
            }
            let label = Style::new(12.0, if bar.ours { OURS } else { INK }).bold(bar.ours);
            svg.text(x, baseline, label, &bar.label);
            let Some(Spread { median, min, max }) = bar.figure else {
                let note = bar.warning.as_deref().unwrap_or("-");
                svg.text(left + 4.0, baseline, Style::new(11.0, FAINT), note);
                continue;
            };
            svg.rectangle(left, middle - 6.0, (at(median) - left).max(1.5), 12.0, bar.colour);
            if max > min * 1.05 {
                let (from, to) = (at(min.max(f64::MIN_POSITIVE)), at(max));
                svg.line((from, middle), (to, middle), INK, 1.0);
                for end in [from, to] {
                    svg.line((end, middle - 3.0), (end, middle + 3.0), INK, 1.0);
                }
            }
            let behind = at(median.max(max)) + 6.0;
            let style = Style::new(11.5, if bar.ours { OURS } else { INK }).bold(bar.ours);
            let written = (self.format)(median);
            svg.text(behind, baseline, style, &written);
            if let Some(warning) = &bar.warning {
                let behind = behind + 7.0 * written.chars().count() as f64 + 5.0;
                svg.text(behind, baseline, Style::new(10.5, LOST), warning);
            }
        }
    }
}

/// Logarithmic axis of a chart, between two powers of ten.
pub struct Scale {
    pub low: i32,
    pub high: i32,
}

impl Scale {
    /// Returns an axis between powers of ten that contains the medians and maxima of `figures`.
    pub fn around(figures: impl Iterator<Item = Spread>) -> Self {
        let (mut low, mut high) = (f64::INFINITY, f64::MIN_POSITIVE);
        for Spread { median, max, .. } in figures {
            if median > 0.0 {
                low = low.min(median);
            }
            high = high.max(max);
        }
        if low > high {
            return Self { low: 0, high: 1 };
        }
        // The scale starts below the smallest figure, so that its bar is visible.
        let low = (low * 0.8).log10().floor() as i32;
        Self { low, high: (high.log10().ceil() as i32).max(low + 1) }
    }

    /// Returns the position of `value` on the axis, as a share of its length from 0 to 1.
    #[must_use]
    pub fn share(&self, value: f64) -> f64 {
        let span = f64::from(self.high - self.low);
        ((value.max(f64::MIN_POSITIVE).log10() - f64::from(self.low)) / span).clamp(0.0, 1.0)
    }
}

/// Formats nanoseconds with a suitable unit.
#[must_use]
pub fn time(nanoseconds: f64) -> String {
    match nanoseconds {
        n if n < 1e3 => format!("{} ns", significant(n)),
        n if n < 1e6 => format!("{} µs", significant(n / 1e3)),
        n if n < 1e9 => format!("{} ms", significant(n / 1e6)),
        n => format!("{} s", significant(n / 1e9)),
    }
}

/// Formats a rate in lines per second, such as `6.9 M/s`.
#[must_use]
pub fn rate(lines: f64) -> String {
    match lines {
        n if n < 1e3 => format!("{}/s", significant(n)),
        n if n < 1e6 => format!("{} k/s", significant(n / 1e3)),
        n => format!("{} M/s", significant(n / 1e6)),
    }
}

/// Formats a number without a unit, in thousands (`k`) or millions (`M`) if it is large.
#[must_use]
pub fn number(value: f64) -> String {
    match value {
        n if n < 1e4 => significant(n),
        n if n < 1e6 => format!("{} k", significant(n / 1e3)),
        n => format!("{} M", significant(n / 1e6)),
    }
}

/// Formats an amount of memory, given in KiB, in megabytes.
#[must_use]
pub fn memory(kib: f64) -> String {
    format!("{} MB", significant(kib * 1024.0 / 1e6))
}

/// Formats a share as a percentage.
#[must_use]
pub fn percent(share: f64) -> String {
    match share * 100.0 {
        p if p <= 0.0 => "0".to_owned(),
        p if p < 0.01 => "<0.01 %".to_owned(),
        p if p < 10.0 => format!("{} %", significant(p)),
        // Rounds down, so that only a full share is 100 %.
        p if (99.0..100.0).contains(&p) => format!("{:.2} %", (p * 100.0).floor() / 100.0),
        p => format!("{p:.0} %"),
    }
}

/// Formats a number below 10 with at most two significant digits, and a larger number without
/// decimals.
fn significant(value: f64) -> String {
    match value {
        0.0 => "0".to_owned(),
        v if v >= 9.95 => format!("{v:.0}"),
        v if v >= 0.995 => format!("{v:.1}").trim_end_matches(".0").to_owned(),
        v => {
            let text = format!("{v:.2}");
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
    }
}

#[test]
fn figures_have_two_significant_digits() {
    assert_eq!(time(8.64), "8.6 ns");
    assert_eq!(time(12_345.0), "12 µs");
    assert_eq!(rate(6_900_000.0), "6.9 M/s");
    assert_eq!(number(1e4), "10 k");
    assert_eq!(percent(0.0476), "4.8 %");
    assert_eq!(percent(0.000_001), "<0.01 %");
    assert_eq!((percent(0.999_999), percent(1.0)), ("99.99 %".to_owned(), "100 %".to_owned()));
}
