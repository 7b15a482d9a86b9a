//! Command-line options of the benchmark suite, and filters that choose the clients for each
//! benchmark.

use crate::subject::{Info, Kind, Transport};
use crate::subjects;

/// Command-line options of one run of the benchmark suite.
#[derive(Clone, Debug, Default)]
pub struct SuiteOptions {
    /// True to shorten every benchmark. A quick run only tests the suite itself, and its results
    /// have no meaning.
    pub quick: bool,
    /// Identifiers of the subjects (clients or reference programs) to benchmark, or empty for all
    /// of them.
    pub subjects: Vec<String>,
}

impl SuiteOptions {
    /// Returns true if this run is quick or restricted to some clients. Results of a quick or
    /// partial run must not replace the results of a complete run.
    #[must_use]
    pub fn is_scratch(&self) -> bool {
        self.quick || !self.subjects.is_empty()
    }

    /// Returns the value `quick` if this is a quick run (a test of the suite), and the value `full`
    /// otherwise.
    pub(super) fn pick<T>(&self, full: T, quick: T) -> T {
        if self.quick { quick } else { full }
    }

    /// Returns the clients and reference programs that the command line selects and for which
    /// `wanted` returns true.
    pub(super) fn subjects(&self, wanted: impl Fn(&Info) -> bool) -> Vec<Info> {
        let selected =
            |info: &Info| self.subjects.is_empty() || self.subjects.iter().any(|id| id == info.id);
        subjects::all().into_iter().filter(|info| selected(info) && wanted(info)).collect()
    }

    /// Yields all of `subjects` once for each of `full` repetitions (rounds), with the number of
    /// the repetition. Quick runs have one repetition.
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

/// Returns true if the subject (a client or reference program) formats lines. The empty program and
/// the senders of prebuilt lines do not.
pub(super) fn formats_lines(info: &Info) -> bool {
    !matches!(info.id, "nothing" | "raw" | "raw_segmented")
}

/// Returns true if the subject (a client or reference program) formats lines. Excludes variants of
/// freewheel that differ from plain freewheel only in the cost of a call.
pub(super) fn without_call_variants(info: &Info) -> bool {
    formats_lines(info) && !matches!(info.id, "freewheel_dogstatsd" | "freewheel_prepared")
}

/// Returns a predicate that is true for clients and reference senders that send one line per call
/// over this transport.
pub(super) fn sends_over(transport: Transport) -> impl Fn(&Info) -> bool {
    move |info| {
        let sends = info.kind == Kind::LinePerCall || info.id.starts_with("raw");
        sends && info.transports.contains(&transport)
    }
}
