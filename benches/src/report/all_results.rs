//! Results of all measures, from which plots and tables are drawn.

use crate::measures;
use crate::results::Results;
use std::collections::BTreeMap;
use std::io;

/// Results of the measures that have been run, by the id of the measure.
pub struct AllResults(BTreeMap<&'static str, Results>);

/// Name of a plot or table, and the function that draws it. The function returns `None` if there
/// are no results.
pub(super) type Drawing = (&'static str, fn(&AllResults) -> Option<String>);

impl AllResults {
    /// Reads the results of every measure that has been run.
    pub fn read(scratch: bool) -> io::Result<Self> {
        let mut all = BTreeMap::new();
        for measure in &measures::ALL {
            if let Some(results) = Results::read(measure.id, scratch)? {
                all.insert(measure.id, results);
            }
        }
        Ok(Self(all))
    }

    /// Returns the results of a measure, or `None` if it was never run.
    pub(super) fn results(&self, measure: &str) -> Option<&Results> {
        self.0.get(measure)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Results> {
        self.0.values()
    }
}
