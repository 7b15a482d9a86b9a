//! Lock-free hand-off of lines from the threads that emit them to the flusher that sends them.
//!
//! A thread appends lines to a block that it alone writes, and publishes each by storing the new
//! length. A full block is *sealed*: it moves to the flusher through a queue, and an empty one
//! comes back through another. The flusher *sweeps*: it notes the published length of each
//! thread's block, drains the queue of sealed blocks, then takes the noted part-filled ones. Lines
//! that keep their order across threads, such as gauges, go through a third queue, and from there
//! into a block of the flusher's.
//!
//! Producers never block: without an empty block the line is dropped and counted. (The queues spin
//! for the few instructions between another thread's claim of a slot and its filling. That happens
//! at most once for each block, and once for each gauge.)
//!
//! `DESIGN.md` describes the protocol, its happens-before edges and the models that check them.
//! The models are in `loom-tests/`.

mod bell;
mod block;
mod block_supply;
mod consumer;
mod consumer_state;
mod dormancy;
mod exchange;
#[cfg(freewheel_loom)]
#[doc(hidden)]
pub mod loom_api;
mod ordered;
mod producer;
mod record;
mod reservation;
mod send_window;
mod settings;
#[cfg(all(test, not(freewheel_loom)))]
mod stress;
mod sync;
mod tally;
mod thread_slots;

pub use block::MARGIN;
pub use consumer::Consumer;
pub use exchange::{Counts, Exchange};
pub use reservation::{BlockSpace, OrderedBuffer, OrderedReservation, OrderedSpace, Reservation};
pub use settings::Settings;
pub use sync::{Barrier, Wake};
pub use tally::{SingleWriterTally, Tally};
