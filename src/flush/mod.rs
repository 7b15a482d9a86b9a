//! Flushing: takes the lines that the producer threads emitted, and sends them to the server.
//!
//! | modules | part |
//! |---|---|
//! | [`flusher`], [`pending`], [`idle`], [`link_state`], [`shared`] | the task and its events |
//! | [`outbox`] | the swept lines, with the account of them |
//! | [`coalescing`] | merging lines before they are sent |
//! | [`packing`] | filling datagrams, batches of them, and frames of a stream |
//! | [`drain`], [`drain_schedule`] | emitting the lines of aggregated metrics |
//! | [`account`] | the counts of all lines |
//! | [`sweep_schedule`] | the time of the next sweep |
//! | [`pacer`] | the size and time of the bursts over UDP |
//! | [`poison`] | detecting a line on which a server closes the connection |
//! | [`refusals`] | detecting a datagram that the operating system refuses |
//! | [`transport`] | all sockets; no other module knows any |
//! | [`wake`], [`process_barrier`] | waking the flusher |
//! | [`wait`] | waiting for the first of several events |
//! | `system` | system calls of Linux |
//! | [`warnings`], [`rate_limit`] | what the flusher logs |

mod account;
mod coalescing;
mod drain;
mod drain_schedule;
mod flusher;
mod idle;
mod interval_clock;
mod link_state;
mod outbox;
mod pacer;
mod packing;
mod pending;
mod poison;
mod process_barrier;
mod rate_limit;
mod refusals;
mod shared;
mod sweep_schedule;
#[cfg(target_os = "linux")]
mod system;
mod transport;
mod wait;
mod wake;
mod warnings;

pub(crate) use flusher::{Flusher, Starter};
#[cfg(fuzzing)]
pub(crate) use packing::{
    datagram::{Datagram, next as next_datagram},
    segments::{Batch, next as next_batch},
    stream::Stream,
};
pub(crate) use pending::Command;
pub(crate) use process_barrier::process_barrier;
pub(crate) use shared::Shared;
#[cfg(target_os = "linux")]
pub(crate) use system::reset_sums_in_forked_children;
pub(crate) use wake::Wake;
pub(crate) use warnings::{
    warn_of_abandoned_lines, warn_of_unfinished_start, warn_of_unfinished_stop,
};
