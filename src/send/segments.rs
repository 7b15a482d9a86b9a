//! Batches: datagrams that go out by one call, which the operating system or the network card
//! cuts into *segments* (UDP segmentation offload).
//!
//! Pure: from runs of whole lines to the next batch. Its datagrams are those that would go singly;
//! but all have one length, save the last, which may be shorter. What is shorter before
//! it is filled up with newlines: empty lines, which every server skips.

use super::datagram::extent;
use crate::handoff::Tally;
use memchr::memchr_iter;
use std::io::IoSlice;
use std::iter::once;

/// What Linux takes at most of one call: `UDP_MAX_SEGMENTS`, the payload of an IPv4 datagram, and
/// less than `UIO_MAXIOV`.
const MAX_SEGMENTS: usize = 64;
const MAX_BYTES: usize = 65_507;
const MAX_PIECES: usize = 1_000;

/// No datagram is filled up by more than this part of its length, so that long lines, of which
/// few fit, cost no bandwidth.
const MAX_PADDING: usize = 8;

/// Of two segments at least.
static PADDING: [u8; MAX_BYTES / 2 / MAX_PADDING] = [b'\n'; MAX_BYTES / 2 / MAX_PADDING];

/// What to send next, and how many lines it stands for.
pub(crate) struct Batch<'a> {
    /// What goes out, piece by piece.
    pub(crate) pieces: Vec<IoSlice<'a>>,
    /// The length of each of its datagrams, save the last.
    pub(crate) segment: usize,
    /// How many these are: two at least.
    pub(crate) segments: usize,
    pub(crate) size: Tally,
}

/// The next batch of these runs, of at most `most` bytes. None where no two datagrams go together.
///
/// Each run holds whole lines. No datagram is longer than `max`: a line that is ends the batch
/// before it.
pub(crate) fn next<'a>(
    runs: impl Iterator<Item = &'a [u8]> + Clone,
    max: usize,
    most: usize,
) -> Option<Batch<'a>> {
    let most = most.min(MAX_BYTES);
    let mut unsent = Unsent::new(runs);
    let mut pieces = Vec::with_capacity(4 * MAX_SEGMENTS);
    // Of each segment: where its padding is to be, and how long it is without.
    let mut ends = Vec::with_capacity(MAX_SEGMENTS);
    let mut size = Tally::default();
    let (mut shortest, mut max_line) = (usize::MAX, 0);
    while ends.len() < MAX_SEGMENTS {
        let taken = extent(unsent.runs(), max);
        // A line may fit without its newline alone; one that is longer yet goes by itself.
        let length = taken.min(max);
        let segment = max_line.max(length);
        let is_much = |length: usize| (segment - length) * MAX_PADDING > segment;
        let fits = taken <= max + 1 && segment * (ends.len() + 1) <= most;
        if taken == 0 || !fits || (!ends.is_empty() && is_much(shortest)) {
            break;
        }
        let begin = pieces.len();
        let mut lines = taken - length;
        unsent.take(length, |piece| {
            lines += memchr_iter(b'\n', piece).count();
            pieces.push(IoSlice::new(piece));
        });
        unsent.take(taken - length, |_| {});
        if pieces.len() >= MAX_PIECES {
            pieces.truncate(begin);
            break;
        }
        size += Tally { lines: lines as u64, bytes: taken as u64 };
        ends.push((pieces.len(), length));
        pieces.push(IoSlice::new(&[]));
        (shortest, max_line) = (shortest.min(length), segment);
        if is_much(length) {
            // It can only be the last.
            break;
        }
    }
    let (_, but_the_last) = ends.split_last()?;
    for &(place, length) in but_the_last {
        pieces[place] = IoSlice::new(&PADDING[..max_line - length]);
    }
    let segments = ends.len();
    (segments > 1).then_some(Batch { pieces, segment: max_line, segments, size })
}

/// The lines that no segment has yet.
struct Unsent<'a, I> {
    /// What is left of the first run: empty only if nothing is left.
    first: &'a [u8],
    others: I,
}

impl<'a, I: Iterator<Item = &'a [u8]> + Clone> Unsent<'a, I> {
    fn new(mut runs: I) -> Self {
        let first = runs.find(|run| !run.is_empty()).unwrap_or_default();
        Self { first, others: runs }
    }

    fn runs(&self) -> impl Iterator<Item = &'a [u8]> + Clone {
        once(self.first).chain(self.others.clone())
    }

    /// Takes the next `count` bytes, of which `each` gets piece by piece.
    fn take(&mut self, count: usize, mut each: impl FnMut(&'a [u8])) {
        let mut left = count;
        while left > 0 {
            let (here, rest) = self.first.split_at(left.min(self.first.len()));
            left -= here.len();
            self.first = rest;
            each(here);
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

    /// Everything in batches, and singly where none is to be had: the datagrams of each call.
    fn pack(runs: &[String], max: usize, most: usize) -> Vec<Vec<String>> {
        let mut lines = Runs(runs.iter().cloned().map(Bytes::from).collect());
        let mut scratch = BytesMut::new();
        let mut calls = Vec::new();
        while lines.has_remaining() {
            let runs = lines.0.iter().map(|run| &**run);
            let (size, call) = if let Some(batch) = next(runs.clone(), max, most) {
                let bytes = batch.pieces.iter().map(|piece| &**piece).collect::<Vec<_>>().concat();
                let call: Vec<_> = bytes.chunks(batch.segment).map(<[u8]>::to_vec).collect();
                assert_eq!(call.len(), batch.segments);
                assert!(bytes.len() <= most && call.len() <= MAX_SEGMENTS);
                assert!(batch.pieces.len() <= 1_024, "more than one call takes");
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

    fn pack_lines(lines: &[&str], max: usize) -> Vec<Vec<String>> {
        pack(&[lines.concat()], max, MAX_BYTES)
    }

    #[test]
    fn all_but_the_last_are_filled_up() {
        let lines = ["a:1|c\n", "bbb:22|c\n", "ccc:3|c\n", "d:4|c\n"];
        assert_eq!(
            pack_lines(&lines, 9),
            [["a:1|c\n"].as_slice(), &["bbb:22|c\n", "ccc:3|c\n\n", "d:4|c\n"]]
        );
    }

    /// What would be filled up by a third goes by itself, or last.
    #[test]
    fn nothing_is_filled_up_by_much() {
        let lines = ["a:1|c\n", "bbbb:1|c\n", "c:1|c\n", "dddd:1|c\n", "eeee:1|c\n"];
        let expected =
            [["a:1|c\n"].as_slice(), &["bbbb:1|c\n", "c:1|c\n"], &["dddd:1|c\n", "eeee:1|c\n"]];
        assert_eq!(pack_lines(&lines, 9), expected);
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
        assert_eq!(pack_lines(&lines, 6), expected);
    }

    #[test]
    fn a_batch_is_no_longer_than_one_call_takes() {
        let lines = vec!["a:1|c\n"; 200];
        assert_eq!(pack_lines(&lines, 6).iter().map(Vec::len).collect::<Vec<_>>(), [64, 64, 64, 8]);
        let line = format!("{}:1|c\n", "a".repeat(20_000));
        let calls = pack_lines(&[&*line; 7], 30_000);
        assert_eq!(calls.iter().map(Vec::len).collect::<Vec<_>>(), [3, 3, 1]);
    }

    /// Threads with a line each: more pieces than the operating system takes.
    #[test]
    fn many_short_runs_are_no_more_pieces_than_one_call_takes() {
        let runs = vec!["a:1|c\n".to_owned(); 5_000];
        assert!(pack(&runs, 1_432, MAX_BYTES).len() > 4);
        // Not even one datagram.
        assert_eq!(pack(&runs, 30_000, MAX_BYTES).concat().len(), 1);
    }

    proptest! {
        /// Batches lose, tear and reorder nothing; no datagram is too long or empty, and each has
        /// the lines that it would have by itself.
        #[test]
        fn batches_of_any_lines(
            runs in prop::collection::vec(prop::collection::vec("[a-c]{1,40}:(0|-?[0-9]{1,3})\\|[cg]\n", 1..30), 1..30),
            max in 1usize..400,
            most in 1usize..3_000,
        ) {
            let lines: Vec<String> = runs.iter().flatten().cloned().collect();
            let runs: Vec<String> = runs.into_iter().map(|run| run.concat()).collect();
            let calls = pack(&runs, max, most);
            let mut singly = pack(&runs, max, 0).concat();
            singly.iter_mut().for_each(|datagram| datagram.truncate(datagram.trim_end().len()));
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
            prop_assert_eq!(datagrams, singly);
        }
    }
}
