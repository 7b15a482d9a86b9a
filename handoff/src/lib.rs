#![doc = include_str!("../README.md")]

mod append;
mod bell;
mod block;
mod block_supply;
mod buckets;
mod cell_pair;
mod consumer;
mod consumer_state;
mod dormancy;
mod exchange;
mod full_blocks;
mod latest;
#[cfg(freewheel_loom)]
#[doc(hidden)]
pub mod loom_api;
mod ordered;
mod prepare;
mod producer;
mod record;
mod reservation;
mod reserve;
mod send_window;
mod settings;
mod spare_blocks;
#[cfg(all(test, not(freewheel_loom)))]
mod stress;
mod sums;
mod sync;
mod tally;
mod thread_slots;

#[cfg(doc)]
#[doc = include_str!("../MEMORY_MODEL.md")]
pub mod memory_model {}

pub use block::MARGIN;
pub use cell_pair::{CellPair, OwnCell, PairPosition};
pub use consumer::Consumer;
pub use exchange::{Counts, Exchange};
pub use latest::Latest;
pub use reservation::{BlockSpace, OrderedBuffer, OrderedReservation, OrderedSpace, Reservation};
pub use settings::Settings;
pub use sums::{CellIndex, Sum, prefault_sums, prepare_sums_of_thread, reset_sums_in_forked_child};
pub use sync::{Barrier, Wake};
pub use tally::{SingleWriterTally, Tally};
