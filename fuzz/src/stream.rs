//! Fuzz target `stream`: emits lines, and writes them to simulated TCP connections, which accept
//! any number of bytes and break at any time. Checks that each line arrives whole, once and in
//! order.
//!
//! After its whole lines, a broken connection has at most the beginning of one more line.

use crate::lossy;
use arbitrary::Arbitrary;
use freewheel::fuzzing::{Consumer, Stream};
use freewheel::{Connector, Tally};

#[derive(Arbitrary, Debug)]
pub struct Input {
    /// Number of bytes by which the queue capacity exceeds the minimum.
    more_capacity: u16,
    steps: Vec<Step>,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Step {
    /// Emits a few counter lines with metric names of 1 to 200 bytes.
    Emit {
        lines: u8,
        name_len: u16,
    },
    Sweep,
    /// Writes the next bytes to the connection, which accepts at most `room` of them. Afterwards
    /// the peer has not yet acknowledged the last `unacknowledged` bytes of the connection.
    Write {
        slices: u8,
        room: u16,
        unacknowledged: u16,
    },
    /// Attempts to write the next bytes to the connection, which accepts none of them.
    Refuse {
        slices: u8,
    },
    /// Breaks the simulated connection and opens another.
    Break,
    /// Simulates a restart of the flusher, which begins with a new connection.
    Restart,
}

/// Runs all steps of the input, writes the remaining lines, and checks that every line has arrived.
pub fn check(input: &Input) {
    let capacity = 1024 + usize::from(input.more_capacity);
    let builder = Connector::builder("localhost").type_prefixes(false).queue_capacity(capacity);
    let statsd = builder.build().expect("the settings are valid");
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
        connection_start: 0,
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
    run.check();
}

fn consumer(statsd: &Connector) -> Consumer {
    Consumer::of(statsd).expect("the consumer is free")
}

/// Connector under test, and the state that is expected after the steps that have run.
struct Run {
    statsd: Connector,
    consumer: Consumer,
    stream: Stream,
    /// Bytes of all lines that the connector accepted, in order.
    text: Vec<u8>,
    accepted: Tally,
    /// Lines and bytes that the connector dropped because its queue was full.
    full: Tally,
    /// Number that the next emitted line has as its value.
    next: u64,
    /// Number of bytes of the accepted lines that the consumer (the flusher's side of the queue)
    /// has taken over.
    swept: usize,
    /// Number of bytes of the accepted lines that the peer has acknowledged, without a partly
    /// acknowledged line.
    whole: usize,
    /// Offset of the first byte of the current connection within the bytes of all accepted lines
    /// (`text`).
    connection_start: usize,
    /// Number of bytes of the current connection that the peer has acknowledged.
    acknowledged: usize,
    /// Bytes that each connection accepted. A broken connection keeps only its acknowledged bytes.
    connections: Vec<Vec<u8>>,
}

impl Run {
    fn step(&mut self, step: Step) {
        match step {
            Step::Emit { lines, name_len } => (0..lines % 16).for_each(|_| self.emit(name_len)),
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
                // The old consumer must be dropped before its connector gives out the next one. The
                // consumer of another connector replaces it meanwhile.
                let other = Connector::builder("localhost").queue_capacity(1024).build();
                self.consumer = consumer(&other.expect("the settings are valid"));
                self.consumer = consumer(&self.statsd);
                self.reconnect();
            }
        }
    }

    /// Emits a counter line with a unique value, so that a line that is sent twice is detected.
    /// Updates the expected state.
    fn emit(&mut self, name_len: u16) {
        let letter = char::from(b'a' + (self.next % 26) as u8);
        let name = String::from(letter).repeat(1 + usize::from(name_len) % 200);
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
        self.connection_start = self.whole;
        self.connections.push(Vec::new());
    }

    fn connection(&mut self) -> &mut Vec<u8> {
        self.connections.last_mut().expect("a run has at least one connection")
    }

    /// Returns the bytes to write next, and checks that they continue the bytes that the connection
    /// has accepted. New connections begin with the first line that was not acknowledged whole.
    fn offered(&mut self, slices: u8) -> Vec<u8> {
        let given = self.connection().len();
        let expected = &self.text[self.connection_start + given..self.swept];
        let offered = self.stream.next(&self.consumer, usize::from(slices).max(1));
        assert!(expected.starts_with(&offered), "not the next bytes: {}", lossy(&offered));
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
        let released = whole_lines(&self.connection()[..before]).len();
        let arrived = &whole_lines(&self.connection()[..acknowledged])[released..];
        let (expected, length) = (tally(arrived), arrived.len());
        assert_eq!(self.stream.acknowledge(&mut self.consumer, given - acknowledged), expected);
        self.whole += length;
        assert_eq!(self.consumer.remaining(), self.swept - self.whole);
    }

    /// Checks that the whole lines of all connections together equal the emitted text. A server
    /// drops a partial line at the end of a connection.
    fn check(&self) {
        let received = self.connections.iter().flat_map(|bytes| whole_lines(bytes));
        let received: Vec<u8> = received.copied().collect();
        assert!(received == self.text, "{} for {}", lossy(&received), lossy(&self.text));
    }
}

/// Returns the bytes up to and including the last newline.
fn whole_lines(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |newline| newline + 1);
    &bytes[..end]
}

fn tally(lines: &[u8]) -> Tally {
    let newlines = lines.iter().filter(|&&byte| byte == b'\n').count();
    Tally { lines: newlines as u64, bytes: lines.len() as u64 }
}
