//! Batches of datagrams for UDP segmentation offload: one system call passes several datagrams. The
//! operating system or the network card cuts them into *segments*, one for each datagram.
//!
//! This module has no state: it turns runs of whole lines into the next batch. The datagrams hold
//! the same lines as single datagrams would. But all have one length, except the last, which may be
//! shorter. A shorter one before the last is padded with newlines: empty lines, which every server
//! skips.

use super::datagram::extent;
use crate::tally::Tally;
use memchr::memchr_iter;
use std::io::IoSlice;
use std::iter::once;

/// Maximum number of datagrams (segments) in a batch for one system call: `UDP_MAX_SEGMENTS` of
/// Linux.
const MAX_SEGMENTS: usize = 64;

/// Maximum number of bytes in a batch for one system call: the largest payload of an IPv4 datagram.
const MAX_BYTES: usize = 65_507;

/// Maximum number of memory slices in a batch for one system call, less than `UIO_MAXIOV` of Linux.
const MAX_PIECES: usize = 1_000;

/// Divisor that limits the padding of a datagram to an eighth of the segment length. A datagram of
/// few long lines would otherwise waste bandwidth.
const MAX_PADDING: usize = 8;

/// Newlines that pad a datagram to the segment length of its batch. Their number is the longest
/// possible padding, given that a batch has at least two segments.
static PADDING: [u8; MAX_BYTES / 2 / MAX_PADDING] = [b'\n'; MAX_BYTES / 2 / MAX_PADDING];

/// Batch of datagrams for one system call, with the number of lines in them and their bytes.
pub(crate) struct Batch<'a> {
    /// Payloads of all datagrams of the batch in order, as slices of memory.
    pub(crate) pieces: Vec<IoSlice<'a>>,
    /// Length in bytes of each datagram of the batch except the last, which may be shorter.
    pub(crate) segment: usize,
    /// Number of datagrams in the batch, at least two.
    pub(crate) segments: usize,
    /// Number of lines in the batch, and their bytes without padding.
    pub(crate) size: Tally,
}

/// Returns the next batch of datagrams, of at most `max_bytes`, filled with lines from these runs
/// (contiguous slices of memory). Returns `None` if a batch cannot hold two datagrams.
///
/// Each run holds whole lines. No datagram is longer than `max`: the batch ends before a longer
/// line.
pub(crate) fn next<'a>(
    runs: impl Iterator<Item = &'a [u8]> + Clone,
    max: usize,
    max_bytes: usize,
) -> Option<Batch<'a>> {
    let max_bytes = max_bytes.min(MAX_BYTES);
    let mut cursor = Cursor::new(runs);
    let mut pieces = Vec::with_capacity(4 * MAX_SEGMENTS);
    // Index of the padding of each segment among the pieces, and length of the segment without it.
    let mut ends = Vec::with_capacity(MAX_SEGMENTS);
    let mut size = Tally::default();
    let (mut shortest, mut longest) = (usize::MAX, 0);
    while ends.len() < MAX_SEGMENTS {
        let line_bytes = extent(cursor.runs(), max);
        // A line may fit only without its newline. A longer line is sent in a single datagram.
        let length = line_bytes.min(max);
        let segment = longest.max(length);
        let is_too_short = |length: usize| (segment - length) * MAX_PADDING > segment;
        let fits = line_bytes <= max + 1 && segment * (ends.len() + 1) <= max_bytes;
        if line_bytes == 0 || !fits || (!ends.is_empty() && is_too_short(shortest)) {
            break;
        }
        let begin = pieces.len();
        let mut lines = line_bytes - length;
        cursor.take(length, |piece| {
            lines += memchr_iter(b'\n', piece).count();
            pieces.push(IoSlice::new(piece));
        });
        cursor.take(line_bytes - length, |_| {});
        if pieces.len() >= MAX_PIECES {
            pieces.truncate(begin);
            break;
        }
        size += Tally { lines: lines as u64, bytes: line_bytes as u64 };
        ends.push((pieces.len(), length));
        pieces.push(IoSlice::new(&[]));
        (shortest, longest) = (shortest.min(length), segment);
        if is_too_short(length) {
            // A datagram that would need too much padding can only be the last.
            break;
        }
    }
    let (_, padded) = ends.split_last()?;
    for &(index, length) in padded {
        pieces[index] = IoSlice::new(&PADDING[..longest - length]);
    }
    let segments = ends.len();
    (segments > 1).then_some(Batch { pieces, segment: longest, segments, size })
}

/// Cursor over several runs (contiguous slices of lines): the bytes that are in no datagram of the
/// batch yet.
struct Cursor<'a, I> {
    /// Rest of the current run (contiguous slice). It is empty only if no run has bytes left.
    first: &'a [u8],
    others: I,
}

impl<'a, I: Iterator<Item = &'a [u8]> + Clone> Cursor<'a, I> {
    fn new(mut runs: I) -> Self {
        let first = runs.find(|run| !run.is_empty()).unwrap_or_default();
        Self { first, others: runs }
    }

    fn runs(&self) -> impl Iterator<Item = &'a [u8]> + Clone {
        once(self.first).chain(self.others.clone())
    }

    /// Takes the next `count` bytes from the runs (contiguous slices of lines), and passes them to
    /// `visit` in contiguous pieces.
    fn take(&mut self, count: usize, mut visit: impl FnMut(&'a [u8])) {
        let mut remaining = count;
        while remaining > 0 {
            let (piece, rest) = self.first.split_at(remaining.min(self.first.len()));
            remaining -= piece.len();
            self.first = rest;
            visit(piece);
            if rest.is_empty() {
                self.first = self.others.find(|run| !run.is_empty()).unwrap_or_default();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::datagram::tests::Runs;
    use super::*;
    use bytes::{Buf, Bytes, BytesMut};
    use proptest::prelude::*;

    /// Simulates sending all lines, in batches where possible and in single datagrams otherwise.
    /// Returns the datagrams of each simulated system call.
    fn send(runs: &[String], max: usize, max_bytes: usize) -> Vec<Vec<String>> {
        let mut lines = Runs(runs.iter().cloned().map(Bytes::from).collect());
        let mut scratch = BytesMut::new();
        let mut calls = Vec::new();
        while lines.has_remaining() {
            let runs = lines.0.iter().map(|run| &**run);
            let (size, call) = if let Some(batch) = next(runs.clone(), max, max_bytes) {
                let bytes = batch.pieces.iter().map(|piece| &**piece).collect::<Vec<_>>().concat();
                let call: Vec<_> = bytes.chunks(batch.segment).map(<[u8]>::to_vec).collect();
                assert_eq!(call.len(), batch.segments);
                assert!(bytes.len() <= max_bytes && call.len() <= MAX_SEGMENTS);
                assert!(batch.pieces.len() <= 1_024, "one call takes all pieces");
                (batch.size, call)
            } else {
                let datagram =
                    super::super::datagram::next(runs, max, &mut scratch).expect("lines remain");
                (datagram.size(), vec![datagram.payload.to_vec()])
            };
            let text = |datagram| String::from_utf8(datagram).expect("lines are text");
            let call: Vec<String> = call.into_iter().map(text).collect();
            let sent = call.iter().flat_map(|datagram| datagram.lines());
            assert_eq!(size.lines, sent.filter(|line| !line.is_empty()).count() as u64);
            lines.advance(size.bytes as usize);
            calls.push(call);
        }
        calls
    }

    fn send_lines(lines: &[&str], max: usize) -> Vec<Vec<String>> {
        send(&[lines.concat()], max, MAX_BYTES)
    }

    #[test]
    fn all_datagrams_except_the_last_are_padded() {
        let lines = ["a:1|c\n", "bbb:22|c\n", "ccc:3|c\n", "d:4|c\n"];
        assert_eq!(
            send_lines(&lines, 9),
            [["a:1|c\n"].as_slice(), &["bbb:22|c\n", "ccc:3|c\n\n", "d:4|c\n"]]
        );
    }

    /// Builds batches from lines of 6 and 9 bytes. A datagram that needs a third of a segment as
    /// padding must be sent alone, or as the last of a batch.
    #[test]
    fn padding_is_limited() {
        let lines = ["a:1|c\n", "bbbb:1|c\n", "c:1|c\n", "dddd:1|c\n", "eeee:1|c\n"];
        let expected =
            [["a:1|c\n"].as_slice(), &["bbbb:1|c\n", "c:1|c\n"], &["dddd:1|c\n", "eeee:1|c\n"]];
        assert_eq!(send_lines(&lines, 9), expected);
    }

    #[test]
    fn a_long_line_ends_the_batch_before_it() {
        let lines = ["a:1|c\n", "b:1|c\n", "longer:1|c\n", "c:1|c\n", "dd:1|c\n"];
        let expected = [
            ["a:1|c\n", "b:1|c\n"].as_slice(),
            &["longer:1|c\n"],
            // The last one fits without its newline.
            &["c:1|c\n", "dd:1|c"],
        ];
        assert_eq!(send_lines(&lines, 6), expected);
    }

    #[test]
    fn a_batch_fits_into_one_call() {
        let lines = vec!["a:1|c\n"; 200];
        assert_eq!(send_lines(&lines, 6).iter().map(Vec::len).collect::<Vec<_>>(), [64, 64, 64, 8]);
        let line = format!("{}:1|c\n", "a".repeat(20_000));
        let calls = send_lines(&[&*line; 7], 30_000);
        assert_eq!(calls.iter().map(Vec::len).collect::<Vec<_>>(), [3, 3, 1]);
    }

    /// Builds batches from 5,000 runs of one short line each. They must be split over several
    /// system calls, since the operating system limits the slices of a call.
    #[test]
    fn many_short_runs_are_split_over_several_calls() {
        let runs = vec!["a:1|c\n".to_owned(); 5_000];
        assert!(send(&runs, 1_432, MAX_BYTES).len() > 4);
        // One call does not take even one such datagram.
        assert_eq!(send(&runs, 30_000, MAX_BYTES).concat().len(), 1);
    }

    proptest! {
        /// Sends random lines in batches. No line may be lost, split or reordered, no datagram may
        /// be too long, and each must hold the same lines as without batches.
        #[test]
        fn batches_of_any_lines(
            runs in prop::collection::vec(prop::collection::vec("[a-c]{1,40}:(0|-?[0-9]{1,3})\\|[cg]\n", 1..30), 1..30),
            max in 1usize..400,
            max_bytes in 1usize..3_000,
        ) {
            let lines: Vec<String> = runs.iter().flatten().cloned().collect();
            let runs: Vec<String> = runs.into_iter().map(|run| run.concat()).collect();
            let calls = send(&runs, max, max_bytes);
            let mut single = send(&runs, max, 0).concat();
            single.iter_mut().for_each(|datagram| datagram.truncate(datagram.trim_end().len()));
            let mut datagrams = calls.concat();
            let sent: Vec<_> = datagrams.iter().flat_map(|datagram| datagram.lines())
                .filter(|line| !line.is_empty()).map(|line| format!("{line}\n")).collect();
            prop_assert_eq!(sent, lines);
            for call in calls.iter().filter(|call| call.len() > 1) {
                let (last, others) = call.split_last().expect("more than one");
                prop_assert!(last.len() <= others[0].len() && others[0].len() <= max);
                for datagram in others {
                    let padding = datagram.len() - datagram.trim_end().len();
                    prop_assert!(padding <= others[0].len() / MAX_PADDING + 1);
                }
            }
            datagrams.iter_mut().for_each(|datagram| datagram.truncate(datagram.trim_end().len()));
            prop_assert_eq!(datagrams, single);
        }
    }
}
