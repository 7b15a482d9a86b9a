//! Benchmark results: the values of every repetition, in one JSON Lines file per benchmark. Medians
//! and ranges are computed when the results are displayed.

use crate::machine::Machine;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::PathBuf;

/// First line of a result file, which describes the benchmark and the computer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Header {
    pub measure: String,
    /// True if the run was too short for meaningful results.
    pub quick: bool,
    #[serde(flatten)]
    pub machine: Machine,
}

/// Line of a result file after the first: the measured values of one client in one repetition.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Sample {
    pub subject: String,
    /// Parameters with which the values of the sample were measured, by name, such as the kind of
    /// call or the number of threads.
    #[serde(flatten)]
    pub case: BTreeMap<String, String>,
    pub round: u32,
    pub figures: BTreeMap<String, f64>,
}

impl Sample {
    #[must_use]
    pub fn new<const C: usize, const F: usize>(
        subject: &str,
        case: [(&str, &str); C],
        round: u32,
        figures: [(&str, f64); F],
    ) -> Self {
        Self {
            subject: subject.to_owned(),
            case: case.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
            round,
            figures: figures.map(|(key, value)| (key.to_owned(), value)).into(),
        }
    }

    /// Adds the measured value `figure` to the sample under the name `key`, unless it is `None`.
    #[must_use]
    pub fn with(mut self, key: &str, figure: Option<f64>) -> Self {
        self.figures.extend(figure.map(|figure| (key.to_owned(), figure)));
        self
    }
}

/// Contents of one result file: its header line and its samples.
pub struct Results {
    pub header: Header,
    pub samples: Vec<Sample>,
}

/// Median, minimum and maximum of a measured value over all repetitions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    pub median: f64,
    pub min: f64,
    pub max: f64,
}

/// Returns the folder of the result files. `scratch` selects the separate folder for quick and
/// partial runs.
#[must_use]
pub fn folder(scratch: bool) -> PathBuf {
    let benches = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    if scratch { benches.join("../target/suite-scratch") } else { benches.join("results") }
}

impl Results {
    fn path(measure: &str, scratch: bool) -> PathBuf {
        let file = format!("{measure}.jsonl");
        folder(scratch).join(file)
    }

    /// Writes the results to the result file of their benchmark, and replaces an earlier file.
    pub fn write(&self, scratch: bool) -> io::Result<()> {
        let mut text = serde_json::to_string(&self.header)? + "\n";
        for sample in &self.samples {
            text += &(serde_json::to_string(sample)? + "\n");
        }
        let path = Self::path(&self.header.measure, scratch);
        fs::create_dir_all(path.parent().expect("the path has a parent"))?;
        fs::write(path, text)
    }

    /// Reads the results of the benchmark named `measure`. Returns `None` if there is no file.
    pub fn read(measure: &str, scratch: bool) -> io::Result<Option<Self>> {
        let text = match fs::read_to_string(Self::path(measure, scratch)) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut lines = text.lines();
        let header = serde_json::from_str(lines.next().unwrap_or_default())?;
        let samples = lines.map(serde_json::from_str).collect::<Result<_, _>>()?;
        Ok(Some(Self { header, samples }))
    }

    /// Returns the median, minimum and maximum of a client's measured value `figure`, over all
    /// repetitions with the parameters `case`. Returns `None` if there is no such value.
    #[must_use]
    pub fn spread(&self, subject: &str, case: &[(&str, &str)], figure: &str) -> Option<Spread> {
        let mut values: Vec<f64> = self
            .samples
            .iter()
            .filter(|sample| sample.subject == subject)
            .filter(|sample| {
                case.iter().all(|(key, value)| sample.case.get(*key).is_some_and(|is| is == value))
            })
            .filter_map(|sample| sample.figures.get(figure).copied())
            .collect();
        values.sort_by(f64::total_cmp);
        let (&min, &max) = values.first().zip(values.last())?;
        let middle = values.len() / 2;
        let median = if values.len() % 2 == 1 {
            values[middle]
        } else {
            f64::midpoint(values[middle - 1], values[middle])
        };
        Some(Spread { median, min, max })
    }

    #[must_use]
    pub fn median(&self, subject: &str, case: &[(&str, &str)], figure: &str) -> Option<f64> {
        self.spread(subject, case, figure).map(|spread| spread.median)
    }
}

#[test]
fn spread_and_median_filter_by_case() {
    let samples =
        [3.0, 1.0, 2.0].map(|cost| Sample::new("floor", [("call", "incr")], 0, [("cost", cost)]));
    let other = Sample::new("floor", [("call", "timing")], 0, [("cost", 9.0)]);
    let samples = samples.into_iter().chain([other]).collect();
    let header = Header { measure: "any".into(), quick: true, machine: Machine::detect() };
    let results = Results { header, samples };
    let spread = results.spread("floor", &[("call", "incr")], "cost");
    assert_eq!(spread, Some(Spread { median: 2.0, min: 1.0, max: 3.0 }));
    assert_eq!(results.median("floor", &[("call", "timing")], "cost"), Some(9.0));
    assert_eq!(results.median("freewheel", &[], "cost"), None);
}
