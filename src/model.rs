//! What the models in `loom-tests/` see of the hand-off: enough to drive it, no more.
//!
//! Compiled with `--cfg loom` and the private feature together, and for nobody else.

use crate::handoff::{self, WriteLine, Written};
use crate::sync::Arc;
use bytes::Buf;

/// The exchange, with lines that are already encoded.
#[derive(Clone)]
pub struct Exchange(Arc<handoff::Exchange>);

impl Exchange {
    /// See `handoff::Exchange::new`.
    pub fn new(
        block_size: usize,
        blocks: usize,
        ring_at: usize,
        wake: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(handoff::Exchange::new(block_size, blocks, ring_at, Box::new(wake))))
    }

    /// Emits lines that belong together.
    pub fn emit(&self, lines: &[u8]) {
        self.0.emit(|| Encoded(lines));
    }

    /// Lines accepted, and lines dropped because the capacity was used up.
    pub fn accepted_and_dropped(&self) -> (u64, u64) {
        let emitted = self.0.emitted();
        (emitted.accepted.lines, emitted.full.lines)
    }

    /// The flusher's side, unless somebody has it.
    pub fn collector(&self) -> Option<Collector> {
        handoff::Exchange::collector(&self.0).map(Collector)
    }
}

struct Encoded<'a>(&'a [u8]);

impl WriteLine for Encoded<'_> {
    fn lines(&self) -> u64 {
        self.0.iter().filter(|&&byte| byte == b'\n').count() as u64
    }

    fn write_usual(&self, room: &mut [u8]) -> usize {
        if self.0.len() + handoff::MARGIN > room.len() {
            return 0;
        }
        room[..self.0.len()].copy_from_slice(self.0);
        self.0.len()
    }

    fn write(&self, room: &mut [u8]) -> Written {
        match self.write_usual(room) {
            0 => Written::NoRoom(self.0.len()),
            bytes => Written::Line { bytes, altered: false },
        }
    }
}

/// The flusher's side.
pub struct Collector(handoff::Collector);

impl Collector {
    /// Takes what is published.
    pub fn sweep(&mut self) {
        self.0.sweep();
    }

    /// Whether the flusher may sleep.
    pub fn fall_asleep(&self) -> bool {
        self.0.fall_asleep()
    }

    /// Consumes what was taken, and returns it.
    pub fn consume(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        while self.0.has_remaining() {
            let run = self.0.chunk();
            bytes.extend_from_slice(run);
            let length = run.len();
            self.0.advance(length);
        }
        bytes
    }
}

/// The bell by itself.
pub struct Bell(handoff::Bell);

impl Bell {
    /// See `handoff::Bell::new`.
    pub fn new(wake: impl Fn() + Send + Sync + 'static) -> Self {
        Self(handoff::Bell::new(Box::new(wake)))
    }

    /// Something is ready.
    pub fn ring(&self) {
        self.0.ring();
    }

    /// The flusher is about to look.
    pub fn answer(&self) {
        self.0.answer();
    }

    /// Whether the flusher may sleep.
    pub fn fall_asleep(&self) -> bool {
        self.0.fall_asleep()
    }
}

/// One block: the end that is written.
pub struct Pen(handoff::Pen, Arc<handoff::Blocks>);

/// One block: the end that is read.
pub struct Glimpse(handoff::Glimpse, handoff::Reader, Arc<handoff::Blocks>);

/// The two ends of a new block.
pub fn block(size: usize) -> (Pen, Glimpse) {
    let (blocks, reader) = handoff::Blocks::new(size, 0);
    let (pen, blocks) = (blocks.make(), Arc::new(blocks));
    let glimpse = handoff::Window::new(&pen).look();
    (Pen(pen, Arc::clone(&blocks)), Glimpse(glimpse, reader, blocks))
}

impl Pen {
    /// Appends and publishes.
    pub fn append(&mut self, bytes: &[u8]) {
        self.0.append(|room| {
            room[..bytes.len()].copy_from_slice(bytes);
            (bytes.len(), ())
        });
    }
}

impl Glimpse {
    /// All that is published.
    pub fn bytes(&self) -> &[u8] {
        self.0.bytes(&self.1, 0, self.0.published())
    }
}
