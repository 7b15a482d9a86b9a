//! Value packing: adjacent lines that differ only in their value share one line, such as
//! `hits:1:2:3|c`. DogStatsD reads this format since version 1.1 of its protocol.
//!
//! Like [`datagram`](super::datagram), which it replaces if the settings say so, this module has no
//! state. Values are packed here and not on the producer thread: a published line is frozen, since
//! the flusher may be reading it. So a line can only grow where it is copied anyway.

use super::datagram::Datagram;
use crate::encode::{MetricType, is_misread};
use bytes::BytesMut;
use memchr::memchr;

/// Returns the next datagram, built in `scratch` from the lines in these runs (contiguous slices of
/// memory), or `None` if there are no lines. Values of equal adjacent metrics share one line.
///
/// Each run holds whole lines. The datagram is longer than `max` only if it is a single longer
/// line.
pub(crate) fn next<'a>(
    runs: impl Iterator<Item = &'a [u8]>,
    max: usize,
    scratch: &'a mut BytesMut,
) -> Option<Datagram<'a>> {
    scratch.clear();
    let (mut line_bytes, mut lines) = (0, 0);
    // Parts of the last line, if another value can be packed into it.
    let mut last: Option<Parts<'a>> = None;
    for line in runs.flat_map(|run| run.split_inclusive(|&byte| byte == b'\n')) {
        let parts = Parts::split(line);
        let packed = parts.filter(|parts| last.is_some_and(|last| last.can_take(parts)));
        let added = packed.map_or(line.len(), |parts| ":".len() + parts.value.len());
        if lines > 0 && scratch.len() + added > max {
            break;
        }
        match packed {
            Some(Parts { value, rest, .. }) => {
                scratch.truncate(scratch.len() - rest.len());
                scratch.extend_from_slice(b":");
                scratch.extend_from_slice(value);
                scratch.extend_from_slice(rest);
            }
            None => scratch.extend_from_slice(line),
        }
        last = parts;
        line_bytes += line.len();
        lines += 1;
    }
    if lines == 0 {
        return None;
    }
    if lines == 1 && scratch.len() == max + 1 {
        // The line fits without its newline.
        scratch.truncate(max);
    }
    Some(Datagram { payload: scratch, line_bytes, lines })
}

/// Parts of a line, `{name}:{value}{rest}`, if its value can share one line with the values of
/// other lines.
#[derive(Clone, Copy)]
struct Parts<'a> {
    name: &'a [u8],
    value: &'a [u8],
    /// Text of the line from the `|` after the value to the end, with the newline.
    rest: &'a [u8],
}

impl<'a> Parts<'a> {
    /// Splits a line into its parts. Returns `None` if its value cannot share a line with others,
    /// which excludes set members, lines with a timestamp, events (`_e{`) and service checks
    /// (`_sc`), and injected values that are no numbers.
    fn split(line: &'a [u8]) -> Option<Self> {
        let (name, behind) = line.split_at(memchr(b':', line)?);
        let (value, rest) = behind[1..].split_at(memchr(b'|', &behind[1..])?);
        let fields = rest[1..].strip_suffix(b"\n")?;
        let mut fields = fields.split(|&byte| byte == b'|');
        let metric_type = fields.next().and_then(MetricType::from_code);
        let is_packable = metric_type.is_some_and(MetricType::packs_values);
        let is_metric = !is_misread(line);
        let has_timestamp = fields.any(|field| field.starts_with(b"T"));
        let is_packed = is_packable && is_metric && !has_timestamp && is_finite(value);
        is_packed.then_some(Self { name, value, rest })
    }

    /// Returns true if the two lines differ only in their values, so that the value of `other` can
    /// be added to this line.
    fn can_take(&self, other: &Self) -> bool {
        self.name == other.name && self.rest == other.rest
    }
}

/// Returns true if the text is a finite number. Because of any other value, a server would drop the
/// whole packed line.
fn is_finite(value: &[u8]) -> bool {
    let number = str::from_utf8(value).ok().and_then(|text| text.parse::<f64>().ok());
    number.is_some_and(f64::is_finite)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flush::packing::datagram::tests::Runs;
    use crate::tally::Tally;
    use bytes::{Buf, Bytes};
    use proptest::prelude::*;

    /// Packs all lines of `runs` into datagrams of at most `max` bytes. Returns each datagram with
    /// the number of its original lines and their bytes.
    fn pack(runs: &[String], max: usize) -> Vec<(String, Tally)> {
        let mut lines = Runs(runs.iter().map(|run| Bytes::from(run.clone())).collect());
        let mut scratch = BytesMut::new();
        let mut datagrams = Vec::new();
        while let Some(datagram) = next(lines.0.iter().map(|run| &**run), max, &mut scratch) {
            let (line_bytes, size) = (datagram.line_bytes, datagram.size());
            datagrams.push((String::from_utf8(datagram.payload.to_vec()).unwrap(), size));
            lines.advance(line_bytes);
        }
        datagrams
    }

    /// Splits a datagram with packed values into one line for each value, as a server reads it.
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
    fn values_of_equal_neighbours_are_packed() {
        assert_packed(
            &["a:1|c|#k:v", "a:-2.5|c|#k:v", "a:3|c|#k:v", "b:1|c|#k:v"],
            "a:1:-2.5:3|c|#k:v\nb:1|c|#k:v\n",
        );
        assert_packed(&["a:1|d", "b:1|d", "a:1|d"], "a:1|d\nb:1|d\na:1|d\n");
    }

    #[test]
    fn different_lines_are_not_packed() {
        for other in ["a:1|g", "a:1|c|@0.5", "a:1|c|#k:v", "aa:1|c", "a:1|c|c:x"] {
            assert_packed(&["a:1|c", other], &format!("a:1|c\n{other}\n"));
        }
    }

    /// The Agent drops a packed line whole if one of its values is no number. A value that the
    /// application injects may be any text.
    #[test]
    fn value_that_is_no_number_is_sent_alone() {
        for value in ["x", "1-2", "nan", "-inf", "1e999", "é"] {
            let injected = format!("a:{value}|c");
            let lines = ["a:1|c", "a:2|c", &*injected, "a:3|c", "a:+4e1|c"];
            assert_packed(&lines, &format!("a:1:2|c\n{injected}\na:3:+4e1|c\n"));
        }
    }

    #[test]
    fn other_kinds_of_lines_are_not_packed() {
        for line in ["a:x|s", "a:1|g|T1656581400", "a:1|c|#k|T1", "_e{5,4}:1|c", "_sc:1|c", "a:1|m"]
        {
            assert_packed(&[line, line], &format!("{line}\n{line}\n"));
        }
    }

    proptest! {
        /// Packs random lines into datagrams, and expands these again. The lines must be unchanged
        /// and in order, and the counts of lines and bytes must match the original lines.
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
