//! Aggregation: metrics whose calls change a number, of which the flusher emits one line for each
//! aggregate interval.
//!
//! ```text
//!   a handle's call --> a number --> Entry::emit, in the flusher --> a line in a block, as any other
//! ```
//!
//! A number that finds no room for its line stays where it is, and goes into the next line.

mod entry;
mod intervals;
mod registry;
mod repeat;

pub(crate) use entry::{Emission, Entry, Source};
pub(crate) use intervals::Intervals;
pub(crate) use registry::Registry;
pub(crate) use repeat::{GaugeRepeat, Repeat};
