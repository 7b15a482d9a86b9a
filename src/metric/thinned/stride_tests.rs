//! Tests of strides: what a thread emits of many values in many intervals.

use super::*;
use std::cell::RefCell;

/// Thread that uses a thinned metric, with random numbers that a seed determines.
struct Thread {
    plan: Plan,
    words: Words,
    tag: u32,
    random: RefCell<fastrand::Rng>,
}

/// What a thread has emitted.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Emitted {
    lines: u64,
    /// Sum of the weights: the number of values that a server counts.
    count: f64,
    /// Sum of the values, each times its weight.
    total: f64,
    /// Largest weight.
    heaviest: u64,
}

impl Thread {
    fn new(lines: u32, seed: u64) -> Self {
        let random = RefCell::new(fastrand::Rng::with_seed(seed));
        Self { plan: Plan::new(lines, MAX_LEVEL), words: Words::default(), tag: 70_000, random }
    }

    /// Emits `count` values in the next interval.
    fn interval(&mut self, count: u64, value: impl Fn(u64) -> f64) -> Emitted {
        self.tag = self.tag.wrapping_add(1);
        let mut emitted = Emitted::default();
        let mut index = 0;
        while index < count {
            if let Some(level) = self.next() {
                emitted.lines += 1;
                emitted.count += f64::from(1_u32 << level);
                emitted.total += value(index) * f64::from(1_u32 << level);
                emitted.heaviest = emitted.heaviest.max(1 << level);
            }
            // The values that the handle thins away without a decision.
            let left = self.words.countdown & u64::from(u32::MAX);
            let skipped = (left - 1).min(count - index - 1);
            self.words.countdown -= skipped;
            index += 1 + skipped;
        }
        emitted
    }

    /// Decides about one value.
    fn next(&mut self) -> Option<u32> {
        let random = || self.random.borrow_mut().u64(..);
        let decision = self.plan.next(self.words, self.tag, random);
        self.words = decision.words;
        decision.level
    }
}

/// Value that is recorded at an index.
type Value = fn(u64) -> f64;

fn one(_index: u64) -> f64 {
    1.0
}

/// Numbers of values in successive intervals.
const LOADS: [(&str, &[u64]); 5] = [
    ("constant", &[900; 8]),
    ("growing", &[10, 33, 90, 270, 800, 2_400, 7_000]),
    ("falling", &[7_000, 2_400, 800, 270, 90, 33, 10]),
    ("bursts", &[5, 3_000, 0, 3_000, 7, 1, 0, 0, 2_500]),
    ("alternating", &[40, 1_300, 41, 1_301, 42, 1_302]),
];

/// The mean of what servers compute, over many seeds, is what was recorded: the number of values, and the
/// sum of values that grow, and of values with a period that is a power of two. The mean must be within
/// five standard errors, of which each is at most 1% of the exact number.
#[test]
fn weights_are_unbiased() {
    const SEEDS: u64 = 10_000;
    let values: [(_, Value); 3] = [
        ("one", one),
        ("rising", |index| index as f64),
        ("period of 8", |index| if index % 8 == 3 { 10.0 } else { 0.5 }),
    ];
    for (load, counts) in LOADS {
        for (kind, value) in values {
            let exact: f64 = counts.iter().flat_map(|&count| (0..count).map(value)).sum();
            let totals: Vec<f64> = (0..SEEDS)
                .map(|seed| {
                    let mut thread = Thread::new(10, seed);
                    let each = counts.iter().map(|&count| thread.interval(count, value));
                    each.map(|emitted| emitted.total).sum()
                })
                .collect();
            let mean = totals.iter().sum::<f64>() / SEEDS as f64;
            let squares: f64 = totals.iter().map(|total| (total - mean).powi(2)).sum();
            let error = (squares / (SEEDS as f64).powi(2)).sqrt();
            let context = format!("{load}, {kind}: {mean} and not {exact}, error {error}");
            assert!((mean - exact).abs() <= 5.0 * error, "{context}");
            assert!(error <= 0.01 * exact, "{context}");
        }
    }
}

/// Each single value has the same expected weight, also those after a stride has doubled and those at
/// the end of an interval.
#[test]
fn each_value_has_the_expected_weight_one() {
    const SEEDS: u32 = 100_000;
    let mut weights = [0.0; 60];
    for seed in 0..SEEDS {
        let mut thread = Thread::new(4, seed.into());
        thread.interval(17, one);
        thread.tag += 1;
        for weight in &mut weights {
            *weight += thread.next().map_or(0.0, |level| f64::from(1_u32 << level));
        }
    }
    for (index, weight) in weights.iter().enumerate() {
        // The weight is at most 64, so that its variance is at most 64: five standard errors.
        let mean = weight / f64::from(SEEDS);
        assert!((mean - 1.0).abs() < 5.0 * (64.0 / f64::from(SEEDS)).sqrt(), "{index}: {mean}");
    }
}

/// A server counts the values of whole blocks exactly.
#[test]
fn weights_of_an_interval_miss_less_than_a_block() {
    for seed in 0..200 {
        let mut thread = Thread::new(20, seed);
        for count in [1, 15, 16, 100, 5_000, 4_000, 123, 60_000] {
            let emitted = thread.interval(count, one);
            let missed = (emitted.count - count as f64).abs();
            let stride = 1 << Block::unpack(thread.words.block).level;
            assert!(missed < f64::from(stride), "{missed} of {count}: {emitted:?}");
        }
    }
}

#[test]
fn few_values_have_the_weight_one() {
    let mut thread = Thread::new(100, 1);
    for count in [75, 1, 60, 75] {
        assert_eq!(thread.interval(count, one).lines, count);
    }
    // Soon after many values: one interval later, and at once after a pause.
    thread.interval(1_000_000, one);
    let fitted = thread.interval(75, one);
    assert!(fitted.lines <= 2, "the stride fits the last interval: {fitted:?}");
    assert_eq!(thread.interval(75, one).lines, 75);
    thread.interval(1_000_000, one);
    thread.tag += 1;
    assert_eq!(thread.interval(75, one).lines, 75);
}

#[test]
fn lines_of_an_interval_are_bounded() {
    for lines in [1, 2, 5, 10, 32, 33, 35, 63, 100, 1_000] {
        for seed in 0..20 {
            let mut thread = Thread::new(lines, seed);
            let bound = u64::from(lines);
            let step = bound / 32 + 1;
            // The first interval: at most 2^14 times the values that need no stride.
            let count = 10_000 * bound.min(100);
            let first = thread.interval(count, one);
            assert!(first.lines <= bound + 14 * step, "{lines}: {first:?}");
            let steady = thread.interval(count, one);
            let fitted = bound - bound / 4;
            assert!(steady.lines <= fitted, "{lines}: {steady:?}");
            assert!(steady.lines >= fitted / 2, "{lines}: {steady:?}");
            let doubled = thread.interval(2 * count, one);
            let more = if lines < 32 { step } else { 0 };
            assert!(doubled.lines <= bound + more, "{lines}: {doubled:?}");
        }
    }
}

/// Beyond the largest stride there is a line for each so many values.
#[test]
fn largest_stride_is_kept() {
    let mut thread = Thread::new(1, 0);
    thread.plan = Plan::new(1, 6);
    assert_eq!(thread.interval(6_400, one).heaviest, 64);
    let emitted = thread.interval(6_400, one);
    assert_eq!((emitted.lines, emitted.count, emitted.heaviest), (100, 6_400.0, 64));
}

/// The mean of values has the error of a random sample, also if the values have a period that is a power
/// of two.
#[test]
fn error_of_the_mean() {
    const VALUES: u64 = 1_000_000;
    let spike = |index: u64| if index % 64 == 9 { 64.0 } else { 0.0 };
    let deviation = 63.0_f64.sqrt();
    let mut random = fastrand::Rng::with_seed(7);
    let noise: Vec<f64> = (0..VALUES).map(|_| -random.f64().ln()).collect();
    let mut squares = [0.0; 3];
    const SEEDS: u64 = 400;
    for seed in 0..SEEDS {
        let mut thread = Thread::new(100, seed);
        let error = |emitted: Emitted, deviation: f64| {
            ((emitted.total / emitted.count - 1.0) / deviation).powi(2)
        };
        squares[0] += error(thread.interval(VALUES, |index| noise[index as usize]), 1.0);
        squares[1] += error(thread.interval(VALUES, |index| noise[index as usize]), 1.0);
        squares[2] += error(thread.interval(VALUES, spike), deviation);
    }
    let errors = squares.map(|sum| (sum / SEEDS as f64).sqrt());
    println!("first interval, steady, steady with a period: {errors:.3?} standard deviations");
    assert!(errors[0] < 0.7 && errors[1] < 0.2 && errors[2] < 0.2, "{errors:?}");
}

/// Whatever another metric or a thread has left in the words, the thread counts right in the next
/// interval, and its weights are those that the metric has.
#[test]
fn any_words_are_harmless() {
    let mut random = fastrand::Rng::with_seed(5);
    for seed in 0..20_000 {
        let mut thread = Thread::new(10, seed);
        thread.plan = Plan::new(10, random.u32(0..=MAX_LEVEL));
        let countdown = if random.bool() {
            let bits = random.u32(0..33);
            word(thread.tag + random.u32(0..2), random.u64(..1 << bits))
        } else {
            random.u64(..)
        };
        thread.words = Words { countdown, block: random.u64(..) };
        let emitted = thread.interval(30, one);
        assert!(emitted.heaviest <= 1 << thread.plan.max_level);
        thread.interval(8, one);
        assert_eq!(thread.interval(8, one).lines, 8);
    }
}

#[test]
fn blocks_are_packed_and_unpacked() {
    for block in [
        Block { end: 0, rest: 0, level: 0, first: 0 },
        Block { end: (1 << END_BITS) - 1, rest: (1 << 16) - 1, level: 16, first: 3 },
        Block { end: 77, rest: 1, level: 1, first: 16 },
    ] {
        assert_eq!(Block::unpack(block.pack()), block);
    }
}

/// A tag follows the largest one without a gap.
#[test]
fn tags_wrap_around() {
    let mut thread = Thread::new(100, 3);
    thread.tag = u32::MAX - 1;
    thread.interval(10_000, one);
    assert_eq!(thread.interval(10_000, one).heaviest, 256);
}
