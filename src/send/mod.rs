//! Sending: takes lines from the exchange and passes them to the operating system.
//!
//! | modules | part |
//! |---|---|
//! | [`flusher`], [`pending`], [`idle`], [`link_state`], [`shared`] | the task and its events |
//! | [`outbox`] | the swept lines, with the account of them |
//! | [`datagram`], [`value_packing`], [`segments`] | filling datagrams and batches of them |
//! | [`stream`], [`frames`] | writing to a connection, and reading its acknowledgements |
//! | [`pacer`] | the size and time of the bursts over UDP |
//! | [`poison`] | detecting a line on which a server closes the connection |
//! | [`link`] | all sockets; no other module knows any |
//! | [`wake`], [`process_barrier`] | waking the flusher |
//! | [`warnings`], [`rate_limit`] | what the flusher logs |

mod datagram;
mod flusher;
mod frames;
mod idle;
mod link;
mod link_state;
mod outbox;
mod pacer;
mod pending;
mod poison;
mod process_barrier;
mod rate_limit;
#[cfg(any(target_os = "linux", test, fuzzing))]
mod segments;
mod shared;
mod stream;
mod value_packing;
mod wake;
mod warnings;

pub(crate) use flusher::Flusher;
pub(crate) use pending::Command;
pub(crate) use process_barrier::process_barrier;
pub(crate) use shared::Shared;
pub(crate) use wake::Wake;
pub(crate) use warnings::warn_of_abandoned_lines;
#[cfg(fuzzing)]
pub(crate) use {
    datagram::{Datagram, next as next_datagram},
    segments::{Batch, next as next_batch},
    stream::Stream,
};
