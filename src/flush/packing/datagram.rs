//! Filling of datagrams: each datagram gets as many whole lines as the maximum payload holds.
//!
//! This module has no state: it turns runs of whole lines into the next datagram. A datagram ends
//! with the newline of its last line, which every server accepts.

use crate::tally::Tally;
use bytes::BytesMut;
use memchr::{memchr, memchr_iter, memrchr};

/// Payload of one datagram, with the number of lines in it and their bytes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Datagram<'a> {
    pub(crate) payload: &'a [u8],
    /// Number of bytes of the datagram's lines as the application emitted them. The payload is
    /// shorter if the last newline did not fit, or if several values share one line.
    pub(crate) line_bytes: usize,
    pub(crate) lines: u64,
}

impl<'a> Datagram<'a> {
    /// Wraps encoded lines as a datagram, without copying them.
    fn new(payload: &'a [u8], line_bytes: usize) -> Self {
        let newlines = memchr_iter(b'\n', payload).count();
        let omitted = line_bytes - payload.len();
        Self { payload, line_bytes, lines: (newlines + omitted) as u64 }
    }

    /// Returns the number of lines in the datagram, and their bytes.
    pub(crate) fn size(&self) -> Tally {
        Tally { lines: self.lines, bytes: self.line_bytes as u64 }
    }
}

/// Returns the next datagram, filled with lines from these runs (contiguous slices of memory), or
/// `None` if there are no lines. Copies lines to `scratch` only if they span several runs.
///
/// Each run holds whole lines. The datagram is longer than `max` only if it is a single longer
/// line, or the reset and the value of a gauge, which are never separated.
pub(crate) fn next<'a>(
    runs: impl Iterator<Item = &'a [u8]> + Clone,
    max: usize,
    scratch: &'a mut BytesMut,
) -> Option<Datagram<'a>> {
    let first = runs.clone().next()?;
    let line_bytes = extent(runs.clone(), max);
    if line_bytes == max + 1 {
        // The line fits without its newline.
        return Some(Datagram::new(&first[..max], line_bytes));
    }
    if line_bytes <= first.len() {
        return Some(Datagram::new(&first[..line_bytes], line_bytes));
    }
    scratch.clear();
    for run in runs {
        let len = run.len().min(line_bytes - scratch.len());
        if len == 0 {
            break;
        }
        scratch.extend_from_slice(&run[..len]);
    }
    Some(Datagram::new(scratch, line_bytes))
}

/// Returns the number of bytes of whole lines for the next datagram: at most `max`, or the length
/// of a longer first line (or pair of lines that sets a negative gauge). Returns 0 if there are no
/// lines.
pub(super) fn extent<'a>(runs: impl Iterator<Item = &'a [u8]> + Clone, max: usize) -> usize {
    let mut extent = 0;
    for run in runs.clone() {
        let fits = whole_lines_within(run, max - extent);
        extent += fits;
        if fits < run.len() {
            break;
        }
    }
    if extent > 0 { extent } else { runs.clone().next().map_or(0, first_unit) }
}

/// Returns the number of bytes of the whole lines of this run that fit into `max` bytes. Does not
/// separate the two lines that set a negative gauge (`g:0|g`, then `g:-5|g`).
fn whole_lines_within(run: &[u8], max: usize) -> usize {
    if run.len() <= max {
        return run.len();
    }
    let Some(newline) = memrchr(b'\n', &run[..max]) else { return 0 };
    let (lines, rest) = run.split_at(newline + 1);
    lines.len() - open_gauge_reset(lines, rest, &[])
}

/// Returns the length of the last of these whole lines if it is the first of the two that set a
/// negative gauge (`g:0|g`, then `g:-5|g`), and `rest`, continued by `after`, begins with the second.
/// Returns 0 otherwise.
pub(super) fn open_gauge_reset(lines: &[u8], rest: &[u8], after: &[u8]) -> usize {
    let Some(text) = lines.strip_suffix(b"\n") else { return 0 };
    let last = &lines[memrchr(b'\n', text).map_or(0, |before| before + 1)..];
    if is_gauge_reset(last, rest, after) { last.len() } else { 0 }
}

/// Returns the length of the first line, or of the first two lines if they together set a negative
/// gauge (`g:0|g`, then `g:-5|g`).
pub(in crate::flush) fn first_unit(run: &[u8]) -> usize {
    let end = line_length(run);
    let (line, rest) = run.split_at(end);
    if is_gauge_reset(line, rest, &[]) { end + line_length(rest) } else { end }
}

fn line_length(run: &[u8]) -> usize {
    memchr(b'\n', run).map_or(run.len(), |newline| newline + 1)
}

/// Returns true if `line` sets a gauge to 0 so that the next line can set it below zero:
/// `name:0|g`, then `name:-5|g`. Without the first line, the server would read the second as a
/// delta. The next line is at the beginning of `rest`, continued by `after`.
fn is_gauge_reset(line: &[u8], rest: &[u8], after: &[u8]) -> bool {
    let Some(colon) = memchr(b':', line) else { return false };
    let (name, value) = line.split_at(colon);
    let second = name.iter().chain(b":-");
    let next = rest.iter().chain(after).take(name.len() + 2);
    value.starts_with(b":0|g") && next.eq(second)
}

#[cfg(test)]
pub(in crate::flush) mod tests {
    use super::*;
    use bytes::{Buf, Bytes};
    use proptest::prelude::*;
    use std::collections::VecDeque;
    use std::io::IoSlice;

    /// Source of lines for tests: several runs (contiguous slices) of whole lines, as the real
    /// consumer yields them.
    pub(in crate::flush) struct Runs(pub(in crate::flush) VecDeque<Bytes>);

    impl Buf for Runs {
        fn remaining(&self) -> usize {
            self.0.iter().map(Bytes::len).sum()
        }
        fn chunk(&self) -> &[u8] {
            self.0.front().map_or(&[], |run| run)
        }
        fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
            slices.iter_mut().zip(&self.0).map(|(slice, run)| *slice = IoSlice::new(run)).count()
        }
        fn advance(&mut self, mut count: usize) {
            while count > 0 {
                let front = self.0.front_mut().expect("`count` is at most `remaining`");
                let len = count.min(front.len());
                front.advance(len);
                count -= len;
                if front.is_empty() {
                    self.0.pop_front();
                }
            }
        }
    }

    fn fill(runs: &[&str], max: usize) -> Vec<String> {
        let mut lines = Runs(runs.iter().map(|run| Bytes::from(run.to_string())).collect());
        let mut scratch = BytesMut::new();
        let mut datagrams = Vec::new();
        while let Some(datagram) = next(lines.0.iter().map(|run| &**run), max, &mut scratch) {
            let line_bytes = datagram.line_bytes;
            datagrams.push(String::from_utf8(datagram.payload.to_vec()).unwrap());
            lines.advance(line_bytes);
        }
        datagrams
    }

    #[test]
    fn lines_of_several_runs_share_a_datagram() {
        assert_eq!(fill(&["a:1|c\n", "b:1|c\n", "c:1|c\n"], 12), ["a:1|c\nb:1|c\n", "c:1|c\n"]);
    }

    #[test]
    fn a_line_longer_than_the_payload_is_sent_alone() {
        assert_eq!(
            fill(&["a:1|c\nlonger:1|c\nb:1|c\n"], 7),
            ["a:1|c\n", "longer:1|c\n", "b:1|c\n"]
        );
    }

    #[test]
    fn newline_is_omitted_if_it_does_not_fit() {
        assert_eq!(fill(&["ab:1|c\nb:1|c\n"], 6), ["ab:1|c", "b:1|c\n"]);
    }

    #[test]
    fn the_lines_of_a_negative_gauge_stay_together() {
        let run = "a:1|c\ng:0|g\ng:-5|g\nb:1|c\n";
        for max in 1..30 {
            let together = |datagram: &String| datagram.contains("g:0|g\ng:-5|g");
            let datagrams = fill(&[run], max);
            assert!(datagrams.iter().any(together), "separated at {max}: {datagrams:?}");
        }
        assert_eq!(fill(&["g:0|g\ng:-5|g\nb:1|c\n"], 8), ["g:0|g\ng:-5|g\n", "b:1|c\n"]);
    }

    proptest! {
        /// Fills datagrams of a random maximum payload with random lines. No line may be lost,
        /// split or reordered, and no datagram may be too long or have room for the next line.
        #[test]
        fn any_lines_fill_datagrams_of_any_payload(
            runs in prop::collection::vec(prop::collection::vec("[a-c]{1,9}:(0|-?[0-9]{1,3})\\|[cg]\n", 1..9), 1..90),
            max in 1usize..64,
        ) {
            let lines: Vec<String> = runs.iter().flatten().cloned().collect();
            let runs: Vec<String> = runs.into_iter().map(|run| run.concat()).collect();
            let datagrams = fill(&runs.iter().map(String::as_str).collect::<Vec<_>>(), max);
            let received: Vec<String> =
                datagrams.iter().flat_map(|d| d.lines()).map(|line| format!("{line}\n")).collect();
            prop_assert_eq!(&received, &lines);
            for datagram in &datagrams {
                let count = datagram.lines().count();
                let is_pair = count == 2 && datagram.contains(":0|g\n");
                prop_assert!(datagram.len() <= max || count == 1 || is_pair, "{} bytes of {max}", datagram.len());
            }
            // No datagram has room for the first line of the next datagram, unless that line
            // belongs to the line after it.
            for pair in datagrams.windows(2) {
                let next_line = pair[1].lines().next().unwrap();
                let would_fit = pair[0].len() + next_line.len() < max;
                prop_assert!(!would_fit || next_line.ends_with(":0|g"), "{pair:?} at {max}");
            }
        }
    }
}
