//! Strides: which values of a thinned metric a thread emits, and at which weight.
//!
//! ```text
//!   values   . x . .   . . . x   x . . .   . . . . . . x .   . x . . .
//!   blocks  |  k = 4 ||  k = 4 ||  k = 4 ||     k = 8      ||  k = 8
//! ```
//!
//! A thread's values form blocks of `k` values, the stride. Of each block one value is emitted, at the
//! weight `k`. Its position in the block is drawn anew for each block, so that no period of the values
//! can meet that of the lines. The stride changes only between two blocks, whose borders do not depend
//! on what was drawn. So each value is emitted with a probability of `1/k`, and the weights of whole
//! blocks are exactly the number of values.
//!
//! A new interval cuts a block. Its beginning does not depend on what was drawn either, so that this
//! adds variance, and no bias.

use crate::encode::MAX_THINNING_LEVEL as MAX_LEVEL;

/// Number of bits that hold the number of values of an interval. Larger numbers are cut, which is more
/// values in an interval than any stride can thin to a bound.
const END_BITS: u32 = 37;
const REST_BITS: u32 = 17;
const LEVEL_BITS: u32 = 5;

/// How a metric is thinned: when the stride doubles, and with which one an interval begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    max_level: u32,
    /// Number of values after which the stride doubles, by the number of times that it has doubled in
    /// the interval. The unit is the stride at the beginning of the interval.
    ends: [u64; MAX_LEVEL as usize + 1],
}

/// State of one thread for one metric, as its two words hold it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Words {
    /// The interval's tag in the upper half, and the number of values up to the next line, included, in
    /// the lower half.
    pub(super) countdown: u64,
    /// A packed [`Block`].
    pub(super) block: u64,
}

/// Block of values of which the next line will be one.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Block {
    /// Number of the interval's values up to the next line, included.
    end: u64,
    /// Number of the block's values after the next line.
    rest: u64,
    /// Binary logarithm of the stride.
    level: u32,
    /// Binary logarithm of the stride at the beginning of the interval.
    first: u32,
}

/// What a thread does with a value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Decision {
    /// State after the value.
    pub(super) words: Words,
    /// Binary logarithm of the weight of the value's line, or `None` if it is thinned away.
    pub(super) level: Option<u32>,
    /// True if the value is the thread's first one in the interval.
    pub(super) is_first: bool,
}

impl Plan {
    /// Creates the plan for a bound of `lines` lines in an interval, and strides of at most
    /// `2^max_level`. A bound of 0 counts as 1.
    pub(super) fn new(lines: u32, max_level: u32) -> Self {
        let lines = u64::from(lines.max(1));
        let mut end = 0;
        let ends = std::array::from_fn(|doublings| {
            // Three quarters of the lines are for a load as in the last interval. A steeply growing load
            // gets at least as many lines for each doubling as the last share allows.
            let share = match doublings {
                0 => lines - lines / 4,
                1 => lines / 8,
                2 => lines / 16,
                _ => lines / 32,
            };
            end += share.max(1) << doublings;
            end
        });
        Self { max_level: max_level.min(MAX_LEVEL), ends }
    }

    /// Returns the level at which an interval begins, if the last one had this number of values.
    fn first_level(&self, values: u64) -> u32 {
        (0..self.max_level).find(|&level| values <= self.ends[0] << level).unwrap_or(self.max_level)
    }

    /// Returns the level of a block that begins after `values` values of the interval.
    fn level(&self, values: u64, Block { level, first, .. }: Block) -> u32 {
        let doublings = level.saturating_sub(first) as usize;
        let is_over = self.ends.get(doublings).is_some_and(|end| values >= end << first);
        (level + u32::from(is_over)).min(self.max_level)
    }

    /// Decides about the next value of a thread in the interval with this tag. Tags of successive
    /// intervals differ by 1.
    pub(super) fn next(&self, words: Words, tag: u32, random: impl Fn() -> u64) -> Decision {
        let found = (words.countdown >> 32) as u32;
        let left = words.countdown & u64::from(u32::MAX);
        let is_first = found != tag;
        let block = Block::unpack(words.block);
        let (left, block) = if is_first {
            // After a whole interval without a value, the thread begins at the stride 1.
            let is_successor = tag.wrapping_sub(found) == 1;
            let values = if is_successor { block.end.saturating_sub(left) } else { 0 };
            let first = self.first_level(values);
            Block::draw(0, 0, Block { level: first, first, ..block }, &random)
        } else {
            (left, Block { level: block.level.min(self.max_level), ..block })
        };
        if left > 1 {
            let words = Words { countdown: word(tag, left - 1), block: block.pack() };
            return Decision { words, level: None, is_first };
        }
        let begin = block.end + block.rest;
        let level = self.level(begin, block);
        let (left, next) = Block::draw(block.rest, begin, Block { level, ..block }, &random);
        let words = Words { countdown: word(tag, left), block: next.pack() };
        Decision { words, level: Some(block.level), is_first }
    }
}

fn word(tag: u32, left: u64) -> u64 {
    u64::from(tag) << 32 | left
}

impl Block {
    /// Draws the line of a block that begins after `begin` values of the interval, of which `skipped`
    /// are still to come. Returns the number of values up to the line, and the block.
    fn draw(skipped: u64, begin: u64, block: Self, random: impl Fn() -> u64) -> (u64, Self) {
        let stride = 1 << block.level;
        let position = if block.level == 0 { 1 } else { 1 + random() % stride };
        let end = (begin + position).min((1 << END_BITS) - 1);
        (skipped + position, Self { end, rest: stride - position, ..block })
    }

    fn pack(self) -> u64 {
        let Self { end, rest, level, first } = self;
        let levels = u64::from(level) << LEVEL_BITS | u64::from(first);
        (end << REST_BITS | rest) << (2 * LEVEL_BITS) | levels
    }

    fn unpack(word: u64) -> Self {
        let field = |shift: u32, bits: u32| word >> shift & ((1 << bits) - 1);
        Self {
            first: field(0, LEVEL_BITS) as u32,
            level: field(LEVEL_BITS, LEVEL_BITS) as u32,
            rest: field(2 * LEVEL_BITS, REST_BITS),
            end: field(2 * LEVEL_BITS + REST_BITS, END_BITS),
        }
    }
}

#[cfg(test)]
#[path = "stride_tests.rs"]
mod tests;
