//! Fuzz target `encoder`: makes any sequence of calls with any arguments. Checks the queued lines
//! against the rules of README.md, and that the statistics are exact.
//!
//! `timer` is not covered, because its value depends on the clock.

use crate::line::Line;
use crate::meaning::{Float, Number, NumberCall, Value, milliseconds, seconds_as_milliseconds};
use arbitrary::Arbitrary;
use freewheel::fuzzing::Consumer;
use freewheel::{Connector, Stats, Tally};
use std::collections::VecDeque;
use std::time::Duration;

#[derive(Arbitrary, Debug)]
pub struct Input<'a> {
    prefix: &'a str,
    type_prefixes: bool,
    /// Number of bytes by which the queue capacity exceeds the minimum.
    more_capacity: u16,
    steps: Vec<Step<'a>>,
}

#[derive(Arbitrary, Debug)]
enum Step<'a> {
    Emit(Name<'a>, Call<'a>),
    Collect,
    /// Makes the same call repeatedly, which can fill the queues and the blocks (line buffers).
    EmitOften(Name<'a>, Call<'a>, u8),
}

#[derive(Arbitrary, Debug)]
enum Name<'a> {
    Text(&'a str),
    /// Name of mostly letters, mixed with special characters from `SUSPECTS`.
    Mixed(&'a [u8]),
    /// Name of one character repeated, in some inputs longer than a block (a line buffer).
    Long(char, u16),
}

/// Special characters for fuzzed names: characters that end a field or a line, and characters that
/// resemble them.
const SUSPECTS: &[char] = &[
    ':', '|', '\n', '\r', '\0', '\t', '\x1f', ' ', '~', '\x7f', '\u{80}', '\u{85}', '\u{9f}',
    '\u{a0}', 'é', '\u{2028}', '\u{feff}', '😀', '9', ';', '{', '}', '.', '_', '=', ',', '#', '@',
    '[', ']',
];

impl Name<'_> {
    fn text(&self) -> String {
        let mixed = |byte: &u8| match SUSPECTS.get(usize::from(*byte)) {
            Some(&suspect) => suspect,
            None => char::from(b'a' + byte % 26),
        };
        match self {
            Self::Text(text) => (*text).to_owned(),
            Self::Mixed(bytes) => bytes.iter().map(mixed).collect(),
            Self::Long(character, length) => {
                String::from(*character).repeat(usize::from(*length) % 20_000)
            }
        }
    }
}

#[derive(Arbitrary, Debug)]
enum Call<'a> {
    Incr,
    Decr,
    IncrBy(Number),
    DecrBy(Number),
    Gauge(Number),
    GaugeDelta(Number),
    Timing(Duration),
    ShortTiming { nanoseconds: u32 },
    TimingSeconds(Float),
    Inject { value: &'a str, code: &'a str },
}

/// Expected lines of one emitting call: metric type in the name (such as `counters`), type code and
/// values.
struct Meaning {
    /// Function that returns true for characters that must not occur in the metric name.
    is_forbidden: fn(char) -> bool,
    kind: &'static str,
    code: String,
    /// Expected values of the lines that the call emits, one for each line.
    values: Vec<Value>,
}

impl Meaning {
    fn new(kind: &'static str, code: &str, value: Value) -> Self {
        Self { is_forbidden, kind, code: code.to_owned(), values: vec![value] }
    }
}

impl Call<'_> {
    fn emit(&self, statsd: &Connector, name: &str) {
        match *self {
            Self::Incr => statsd.incr(name),
            Self::Decr => statsd.decr(name),
            Self::IncrBy(number) => number.emit(NumberCall::IncrBy, statsd, name),
            Self::DecrBy(number) => number.emit(NumberCall::DecrBy, statsd, name),
            Self::Gauge(number) => number.emit(NumberCall::Gauge, statsd, name),
            Self::GaugeDelta(number) => number.emit(NumberCall::GaugeDelta, statsd, name),
            Self::Timing(elapsed) => statsd.timing(name, elapsed),
            Self::ShortTiming { nanoseconds } => {
                statsd.timing(name, Duration::from_nanos(nanoseconds.into()));
            }
            Self::TimingSeconds(seconds) => statsd.timing_seconds(name, seconds.double()),
            Self::Inject { value, code } => statsd.inject_metric(name, value, code),
        }
    }

    /// Returns the lines that this call must emit, or `None` if its value is invalid.
    fn meaning(&self) -> Option<Meaning> {
        let count = |value| Meaning::new("counters", "c", value);
        let gauge = |value| Meaning::new("gauges", "g", value);
        let time = |value| Meaning::new("timers", "ms", value);
        Some(match *self {
            Self::Incr => count(Value::exactly("1")),
            Self::Decr => count(Value::exactly("-1")),
            Self::IncrBy(number) => count(number.value()?),
            Self::DecrBy(number) => count(number.value()?.negated()),
            Self::Gauge(number) => {
                let mut meaning = gauge(number.value()?);
                if meaning.values[0].is_negative() {
                    meaning.values.insert(0, Value::exactly("0"));
                }
                meaning
            }
            Self::GaugeDelta(number) => gauge(number.value()?.signed()),
            Self::Timing(elapsed) => time(milliseconds(elapsed.as_nanos())),
            Self::ShortTiming { nanoseconds } => time(milliseconds(nanoseconds.into())),
            Self::TimingSeconds(seconds) => time(seconds_as_milliseconds(seconds.double())?),
            Self::Inject { value, code } => {
                let ends_value = value.is_empty() || value.contains(ends_field);
                let ends_line = code.is_empty() || code.contains(char::is_control);
                if ends_value || ends_line {
                    return None;
                }
                Meaning {
                    is_forbidden: ends_field,
                    ..Meaning::new("", code, Value::exactly(value))
                }
            }
        })
    }
}

/// Returns true for characters that must not occur in metric names.
fn is_forbidden(character: char) -> bool {
    ends_field(character) || "#,;=@[]".contains(character)
}

/// Returns true for characters that must not occur in a value that is passed to `inject_metric`.
fn ends_field(character: char) -> bool {
    matches!(character, ':' | '|') || character.is_control()
}

/// Runs all steps of the input on a connector (a freewheel client) and on a model of it. Checks
/// that both have equal lines and statistics.
pub fn check(input: &Input<'_>) {
    let capacity = 1024 + usize::from(input.more_capacity);
    let builder = Connector::builder("localhost")
        .prefix(input.prefix)
        .type_prefixes(input.type_prefixes)
        .queue_capacity(capacity);
    let prefix = input.prefix.trim_matches('.');
    let is_prefix = !prefix.contains(is_forbidden) && prefix.len() <= 256;
    let Ok(statsd) = builder.build() else {
        return assert!(!is_prefix, "{prefix:?} is refused");
    };
    assert!(is_prefix, "{prefix:?} is accepted");
    let mut consumer = Consumer::of(&statsd).expect("the connector is not running");
    let mut model = Model::new(prefix, input.type_prefixes, capacity);
    for step in &input.steps {
        match step {
            Step::Emit(name, call) => model.emit(&statsd, &name.text(), call, 1),
            Step::EmitOften(name, call, times) => {
                model.emit(&statsd, &name.text(), call, usize::from(*times));
            }
            Step::Collect => model.collect(&mut consumer),
        }
        assert_eq!(statsd.stats(), model.stats, "after {step:?}");
    }
    model.collect(&mut consumer);
}

/// Maximum length in bytes of a gauge record that fits one slot of the ordered queue, which keeps
/// gauges in order across threads.
const MAX_QUEUED: usize = 246;

/// Maximum number of gauge records that a producer thread moves at once from the ordered queue to
/// blocks (line buffers that the flusher reads).
const MOVE_BATCH: usize = 64;

/// Model of freewheel's queues: the expected content of the blocks and of the ordered queue, and
/// the expected statistics.
struct Model<'a> {
    prefix: &'a str,
    type_prefixes: bool,
    block_size: usize,
    /// Number of blocks (line buffers) in the pool that all threads share. Excludes the block of
    /// the emitting thread, and the block of the ordered queue for gauges.
    blocks: usize,
    /// Number of full blocks (line buffers) that the consumer, which takes the lines out, has not
    /// collected yet.
    full_blocks: usize,
    /// Number of bytes in the current block (line buffer) of the emitting thread.
    used: usize,
    lines: Vec<Expected>,
    ordered: Ordered,
    stats: Stats,
}

/// Model of the ordered queue, which keeps gauges in order: its expected records, and the block
/// (line buffer) to which they move.
struct Ordered {
    slots: usize,
    max_long_bytes: usize,
    queue: VecDeque<Record>,
    held: Option<Record>,
    /// Number of bytes in the block (line buffer) to which gauges move from the ordered queue, or
    /// `None` before the first move.
    used: Option<usize>,
    lines: Vec<Expected>,
}

/// Gauge update of one or two lines in the ordered queue, which keeps gauges in order across
/// threads.
struct Record {
    bytes: usize,
    is_long: bool,
    lines: Vec<Expected>,
}

/// Expected line: name, value and type code that the consumer must receive.
struct Expected {
    name: String,
    value: Value,
    code: String,
    /// True if every StatsD server must be able to read the line.
    is_basic: bool,
}

impl Ordered {
    fn is_full(&self) -> bool {
        self.queue.len() == self.slots
    }

    /// Returns true if the ordered queue for gauges has room for a record of `bytes` bytes, which
    /// is too long for a fixed-size slot.
    fn has_room_for_long(&self, bytes: usize) -> bool {
        let long = self.held.iter().chain(&self.queue).filter(|record| record.is_long);
        let sum: usize = long.map(|record| record.bytes).sum();
        !self.is_full() && sum + bytes <= self.max_long_bytes
    }

    /// Moves gauge records to blocks (line buffers): first a record that already waits for a block,
    /// then at most `max_records` from the queue. Stops once no empty block is left.
    fn move_some(&mut self, max_records: usize, block_size: usize, empty_blocks: &mut usize) {
        for _ in 0..max_records + usize::from(self.held.is_some()) {
            let Some(record) = self.held.take().or_else(|| self.queue.pop_front()) else { break };
            let used = match self.used {
                None => 0,
                Some(used) if used + record.bytes <= block_size => used,
                Some(_) if *empty_blocks > 0 => {
                    *empty_blocks -= 1;
                    0
                }
                Some(_) => {
                    self.held = Some(record);
                    break;
                }
            };
            self.used = Some(used + record.bytes);
            self.lines.extend(record.lines);
        }
    }
}

impl<'a> Model<'a> {
    fn new(prefix: &'a str, type_prefixes: bool, capacity: usize) -> Self {
        let block_size = (capacity / 5).clamp(1 << 10, 16 << 10);
        let blocks = capacity / block_size;
        let blocks = blocks - blocks / 5;
        let ordered = Ordered {
            slots: (blocks * block_size / 4 / 5 * 4 / 256).max(16),
            max_long_bytes: (blocks * block_size / 4 / 5).max(block_size),
            queue: VecDeque::new(),
            held: None,
            used: None,
            lines: Vec::new(),
        };
        Self {
            prefix,
            type_prefixes,
            block_size,
            blocks,
            full_blocks: 0,
            used: 0,
            lines: Vec::new(),
            ordered,
            stats: Stats::default(),
        }
    }

    fn move_some(&mut self, max_records: usize) {
        let mut empty_blocks = self.blocks - self.full_blocks;
        self.ordered.move_some(max_records, self.block_size, &mut empty_blocks);
        self.full_blocks = self.blocks - empty_blocks;
    }

    /// Makes room for a gauge record of `bytes` bytes that is too long for a queue slot. Moves
    /// queued records to blocks (line buffers) if necessary. Returns true if there is room.
    fn make_room_for_long(&mut self, bytes: usize) -> bool {
        if !self.ordered.has_room_for_long(bytes) {
            self.move_some(MOVE_BATCH);
        }
        self.ordered.has_room_for_long(bytes)
    }

    fn emit(&mut self, statsd: &Connector, name: &str, call: &Call<'_>, times: usize) {
        for _ in 0..times {
            call.emit(statsd, name);
            self.emitted(name, call);
        }
    }

    /// Updates the expected lines and statistics of the model after a call.
    fn emitted(&mut self, name: &str, call: &Call<'_>) {
        let meaning = call.meaning();
        let count = meaning.as_ref().map_or(1, |meaning| meaning.values.len());
        let size = |bytes: usize| Tally { lines: count as u64, bytes: bytes as u64 };
        let drops = &mut self.stats.drops;
        let Some(meaning) = meaning.filter(|_| !name.is_empty()) else {
            drops.invalid += size(0);
            self.stats.emitted += size(0);
            return;
        };
        let kind = if self.type_prefixes { meaning.kind } else { "" };
        let parts = [self.prefix, kind, name].into_iter().filter(|part| !part.is_empty());
        let path = parts.collect::<Vec<_>>().join(".");
        // The encoder reserves room before it sanitizes the name, which can shorten the name.
        let around = path.len() + ":|\n".len() + meaning.code.len();
        let reserved: usize = meaning.values.iter().map(|value| around + value.text.len()).sum();
        if reserved > self.block_size {
            drops.oversize += size(reserved);
            self.stats.emitted += size(reserved);
            return;
        }
        let is_ordered = meaning.code == "g" || meaning.code.starts_with("g|");
        if is_ordered && reserved > MAX_QUEUED && !self.make_room_for_long(reserved) {
            self.stats.drops.full += size(reserved);
            self.stats.emitted += size(reserved);
            return;
        }
        if !is_ordered && self.used + reserved > self.block_size {
            if self.full_blocks == self.blocks {
                self.stats.drops.full += size(reserved);
                self.stats.emitted += size(reserved);
                return;
            }
            self.full_blocks += 1;
            self.used = 0;
        }
        let clean: String =
            path.chars().map(|c| if (meaning.is_forbidden)(c) { '_' } else { c }).collect();
        let written = reserved - (path.len() - clean.len()) * count;
        self.stats.emitted += size(written);
        let is_basic = !matches!(call, Call::Inject { .. });
        let lines = meaning.values.into_iter().map(|value| Expected {
            name: clean.clone(),
            value,
            code: meaning.code.clone(),
            is_basic,
        });
        if is_ordered {
            let record =
                Record { bytes: written, is_long: reserved > MAX_QUEUED, lines: lines.collect() };
            if self.ordered.queue.len() + 1 >= self.ordered.slots / 2 {
                self.move_some(MOVE_BATCH);
            }
            let has_room = !self.ordered.is_full();
            if has_room {
                self.ordered.queue.push_back(record);
            }
            if !has_room {
                self.stats.drops.full += size(written);
                return;
            }
        } else {
            self.lines.extend(lines);
            self.used += written;
        }
        self.stats.buffered += size(written);
        self.stats.altered += if clean == path { 0 } else { count as u64 };
    }

    /// Takes all queued lines from the consumer, and compares them with the expected lines of the
    /// model.
    fn collect(&mut self, consumer: &mut Consumer) {
        consumer.sweep();
        self.move_some(self.ordered.queue.len());
        self.lines.append(&mut self.ordered.lines);
        let taken = consumer.consume();
        let lines = Line::read_all(&taken);
        for (line, expected) in lines.iter().zip(&self.lines) {
            assert_eq!((line.name, line.code), (&*expected.name, &*expected.code));
            assert!(
                expected.value.is(line.value),
                "{line:?} does not have {:?}",
                expected.value.text
            );
            assert!(line.is_basic() || !expected.is_basic, "no server reads {line:?}");
        }
        assert_eq!(lines.len(), self.lines.len(), "number of {lines:?}");
        self.lines.clear();
        self.full_blocks = 0;
    }
}
