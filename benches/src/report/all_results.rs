//! Results of all benchmarks of the suite, from which plots and tables are drawn.

use crate::measures;
use crate::results::Results;
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

    pub(super) fn iter(&self) -> impl Iterator<Item = &Results> {
        self.0.values()
    }
}
