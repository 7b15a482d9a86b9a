//! Fuzz target `packer`: packs any lines, in any runs (contiguous slices) and for any maximum
//! payload, into datagrams. Checks that each line is sent whole, in order and once.
//!
//! Datagrams are full and not too long. Batches contain the same datagrams as single sends, except
//! for the newlines that pad the batch's datagrams.

use crate::lossy;
use arbitrary::Arbitrary;
use freewheel::fuzzing::{Batch, Datagram, Packer, next_batch};
use std::collections::VecDeque;

#[derive(Arbitrary, Debug)]
pub struct Input<'a> {
    max: Max,
    deliveries: Vec<Delivery<'a>>,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Max {
    /// Small maximum payload of a datagram, with room for a few lines or none.
    Small(u8),
    Any(u16),
}

/// Runs (contiguous slices of lines) that become available together, and the number of sends before
/// the next runs.
#[derive(Arbitrary, Debug)]
struct Delivery<'a> {
    runs: Vec<Vec<Text<'a>>>,
    datagrams: u8,
    /// Maximum size in bytes of a batch (several datagrams in one system call), or `None` to send
    /// datagrams singly.
    max_batch: Option<u16>,
}

/// Fuzzed text of one or two lines, part of a run (a contiguous slice of lines).
#[derive(Arbitrary, Debug)]
enum Text<'a> {
    Any(&'a [u8]),
    Long(u16),
    Gauge {
        name: &'a [u8],
        value: Gauge,
    },
    /// One or two lines with one of four names, so that neighbours often share a name and resemble
    /// the two lines of a negative gauge.
    Similar {
        name: u8,
        value: Gauge,
        code: Code,
    },
}

/// Fuzzed value of a gauge: zero, negative, positive, or a reset to zero before a negative value.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum Gauge {
    Zero,
    Below(u16),
    Above(u16),
    /// Two lines: a reset to zero, then a negative value. Freewheel writes a negative gauge this
    /// way.
    ZeroThenBelow(u16),
}

/// Type code after the value of a line.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum Code {
    Gauge,
    Counter,
    WithField,
    Longer,
}

impl Text<'_> {
    fn lines(&self) -> Vec<u8> {
        let without = |bytes: &[u8], unwanted: &[u8]| -> Vec<u8> {
            bytes.iter().map(|byte| if unwanted.contains(byte) { b'_' } else { *byte }).collect()
        };
        match *self {
            Self::Any(bytes) => [&*without(bytes, b"\n"), b"\n"].concat(),
            Self::Long(length) => [&*vec![b'l'; usize::from(length) % 500], b":1|c\n"].concat(),
            Self::Gauge { name, value } => value.lines(&without(name, b"\n:|"), "g"),
            Self::Similar { name, value, code } => {
                let code = match code {
                    Code::Gauge => "g",
                    Code::Counter => "c",
                    Code::WithField => "g|#tag",
                    Code::Longer => "gx",
                };
                value.lines([&b"a"[..], b"b", b"ab", b""][usize::from(name % 4)], code)
            }
        }
    }
}

impl Gauge {
    fn lines(self, name: &[u8], code: &str) -> Vec<u8> {
        let line = |value: &str| [name, format!(":{value}|{code}\n").as_bytes()].concat();
        match self {
            Self::Zero => line("0"),
            Self::Below(magnitude) => line(&format!("-{magnitude}")),
            Self::Above(number) => line(&number.to_string()),
            Self::ZeroThenBelow(magnitude) => [line("0"), line(&format!("-{magnitude}"))].concat(),
        }
    }
}

/// Returns true if two lines must be sent in one datagram: the reset of a gauge, and its negative
/// value.
fn must_stay_together(line: &[u8], next: &[u8]) -> bool {
    let Some(name) = line.strip_suffix(b":0|g\n") else { return false };
    let value = next.strip_prefix(name).and_then(|rest| rest.strip_prefix(b":-"));
    !name.contains(&b':') && value.is_some_and(|value| value.ends_with(b"|g\n"))
}

/// Returns true if the packer may keep two lines in one datagram, even beyond the maximum payload.
/// The lines resemble a negative gauge, but any text may follow the `g` of the first line and the
/// minus of the second.
fn may_stay_together(line: &[u8], next: &[u8]) -> bool {
    let name = line.split(|&byte| byte == b':').next().unwrap_or_default();
    line[name.len()..].starts_with(b":0|g")
        && next.strip_prefix(name).is_some_and(|rest| rest.starts_with(b":-"))
}

/// Queue of lines that are not sent yet. The flag is true for the first line of a run (a contiguous
/// slice of lines).
type Pending = VecDeque<(Vec<u8>, bool)>;

/// Packs all lines of the input into datagrams, and checks each datagram.
pub fn check(input: &Input<'_>) {
    let max = match input.max {
        Max::Small(max) => usize::from(max).max(1),
        Max::Any(max) => usize::from(max).clamp(1, 65_507),
    };
    let mut packer = Packer::default();
    let mut runs: VecDeque<Vec<u8>> = VecDeque::new();
    let mut pending = Pending::new();
    for delivery in &input.deliveries {
        for texts in delivery.runs.iter().filter(|texts| !texts.is_empty()) {
            let run = texts.iter().flat_map(Text::lines).collect::<Vec<_>>();
            let lines = run.split_inclusive(|&byte| byte == b'\n').enumerate();
            pending.extend(lines.map(|(index, line)| (line.to_vec(), index == 0)));
            runs.push_back(run);
        }
        for _ in 0..delivery.datagrams {
            let max_batch = delivery.max_batch.map_or(0, usize::from);
            if !send_batch(&mut packer, &mut runs, &mut pending, max, max_batch)
                && !send_one(&mut packer, &mut runs, &mut pending, max)
            {
                break;
            }
        }
    }
    while send_one(&mut packer, &mut runs, &mut pending, max) {}
    assert!(pending.is_empty(), "never sent: {pending:?}");
}

/// Sends a batch (several datagrams in one system call). Checks that each datagram equals the one
/// of a send without batches, apart from newlines added as padding. Returns false if no batch is
/// possible.
fn send_batch(
    packer: &mut Packer,
    runs: &mut VecDeque<Vec<u8>>,
    pending: &mut Pending,
    max: usize,
    max_batch: usize,
) -> bool {
    let Some(batch) = next_batch(runs.iter().map(|run| &run[..]), max, max_batch) else {
        return false;
    };
    let Batch { bytes, segment, segments, size } = batch;
    assert!(bytes.len() <= max_batch && segment <= max);
    let datagrams: Vec<_> = bytes.chunks(segment).collect();
    assert_eq!(datagrams.len(), segments);
    assert!((2..=64).contains(&segments));
    let (mut lines, mut taken) = (0, 0);
    for (index, datagram) in datagrams.iter().enumerate() {
        let single =
            packer.next(runs.iter().map(|run| &run[..]), max).expect("the batch has this datagram");
        let padding = datagram
            .strip_prefix(single.payload)
            .expect("the batch has the datagrams of single sends");
        assert!(padding.iter().all(|&byte| byte == b'\n') && padding.len() * 8 <= segment);
        assert!(padding.is_empty() || index + 1 < segments, "the last datagram is padded");
        lines += single.size.lines;
        taken += single.size.bytes;
        assert!(send_one(packer, runs, pending, max));
    }
    assert_eq!((size.lines, size.bytes), (lines, taken));
    true
}

/// Sends the next datagram and checks it. Returns false if there is none.
fn send_one(
    packer: &mut Packer,
    runs: &mut VecDeque<Vec<u8>>,
    pending: &mut Pending,
    max: usize,
) -> bool {
    let Some(datagram) = packer.next(runs.iter().map(|run| &run[..]), max) else {
        return false;
    };
    check_datagram(&datagram, pending, max);
    let mut remaining = datagram.taken;
    while remaining > 0 {
        let run = runs.front_mut().expect("a datagram covers no more than the runs");
        let len = remaining.min(run.len());
        run.drain(..len);
        remaining -= len;
        if run.is_empty() {
            runs.pop_front();
        }
    }
    true
}

/// Removes the lines of the datagram from the pending lines, and checks the content of the datagram
/// against them.
fn check_datagram(datagram: &Datagram<'_>, pending: &mut Pending, max: usize) {
    let &Datagram { payload, taken, size } = datagram;
    let mut sent: Vec<Vec<u8>> = Vec::new();
    let mut remaining = taken;
    while remaining > 0 {
        let (line, _) = pending.pop_front().expect("only pending lines are sent");
        remaining = remaining.checked_sub(line.len()).expect("lines are sent whole");
        sent.push(line);
    }
    let text = sent.concat();
    let is_pair = matches!(&sent[..], [line, next] if may_stay_together(line, next));
    let is_single = sent.len() == 1 || is_pair;
    let shown = || format!("{:?}, for {:?} of {max}", lossy(payload), lossy(&text));
    if payload.len() == taken {
        assert!(payload == text, "not the next lines: {}", shown());
    } else {
        let is_bare = Some(payload) == text.strip_suffix(b"\n");
        assert!(is_bare && is_single && payload.len() == max, "cut: {}", shown());
    }
    assert!(payload.len() <= max || is_single, "too long: {}", shown());
    assert_eq!((size.lines, size.bytes), (sent.len() as u64, text.len() as u64));
    let Some((next, begins_run)) = pending.front() else { return };
    let shown = || format!("{}, before {:?}", shown(), lossy(next));
    let last = sent.last().expect("a datagram has a line");
    assert!(*begins_run || !must_stay_together(last, next), "separated: {}", shown());
    let after = pending.get(1).filter(|(after, begins)| !begins && may_stay_together(next, after));
    let unit = next.len() + after.map_or(0, |(after, _)| after.len());
    assert!(payload.len() + unit > max, "not full: {}", shown());
}
