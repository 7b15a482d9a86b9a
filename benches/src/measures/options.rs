//! Options of a run of the suite, and the filters that choose a measure's subjects.

use crate::subject::{Info, Kind, Transport};
use crate::subjects;

/// Options of a run of the suite, from the command line.
#[derive(Clone, Debug, Default)]
pub struct SuiteOptions {
    /// True to shorten every measure. A quick run shows that the suite works. Its figures have no
    /// meaning.
    pub quick: bool,
    /// Ids of the subjects to run, or empty to run all.
    pub subjects: Vec<String>,
}

impl SuiteOptions {
    /// Returns true if this run is quick or leaves out subjects. Its results must then not replace
    /// those of a complete run.
    #[must_use]
    pub fn is_scratch(&self) -> bool {
        self.quick || !self.subjects.is_empty()
    }

    /// Returns `quick` in a quick run, and `full` otherwise.
    pub(super) fn pick<T>(&self, full: T, quick: T) -> T {
        if self.quick { quick } else { full }
    }

    /// Returns the subjects that the command line selects and for which `wanted` returns true.
    pub(super) fn subjects(&self, wanted: impl Fn(&Info) -> bool) -> Vec<Info> {
        let selected =
            |info: &Info| self.subjects.is_empty() || self.subjects.iter().any(|id| id == info.id);
        subjects::all().into_iter().filter(|info| selected(info) && wanted(info)).collect()
    }

    /// Yields every subject once in each of `full` rounds, or in one round of a quick run, with the
    /// round's number.
    ///
    /// Each round starts five subjects later, so that not always the same subject is first.
    pub(super) fn rounds<'a, T>(
        &self,
        full: u32,
        subjects: &'a [T],
    ) -> impl Iterator<Item = (u32, &'a T)> {
        (0..self.pick(full, 1)).flat_map(move |round| {
            let first = (round as usize * 5) % subjects.len().max(1);
            let rotated = subjects[first..].iter().chain(&subjects[..first]);
            rotated.map(move |subject| (round, subject))
        })
    }
}

/// Returns true if the subject formats lines: all subjects except `nothing` and the raw senders.
pub(super) fn formats_lines(info: &Info) -> bool {
    !matches!(info.id, "nothing" | "raw" | "raw_segmented")
}

/// Returns true if the subject formats lines and is not a variant of freewheel that differs only in
/// the cost of a call.
pub(super) fn without_call_variants(info: &Info) -> bool {
    formats_lines(info) && !matches!(info.id, "freewheel_dogstatsd" | "freewheel_prepared")
}

/// Returns a filter for subjects that send a line per call over this transport.
pub(super) fn sends_over(transport: Transport) -> impl Fn(&Info) -> bool {
    move |info| {
        let sends = info.kind == Kind::LinePerCall || info.id.starts_with("raw");
        sends && info.transports.contains(&transport)
    }
}
