//! A arrivals of what arrived, to be held against the account.

use super::{lines_of, parse_numbered};
use freewheel::{Stats, Tally};
use std::collections::{BTreeMap, BTreeSet};

/// The numbered lines that arrived.
#[derive(Default)]
pub(crate) struct Arrivals {
    /// The numbers of each thread.
    came: BTreeMap<u64, BTreeSet<u64>>,
    /// Each line once.
    tally: Tally,
    duplicated: u64,
    torn: u64,
    reordered: u64,
}

/// What became of lines, other than arriving once, whole and in their thread's order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Findings {
    /// Counted as sent, and never came.
    pub(crate) lost: u64,
    /// Came, and not counted as sent.
    pub(crate) unaccounted: u64,
    /// Came again.
    pub(crate) duplicated: u64,
    /// Ended in the midst, or were joined to another.
    pub(crate) torn: u64,
    /// Came for the first time after a later one of their thread.
    pub(crate) reordered: u64,
}

impl Arrivals {
    pub(crate) fn of(lines: &[String]) -> Self {
        let mut arrivals = Self::default();
        arrivals.count_all(lines);
        arrivals
    }

    pub(crate) fn of_stream(bytes: &[u8]) -> Self {
        let mut arrivals = Self::default();
        arrivals.count_stream(bytes);
        arrivals
    }

    /// Counts a connection's lines. An end without a newline is none: it is what a broken
    /// connection left of one. Nor is an empty one, by which a server is asked whether it is there.
    pub(crate) fn count_stream(&mut self, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes);
        let lines = text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'));
        lines.filter(|line| !line.is_empty()).for_each(|line| self.count(line));
    }

    /// Counts the lines of a datagram, which ends with a whole one.
    pub(crate) fn count_datagram(&mut self, bytes: &[u8]) {
        lines_of(&String::from_utf8_lossy(bytes)).for_each(|line| self.count(line));
    }

    /// Counts the lines of a stream of frames, each behind its length; says how long each was. An
    /// end that is no whole frame is what a broken connection left of one.
    pub(crate) fn count_frames(&mut self, mut bytes: &[u8]) -> Vec<usize> {
        let mut lengths = Vec::new();
        while let Some((length, rest)) = bytes.split_first_chunk() {
            let length = u32::from_le_bytes(*length) as usize;
            let Some((frame, rest)) = rest.split_at_checked(length) else { break };
            assert!(frame.ends_with(b"\n"), "a frame ends with a whole line");
            self.count_datagram(frame);
            lengths.push(length);
            bytes = rest;
        }
        lengths
    }

    pub(crate) fn count_all(&mut self, lines: &[String]) {
        lines.iter().for_each(|line| self.count(line));
    }

    fn count(&mut self, line: &str) {
        let Some((thread, number)) = parse_numbered(line) else {
            self.torn += 1;
            return;
        };
        let numbers = self.came.entry(thread).or_default();
        let latest = numbers.last().copied();
        if !numbers.insert(number) {
            self.duplicated += 1;
            return;
        }
        self.reordered += u64::from(latest.is_some_and(|latest| number < latest));
        self.tally += Tally { lines: 1, bytes: line.len() as u64 + 1 };
    }

    /// All that came, each line once.
    pub(crate) fn tally(&self) -> Tally {
        self.tally
    }

    /// The numbers of this thread that came.
    pub(crate) fn numbers(&self, thread: u64) -> Vec<u64> {
        self.came.get(&thread).into_iter().flatten().copied().collect()
    }

    /// How many of this thread's first `count` lines did not come.
    pub(crate) fn missing(&self, thread: u64, count: u64) -> u64 {
        count - self.came.get(&thread).map_or(0, |numbers| numbers.range(..count).count() as u64)
    }

    pub(crate) fn against(&self, stats: &Stats) -> Findings {
        let (sent, came) = (stats.sent.lines, self.tally.lines);
        Findings {
            lost: sent.saturating_sub(came),
            unaccounted: came.saturating_sub(sent),
            duplicated: self.duplicated,
            torn: self.torn,
            reordered: self.reordered,
        }
    }

    /// All that was sent arrived once, whole and in order, to the byte, and nothing else did.
    #[track_caller]
    pub(crate) fn assert_faultless(&self, stats: &Stats) {
        assert_eq!(self.against(stats), Findings::default(), "{stats}");
        assert_eq!(self.tally, stats.sent);
        super::assert_balanced(stats);
    }
}
