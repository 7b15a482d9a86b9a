//! Suspicion: whether it is a line that a server goes away on.
//!
//! A line that is kept until it is acknowledged comes first at each connection, and one that a server goes
//! away on would stop all others for ever. To find out:
//!
//! ```text
//!        five in a row ended at the same first line        ended on one line alone
//!   ALL -----------------------------------------> SINGLY ------------------------> ASIDE
//!    ^                                               |                                |
//!    +-----------------------------------------------+--------------------------------+
//!      all that was under way then is acknowledged        the next is acknowledged: given up
//!                                                         so are too few: all are brought back
//! ```
//!
//! No line is given up because of what happens to it, but only because of what does not happen to the next one
//! at the same server. A server that goes away on everything gets to keep everything waiting. Knows no
//! socket, and lasts from one connection to the next.

use super::datagram::first_unit;
use crate::handoff::Consumer;
use bytes::Buf;

/// So many connections in a row ended while the same line was the first under way.
const ENDS: u32 = 5;

/// So many lines lie quarantined at most: where the next one fails as well, it is the server.
const MOST_ASIDE: u32 = 8;

#[derive(Default)]
pub(super) struct Suspicion {
    /// Where the first line was when connections ended, and how many did in a row.
    place: u64,
    ends: u32,
    /// What was under way at one of these ends reached to here.
    reach: u64,
    /// Lines go singly up to here.
    until: u64,
    /// So many lie quarantined.
    quarantined: u32,
}

impl Suspicion {
    /// A connection begins: says up to which place its lines go singly.
    pub(super) fn begin(&self, lines: &mut Consumer) -> u64 {
        // Nothing is left to compare it with: it may be the only one that ever comes.
        if lines.quarantined() > 0 && lines.remaining() == 0 {
            lines.sweep();
            if lines.remaining() == 0 {
                lines.end_quarantine();
            }
        }
        self.until
    }

    /// A connection has ended. What is in flight did not arrive, and is recalled.
    pub(super) fn end(&mut self, lines: &mut Consumer) {
        let in_flight = lines.in_flight();
        lines.requeue();
        if lines.quarantined() == 0 {
            self.quarantined = 0;
        }
        // Nothing was being sent: that is about no line.
        if in_flight == 0 {
            return;
        }
        let place = lines.consumed() + lines.quarantined() as u64;
        if place != self.place {
            (self.place, self.ends, self.reach) = (place, 0, place);
        }
        self.ends += 1;
        self.reach = self.reach.max(place + in_flight as u64);
        if place >= self.until {
            if self.ends >= ENDS {
                self.until = self.reach;
            }
        } else if in_flight <= first_unit(lines.chunk()) {
            self.quarantine(lines);
        } else {
            self.until = self.until.max(self.reach);
        }
    }

    /// The first line goes quarantined, if there is another one to be tried. Otherwise it is tried again.
    fn quarantine(&mut self, lines: &mut Consumer) {
        let line = first_unit(lines.chunk());
        if lines.remaining() <= line {
            lines.sweep();
        }
        if lines.remaining() > line && self.quarantined < MOST_ASIDE {
            lines.quarantine(line);
            self.quarantined += 1;
            self.until = self.until.max(lines.consumed() + lines.quarantined() as u64 + 1);
        } else if lines.quarantined() > 0 {
            // It is the server.
            lines.end_quarantine();
            *self = Self::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::stream::tests::collected;
    use super::*;
    use proptest::prelude::*;

    /// A server, and what became of lines.
    struct Scene {
        suspicion: Suspicion,
        lines: Consumer,
        /// It acknowledges so many lines at a time, and those of which it likes only a part not at all.
        at_a_time: usize,
        came: Vec<String>,
        rejected: String,
    }

    const fn is_poison(line: &str) -> bool {
        line.as_bytes()[0] == b'p'
    }

    fn text(runs: &[&[u8]]) -> String {
        String::from_utf8(runs.concat()).expect("lines are text")
    }

    impl Scene {
        /// One connection, to a server that judges lines, or goes away from everything. True if it stays.
        fn connect(&mut self, judges: bool) -> bool {
            let until = self.suspicion.begin(&mut self.lines);
            let mut window = 1;
            let stays = loop {
                let lines = &mut self.lines;
                if !lines.has_remaining() {
                    break true;
                }
                let singly = lines.consumed() + (lines.quarantined() as u64) < until;
                if singly && !judges {
                    break false;
                }
                let unsent = text(&lines.runs().collect::<Vec<_>>());
                let most = if singly { window } else { usize::MAX };
                let given = Vec::from_iter(unsent.split_inclusive('\n').take(most));
                lines.advance(given.iter().map(|line| line.len()).sum());
                let liked = given.iter().take_while(|line| judges && !is_poison(line)).count();
                self.came.extend(given[..liked].iter().map(|line| (*line).to_owned()));
                let at_a_time = if singly { 1 } else { self.at_a_time };
                let stays = liked == given.len();
                let whole = if stays { liked } else { liked - liked % at_a_time };
                if whole > 0 && lines.quarantined() > 0 {
                    lines.discard_quarantined(|runs| self.rejected += &text(runs));
                }
                lines.acknowledge(given[..whole].iter().map(|line| line.len()).sum());
                if !stays {
                    break false;
                }
                window *= 2;
            };
            if !stays {
                self.suspicion.end(&mut self.lines);
            }
            stays
        }
    }

    proptest! {
        /// Whatever a server goes away on, and however long it goes away from everything before, in the
        /// midst of that and after it: what is given up is what it goes away on and nothing else, all
        /// others come, in order, and while it goes away from everything nothing is given up.
        #[test]
        fn what_is_given_up_is_what_the_server_goes_away_on(
            runs in prop::collection::vec((1usize..9, 0usize..8), 1..9),
            at_a_time in 1usize..20,
            sweep_every in 1usize..9,
            judges in prop::collection::vec(any::<bool>(), 0..60),
        ) {
            let mut lines = Vec::new();
            for (good, poison) in runs {
                lines.extend((0..good).map(|_| 'g').chain((0..poison).map(|_| 'p')));
            }
            // With another one behind it, each can be told.
            lines.push('g');
            let lines: Vec<_> =
                lines.iter().enumerate().map(|(n, kind)| format!("{kind}{n}:1|c\n")).collect();
            let mut scene = Scene {
                suspicion: Suspicion::default(),
                lines: collected(&lines, sweep_every),
                at_a_time,
                came: Vec::new(),
                rejected: String::new(),
            };
            let mut stays = false;
            for judges in judges {
                let before = scene.rejected.len();
                stays = scene.connect(judges);
                prop_assert!(judges || scene.rejected.len() == before);
            }
            for connections in 0.. {
                if stays && scene.lines.consumed() == scene.lines.swept() {
                    break;
                }
                prop_assert!(connections < 12 * lines.len() + 60, "it never ends");
                stays = scene.connect(true);
            }
            let (poison, good): (Vec<_>, Vec<_>) =
                lines.into_iter().partition(|line| is_poison(line));
            prop_assert_eq!(scene.rejected, poison.concat());
            let mut seen = std::collections::HashSet::new();
            scene.came.retain(|line| seen.insert(line.clone()));
            prop_assert_eq!(scene.came, good);
        }

        /// A server that goes away from everything: all is there, in its order, however often it is tried.
        #[test]
        fn a_server_that_goes_away_from_everything_keeps_all_waiting(
            count in 1usize..50,
            connections in 0usize..200,
        ) {
            let lines: Vec<_> = (0..count).map(|number| format!("g{number}:1|c\n")).collect();
            let mut scene = Scene {
                suspicion: Suspicion::default(),
                lines: collected(&lines, 3),
                at_a_time: 1,
                came: Vec::new(),
                rejected: String::new(),
            };
            for _ in 0..connections {
                prop_assert!(!scene.connect(false));
            }
            scene.lines.end_quarantine();
            prop_assert_eq!(text(&scene.lines.runs().collect::<Vec<_>>()), lines.concat());
        }
    }
}
