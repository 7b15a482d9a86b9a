//! Reference program that formats lines like the [floor](super::floor), and hands each full buffer
//! to another thread, which reads it.
//!
//! The floor's buffer never leaves the caches of the emitting thread. No client that sends from
//! another thread has that: it gives its bytes away, and fetches memory that the other thread had
//! last. This program does both in the shortest way, with two queues of buffers, and nothing else.
//! It does not flush a buffer that is not full, and does not wake the reader, which looks every
//! millisecond.

use super::floor::Floor;
use crate::subject::{Call, Caller, Info, Kind, Setup, Subject};
use crossbeam_queue::ArrayQueue;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Duration;

/// Size in bytes of a buffer. It equals the size of freewheel's blocks.
const CAPACITY: usize = 16 << 10;
/// Number of buffers. They take 4 MiB, which is freewheel's default queue capacity.
const BUFFERS: usize = (4 << 20) / CAPACITY;

struct Buffer {
    bytes: Box<[u8]>,
    used: usize,
}

impl Buffer {
    fn new() -> Self {
        // Ones, so that the operating system provides the memory now.
        Self { bytes: vec![1; CAPACITY].into_boxed_slice(), used: 0 }
    }
}

struct Shared {
    full: ArrayQueue<Buffer>,
    free: ArrayQueue<Buffer>,
    /// Number of lines in buffers that were overwritten because no other was free.
    dropped: AtomicU64,
    stopping: AtomicBool,
}

pub struct FloorHanded {
    shared: Arc<Shared>,
    reader: JoinHandle<()>,
    floor: Floor,
}

impl Subject for FloorHanded {
    const INFO: Info = Info {
        id: "floor_handed",
        label: "floor: format, another thread reads",
        kind: Kind::Bound,
        calls: &[Call::Incr],
        transports: &[],
    };
    type Caller = Hander;

    fn start(setup: &Setup) -> Self {
        let shared = Arc::new(Shared {
            full: ArrayQueue::new(BUFFERS),
            free: ArrayQueue::new(BUFFERS),
            dropped: AtomicU64::new(0),
            stopping: AtomicBool::new(false),
        });
        while shared.free.push(Buffer::new()).is_ok() {}
        let reader_shared = Arc::clone(&shared);
        let reader = std::thread::spawn(move || read(&reader_shared));
        Self { shared, reader, floor: Floor::start(setup) }
    }

    fn caller(&self) -> Hander {
        let buffer = self.shared.free.pop().unwrap_or_else(Buffer::new);
        Hander { shared: Arc::clone(&self.shared), buffer, floor: self.floor.caller() }
    }

    fn close(self) -> Option<u64> {
        self.shared.stopping.store(true, Relaxed);
        self.reader.join().expect("the reader does not panic");
        Some(self.shared.dropped.load(Relaxed))
    }
}

/// Reads full buffers and returns them to the emitting threads, until the program stops.
fn read(shared: &Shared) {
    while !shared.stopping.load(Relaxed) {
        while let Some(buffer) = shared.full.pop() {
            black_box(line_ends(&buffer));
            // The queue has room for the buffers of this number of threads.
            let _ = shared.free.push(Buffer { used: 0, ..buffer });
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn line_ends(buffer: &Buffer) -> u64 {
    buffer.bytes[..buffer.used].iter().filter(|&&byte| byte == b'\n').count() as u64
}

pub struct Hander {
    shared: Arc<Shared>,
    buffer: Buffer,
    floor: Floor,
}

impl Hander {
    /// Hands the full buffer to the reader, and takes a free one.
    #[inline(never)]
    fn turn_over(&mut self) {
        let Some(free) = self.shared.free.pop() else {
            self.shared.dropped.fetch_add(line_ends(&self.buffer), Relaxed);
            self.buffer.used = 0;
            return;
        };
        let full = std::mem::replace(&mut self.buffer, free);
        // A full queue has more buffers than exist.
        let _ = self.shared.full.push(full);
    }
}

impl Caller for Hander {
    #[inline]
    fn incr(&mut self) {
        let (head, name) = self.floor.parts();
        let pieces = [head, name.as_bytes(), b":1|c\n"];
        let size: usize = pieces.iter().map(|piece| piece.len()).sum();
        if self.buffer.used + size > CAPACITY {
            self.turn_over();
        }
        let Buffer { bytes, used } = &mut self.buffer;
        for piece in pieces {
            bytes[*used..][..piece.len()].copy_from_slice(piece);
            *used += piece.len();
        }
    }
}
