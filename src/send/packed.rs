//! Packed values: neighbouring lines that differ in nothing but their value share one,
//! `hits:1:2:3|c`, as DogStatsD reads them from version 1.1 on.
//!
//! Pure, as [`datagram`](super::datagram), whose place it takes where that is wanted. Here and not
//! on the emitting thread: what a thread has published is frozen, since the flusher may be reading
//! it, so a line can only be made longer where it is copied anyway.

use super::datagram::Datagram;
use crate::encode::MetricType;
use bytes::BytesMut;
use memchr::memchr;

/// The next datagram of these runs, put together in `scratch`. None if there are no lines.
///
/// Each run holds whole lines. The datagram is longer than `max` only if its first line alone is.
pub(crate) fn next<'a>(
    runs: impl Iterator<Item = &'a [u8]>,
    max: usize,
    scratch: &'a mut BytesMut,
) -> Option<Datagram<'a>> {
    scratch.clear();
    let (mut taken, mut lines) = (0, 0);
    // What the last line begins and ends with, if another value fits between.
    let mut last: Option<Parts<'a>> = None;
    for line in runs.flat_map(|run| run.split_inclusive(|&byte| byte == b'\n')) {
        let parts = Parts::of(line);
        let shared = parts.filter(|parts| last.is_some_and(|last| last.is_like(parts)));
        let more = shared.map_or(line.len(), |parts| ":".len() + parts.value.len());
        if lines > 0 && scratch.len() + more > max {
            break;
        }
        match shared {
            Some(Parts { value, rest, .. }) => {
                scratch.truncate(scratch.len() - rest.len());
                scratch.extend_from_slice(b":");
                scratch.extend_from_slice(value);
                scratch.extend_from_slice(rest);
            }
            None => scratch.extend_from_slice(line),
        }
        last = parts;
        taken += line.len();
        lines += 1;
    }
    if lines == 0 {
        return None;
    }
    if lines == 1 && scratch.len() == max + 1 {
        // It fits without its newline.
        scratch.truncate(max);
    }
    Some(Datagram { payload: scratch, taken, lines })
}

/// A line that can share its value's place: `{name}:{value}{rest}`.
#[derive(Clone, Copy)]
struct Parts<'a> {
    name: &'a [u8],
    value: &'a [u8],
    /// From the `|` on, with the newline.
    rest: &'a [u8],
}

impl<'a> Parts<'a> {
    /// None for sets, whose members are any text, for what has a timestamp, and for what is no
    /// metric: events begin with `_e{`, service checks with `_sc`.
    fn of(line: &'a [u8]) -> Option<Self> {
        let (name, behind) = line.split_at(memchr(b':', line)?);
        let (value, rest) = behind[1..].split_at(memchr(b'|', &behind[1..])?);
        let fields = rest[1..].strip_suffix(b"\n")?;
        let mut fields = fields.split(|&byte| byte == b'|');
        let metric_type = fields.next().and_then(MetricType::from_code);
        let is_packable = metric_type.is_some_and(MetricType::packs_values);
        let is_metric = !name.starts_with(b"_e{") && !name.starts_with(b"_sc");
        let has_timestamp = fields.any(|field| field.starts_with(b"T"));
        (is_packable && is_metric && !value.is_empty() && !has_timestamp).then_some(Self {
            name,
            value,
            rest,
        })
    }

    fn is_like(&self, other: &Self) -> bool {
        self.name == other.name && self.rest == other.rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handoff::Tally;
    use crate::send::datagram::tests::Runs;
    use bytes::{Buf, Bytes};
    use proptest::prelude::*;

    /// All datagrams, and what they stand for.
    fn pack(runs: &[String], max: usize) -> Vec<(String, Tally)> {
        let mut lines = Runs(runs.iter().map(|run| Bytes::from(run.clone())).collect());
        let mut scratch = BytesMut::new();
        let mut datagrams = Vec::new();
        while let Some(datagram) = next(lines.0.iter().map(|run| &**run), max, &mut scratch) {
            let (taken, size) = (datagram.taken, datagram.size());
            datagrams.push((String::from_utf8(datagram.payload.to_vec()).unwrap(), size));
            lines.advance(taken);
        }
        datagrams
    }

    /// One line for each value, as a server takes it apart.
    fn expand(datagram: &str) -> Vec<String> {
        let expand = |line: &str| {
            let whole = vec![format!("{line}\n")];
            if line.starts_with('_') {
                return whole;
            }
            let Some((name, behind)) = line.split_once(':') else { return whole };
            let Some((values, rest)) = behind.split_once('|') else { return whole };
            values.split(':').map(|value| format!("{name}:{value}|{rest}\n")).collect()
        };
        datagram.lines().flat_map(expand).collect()
    }

    #[track_caller]
    fn assert_packed(lines: &[&str], expected: &str) {
        let run = lines.iter().map(|line| format!("{line}\n")).collect();
        let size = Tally {
            lines: lines.len() as u64,
            bytes: lines.iter().map(|line| line.len() as u64 + 1).sum(),
        };
        assert_eq!(pack(&[run], 1432), [(expected.to_owned(), size)]);
    }

    #[test]
    fn neighbours_share_a_line() {
        assert_packed(
            &["a:1|c|#k:v", "a:-2.5|c|#k:v", "a:3|c|#k:v", "b:1|c|#k:v"],
            "a:1:-2.5:3|c|#k:v\nb:1|c|#k:v\n",
        );
        assert_packed(&["a:1|d", "b:1|d", "a:1|d"], "a:1|d\nb:1|d\na:1|d\n");
    }

    #[test]
    fn what_differs_keeps_its_line() {
        for other in ["a:1|g", "a:1|c|@0.5", "a:1|c|#k:v", "aa:1|c", "a:1|c|c:x"] {
            assert_packed(&["a:1|c", other], &format!("a:1|c\n{other}\n"));
        }
    }

    #[test]
    fn what_cannot_be_packed_is_not() {
        for line in ["a:x|s", "a:1|g|T1656581400", "a:1|c|#k|T1", "_e{5,4}:1|c", "_sc:1|c", "a:1|m"]
        {
            assert_packed(&[line, line], &format!("{line}\n{line}\n"));
        }
    }

    proptest! {
        /// What is joined and taken apart again is what it was, in its order, and the account is of
        /// the lines as they were.
        #[test]
        fn packing_and_expanding_gives_back_the_lines(
            runs in prop::collection::vec(
                prop::collection::vec(
                    "(a|bb|_sc|_e\\{1,1\\}):(1|-2|3\\.5)\\|(c|g|s|d|ms)(\\|@0.5)?(\\|#k:(v|w))?(\\|T9)?\n",
                    1..9,
                ),
                1..20,
            ),
            max in 1usize..90,
        ) {
            let lines: Vec<String> = runs.iter().flatten().cloned().collect();
            let runs: Vec<String> = runs.into_iter().map(|run| run.concat()).collect();
            let datagrams = pack(&runs, max);
            let expanded: Vec<String> =
                datagrams.iter().flat_map(|(datagram, _)| expand(datagram)).collect();
            prop_assert_eq!(&expanded, &lines);
            let size = datagrams.iter().fold(Tally::default(), |sum, (_, size)| sum + *size);
            let bytes = lines.iter().map(|line| line.len() as u64).sum();
            prop_assert_eq!(size, Tally { lines: lines.len() as u64, bytes });
            for (datagram, size) in &datagrams {
                prop_assert!(datagram.len() <= max || size.lines == 1, "{} of {max}", datagram.len());
            }
        }
    }
}
