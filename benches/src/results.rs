//! Benchmark results: the values of every repetition, in one JSON Lines file per benchmark. Medians
//! and ranges are computed when the results are displayed.

use crate::machine::{Disturbance, Machine};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::PathBuf;

/// First line of a result file, which describes the benchmark and the computer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Header {
    pub measure: String,
    /// True if the run was too short for meaningful results.
    pub quick: bool,
    /// Identifier of the run of the suite, or an empty text in results from before runs had one.
    #[serde(default)]
    pub run: String,
    /// Load of the machine during the benchmark, or `None` in older results.
    #[serde(default)]
    pub disturbance: Option<Disturbance>,
    #[serde(flatten)]
    pub machine: Machine,
}

impl Header {
    /// Returns true if both benchmarks are of one run of the suite. Older results, which do not
    /// tell, count as of one run if they are of the same day, commit and machine.
    #[must_use]
    pub fn is_same_run(&self, other: &Self) -> bool {
        let same_machine = self.machine == other.machine && self.quick == other.quick;
        self.run == other.run && same_machine
    }
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

    fn is_of(&self, subject: &str, case: &[(&str, &str)]) -> bool {
        let matches =
            |(key, value): &(&str, &str)| self.case.get(*key).is_some_and(|is| is == value);
        self.subject == subject && case.iter().all(matches)
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
            .filter(|sample| sample.is_of(subject, case))
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

    /// Returns true if there is a sample with the value `value` of the parameter `key`.
    #[must_use]
    pub fn has_case(&self, key: &str, value: &str) -> bool {
        self.samples.iter().any(|sample| sample.case.get(key).is_some_and(|is| is == value))
    }

    /// Returns true if there is a sample with a value named `figure`.
    #[must_use]
    pub fn has_figure(&self, figure: &str) -> bool {
        self.samples.iter().any(|sample| sample.figures.contains_key(figure))
    }

    /// Returns the names of a client's values with the parameters `case`, in alphabetical order.
    #[must_use]
    pub fn figure_names(&self, subject: &str, case: &[(&str, &str)]) -> BTreeSet<&str> {
        let samples = self.samples.iter().filter(|sample| sample.is_of(subject, case));
        samples.flat_map(|sample| sample.figures.keys().map(String::as_str)).collect()
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
    let header = Header {
        measure: "any".into(),
        quick: true,
        run: "1".into(),
        disturbance: None,
        machine: Machine::detect(),
    };
    let results = Results { header, samples };
    let spread = results.spread("floor", &[("call", "incr")], "cost");
    assert_eq!(spread, Some(Spread { median: 2.0, min: 1.0, max: 3.0 }));
    assert_eq!(results.median("floor", &[("call", "timing")], "cost"), Some(9.0));
    assert_eq!(results.median("freewheel", &[], "cost"), None);
}
