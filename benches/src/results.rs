//! What was measured, as it was measured: each round's figures, in a file of JSON lines for each
//! measure. Medians and spreads are taken when it is shown.

use crate::machine::Machine;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::PathBuf;

/// The first line of a file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Header {
    pub measure: String,
    /// Too short to be shown to anybody.
    pub quick: bool,
    #[serde(flatten)]
    pub machine: Machine,
}

/// The others.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Sample {
    pub subject: String,
    /// What was varied.
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

    #[must_use]
    pub fn with(mut self, key: &str, figure: Option<f64>) -> Self {
        self.figures.extend(figure.map(|figure| (key.to_owned(), figure)));
        self
    }
}

pub struct Results {
    pub header: Header,
    pub samples: Vec<Sample>,
}

/// The median of the rounds, and their bounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    pub median: f64,
    pub min: f64,
    pub max: f64,
}

/// What is quick is not kept among the rest.
#[must_use]
pub fn folder(quick: bool) -> PathBuf {
    let benches = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    if quick { benches.join("../target/suite-quick") } else { benches.join("results") }
}

impl Results {
    fn path(measure: &str, quick: bool) -> PathBuf {
        let file = format!("{measure}.jsonl");
        folder(quick).join(file)
    }

    pub fn write(&self) -> io::Result<()> {
        let mut text = serde_json::to_string(&self.header)? + "\n";
        for sample in &self.samples {
            text += &(serde_json::to_string(sample)? + "\n");
        }
        let path = Self::path(&self.header.measure, self.header.quick);
        fs::create_dir_all(path.parent().expect("a folder"))?;
        fs::write(path, text)
    }

    /// None where it was never measured.
    pub fn read(measure: &str, quick: bool) -> io::Result<Option<Self>> {
        let text = match fs::read_to_string(Self::path(measure, quick)) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut lines = text.lines();
        let header = serde_json::from_str(lines.next().unwrap_or_default())?;
        let samples = lines.map(serde_json::from_str).collect::<Result<_, _>>()?;
        Ok(Some(Self { header, samples }))
    }

    /// A figure of a subject in all rounds of this case.
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
fn medians_are_of_the_case_asked_for() {
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
