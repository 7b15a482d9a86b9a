//! Datagrams: whole lines, as many as the maximum payload holds.
//!
//! Pure: from runs of whole lines to the next datagram. A datagram ends with its last
//! line's newline, which every server accepts.

use crate::handoff::Tally;
use bytes::BytesMut;
use memchr::{memchr, memchr_iter, memrchr};

/// What to send next, and how many bytes of lines it stands for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Datagram<'a> {
    pub(crate) payload: &'a [u8],
    /// One more than the payload where a line fits without its newline alone.
    pub(crate) taken: usize,
    /// How many lines these bytes are.
    pub(crate) lines: u64,
}

impl<'a> Datagram<'a> {
    /// Of lines as they are.
    fn new(payload: &'a [u8], taken: usize) -> Self {
        let newlines = memchr_iter(b'\n', payload).count();
        let bare = taken - payload.len();
        Self { payload, taken, lines: (newlines + bare) as u64 }
    }

    pub(crate) fn size(&self) -> Tally {
        Tally { lines: self.lines, bytes: self.taken as u64 }
    }
}

/// The next datagram of these runs, put together in `scratch` where it spans several. None if
/// there are no lines.
///
/// Each run holds whole lines. The datagram is longer than `max` only if its first line alone
/// is, or a gauge's reset and value, which are never parted.
pub(crate) fn next<'a>(
    runs: impl Iterator<Item = &'a [u8]> + Clone,
    max: usize,
    scratch: &'a mut BytesMut,
) -> Option<Datagram<'a>> {
    let first = runs.clone().next()?;
    let taken = extent(runs.clone(), max);
    if taken == max + 1 {
        // It fits without its newline.
        return Some(Datagram::new(&first[..max], taken));
    }
    if taken <= first.len() {
        return Some(Datagram::new(&first[..taken], taken));
    }
    scratch.clear();
    for run in runs {
        let here = run.len().min(taken - scratch.len());
        if here == 0 {
            break;
        }
        scratch.extend_from_slice(&run[..here]);
    }
    Some(Datagram::new(scratch, taken))
}

/// How many bytes go together: whole lines up to `max`, or the first alone if that is longer.
/// 0 if there are no lines.
pub(super) fn extent<'a>(runs: impl Iterator<Item = &'a [u8]> + Clone, max: usize) -> usize {
    let mut taken = 0;
    for run in runs.clone() {
        let fits = whole_lines_within(run, max - taken);
        taken += fits;
        if fits < run.len() {
            break;
        }
    }
    if taken > 0 { taken } else { runs.clone().next().map_or(0, first_unit) }
}

/// How much of a run fits into `room` bytes without parting what belongs together.
fn whole_lines_within(run: &[u8], room: usize) -> usize {
    if run.len() <= room {
        return run.len();
    }
    let Some(newline) = memrchr(b'\n', &run[..room]) else { return 0 };
    let end = newline + 1;
    let last_line = memrchr(b'\n', &run[..newline]).map_or(0, |before| before + 1);
    if belong_together(&run[last_line..end], &run[end..]) { last_line } else { end }
}

/// The length of the first line, or of the first lines that belong together.
pub(super) fn first_unit(run: &[u8]) -> usize {
    let end = line_length(run);
    let (line, rest) = run.split_at(end);
    if belong_together(line, rest) { end + line_length(rest) } else { end }
}

fn line_length(run: &[u8]) -> usize {
    memchr(b'\n', run).map_or(run.len(), |newline| newline + 1)
}

/// Whether `line` sets a gauge to 0 so that the one after it can lower it: `name:0|g`, then
/// `name:-5|g`. Without the first the second is a delta.
fn belong_together(line: &[u8], rest: &[u8]) -> bool {
    let Some(colon) = memchr(b':', line) else { return false };
    let (name, value) = line.split_at(colon);
    value.starts_with(b":0|g") && rest.starts_with(name) && rest[name.len()..].starts_with(b":-")
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use bytes::{Buf, Bytes};
    use proptest::prelude::*;
    use std::collections::VecDeque;
    use std::io::IoSlice;

    /// Runs of whole lines, as the consumer has them.
    pub(in crate::send) struct Runs(pub(in crate::send) VecDeque<Bytes>);

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
                let front = self.0.front_mut().expect("as many bytes as remain");
                let here = count.min(front.len());
                front.advance(here);
                count -= here;
                if front.is_empty() {
                    self.0.pop_front();
                }
            }
        }
    }

    fn pack(runs: &[&str], max: usize) -> Vec<String> {
        let mut lines = Runs(runs.iter().map(|run| Bytes::from(run.to_string())).collect());
        let mut scratch = BytesMut::new();
        let mut datagrams = Vec::new();
        while let Some(datagram) = next(lines.0.iter().map(|run| &**run), max, &mut scratch) {
            let taken = datagram.taken;
            datagrams.push(String::from_utf8(datagram.payload.to_vec()).unwrap());
            lines.advance(taken);
        }
        datagrams
    }

    #[test]
    fn lines_of_several_runs_share_a_datagram() {
        assert_eq!(pack(&["a:1|c\n", "b:1|c\n", "c:1|c\n"], 12), ["a:1|c\nb:1|c\n", "c:1|c\n"]);
    }

    #[test]
    fn a_line_longer_than_the_payload_goes_alone() {
        assert_eq!(
            pack(&["a:1|c\nlonger:1|c\nb:1|c\n"], 7),
            ["a:1|c\n", "longer:1|c\n", "b:1|c\n"]
        );
    }

    #[test]
    fn a_line_that_fits_but_for_its_newline_goes_without() {
        assert_eq!(pack(&["ab:1|c\nb:1|c\n"], 6), ["ab:1|c", "b:1|c\n"]);
    }

    #[test]
    fn a_negative_gauge_stays_together() {
        let run = "a:1|c\ng:0|g\ng:-5|g\nb:1|c\n";
        for max in 1..30 {
            let together = |datagram: &String| datagram.contains("g:0|g\ng:-5|g");
            let datagrams = pack(&[run], max);
            assert!(datagrams.iter().any(together), "parted at {max}: {datagrams:?}");
        }
        assert_eq!(pack(&["g:0|g\ng:-5|g\nb:1|c\n"], 8), ["g:0|g\ng:-5|g\n", "b:1|c\n"]);
    }

    proptest! {
        /// Packing loses, tears and reorders nothing, and fills each datagram.
        #[test]
        fn packing_any_lines_into_any_payload(
            runs in prop::collection::vec(prop::collection::vec("[a-c]{1,9}:(0|-?[0-9]{1,3})\\|[cg]\n", 1..9), 1..90),
            max in 1usize..64,
        ) {
            let lines: Vec<String> = runs.iter().flatten().cloned().collect();
            let runs: Vec<String> = runs.into_iter().map(|run| run.concat()).collect();
            let datagrams = pack(&runs.iter().map(String::as_str).collect::<Vec<_>>(), max);
            let received: Vec<String> =
                datagrams.iter().flat_map(|d| d.lines()).map(|line| format!("{line}\n")).collect();
            prop_assert_eq!(&received, &lines);
            for datagram in &datagrams {
                let count = datagram.lines().count();
                let is_pair = count == 2 && datagram.contains(":0|g\n");
                prop_assert!(datagram.len() <= max || count == 1 || is_pair, "{} bytes of {max}", datagram.len());
            }
            // No datagram could have taken the next one's first line, unless that belongs to
            // the one after it.
            for pair in datagrams.windows(2) {
                let next_line = pair[1].lines().next().unwrap();
                let would_fit = pair[0].len() + next_line.len() < max;
                prop_assert!(!would_fit || next_line.ends_with(":0|g"), "{pair:?} at {max}");
            }
        }
    }
}
