//! The stream: lines from a real exchange, written to connections that take as much as they
//! like and break when they like. Each line arrives whole, once and in order; what a broken
//! connection has beyond whole lines is the beginning of one.

use crate::lossy;
use arbitrary::Arbitrary;
use freewheel::fuzzing::{Consumer, Stream};
use freewheel::{Connector, Tally};

#[derive(Arbitrary, Debug)]
pub struct Input {
    /// Beyond the smallest one.
    more_capacity: u16,
    steps: Vec<Step>,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Step {
    /// Lines with names of this length.
    Emit {
        lines: u8,
        name: u16,
    },
    Sweep,
    /// The operating system takes at most so many bytes. Of all that it took, so many are not
    /// acknowledged yet.
    Write {
        slices: u8,
        room: u16,
        unacknowledged: u16,
    },
    /// It takes nothing, or was interrupted.
    Refuse {
        slices: u8,
    },
    /// The connection breaks, another is made.
    Break,
    /// The flusher stops; the next one begins with a connection of its own.
    Restart,
}

/// Emits and writes all of the input, then what is left, and judges what arrived.
pub fn check(input: &Input) {
    let capacity = 1024 + usize::from(input.more_capacity);
    let builder = Connector::builder("localhost").type_prefixes(false).queue_capacity(capacity);
    let statsd = builder.build().expect("valid settings");
    let mut run = Run {
        consumer: consumer(&statsd),
        stream: Stream::default(),
        statsd,
        text: Vec::new(),
        accepted: Tally::default(),
        full: Tally::default(),
        next: 0,
        swept: 0,
        whole: 0,
        from: 0,
        acknowledged: 0,
        connections: vec![Vec::new()],
    };
    for &step in &input.steps {
        run.step(step);
    }
    run.step(Step::Restart);
    run.step(Step::Sweep);
    while run.consumer.remaining() > 0 {
        run.step(Step::Write { slices: 64, room: u16::MAX, unacknowledged: 0 });
    }
    run.judge();
}

fn consumer(statsd: &Connector) -> Consumer {
    Consumer::of(statsd).expect("nobody else has it")
}

struct Run {
    statsd: Connector,
    consumer: Consumer,
    stream: Stream,
    /// All that was accepted.
    text: Vec<u8>,
    accepted: Tally,
    /// Dropped, for lack of room.
    full: Tally,
    /// The number of the next line.
    next: u64,
    /// How much of the text was swept.
    swept: usize,
    /// How much of the text has arrived in whole lines, and was acknowledged.
    whole: usize,
    /// Where in the text the current connection began.
    from: usize,
    /// How much of what it took was acknowledged.
    acknowledged: usize,
    /// What each one took; of those before the last, what was acknowledged.
    connections: Vec<Vec<u8>>,
}

impl Run {
    fn step(&mut self, step: Step) {
        match step {
            Step::Emit { lines, name } => (0..lines % 16).for_each(|_| self.emit(name)),
            Step::Sweep => {
                self.consumer.sweep();
                self.swept = self.text.len();
                assert_eq!(self.consumer.remaining(), self.swept - self.whole);
            }
            Step::Write { slices, room, unacknowledged } => {
                self.write(slices, room.into(), unacknowledged.into());
            }
            Step::Refuse { slices } => drop(self.offered(slices)),
            Step::Break => self.reconnect(),
            Step::Restart => {
                // The old one gives its place back before the next takes it.
                let elsewhere = Connector::builder("localhost").queue_capacity(1024).build();
                self.consumer = consumer(&elsewhere.expect("valid settings"));
                self.consumer = consumer(&self.statsd);
                self.reconnect();
            }
        }
    }

    /// Each line has a number of its own, by which one that is sent twice would be known.
    fn emit(&mut self, length: u16) {
        let letter = char::from(b'a' + (self.next % 26) as u8);
        let name = String::from(letter).repeat(1 + usize::from(length) % 200);
        self.statsd.incr_by(&name, self.next);
        let line = format!("{name}:{}|c\n", self.next);
        let size = Tally { lines: 1, bytes: line.len() as u64 };
        let stats = self.statsd.stats();
        if stats.drops.full == self.full + size {
            self.full += size;
        } else {
            self.text.extend_from_slice(line.as_bytes());
            self.accepted += size;
        }
        assert_eq!((stats.buffered, stats.dropped()), (self.accepted, self.full));
        self.next += 1;
    }

    fn reconnect(&mut self) {
        self.stream = Stream::default();
        self.consumer.requeue();
        let acknowledged = self.acknowledged;
        self.connection().truncate(acknowledged);
        self.acknowledged = 0;
        self.from = self.whole;
        self.connections.push(Vec::new());
    }

    fn connection(&mut self) -> &mut Vec<u8> {
        self.connections.last_mut().expect("there is always one")
    }

    /// What the connection is to be given: what follows the bytes that it has, or, if it has
    /// none, the first line that is not known to have arrived whole.
    fn offered(&mut self, slices: u8) -> Vec<u8> {
        let given = self.connection().len();
        let expected = &self.text[self.from + given..self.swept];
        let offered = self.stream.next(&self.consumer, usize::from(slices).max(1));
        assert!(expected.starts_with(&offered), "not what comes next: {}", lossy(&offered));
        assert!(
            expected.is_empty() == offered.is_empty(),
            "nothing is offered of {}",
            lossy(expected)
        );
        offered
    }

    fn write(&mut self, slices: u8, room: usize, unacknowledged: usize) {
        let offered = self.offered(slices);
        let taken = &offered[..room.min(offered.len())];
        self.connection().extend_from_slice(taken);
        self.stream.wrote(&mut self.consumer, taken.len());
        let (given, before) = (self.connection().len(), self.acknowledged);
        self.acknowledged = before.max(given.saturating_sub(unacknowledged));
        let acknowledged = self.acknowledged;
        let settled = whole_lines(&self.connection()[..before]).len();
        let arrived = &whole_lines(&self.connection()[..acknowledged])[settled..];
        let (expected, length) = (tally(arrived), arrived.len());
        assert_eq!(self.stream.acknowledge(&mut self.consumer, given - acknowledged), expected);
        self.whole += length;
        assert_eq!(self.consumer.remaining(), self.swept - self.whole);
    }

    /// As a server does it: half a line at a connection's end is dropped.
    fn judge(&self) {
        let received = self.connections.iter().flat_map(|bytes| whole_lines(bytes));
        let received: Vec<u8> = received.copied().collect();
        assert!(received == self.text, "{} for {}", lossy(&received), lossy(&self.text));
    }
}

fn whole_lines(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |newline| newline + 1);
    &bytes[..end]
}

fn tally(lines: &[u8]) -> Tally {
    let newlines = lines.iter().filter(|&&byte| byte == b'\n').count();
    Tally { lines: newlines as u64, bytes: lines.len() as u64 }
}
