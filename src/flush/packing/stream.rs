//! Streams over TCP or a Unix socket: chooses the bytes that a connection sends next, and finds the
//! lines that arrived whole.
//!
//! This module knows no socket. Bytes that the connection took are in flight until they are
//! acknowledged. A line is released once it is acknowledged whole. The lines that a broken
//! connection leaves in flight are requeued, and the next connection begins with the first line
//! that did not arrive whole. So a server never joins half a line to another line.
//!
//! Most servers drop half a line. Some take it for a line if the connection closes in order, as it
//! does if a stop times out within a line.

use super::datagram::open_gauge_reset;
use super::frames::Frames;
use crate::emit::Consumer;
use crate::options::Framing;
use crate::tally::Tally;
use bytes::Buf;
use memchr::{memchr_iter, memrchr};
use std::io::IoSlice;

/// Framing of the lines on one stream connection: lines with newlines, or frames with a length
/// prefix. Each connection begins at the start of a line.
pub(crate) enum Stream {
    /// Each line ends with a newline, and there are no frames.
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

    /// Fills `slices` with the next bytes that this connection should write. Returns the number of
    /// slices filled.
    pub(crate) fn next<'a>(&'a mut self, lines: &'a Consumer, slices: &mut [IoSlice<'a>]) -> usize {
        match self {
            Self::Lines => lines.chunks_vectored(slices),
            Self::Frames(frames) => frames.next(lines, usize::MAX, slices),
        }
    }

    /// Fills `slices` with bytes of one line only, and returns the number of slices filled. The
    /// bytes are the next `count` unsent bytes, or the rest of a frame that holds this line alone.
    pub(crate) fn next_within_line<'a>(
        &'a mut self,
        lines: &'a Consumer,
        count: usize,
        slices: &mut [IoSlice<'a>],
    ) -> usize {
        match self {
            Self::Lines => {
                // A line lies in one run, since its thread published it whole.
                let run = lines.chunk();
                slices[0] = IoSlice::new(&run[..count.min(run.len())]);
                1
            }
            // A frame holds one line at least.
            Self::Frames(frames) => frames.next(lines, 0, slices),
        }
    }

    /// Returns the bytes of an empty line in this framing. Every server skips an empty line.
    pub(crate) fn empty_line(&self) -> &'static [u8] {
        match self {
            Self::Lines => b"\n",
            Self::Frames(_) => b"\x01\0\0\0\n",
        }
    }

    /// Returns the number of unsent bytes of lines in the incomplete frame (lines with a length
    /// prefix). They must be sent next, since the frame's header has announced them.
    pub(crate) fn committed(&self) -> usize {
        match self {
            Self::Lines => 0,
            Self::Frames(frames) => frames.unsent_in_newest(),
        }
    }

    /// Records that the socket has accepted `count` more bytes. Returns how many of them belong to
    /// lines, and not to frame headers; the caller marks these as sent.
    pub(crate) fn on_written(&mut self, count: usize) -> usize {
        match self {
            Self::Lines => count,
            Self::Frames(frames) => frames.on_written(count),
        }
    }

    /// Returns the number of lines in flight that arrived whole, and their bytes, given that all
    /// bytes except the last `unacknowledged` arrived. The caller releases these lines.
    pub(crate) fn acknowledge(&mut self, lines: &Consumer, unacknowledged: usize) -> Tally {
        match self {
            Self::Lines => {
                let arrived = lines.in_flight().saturating_sub(unacknowledged);
                whole_lines(lines.in_flight_runs(), arrived, lines.chunk())
            }
            Self::Frames(frames) => frames.acknowledge(unacknowledged),
        }
    }
}

/// Returns the number of lines that lie whole within the first `count` bytes of these runs
/// (contiguous slices of memory), and their bytes. The slice `after` follows the last run.
///
/// The two lines that set a negative gauge count together: if only the first one arrived, both are
/// sent again. A server that had only the first one would keep the gauge at 0.
fn whole_lines<'a>(runs: impl Iterator<Item = &'a [u8]>, count: usize, after: &'a [u8]) -> Tally {
    let mut whole = Tally::default();
    let mut remaining = count;
    let mut runs = runs.peekable();
    while let Some(run) = runs.next() {
        let arrived = &run[..remaining.min(run.len())];
        remaining -= arrived.len();
        let Some(newline) = memrchr(b'\n', arrived) else { break };
        let (lines, rest) = run.split_at(newline + 1);
        // One run holds both lines of a gauge, which may be sent in part.
        let after = if runs.peek().is_none() { after } else { &[] };
        let lines = &lines[..lines.len() - open_gauge_reset(lines, rest, after)];
        let count = memchr_iter(b'\n', lines).count() as u64;
        whole += Tally { lines: count, bytes: lines.len() as u64 };
        if lines.len() < run.len() {
            break;
        }
    }
    whole
}

#[cfg(test)]
pub(in crate::flush) mod tests {
    use super::*;
    use crate::emit::Exchange;
    use proptest::prelude::*;
    use std::sync::Arc;

    /// Returns a consumer (the flusher's source of lines) that holds these lines in blocks of 64
    /// bytes. The consumer takes them `sweep_every` at a time.
    pub(in crate::flush) fn swept(lines: &[String], sweep_every: usize) -> Consumer {
        let settings = freewheel_handoff::Settings {
            block_size: 64,
            blocks: 1 << 10,
            ring_at: 1,
            max_record: 64,
        };
        let exchange =
            Exchange::new(&settings, Box::new(|| {}), freewheel_handoff::Barrier::none());
        let exchange = Arc::new(exchange);
        let mut consumer = Consumer::claim(&exchange).unwrap();
        for (number, line) in lines.iter().enumerate() {
            exchange.push(1, line.as_bytes());
            if number % sweep_every == 0 {
                consumer.sweep();
            }
        }
        consumer.sweep();
        consumer
    }

    fn write(stream: &mut Stream, lines: &mut Consumer, count: usize) {
        let written = stream.on_written(count);
        lines.advance(written);
    }

    fn acknowledge(stream: &mut Stream, lines: &mut Consumer, unacknowledged: usize) -> Tally {
        let arrived = stream.acknowledge(lines, unacknowledged);
        lines.acknowledge(arrived.bytes as usize);
        arrived
    }

    #[test]
    fn a_new_connection_begins_at_the_start_of_a_line() {
        let mut lines = swept(&["a:1|c\n".into(), "b:2|c\n".into()], 9);
        let mut stream = Stream::Lines;
        write(&mut stream, &mut lines, 8);
        assert_eq!(acknowledge(&mut stream, &mut lines, 0), Tally { lines: 1, bytes: 6 });
        lines.requeue();
        assert_eq!(lines.chunk(), b"b:2|c\n");
    }

    #[test]
    fn unacknowledged_lines_are_not_released() {
        let mut lines = swept(&["a:1|c\n".into(), "b:2|c\n".into(), "c:3|c\n".into()], 1);
        let mut stream = Stream::Lines;
        write(&mut stream, &mut lines, 18);
        assert_eq!(acknowledge(&mut stream, &mut lines, 7), Tally { lines: 1, bytes: 6 });
        assert_eq!((lines.in_flight(), lines.remaining()), (12, 0));
        lines.requeue();
        assert_eq!(lines.chunk(), b"b:2|c\n");
    }

    /// Acknowledges each possible number of bytes of lines with a negative gauge, of which each
    /// possible number is written. Both lines of the gauge must be released together. The next
    /// connection must begin with both if the second one did not arrive.
    #[test]
    fn the_lines_of_a_negative_gauge_are_released_together() {
        let text = ["a:1|c\n", "g:0|g\ng:-5|g\n", "g:0|g\n", "h:-1|g\n", "b:2|c\n"];
        let ends = [6, 19, 25, 32, 38];
        for sweep_every in [1, 9] {
            for written in 0..=38 {
                for arrived in 0..=written {
                    let mut lines = swept(&text.map(str::to_owned), sweep_every);
                    let mut stream = Stream::Lines;
                    write(&mut stream, &mut lines, written);
                    let released = acknowledge(&mut stream, &mut lines, written - arrived);
                    let whole = ends.into_iter().rfind(|end| *end <= arrived).unwrap_or(0);
                    assert_eq!(released.bytes as usize, whole, "{arrived} of {written}");
                    lines.requeue();
                    let rest = lines.runs().collect::<Vec<_>>().concat();
                    assert_eq!(rest, &text.concat().as_bytes()[whole..]);
                }
            }
        }
    }

    /// Returns the lines that a server reads from these bytes of a connection: whole lines, or the
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
        /// Simulates connections that accept, acknowledge and break at random bytes. The servers
        /// must get each acknowledged line once, in order, and no other line may be released.
        #[test]
        fn any_writes_acknowledgements_and_breaks(
            lines in prop::collection::vec("[a-z]{1,30}:[0-9]{1,3}\\|c\n", 1..60),
            sweep_every in 1usize..9,
            framed: bool,
            steps in prop::collection::vec((0usize..120, 0usize..60, prop::bool::weighted(0.15)), 1..120),
        ) {
            let framing = if framed { Framing::LengthPrefixed } else { Framing::Newlines };
            let sent = lines.concat();
            let mut lines = swept(&lines, sweep_every);
            let mut stream = Stream::new(framing, 50);
            // Bytes that this connection took, and how many of them are acknowledged.
            let (mut taken, mut acknowledged) = (Vec::new(), 0);
            // Bytes that arrived over all connections, as a server reads them that drops repeats.
            let (mut arrived, mut released) = (Vec::new(), Tally::default());
            for (room, unacknowledged, breaks) in steps {
                let offered: Vec<u8> = {
                    let mut slices = [IoSlice::new(&[]); 4];
                    let filled = stream.next(&lines, &mut slices);
                    slices[..filled].iter().flat_map(|slice| slice.to_vec()).collect()
                };
                let count = room.min(offered.len());
                taken.extend_from_slice(&offered[..count]);
                write(&mut stream, &mut lines, count);
                acknowledged = acknowledged.max(taken.len().saturating_sub(unacknowledged));
                released += acknowledge(&mut stream, &mut lines, taken.len() - acknowledged);
                if breaks {
                    arrived.extend(whole(framing, &taken[..acknowledged]));
                    taken.clear();
                    acknowledged = 0;
                    lines.requeue();
                    stream = Stream::new(framing, 50);
                }
            }
            arrived.extend(whole(framing, &taken[..acknowledged]));
            prop_assert!(sent.as_bytes().starts_with(&arrived));
            prop_assert_eq!(released.bytes, arrived.len() as u64);
            prop_assert_eq!(released.lines, memchr_iter(b'\n', &arrived).count() as u64);
            prop_assert_eq!(lines.consumed(), released.bytes);
            lines.requeue();
            let rest = lines.runs().collect::<Vec<_>>().concat();
            prop_assert_eq!([arrived, rest].concat(), sent.as_bytes());
        }
    }
}
