//! Detection of poison: a line on which a server closes the connection.
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

/// Number of connections in a row that must end with the same first line in flight, before lines
/// are sent one by one.
const MIN_DISCONNECTS: u32 = 5;

/// Maximum number of quarantined lines. If the server closes the connection on one more, the server
/// is at fault.
const MAX_QUARANTINED: u32 = 8;

/// State of the detection of poison. Offsets are counted as by [`Outbox::offset`].
#[derive(Default)]
pub(super) struct PoisonDetector {
    /// Offset of the first line in flight at the last disconnect.
    suspect: u64,
    /// Number of disconnects in a row with the same suspect.
    disconnects: u32,
    /// Largest offset at which the lines in flight ended, at any of these disconnects.
    furthest: u64,
    /// Offset up to which lines are sent one by one.
    line_by_line_until: u64,
    /// Number of quarantined lines.
    quarantined: u32,
}

impl PoisonDetector {
    /// Records a new connection. Returns the offset up to which it sends lines one by one.
    pub(super) fn on_connect(&self, outbox: &mut Outbox) -> u64 {
        // Without a line to compare the quarantined ones with, they are tried again: no other line
        // may ever come.
        if outbox.has_quarantined() && !outbox.has_unsent() {
            outbox.sweep();
            if !outbox.has_unsent() {
                outbox.end_quarantine();
            }
        }
        self.line_by_line_until
    }

    /// Records the end of a connection. Requeues the lines in flight, which did not arrive.
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

    /// Quarantines the first line if another line can be tried. Otherwise the same line is tried
    /// again; or, if others are quarantined, the server is at fault and all are requeued.
    fn quarantine_first(&mut self, outbox: &mut Outbox) {
        let line = first_unit(outbox.lines().chunk());
        if outbox.unsent() <= line {
            outbox.sweep();
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

    /// A simulated server, and the lines that it accepted and that the detector discarded.
    struct Scene {
        detector: PoisonDetector,
        outbox: Outbox,
        /// Number of lines that the server acknowledges at a time. It acknowledges none of a group
        /// that holds poison.
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

        /// Simulates one connection. The server closes it on poison, or, unless it `is_selective`,
        /// on every line. Returns true if the connection stays open.
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
        /// Exactly the poisonous lines are discarded, by a server that closes connections on these,
        /// and at times on every line. None is discarded while it closes on every line. All others
        /// arrive, in order.
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

        /// All lines are kept, in order, after any number of connections to a server that closes
        /// the connection on every line.
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
