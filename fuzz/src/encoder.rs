//! The encoder: whatever is emitted, what lies in the exchange is what README.md promises, and
//! the account explains every line.
//!
//! Only `timer` is left out: what it writes is the clock's.

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
    /// Beyond the smallest one.
    more_capacity: u16,
    steps: Vec<Step<'a>>,
}

#[derive(Arbitrary, Debug)]
enum Step<'a> {
    Emit(Name<'a>, Call<'a>),
    Collect,
    /// Queues and blocks get full.
    EmitOften(Name<'a>, Call<'a>, u8),
}

#[derive(Arbitrary, Debug)]
enum Name<'a> {
    Text(&'a str),
    /// Mostly harmless; the others end fields or lines, or nearly.
    Mixed(&'a [u8]),
    /// Also longer than any block.
    Long(char, u16),
}

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

/// The lines that a call means.
struct Meant {
    /// What its name must not hold.
    forbidden: fn(char) -> bool,
    kind: &'static str,
    code: String,
    /// One for each line.
    values: Vec<Value>,
}

impl Meant {
    fn new(kind: &'static str, code: &str, value: Value) -> Self {
        Self { forbidden: is_forbidden, kind, code: code.to_owned(), values: vec![value] }
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

    /// None if no line can say it.
    fn meant(&self) -> Option<Meant> {
        let count = |value| Meant::new("counters", "c", value);
        let gauge = |value| Meant::new("gauges", "g", value);
        let time = |value| Meant::new("timers", "ms", value);
        Some(match *self {
            Self::Incr => count(Value::exactly("1")),
            Self::Decr => count(Value::exactly("-1")),
            Self::IncrBy(number) => count(number.value()?),
            Self::DecrBy(number) => count(number.value()?.negated()),
            Self::Gauge(number) => {
                let mut meant = gauge(number.value()?);
                if meant.values[0].is_negative() {
                    meant.values.insert(0, Value::exactly("0"));
                }
                meant
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
                Meant { forbidden: ends_field, ..Meant::new("", code, Value::exactly(value)) }
            }
        })
    }
}

/// In names.
fn is_forbidden(character: char) -> bool {
    ends_field(character) || "#,;=@[]".contains(character)
}

/// In what is injected.
fn ends_field(character: char) -> bool {
    matches!(character, ':' | '|') || character.is_control()
}

/// Emits all of the input and judges what comes out.
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
    let mut consumer = Consumer::of(&statsd).expect("it does not run");
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

/// The max_line gauge that is kept in its queue.
const SHORT: usize = 246;

/// What a thread moves at a time.
const AT_ONCE: usize = 64;

/// What must be in the exchange, and in the account.
struct Model<'a> {
    prefix: &'a str,
    type_prefixes: bool,
    block_size: usize,
    /// For all threads together, beside the one that this thread always has, and that of the ordered
    /// queue.
    blocks: usize,
    /// Full blocks, not yet collected.
    full_blocks: usize,
    /// Bytes in this thread's block.
    used: usize,
    lines: Vec<Expected>,
    ordered: Ordered,
    stats: Stats,
}

/// The queue of gauges, and the block that they are moved to.
struct Ordered {
    slots: usize,
    most_long_bytes: usize,
    queue: VecDeque<Record>,
    held: Option<Record>,
    /// Bytes in its block, once it has one.
    used: Option<usize>,
    lines: Vec<Expected>,
}

struct Record {
    bytes: usize,
    is_long: bool,
    lines: Vec<Expected>,
}

struct Expected {
    name: String,
    value: Value,
    code: String,
    is_basic: bool,
}

impl Ordered {
    fn is_full(&self) -> bool {
        self.queue.len() == self.slots
    }

    /// Whether so many bytes more fit, of records that are too long for a slot.
    fn has_room_for_long(&self, bytes: usize) -> bool {
        let long = self.held.iter().chain(&self.queue).filter(|record| record.is_long);
        let sum: usize = long.map(|record| record.bytes).sum();
        !self.is_full() && sum + bytes <= self.most_long_bytes
    }

    /// Moves at most so many records, as long as there are blocks.
    fn move_some(&mut self, most: usize, block_size: usize, blocks_left: &mut usize) {
        for _ in 0..most + usize::from(self.held.is_some()) {
            let Some(record) = self.held.take().or_else(|| self.queue.pop_front()) else { break };
            let used = match self.used {
                None => 0,
                Some(used) if used + record.bytes <= block_size => used,
                Some(_) if *blocks_left > 0 => {
                    *blocks_left -= 1;
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
            most_long_bytes: (blocks * block_size / 4 / 5).max(block_size),
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

    fn move_some(&mut self, most: usize) {
        let mut left = self.blocks - self.full_blocks;
        self.ordered.move_some(most, self.block_size, &mut left);
        self.full_blocks = self.blocks - left;
    }

    /// Whether there is room for a gauge that is too long for a slot, or room is made for it.
    fn makes_room_for_long(&mut self, bytes: usize) -> bool {
        if !self.ordered.has_room_for_long(bytes) {
            self.move_some(AT_ONCE);
        }
        self.ordered.has_room_for_long(bytes)
    }

    fn emit(&mut self, statsd: &Connector, name: &str, call: &Call<'_>, times: usize) {
        for _ in 0..times {
            call.emit(statsd, name);
            self.emitted(name, call);
        }
    }

    fn emitted(&mut self, name: &str, call: &Call<'_>) {
        let meant = call.meant();
        let count = meant.as_ref().map_or(1, |meant| meant.values.len());
        let size = |bytes: usize| Tally { lines: count as u64, bytes: bytes as u64 };
        let drops = &mut self.stats.drops;
        let Some(meant) = meant.filter(|_| !name.is_empty()) else {
            drops.invalid += size(0);
            self.stats.emitted += size(0);
            return;
        };
        let kind = if self.type_prefixes { meant.kind } else { "" };
        let parts = [self.prefix, kind, name].into_iter().filter(|part| !part.is_empty());
        let path = parts.collect::<Vec<_>>().join(".");
        // Room is asked for before the name is altered, which can make it shorter.
        let around = path.len() + ":|\n".len() + meant.code.len();
        let asked: usize = meant.values.iter().map(|value| around + value.text.len()).sum();
        if asked > self.block_size {
            drops.oversize += size(asked);
            self.stats.emitted += size(asked);
            return;
        }
        let is_ordered = meant.code == "g" || meant.code.starts_with("g|");
        if is_ordered && asked > SHORT && !self.makes_room_for_long(asked) {
            self.stats.drops.full += size(asked);
            self.stats.emitted += size(asked);
            return;
        }
        if !is_ordered && self.used + asked > self.block_size {
            if self.full_blocks == self.blocks {
                self.stats.drops.full += size(asked);
                self.stats.emitted += size(asked);
                return;
            }
            self.full_blocks += 1;
            self.used = 0;
        }
        let clean: String =
            path.chars().map(|c| if (meant.forbidden)(c) { '_' } else { c }).collect();
        let written = asked - (path.len() - clean.len()) * count;
        self.stats.emitted += size(written);
        let is_basic = !matches!(call, Call::Inject { .. });
        let lines = meant.values.into_iter().map(|value| Expected {
            name: clean.clone(),
            value,
            code: meant.code.clone(),
            is_basic,
        });
        if is_ordered {
            let record = Record { bytes: written, is_long: asked > SHORT, lines: lines.collect() };
            if self.ordered.queue.len() + 1 >= self.ordered.slots / 2 {
                self.move_some(AT_ONCE);
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

    fn collect(&mut self, consumer: &mut Consumer) {
        consumer.sweep();
        self.move_some(self.ordered.queue.len());
        self.lines.append(&mut self.ordered.lines);
        let taken = consumer.consume();
        let lines = Line::read_all(&taken);
        for (line, expected) in lines.iter().zip(&self.lines) {
            assert_eq!((line.name, line.code), (&*expected.name, &*expected.code));
            assert!(expected.value.is(line.value), "{line:?} has not {:?}", expected.value.text);
            assert!(line.is_basic() || !expected.is_basic, "no server reads {line:?}");
        }
        assert_eq!(lines.len(), self.lines.len(), "of {lines:?}");
        self.lines.clear();
        self.full_blocks = 0;
    }
}
