//! Reference program called the floor, which only formats lines, in a straightforward way.
//! Benchmarks compare the cost of a client's call with it.
//!
//! The floor writes the same bytes as freewheel into a buffer of the calling thread, with the same
//! crates, and starts over when the buffer is full. It gives nothing to another thread, checks no
//! name, and counts nothing. It is not a strict lower bound: it copies pieces by `copy_from_slice`,
//! which calls `memcpy`, while freewheel copies short pieces in chunks.
//!
//! # Slowest calls
//!
//! The floor's p99.9 depends on the state of the machine, and is no constant of the code. At a call
//! every 10 µs, the slowest thousandth are a hundred calls a second, which are those after timer
//! interrupts and changes of threads. The same floor had a p99.9 of 30 ns on a quiet machine, and of
//! 0.14 to 2.1 µs while other programs were compiled. The clock, the size of the buffer and other
//! threads of the process made no difference that could be told from that.
//!
//! Benchmarks of single calls therefore run the floor in turns with each client, in one process
//! ([`Paced`](crate::workload::paced::Paced)). The buffer stays in the caches of the calling thread,
//! which no client has whose bytes another thread reads: the floor in `floor_handed.rs` pays for
//! that too.

use crate::fixtures::{ELAPSED, FULL_PRECISION, LineLength, TAG_PARTS, TWO_DECIMALS, WHOLE};
use crate::subject::{Call, Caller, Info, Kind, Setup, Subject};
use std::cell::RefCell;
use std::hint::black_box;
use std::time::Duration;

/// Size in bytes of the buffer into which each thread formats lines. It equals the size of
/// freewheel's blocks (per-thread line buffers).
const CAPACITY: usize = 16 << 10;

struct Buffer {
    bytes: Box<[u8]>,
    used: usize,
}

thread_local! {
    static BUFFER: RefCell<Buffer> =
        RefCell::new(Buffer { bytes: vec![0; CAPACITY].into_boxed_slice(), used: 0 });
}

/// Copies the pieces of a line, one after the other, into the calling thread's buffer.
#[inline(always)]
fn copy_pieces<const N: usize>(pieces: [&[u8]; N]) {
    BUFFER.with_borrow_mut(|buffer| {
        let size: usize = pieces.iter().map(|piece| piece.len()).sum();
        if buffer.used + size > CAPACITY {
            buffer.used = 0;
        }
        for piece in pieces {
            buffer.bytes[buffer.used..][..piece.len()].copy_from_slice(piece);
            buffer.used += piece.len();
        }
    });
}

/// Formats the line `{head}{name}:1|c` into the calling thread's buffer.
#[inline]
pub fn incr(head: &[u8], name: &str) {
    copy_pieces([head, name.as_bytes(), b":1|c\n"]);
}

/// Formats the line `{head}{name}:1|c|#{key}:{value},{key}:{value}` into the calling thread's
/// buffer.
#[inline]
pub fn incr_tagged(head: &[u8], name: &str, tags: [(&str, &str); 2]) {
    let [first, second] = tags.map(|(key, value)| (key.as_bytes(), value.as_bytes()));
    copy_pieces([
        head,
        name.as_bytes(),
        b":1|c|#",
        first.0,
        b":",
        first.1,
        b",",
        second.0,
        b":",
        second.1,
        b"\n",
    ]);
}

/// Formats the line `{head}{name}:{amount}|c` into the calling thread's buffer.
#[inline]
pub fn incr_by(head: &[u8], name: &str, amount: u64) {
    let mut integer = itoa::Buffer::new();
    copy_pieces([head, name.as_bytes(), b":", integer.format(amount).as_bytes(), b"|c\n"]);
}

/// Formats the line `{head}{name}:{value}|g` into the calling thread's buffer.
#[inline]
pub fn gauge(head: &[u8], name: &str, value: u64) {
    let mut integer = itoa::Buffer::new();
    copy_pieces([head, name.as_bytes(), b":", integer.format(value).as_bytes(), b"|g\n"]);
}

/// Formats the line `{head}{name}:{value}|g` into the calling thread's buffer. The crate ryu
/// formats the float.
#[inline]
pub fn gauge_float(head: &[u8], name: &str, value: f64) {
    let mut float = ryu::Buffer::new();
    copy_pieces([head, name.as_bytes(), b":", float.format(value).as_bytes(), b"|g\n"]);
}

/// Formats the line `{head}{name}:{milliseconds}|ms` into the calling thread's buffer, with six
/// digits after the decimal point.
#[inline]
pub fn timing(head: &[u8], name: &str, elapsed: Duration) {
    let (mut whole, mut fraction) = (itoa::Buffer::new(), itoa::Buffer::new());
    let whole = whole.format(elapsed.as_millis() as u64);
    let fraction = &fraction.format(1_000_000 + elapsed.subsec_nanos() % 1_000_000)[1..];
    copy_pieces([
        head,
        name.as_bytes(),
        b":",
        whole.as_bytes(),
        b".",
        fraction.as_bytes(),
        b"|ms\n",
    ]);
}

pub struct Floor {
    head: &'static str,
    name: &'static str,
}

impl Subject for Floor {
    const INFO: Info = Info {
        id: "floor",
        label: "floor: format only",
        kind: Kind::Bound,
        calls: &Call::ALL,
        transports: &[],
    };
    type Caller = Self;

    fn start(setup: &Setup) -> Self {
        // The prefix ends with a dot, as freewheel stores it.
        let head = match setup.length {
            LineLength::Short => "my-svc.",
            LineLength::Long => "applications.my-service.counters.",
        };
        Self { head, name: setup.length.name() }
    }

    fn caller(&self) -> Self {
        Self { ..*self }
    }

    fn close(self) -> Option<u64> {
        None
    }
}

impl Floor {
    pub(super) fn parts(&self) -> (&'static [u8], &'static str) {
        (black_box(self.head).as_bytes(), black_box(self.name))
    }
}

impl Caller for Floor {
    #[inline]
    fn incr(&mut self) {
        let (head, name) = self.parts();
        incr(head, name);
    }
    #[inline]
    fn incr_tagged(&mut self) {
        let (head, name) = self.parts();
        incr_tagged(head, name, black_box(TAG_PARTS));
    }
    #[inline]
    fn gauge_whole(&mut self) {
        let (head, name) = self.parts();
        gauge(head, name, black_box(WHOLE));
    }
    #[inline]
    fn gauge_two_decimals(&mut self) {
        let (head, name) = self.parts();
        gauge_float(head, name, black_box(TWO_DECIMALS));
    }
    #[inline]
    fn gauge_full_precision(&mut self) {
        let (head, name) = self.parts();
        gauge_float(head, name, black_box(FULL_PRECISION));
    }
    #[inline]
    fn timing(&mut self) {
        let (head, name) = self.parts();
        timing(head, name, black_box(ELAPSED));
    }
}
