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
mod collector;
mod dormancy;
mod exchange;
mod lane;
mod ordered;
mod places;
mod record;
#[cfg(test)]
mod stress;
mod taken;

pub(crate) use block::MARGIN;
pub(crate) use collector::Collector;
pub(crate) use exchange::{Emitted, Exchange, WriteLine, Written};
pub(crate) use lane::SoleWriterTally;
pub use lane::Tally;
#[cfg(all(loom, feature = "__loom"))]
pub(crate) use {
    bell::Bell,
    block::{Blocks, Glimpse, Pen, Reader},
};
