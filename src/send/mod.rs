//! Sending: from the exchange to the operating system.
//!
//! [`datagram`], [`packed`], [`segments`], [`stream`] and [`frames`] decide what goes out next, [`pace`] how
//! much of it at once, and [`suspicion`] whether it is a line that a server goes away on; they know no
//! socket; [`link`] alone has sockets; [`flusher`] is the task that ties them to the clock and to its owner,
//! and [`wake`] is how its sleep is ended.

mod datagram;
mod flusher;
mod frames;
mod link;
mod link_state;
mod pacer;
mod packed;
mod pending;
#[cfg(any(target_os = "linux", test, fuzzing))]
mod segments;
mod stream;
mod suspicion;
mod wake;
mod warnings;

pub(crate) use flusher::{Flusher, Shared};
pub(crate) use pending::Command;
pub(crate) use wake::Wake;
pub(crate) use warnings::Warnings;
#[cfg(fuzzing)]
pub(crate) use {
    datagram::{Datagram, next as next_datagram},
    segments::{Batch, next as next_batch},
    stream::Stream,
};
