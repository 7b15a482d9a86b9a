//! Command-line options of the benchmark suite, and filters that choose the clients for each
//! benchmark.

use crate::subject::{Info, Kind, Transport};
use crate::subjects;
use crate::workload::paced::Cores;

/// Command-line options of one run of the benchmark suite.
#[derive(Clone, Debug, Default)]
pub struct SuiteOptions {
    /// True to shorten every benchmark. A quick run only tests the suite itself, and its results
    /// have no meaning.
    pub quick: bool,
    /// Identifiers of the subjects (clients or reference programs) to benchmark, or empty for all
    /// of them.
    pub subjects: Vec<String>,
    /// True to bind, for the latency of calls, the emitting thread to one core, and the client's
    /// threads and the server to another. By default the operating system places them, as it does
    /// in most services.
    pub apart: bool,
}

impl SuiteOptions {
    /// Returns true if this run is quick, restricted to some clients, or with threads bound to
    /// cores. Results of such a run must not replace the results of a complete run.
    #[must_use]
    pub fn is_scratch(&self) -> bool {
        self.quick || self.apart || !self.subjects.is_empty()
    }

    /// Returns the cores to which threads are bound, or `None` if the operating system places them.
    ///
    /// # Panics
    /// If threads must be bound, and there are not two cores.
    pub(super) fn cores(&self) -> Option<Cores> {
        let core = |index: usize| {
            let cores = core_affinity::get_core_ids().unwrap_or_default();
            cores.get(index).expect("--apart needs two cores").id
        };
        self.apart.then(|| Cores { emitter: core(0), others: core(1) })
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
