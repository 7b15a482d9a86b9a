//! Merger: adds up the counters of a batch of lines, and keeps the last value of its gauges.

use super::hash::Seeds;
use super::line::{Meaning, Parts};
use crate::config::CoalescingConfig;
use crate::flush::packing::datagram::first_unit;
use crate::tally::Tally;
use memchr::memchr;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{Hash, Hasher};

#[cfg(test)]
mod tests;

/// Maximum number of bytes of neighbours that are passed on as one record. No block is smaller.
const MAX_PASSED: usize = 1 << 10;

/// Rules by which lines are merged.
pub(super) struct Merger {
    pub(super) config: CoalescingConfig,
    seeds: Seeds,
}

/// Batch of lines that are being merged.
pub(super) struct Batch<'a> {
    config: &'a CoalescingConfig,
    /// Output so far, in order.
    slots: Vec<Slot<'a>>,
    sums: Vec<Sum<'a>>,
    /// Index of the sum of each counter, and of the slot of each gauge's last value.
    contexts: HashMap<Key<'a>, usize, Seeds>,
    /// Rest of a run that begins with lines to be passed on, and the number of bytes of these.
    passed: (&'a [u8], usize),
    input: Tally,
    /// Number of lines that became part of another one, or that another one replaces.
    merged: u64,
}

/// Bytes of a line without its value. Lines with the same key can be merged.
#[derive(PartialEq, Eq)]
struct Key<'a> {
    name: &'a [u8],
    rest: &'a [u8],
}

impl Hash for Key<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // Without the lengths, since a colon ends the name.
        state.write(self.name);
        state.write(self.rest);
    }
}

enum Slot<'a> {
    Unchanged(&'a [u8]),
    /// Index of a sum.
    Sum(usize),
    /// A gauge whose value a later line of the batch replaces.
    Superseded,
}

/// Sum of counter lines with the same key.
struct Sum<'a> {
    /// The first of these lines.
    line: &'a [u8],
    parts: Parts<'a>,
    total: i64,
    /// True if there is more than one line. A single line is passed on as it is.
    is_merged: bool,
}

/// Merged lines of a batch.
pub(super) struct Merged<'a> {
    slots: Vec<Slot<'a>>,
    sums: Vec<Sum<'a>>,
    /// Texts of the sums, one after the other.
    texts: Vec<u8>,
    /// End of the text of each sum in `texts`.
    ends: Vec<usize>,
    input: Tally,
    merged: u64,
}

impl Merger {
    pub(super) fn new(config: CoalescingConfig) -> Self {
        Self { config, seeds: Seeds::random() }
    }

    pub(super) fn begin(&self) -> Batch<'_> {
        Batch {
            config: &self.config,
            slots: Vec::new(),
            sums: Vec::new(),
            contexts: HashMap::with_hasher(self.seeds.clone()),
            passed: Default::default(),
            input: Tally::default(),
            merged: 0,
        }
    }
}

impl<'a> Batch<'a> {
    pub(super) fn bytes(&self) -> u64 {
        self.input.bytes
    }

    /// Adds the lines of a run, until the batch has `limit` bytes. The last line may exceed them.
    pub(super) fn add(&mut self, run: &'a [u8], limit: u64) {
        let mut rest = run;
        while !rest.is_empty() && self.input.bytes < limit {
            rest = &rest[self.add_first(rest)..];
        }
        self.end_passed();
    }

    /// Adds the first line of a run, or the first two if they set a negative gauge. Returns their length.
    fn add_first(&mut self, run: &'a [u8]) -> usize {
        let end = memchr(b'\n', run).map_or(run.len(), |newline| newline + 1);
        let line = &run[..end];
        let Some(parts) = Parts::of(line) else { return self.pass(run, end) };
        let has_deltas = self.config.has_gauge_deltas;
        if has_deltas && parts.value == b"0" && parts.rest.starts_with(b"|g") {
            let pair = &run[..first_unit(run)];
            // Two records, of which the second is a change, may look like a pair. They may be separated.
            if pair.len() > end && pair.len() <= self.config.max_line {
                self.end_gauge(&parts);
                self.end_gauge(&Parts::of(&pair[end..]).unwrap_or(parts));
                return self.push(Slot::Unchanged(pair), 2, pair.len());
            }
        }
        match parts.meaning(has_deltas) {
            Meaning::Count(number) => self.add_up(run, parts, number),
            Meaning::Absolute => self.supersede(run, &parts),
            Meaning::Signed => {
                self.end_gauge(&parts);
                self.push(Slot::Unchanged(line), 1, end)
            }
            Meaning::Other => self.pass(run, end),
        }
    }

    fn count(&mut self, lines: u64, bytes: usize) -> usize {
        self.input += Tally { lines, bytes: bytes as u64 };
        bytes
    }

    fn push(&mut self, slot: Slot<'a>, lines: u64, bytes: usize) -> usize {
        self.end_passed();
        self.slots.push(slot);
        self.count(lines, bytes)
    }

    /// Passes on the first line of a run. Neighbours that are passed on become one record, which is
    /// copied at once.
    fn pass(&mut self, run: &'a [u8], len: usize) -> usize {
        let (before, passed) = self.passed;
        let is_next = before.len() >= passed && before[passed..].as_ptr() == run.as_ptr();
        if passed > 0 && is_next && passed + len <= MAX_PASSED {
            self.passed.1 += len;
        } else {
            self.end_passed();
            self.passed = (run, len);
        }
        self.count(1, len)
    }

    fn end_passed(&mut self) {
        let (run, passed) = std::mem::take(&mut self.passed);
        if passed > 0 {
            self.slots.push(Slot::Unchanged(&run[..passed]));
        }
    }

    /// Adds the number of the counter at the start of a run to the sum of its key. A sum stays in the
    /// place of its first line.
    fn add_up(&mut self, run: &'a [u8], parts: Parts<'a>, number: i64) -> usize {
        let len = parts.line_len();
        let (next, has_room) = (self.sums.len(), self.has_room());
        match self.contexts.entry(Key::of(&parts)) {
            Entry::Occupied(mut index) => {
                let sum = &mut self.sums[*index.get()];
                if let Some(total) = sum.plus(number, self.config) {
                    (sum.total, sum.is_merged) = (total, true);
                    self.merged += 1;
                    return self.count(1, len);
                }
                index.insert(next);
            }
            Entry::Vacant(index) if has_room => _ = index.insert(next),
            Entry::Vacant(_) => return self.pass(run, len),
        }
        self.sums.push(Sum { line: &run[..len], parts, total: number, is_merged: false });
        self.push(Slot::Sum(next), 1, len)
    }

    /// Adds the value of the gauge at the start of a run, and removes the one that it replaces. So the
    /// lines that stay are in their order.
    fn supersede(&mut self, run: &'a [u8], parts: &Parts<'a>) -> usize {
        let len = parts.line_len();
        self.end_passed();
        let (next, has_room) = (self.slots.len(), self.has_room());
        match self.contexts.entry(Key::of(parts)) {
            Entry::Occupied(mut index) => {
                self.slots[index.insert(next)] = Slot::Superseded;
                self.merged += 1;
            }
            Entry::Vacant(index) if has_room => _ = index.insert(next),
            Entry::Vacant(_) => return self.pass(run, len),
        }
        self.push(Slot::Unchanged(&run[..len]), 1, len)
    }

    /// Keeps the last value of a gauge before a change of it.
    fn end_gauge(&mut self, parts: &Parts<'a>) {
        self.contexts.remove(&Key::of(parts));
    }

    fn has_room(&self) -> bool {
        self.contexts.len() < self.config.max_contexts
    }

    pub(super) fn finish(self) -> Merged<'a> {
        let Self { slots, sums, input, merged, .. } = self;
        let (mut texts, mut ends) = (Vec::new(), Vec::with_capacity(sums.len()));
        for sum in &sums {
            if sum.is_merged {
                texts.extend_from_slice(sum.parts.name);
                texts.extend_from_slice(itoa::Buffer::new().format(sum.total).as_bytes());
                texts.extend_from_slice(sum.parts.rest);
            }
            ends.push(texts.len());
        }
        Merged { slots, sums, texts, ends, input, merged }
    }
}

impl<'a> Key<'a> {
    fn of(parts: &Parts<'a>) -> Self {
        Self { name: parts.name, rest: parts.rest }
    }
}

impl Sum<'_> {
    /// Returns the sum with one more number, or `None` if a new sum must begin: the sum is no `i64`, or
    /// its line is longer than a line or a datagram may be.
    fn plus(&self, number: i64, config: &CoalescingConfig) -> Option<i64> {
        let total = self.total.checked_add(number)?;
        let around = self.parts.name.len() + self.parts.rest.len();
        let fits = |len: usize| {
            // A line that exceeds a datagram alone is sent alone.
            let max = if self.line.len() > config.payload { usize::MAX } else { config.payload };
            len <= max.min(config.max_line)
        };
        let is_short = fits(around + MAX_DIGITS);
        (is_short || fits(around + itoa::Buffer::new().format(total).len())).then_some(total)
    }
}

/// Length of the lowest number, with its sign.
const MAX_DIGITS: usize = 20;

impl Merged<'_> {
    /// Returns the number of bytes that went into the batch.
    pub(super) fn taken(&self) -> u64 {
        self.input.bytes
    }

    /// Returns by how many lines and bytes the records are fewer than what went into the batch.
    pub(super) fn difference(&self) -> Tally {
        let output: usize = self.records().map(<[u8]>::len).sum();
        Tally { lines: self.merged, bytes: self.input.bytes - output as u64 }
    }

    /// Returns records of the merged lines, in order. Two lines that set a negative gauge are in one
    /// record.
    pub(super) fn records(&self) -> impl Iterator<Item = &[u8]> {
        self.slots.iter().filter_map(|slot| match slot {
            Slot::Unchanged(lines) => Some(*lines),
            Slot::Sum(index) if self.sums[*index].is_merged => {
                let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
                Some(&self.texts[start..self.ends[*index]])
            }
            Slot::Sum(index) => Some(self.sums[*index].line),
            Slot::Superseded => None,
        })
    }
}
