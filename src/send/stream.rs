//! Streams: what a connection is to be given next, and what of it has arrived whole.
//!
//! Knows no socket. What a connection took is in flight until it is acknowledged; lines are
//! let go of when they were acknowledged whole. What a broken connection leaves in flight is
//! recalled, and the next one begins with the first line that did not arrive whole: a server
//! never joins the half line it got to another. Most drop it; some take it for a line if the
//! connection ends in order, as it does where a stop gives up in the midst of one.

use super::frames::Frames;
use crate::handoff::{Consumer, Tally};
use crate::options::Framing;
use bytes::Buf;
use memchr::{memchr_iter, memrchr};
use std::io::IoSlice;

/// One for each connection: a new one begins at the start of a line.
pub(crate) enum Stream {
    /// Lines as they are: each ends with its newline.
    Lines,
    Frames(Frames),
}

impl Stream {
    pub(crate) fn new(framing: Framing, max_frame: usize) -> Self {
        match framing {
            Framing::Newlines => Self::Lines,
            Framing::LengthPrefixed => Self::Frames(Frames::new(max_frame)),
        }
    }

    /// Fills `slices` with what this connection is to take next; says how many.
    pub(crate) fn next<'a>(&'a mut self, lines: &'a Consumer, slices: &mut [IoSlice<'a>]) -> usize {
        match self {
            Self::Lines => lines.chunks_vectored(slices),
            Self::Frames(frames) => frames.next(lines, usize::MAX, slices),
        }
    }

    /// As above, of the next `count` bytes alone: lines that are to go by themselves. In frames these are
    /// one, unless another one is under way.
    pub(crate) fn next_singly<'a>(
        &'a mut self,
        lines: &'a Consumer,
        count: usize,
        slices: &mut [IoSlice<'a>],
    ) -> usize {
        match self {
            Self::Lines => {
                // They lie in one run, as whoever emitted them published them together.
                let run = lines.chunk();
                slices[0] = IoSlice::new(&run[..count.min(run.len())]);
                1
            }
            // A frame is no shorter than its first line.
            Self::Frames(frames) => frames.next(lines, 0, slices),
        }
    }

    /// What every server takes for no line at all.
    pub(crate) fn empty_line(&self) -> &'static [u8] {
        match self {
            Self::Lines => b"\n",
            Self::Frames(_) => b"\x01\0\0\0\n",
        }
    }

    /// How many of the next bytes are promised already: by a frame's length.
    pub(crate) fn begun(&self) -> usize {
        match self {
            Self::Lines => 0,
            Self::Frames(frames) => frames.rest(),
        }
    }

    /// The connection took `count` bytes more.
    pub(crate) fn wrote(&mut self, lines: &mut Consumer, count: usize) {
        match self {
            Self::Lines => lines.advance(count),
            Self::Frames(frames) => lines.advance(frames.wrote(count)),
        }
    }

    /// Lets go of the lines that arrived whole, where the last `unacknowledged` bytes of what
    /// the connection took are not known to have arrived. Returns them.
    pub(crate) fn acknowledge(&mut self, lines: &mut Consumer, unacknowledged: usize) -> Tally {
        let arrived = self.arrived(lines, unacknowledged);
        lines.acknowledge(arrived.bytes as usize);
        arrived
    }

    /// The lines that are to be let go of, which must follow.
    pub(crate) fn arrived(&mut self, lines: &Consumer, unacknowledged: usize) -> Tally {
        match self {
            Self::Lines => {
                let arrived = lines.in_flight().saturating_sub(unacknowledged);
                whole_lines(lines.in_flight_runs(), arrived)
            }
            Self::Frames(frames) => frames.acknowledge(unacknowledged),
        }
    }
}

/// The lines that lie whole within the first `count` bytes of these runs.
fn whole_lines<'a>(runs: impl Iterator<Item = &'a [u8]>, count: usize) -> Tally {
    let mut whole = Tally::default();
    let mut left = count;
    for run in runs {
        let here = &run[..left.min(run.len())];
        left -= here.len();
        let Some(newline) = memrchr(b'\n', here) else { break };
        let here = &here[..=newline];
        let lines = memchr_iter(b'\n', here).count() as u64;
        whole += Tally { lines, bytes: here.len() as u64 };
    }
    whole
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::handoff::Exchange;
    use proptest::prelude::*;
    use std::sync::Arc;

    /// These lines in blocks of 64 bytes, as a consumer has them after several sweeps.
    pub(in crate::send) fn collected(lines: &[String], sweep_every: usize) -> Consumer {
        let exchange = Arc::new(Exchange::new(64, 1 << 10, 1, Box::new(|| {})));
        let mut consumer = Exchange::consumer(&exchange).unwrap();
        for (number, line) in lines.iter().enumerate() {
            exchange.emit(|| line.as_str());
            if number % sweep_every == 0 {
                consumer.sweep();
            }
        }
        consumer.sweep();
        consumer
    }

    #[test]
    fn a_broken_connection_is_followed_from_the_start_of_its_line() {
        let mut lines = collected(&["a:1|c\n".into(), "b:2|c\n".into()], 9);
        let mut connection = Stream::Lines;
        connection.wrote(&mut lines, 8);
        assert_eq!(connection.acknowledge(&mut lines, 0), Tally { lines: 1, bytes: 6 });
        lines.requeue();
        assert_eq!(lines.chunk(), b"b:2|c\n");
    }

    #[test]
    fn what_is_not_acknowledged_is_not_let_go_of() {
        let mut lines = collected(&["a:1|c\n".into(), "b:2|c\n".into(), "c:3|c\n".into()], 1);
        let mut connection = Stream::Lines;
        connection.wrote(&mut lines, 18);
        assert_eq!(connection.acknowledge(&mut lines, 7), Tally { lines: 1, bytes: 6 });
        assert_eq!((lines.in_flight(), lines.remaining()), (12, 0));
        lines.requeue();
        assert_eq!(lines.chunk(), b"b:2|c\n");
    }

    /// What a connection gave its server, read as the server reads it: whole lines, or the
    /// lines of whole frames.
    fn whole(framing: Framing, mut received: &[u8]) -> Vec<u8> {
        let mut lines = Vec::new();
        match framing {
            Framing::Newlines => {
                let end = memrchr(b'\n', received).map_or(0, |newline| newline + 1);
                lines.extend_from_slice(&received[..end]);
            }
            Framing::LengthPrefixed => {
                while let Some((header, rest)) = received.split_first_chunk() {
                    let length = u32::from_le_bytes(*header) as usize;
                    let Some(frame) = rest.get(..length) else { break };
                    assert!(frame.ends_with(b"\n"), "a frame holds whole lines");
                    lines.extend_from_slice(frame);
                    received = &rest[length..];
                }
            }
        }
        lines
    }

    proptest! {
        /// Whatever each connection takes, acknowledges and breaks at: what the servers got
        /// and acknowledged is each line once, in order, and no other is given up.
        #[test]
        fn any_writes_acknowledgements_and_breaks(
            lines in prop::collection::vec("[a-z]{1,30}:[0-9]{1,3}\\|c\n", 1..60),
            sweep_every in 1usize..9,
            framed: bool,
            steps in prop::collection::vec((0usize..120, 0usize..60, prop::bool::weighted(0.15)), 1..120),
        ) {
            let framing = if framed { Framing::LengthPrefixed } else { Framing::Newlines };
            let sent = lines.concat();
            let mut lines = collected(&lines, sweep_every);
            let mut connection = Stream::new(framing, 50);
            // Of this connection; and what has arrived with those before it, as a server
            // reads it that drops what came twice.
            let (mut given, mut acknowledged) = (Vec::new(), 0);
            let (mut arrived, mut settled) = (Vec::new(), Tally::default());
            for (room, unacknowledged, breaks) in steps {
                let offered: Vec<u8> = {
                    let mut slices = [IoSlice::new(&[]); 4];
                    let filled = connection.next(&lines, &mut slices);
                    slices[..filled].iter().flat_map(|slice| slice.to_vec()).collect()
                };
                let taken = room.min(offered.len());
                given.extend_from_slice(&offered[..taken]);
                connection.wrote(&mut lines, taken);
                acknowledged = acknowledged.max(given.len().saturating_sub(unacknowledged));
                settled += connection.acknowledge(&mut lines, given.len() - acknowledged);
                if breaks {
                    arrived.extend(whole(framing, &given[..acknowledged]));
                    given.clear();
                    acknowledged = 0;
                    lines.requeue();
                    connection = Stream::new(framing, 50);
                }
            }
            arrived.extend(whole(framing, &given[..acknowledged]));
            prop_assert!(sent.as_bytes().starts_with(&arrived));
            prop_assert_eq!(settled.bytes, arrived.len() as u64);
            prop_assert_eq!(settled.lines, memchr_iter(b'\n', &arrived).count() as u64);
            prop_assert_eq!(lines.consumed(), settled.bytes);
            lines.requeue();
            let rest = lines.runs().collect::<Vec<_>>().concat();
            prop_assert_eq!([arrived, rest].concat(), sent.as_bytes());
        }
    }
}
