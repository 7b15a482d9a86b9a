//! Detection of datagrams that the operating system refuses because of their content, such as those
//! that a packet filter drops.
//!
//! The lines of a datagram that could not be sent are the first that the next link sends. So such a
//! datagram would stop all lines after it forever. After three failures at the same line, a link
//! sends the lines of the datagram *singly*: see `transport::datagrams::single_lines`. It gives up a
//! line only if the operating system refuses this line, accepts the one after it, and refuses this
//! line again. A firewall that refuses everything for a while costs no line.
//!
//! The detector knows no socket, and its state lasts from one link to the next.

use std::ops::Range;

/// Number of consecutive failures at the same line after which lines are sent singly.
const MIN_FAILURES: u32 = 3;

/// Number of lines in a row that may be refused on the first link that sends lines singly. If one
/// more is refused, the link fails, and no line is given up.
const MIN_TRIES: u32 = 64;

/// Maximum of the number that [`MIN_TRIES`] is doubled to, on later links that send lines singly.
const MAX_TRIES: u32 = 4096;

/// Lines that a link should send singly: each in a datagram of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SingleLines {
    /// Offsets of the lines, counted in bytes like `Outbox::offset`.
    pub(super) offsets: Range<u64>,
    /// Number of lines in a row that may still be refused.
    pub(super) tries: u32,
}

impl SingleLines {
    pub(super) fn new(offsets: Range<u64>) -> Self {
        Self { offsets, tries: MIN_TRIES }
    }

    /// Begins a new row of refused lines, after one was accepted.
    pub(super) fn renew(&mut self) {
        self.tries = self.tries.max(MIN_TRIES);
    }
}

/// Detector of datagrams that the operating system refuses at each attempt.
#[derive(Default)]
pub(super) struct RefusalDetector {
    /// Offsets of the lines of the datagram that was last refused.
    suspect: Range<u64>,
    /// Number of consecutive failures at the first of these lines.
    failures: u32,
}

impl RefusalDetector {
    /// Records that a link failed because the operating system refused a datagram with the lines at
    /// these offsets.
    pub(super) fn on_failure(&mut self, refused: Range<u64>) {
        if refused.start != self.suspect.start {
            self.failures = 0;
        }
        self.failures = self.failures.saturating_add(1);
        self.suspect = refused;
    }

    /// Returns the lines that a new link should send singly, if any. After several failures these
    /// links are rare: every fourth, eighth, sixteenth attempt and so on.
    pub(super) fn on_connect(&self) -> Option<SingleLines> {
        let attempt = self.failures.saturating_add(1);
        let is_due = self.failures >= MIN_FAILURES && attempt.is_power_of_two();
        let tries = (attempt / (MIN_FAILURES + 1)).saturating_mul(MIN_TRIES).min(MAX_TRIES);
        is_due.then(|| SingleLines { offsets: self.suspect.clone(), tries })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_singled_out_after_three_failures_and_ever_more_rarely() {
        let mut detector = RefusalDetector::default();
        let mut due = Vec::new();
        for failures in 1..300 {
            detector.on_failure(7..9);
            if let Some(SingleLines { offsets, tries }) = detector.on_connect() {
                assert_eq!(offsets, 7..9);
                due.push((failures, tries));
            }
        }
        let expected =
            [(3, 64), (7, 128), (15, 256), (31, 512), (63, 1024), (127, 2048), (255, 4096)];
        assert_eq!(due, expected);
        detector.on_failure(9..11);
        assert_eq!(detector.on_connect(), None);
    }
}
