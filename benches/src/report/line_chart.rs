//! Line charts of benchmark results: one line per client, labelled at its right end. The vertical
//! scale is logarithmic, or linear for shares.

use super::bar_chart::Scale;
use super::svg::{Anchor, FAINT, GRID, INK, OURS, Style, Svg};
use crate::results::Spread;

pub struct LineChart {
    pub title: String,
    pub subtitle: String,
    /// Labels of the horizontal axis, one for each point of the lines from left to right.
    pub steps: Vec<String>,
    pub series: Vec<Series>,
    pub format: fn(f64) -> String,
    /// True if the vertical scale is linear, for shares from 0 to 1. False for a logarithmic scale.
    pub is_share: bool,
}

pub struct Series {
    pub label: String,
    pub colour: &'static str,
    pub ours: bool,
    /// Measured value at each point of the horizontal axis, or `None` for a point without a
    /// measurement.
    pub figures: Vec<Option<f64>>,
}

const HEAD: f64 = 56.0;
const FOOT: f64 = 30.0;

impl LineChart {
    pub fn draw(&self, svg: &mut Svg, x: f64, y: f64, width: f64, height: f64) {
        svg.text(x, y + 18.0, Style::new(15.0, INK).bold(true), &self.title);
        svg.text(x, y + 36.0, Style::new(11.5, FAINT), &self.subtitle);
        let (left, right) = (x + 52.0, x + width - 226.0);
        let (top, bottom) = (y + HEAD, y + height - FOOT);
        let every = self.series.iter().flat_map(|line| line.figures.iter().flatten());
        let every = every.map(|&median| Spread { median, min: median, max: median });
        let scale = Scale::around(every);
        let share = |value: f64| if self.is_share { value } else { scale.share(value) };
        let height = |value: f64| bottom - share(value) * (bottom - top);
        let steps = (self.steps.len() - 1).max(1) as f64;
        let across = |step: usize| left + (right - left) * step as f64 / steps;
        let ticks: Vec<f64> = if self.is_share {
            vec![0.0, 0.25, 0.5, 0.75, 1.0]
        } else {
            (scale.low..=scale.high).map(|power| 10_f64.powi(power)).collect()
        };
        for tick in ticks {
            svg.line((left, height(tick)), (right, height(tick)), GRID, 1.0);
            let style = Style::new(10.5, FAINT).anchor(Anchor::End);
            svg.text(left - 6.0, height(tick) + 3.5, style, &(self.format)(tick));
        }
        for (step, name) in self.steps.iter().enumerate() {
            let style = Style::new(11.0, FAINT).anchor(Anchor::Middle);
            svg.text(across(step), bottom + 18.0, style, name);
        }
        // freewheel is drawn last, so that its line is on top.
        let mut ends = Vec::new();
        for line in self
            .series
            .iter()
            .filter(|line| !line.ours)
            .chain(self.series.iter().filter(|line| line.ours))
        {
            let points = line.figures.iter().enumerate();
            let points =
                points.filter_map(|(step, figure)| Some((across(step), height((*figure)?))));
            let points: Vec<_> = points.collect();
            svg.path(&points, line.colour, if line.ours { 3.0 } else { 1.5 });
            for &(x, y) in &points {
                svg.dot(x, y, if line.ours { 4.0 } else { 2.5 }, line.colour);
            }
            if let Some(&(_, y)) = points.last() {
                ends.push((y, line));
            }
        }
        // Labels that would overlap are moved apart.
        ends.sort_by(|(one, _), (other, _)| one.total_cmp(other));
        let mut above = f64::NEG_INFINITY;
        let spare = bottom + 10.0 - 13.0 * ends.len() as f64;
        for (index, (y, line)) in ends.into_iter().enumerate() {
            let at = y.max(above + 13.0).min(spare + 13.0 * (index + 1) as f64);
            above = at;
            svg.line((right + 3.0, y), (right + 12.0, at), line.colour, 1.0);
            let colour = if line.ours { OURS } else { INK };
            let style = Style::new(11.0, colour).bold(line.ours);
            svg.text(right + 16.0, at + 4.0, style, &line.label);
        }
    }
}
