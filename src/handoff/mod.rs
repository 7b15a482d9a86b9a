//! The lock-free border between the threads that emit and the flusher that sends.
//!
//! A thread appends lines to a block of its own and publishes each by storing the new
//! length. A full block is *sealed*: it moves to the flusher through a queue, and an empty
//! one comes back through another. The flusher *sweeps*: it notes how much each thread has
//! published, drains the queue of sealed blocks, then takes the noted part-filled ones.
//! What has to keep its order across threads, as gauges, goes through a third queue, line by line, and
//! from there into a block of the flusher's. Nobody waits for anybody: where no empty block is to be had, the line is dropped and
//! counted. (The queues themselves spin for the few instructions between another's claim of a
//! slot and its filling; once per block at most, and once per gauge.)
//!
//! The protocol, its happens-before edges and the models that check them are told in
//! `DESIGN.md`; the models are in `loom-tests/`.

mod bell;
mod block;
mod consumer;
mod dormancy;
mod exchange;
mod ordered;
mod producer;
mod record;
mod send_window;
#[cfg(test)]
mod stress;
mod thread_slots;

pub(crate) use block::MARGIN;
pub(crate) use consumer::Consumer;
pub(crate) use exchange::{EncodeLine, Exchange, ProducerCounts, WriteOutcome};
pub(crate) use producer::SingleWriterTally;
pub use producer::Tally;
#[cfg(all(loom, feature = "__loom"))]
pub(crate) use {
    bell::Bell,
    block::{BlockPool, BlockView, BlockWriter, ReadPermit},
};
