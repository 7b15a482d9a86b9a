//! Detection of poisonous lines. A line is poisonous if the server closes each connection on which
//! it receives the line.
//!
//! Unacknowledged lines are the first that the next connection sends. So a poisonous line would
//! stop all lines after it forever. To find it:
//!
//! ```text
//!         five in a row ended at the same first line          ended on a single line
//!   NORMAL ---------------------------------> LINE BY LINE --------------------> QUARANTINE
//!     ^                                             |                                |
//!     +---------------------------------------------+--------------------------------+
//!       all lines in flight then are acknowledged     the next line is acknowledged: discard
//!                                                     no line is left to try: requeue all
//! ```
//!
//! A line is discarded only if the same server accepts the line after it. A server that closes the
//! connection on every line loses no line. The detector knows no socket, and its state lasts from
//! one connection to the next.

use super::outbox::Outbox;
use super::packing::datagram::first_unit;
use bytes::Buf;

/// Number of consecutive connections that must end with the same first line in flight before the
/// flusher suspects this line. It then sends lines one by one to find out.
const MIN_DISCONNECTS: u32 = 5;

/// Maximum number of quarantined lines (lines that seem to make the server close connections). If
/// the server closes a connection on one more line, the flusher blames the server and sends them
/// all again.
const MAX_QUARANTINED: u32 = 8;

/// Detector of poisonous lines: lines on which the server closes the connection. All offsets count
/// bytes like [`Outbox::offset`].
#[derive(Default)]
pub(super) struct PoisonDetector {
    /// Offset of the first line that was in flight when a connection last ended.
    suspect: u64,
    /// Number of consecutive connections that ended while the line at the offset `suspect` was the
    /// first line in flight.
    disconnects: u32,
    /// Maximum offset that the bytes in flight reached, at the ends of the connections that
    /// `disconnects` counts.
    furthest: u64,
    /// Offset up to which the flusher sends lines one by one, to find a line on which the server
    /// closes the connection.
    line_by_line_until: u64,
    /// Number of quarantined lines: lines set aside because the server seems to close connections
    /// on them.
    quarantined: u32,
}

impl PoisonDetector {
    /// Prepares for a new connection. Returns the offset up to which the flusher must send lines
    /// one by one on it.
    pub(super) fn on_connect(&self, outbox: &mut Outbox) -> u64 {
        // Without a line to compare the quarantined ones with, they are tried again: no other line
        // may ever come.
        if outbox.has_quarantined() && !outbox.has_unsent() {
            outbox.sweep_for_next_line();
            if !outbox.has_unsent() {
                outbox.end_quarantine();
            }
        }
        self.line_by_line_until
    }

    /// Records that a connection ended, and searches for a line that may be the cause. Makes the
    /// lines in flight unsent again, since they did not arrive.
    pub(super) fn on_disconnect(&mut self, outbox: &mut Outbox) {
        let in_flight = outbox.in_flight();
        outbox.requeue();
        if !outbox.has_quarantined() {
            self.quarantined = 0;
        }
        // If no line was in flight, none is suspect.
        if in_flight == 0 {
            return;
        }
        let first = outbox.offset();
        if first != self.suspect {
            (self.suspect, self.disconnects, self.furthest) = (first, 0, first);
        }
        self.disconnects += 1;
        self.furthest = self.furthest.max(first + in_flight as u64);
        if first >= self.line_by_line_until {
            if self.disconnects >= MIN_DISCONNECTS {
                self.line_by_line_until = self.furthest;
            }
        } else if in_flight <= first_unit(outbox.lines().chunk()) {
            self.quarantine_first(outbox);
        } else {
            self.line_by_line_until = self.line_by_line_until.max(self.furthest);
        }
    }

    /// Quarantines (sets aside) the first unsent line, to test the server with another line. Keeps
    /// the line if there is no other, or if `MAX_QUARANTINED` lines are quarantined. In this case,
    /// quarantined lines also become unsent again, since the server is at fault.
    fn quarantine_first(&mut self, outbox: &mut Outbox) {
        let line = first_unit(outbox.lines().chunk());
        if outbox.unsent() <= line {
            outbox.sweep_for_next_line();
        }
        if outbox.unsent() > line && self.quarantined < MAX_QUARANTINED {
            outbox.quarantine(line);
            self.quarantined += 1;
            self.line_by_line_until = self.line_by_line_until.max(outbox.offset() + 1);
        } else if outbox.has_quarantined() {
            outbox.end_quarantine();
            *self = Self::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::packing::stream::tests::swept;
    use super::*;
    use crate::emit::Consumer;
    use crate::tally::Tally;
    use proptest::prelude::*;
    use std::sync::Arc;

    /// Test scene: a detector of poisonous lines and a simulated server, with the lines that the
    /// server accepted and those that the detector discarded.
    struct Scene {
        detector: PoisonDetector,
        outbox: Outbox,
        /// Number of lines that the simulated server acknowledges together. It acknowledges no line
        /// of a group that contains a poisonous line (on which it closes the connection).
        group: usize,
        accepted: Vec<String>,
        discarded: String,
    }

    const fn is_poison(line: &str) -> bool {
        line.as_bytes()[0] == b'p'
    }

    fn text(runs: &[&[u8]]) -> String {
        String::from_utf8(runs.concat()).expect("lines are text")
    }

    fn unsent(lines: &Consumer) -> String {
        text(&lines.runs().collect::<Vec<_>>())
    }

    impl Scene {
        fn new(lines: &[String], sweep_every: usize, group: usize) -> Self {
            Self {
                detector: PoisonDetector::default(),
                outbox: Outbox::new(swept(lines, sweep_every), Arc::default()),
                group,
                accepted: Vec::new(),
                discarded: String::new(),
            }
        }

        /// Simulates one connection, which the server closes on a poisonous line, or on every line
        /// unless it `is_selective`. Returns true if the connection stays open.
        fn connect(&mut self, is_selective: bool) -> bool {
            let until = self.detector.on_connect(&mut self.outbox);
            let mut window = 1;
            let stays_open = loop {
                let outbox = &mut self.outbox;
                if !outbox.has_unsent() {
                    break true;
                }
                let line_by_line = outbox.offset() < until;
                if line_by_line && !is_selective {
                    break false;
                }
                let unsent = unsent(outbox.lines());
                let max_lines = if line_by_line { window } else { usize::MAX };
                let sent = Vec::from_iter(unsent.split_inclusive('\n').take(max_lines));
                outbox.mark_sent(sent.iter().map(|line| line.len()).sum());
                let good = sent.iter().take_while(|line| is_selective && !is_poison(line)).count();
                self.accepted.extend(sent[..good].iter().map(|line| (*line).to_owned()));
                let group = if line_by_line { 1 } else { self.group };
                let stays_open = good == sent.len();
                let whole = if stays_open { good } else { good - good % group };
                if whole > 0 && outbox.has_quarantined() {
                    let discarded = &mut self.discarded;
                    outbox.consumer_mut().discard_quarantined(|runs| *discarded += &text(runs));
                }
                let bytes = sent[..whole].iter().map(|line| line.len() as u64).sum();
                outbox.acknowledge(Tally { lines: whole as u64, bytes });
                if !stays_open {
                    break false;
                }
                window *= 2;
            };
            if !stays_open {
                self.detector.on_disconnect(&mut self.outbox);
            }
            stays_open
        }

        fn is_done(&self) -> bool {
            self.outbox.lines().consumed() == self.outbox.lines().swept()
        }
    }

    proptest! {
        /// Simulates a server that closes connections on poisonous lines, and at times on every
        /// line. Exactly the poisonous lines must be discarded, none while the server closes on
        /// every line, and all other lines must arrive in order.
        #[test]
        fn exactly_the_poison_is_discarded(
            runs in prop::collection::vec((1usize..9, 0usize..8), 1..9),
            group in 1usize..20,
            sweep_every in 1usize..9,
            connections in prop::collection::vec(any::<bool>(), 0..60),
        ) {
            let mut lines = Vec::new();
            for (good, poison) in runs {
                lines.extend((0..good).map(|_| 'g').chain((0..poison).map(|_| 'p')));
            }
            // With a good line after it, each poisonous line can be detected.
            lines.push('g');
            let lines: Vec<_> =
                lines.iter().enumerate().map(|(n, kind)| format!("{kind}{n}:1|c\n")).collect();
            let mut scene = Scene::new(&lines, sweep_every, group);
            let mut stays_open = false;
            for is_selective in connections {
                let before = scene.discarded.len();
                stays_open = scene.connect(is_selective);
                prop_assert!(is_selective || scene.discarded.len() == before);
            }
            for connections in 0.. {
                if stays_open && scene.is_done() {
                    break;
                }
                prop_assert!(connections < 12 * lines.len() + 60, "the detection ends");
                stays_open = scene.connect(true);
            }
            let (poison, good): (Vec<_>, Vec<_>) =
                lines.into_iter().partition(|line| is_poison(line));
            prop_assert_eq!(scene.discarded, poison.concat());
            let mut seen = std::collections::HashSet::new();
            scene.accepted.retain(|line| seen.insert(line.clone()));
            prop_assert_eq!(scene.accepted, good);
        }

        /// Simulates many connections to a server that closes the connection on every line. All
        /// lines must be kept, in order.
        #[test]
        fn server_closing_on_every_line_loses_no_line(
            count in 1usize..50,
            connections in 0usize..200,
        ) {
            let lines: Vec<_> = (0..count).map(|number| format!("g{number}:1|c\n")).collect();
            let mut scene = Scene::new(&lines, 3, 1);
            for _ in 0..connections {
                prop_assert!(!scene.connect(false));
            }
            scene.outbox.end_quarantine();
            prop_assert_eq!(unsent(scene.outbox.lines()), lines.concat());
        }
    }
}
