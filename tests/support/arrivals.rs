//! Record of the numbered test lines that a server received, to compare with the connector's
//! statistics.

use super::{lines_of, parse_numbered};
use freewheel::{Stats, Tally};
use std::collections::{BTreeMap, BTreeSet};

/// Record of the numbered test lines that a server received.
#[derive(Default)]
pub(crate) struct Arrivals {
    /// Numbers of the received lines, by the producer thread that emitted them.
    numbers: BTreeMap<u64, BTreeSet<u64>>,
    /// Number of distinct lines received, and of their bytes.
    tally: Tally,
    duplicated: u64,
    torn: u64,
    reordered: u64,
}

/// Differences between the lines that arrived at a server and the connector's statistics. Each
/// field counts lines with one kind of defect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Discrepancies {
    /// Number of lines that the statistics count as sent, but that never arrived.
    pub(crate) lost: u64,
    /// Number of lines that arrived, but that the statistics do not count as sent.
    pub(crate) unaccounted: u64,
    /// Number of times that a line arrived again.
    pub(crate) duplicated: u64,
    /// Number of received lines that were truncated or joined to another line.
    pub(crate) torn: u64,
    /// Number of lines that first arrived after a later line of the same thread.
    pub(crate) reordered: u64,
}

impl Arrivals {
    /// Creates a record of these received lines.
    pub(crate) fn of(lines: &[String]) -> Self {
        let mut arrivals = Self::default();
        arrivals.count_all(lines);
        arrivals
    }

    /// Creates a record of the lines in the bytes received on one connection. See
    /// [`Arrivals::count_stream`].
    pub(crate) fn of_stream(bytes: &[u8]) -> Self {
        let mut arrivals = Self::default();
        arrivals.count_stream(bytes);
        arrivals
    }

    /// Adds the lines in the bytes received on one connection to this record.
    ///
    /// A tail without a newline does not count: a broken connection left it. An empty line does
    /// not count either: the client sends it to probe the server.
    pub(crate) fn count_stream(&mut self, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes);
        let lines = text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'));
        lines.filter(|line| !line.is_empty()).for_each(|line| self.count(line));
    }

    /// Adds the lines of a received datagram to this record. The last line counts as whole even
    /// without a newline.
    pub(crate) fn count_datagram(&mut self, bytes: &[u8]) {
        lines_of(&String::from_utf8_lossy(bytes)).for_each(|line| self.count(line));
    }

    /// Adds the lines of a stream of length-prefixed frames to this record, and returns the lengths
    /// of the frames.
    ///
    /// A partial frame at the end does not count: a broken connection left it.
    pub(crate) fn count_frames(&mut self, mut bytes: &[u8]) -> Vec<usize> {
        let mut lengths = Vec::new();
        while let Some((length, rest)) = bytes.split_first_chunk() {
            let length = u32::from_le_bytes(*length) as usize;
            let Some((frame, rest)) = rest.split_at_checked(length) else { break };
            assert!(frame.ends_with(b"\n"), "the frame does not end with a whole line");
            self.count_datagram(frame);
            lengths.push(length);
            bytes = rest;
        }
        lengths
    }

    /// Adds these received lines to this record.
    pub(crate) fn count_all(&mut self, lines: &[String]) {
        lines.iter().for_each(|line| self.count(line));
    }

    fn count(&mut self, line: &str) {
        let Some((thread, number)) = parse_numbered(line) else {
            self.torn += 1;
            return;
        };
        let numbers = self.numbers.entry(thread).or_default();
        let latest = numbers.last().copied();
        if !numbers.insert(number) {
            self.duplicated += 1;
            return;
        }
        self.reordered += u64::from(latest.is_some_and(|latest| number < latest));
        self.tally += Tally { lines: 1, bytes: line.len() as u64 + 1 };
    }

    /// Returns the number of distinct lines that arrived, and of their bytes.
    pub(crate) fn tally(&self) -> Tally {
        self.tally
    }

    /// Returns the numbers of the lines of `thread` that arrived, in ascending order.
    pub(crate) fn numbers(&self, thread: u64) -> Vec<u64> {
        self.numbers.get(&thread).into_iter().flatten().copied().collect()
    }

    /// Returns the number of lines that did not arrive among the first `count` lines of `thread`.
    pub(crate) fn missing(&self, thread: u64, count: u64) -> u64 {
        count - self.numbers.get(&thread).map_or(0, |numbers| numbers.range(..count).count() as u64)
    }

    /// Compares the lines that arrived with the connector's statistics, and returns the
    /// differences.
    pub(crate) fn compare_with(&self, stats: &Stats) -> Discrepancies {
        let (sent, arrived) = (stats.sent.lines, self.tally.lines);
        Discrepancies {
            lost: sent.saturating_sub(arrived),
            unaccounted: arrived.saturating_sub(sent),
            duplicated: self.duplicated,
            torn: self.torn,
            reordered: self.reordered,
        }
    }

    /// Asserts that exactly the lines that `stats` counts as sent arrived: each line once, whole,
    /// and in the order of its thread.
    ///
    /// The bytes must agree as well.
    #[track_caller]
    pub(crate) fn assert_agree_with(&self, stats: &Stats) {
        assert_eq!(self.compare_with(stats), Discrepancies::default(), "{stats}");
        assert_eq!(self.tally, stats.sent);
        super::assert_balanced(stats);
    }
}
