//! Results of all benchmarks of the suite, from which plots and tables are drawn.

use crate::measures;
use crate::results::{Header, Results};
use std::collections::BTreeMap;
use std::io;

/// Results of all benchmarks that have been run, by the identifier of the benchmark.
pub struct AllResults(BTreeMap<&'static str, Results>);

/// Name of a plot or table, and the function that draws it. The function returns `None` if there
/// are no results for it.
pub(super) type Drawing = (&'static str, fn(&AllResults) -> Option<String>);

impl AllResults {
    /// Reads the stored results of every benchmark that has been run. `scratch` selects the results
    /// of quick or partial runs.
    pub fn read(scratch: bool) -> io::Result<Self> {
        let mut all = BTreeMap::new();
        for measure in &measures::ALL {
            if let Some(results) = Results::read(measure.id, scratch)? {
                all.insert(measure.id, results);
            }
        }
        Ok(Self(all))
    }

    /// Returns the results of the benchmark named `measure`, or `None` if it was never run.
    pub(super) fn results(&self, measure: &str) -> Option<&Results> {
        self.0.get(measure)
    }

    /// Returns the letter that names the run of the suite in which `measure` was measured.
    pub(super) fn run_name(&self, measure: &str) -> Option<char> {
        let header = &self.results(measure)?.header;
        let mut runs: Vec<&Header> = Vec::new();
        for Results { header, .. } in self.iter() {
            if !runs.iter().any(|run| run.is_same_run(header)) {
                runs.push(header);
            }
        }
        let index = runs.iter().position(|run| run.is_same_run(header))?;
        Some(char::from(b'A' + index as u8))
    }

    /// Returns true if the named benchmarks have results, and all are of one run of the suite.
    ///
    /// Values of different runs are of different states of the machine, or of different versions,
    /// so that the report sets none beside another.
    pub(super) fn are_of_one_run(&self, measures: &[&str]) -> bool {
        let names: Vec<_> = measures.iter().map(|measure| self.run_name(measure)).collect();
        names.iter().all(|name| name.is_some() && *name == names[0])
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Results> {
        self.0.values()
    }
}

#[test]
fn runs_are_told_apart() {
    use crate::machine::Machine;
    let machine = Machine::detect();
    let results = |measure: &str, run: &str, commit: &str| {
        let machine = Machine { commit: commit.into(), ..machine.clone() };
        let (measure, run) = (measure.into(), run.into());
        let header = Header { measure, quick: false, run, disturbance: None, machine };
        Results { header, samples: Vec::new() }
    };
    let all = AllResults(BTreeMap::from([
        ("idle", results("idle", "1", "a")),
        ("latency", results("latency", "2", "a")),
        ("scaling", results("scaling", "1", "a")),
        // Older results have no identifier of their run.
        ("service", results("service", "", "a")),
        ("sustained", results("sustained", "", "b")),
        ("syscalls", results("syscalls", "", "b")),
    ]));
    assert!(all.are_of_one_run(&["idle", "scaling"]));
    assert!(!all.are_of_one_run(&["idle", "latency"]));
    assert!(!all.are_of_one_run(&["service", "sustained"]));
    assert!(all.are_of_one_run(&["sustained", "syscalls"]));
    assert!(!all.are_of_one_run(&["idle", "delivered"]));
    assert_eq!(all.run_name("latency"), Some('B'));
}
