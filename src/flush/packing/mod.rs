//! Packing: chooses the lines that the next datagram, batch of datagrams, or frame of a stream
//! contains. The modules here use no sockets.
//!
//! | modules | part |
//! |---|---|
//! | [`datagram`], [`value_packing`], [`segments`] | filling datagrams and batches of them |
//! | [`stream`], [`frames`] | writing to a connection, and reading its acknowledgements |

pub(super) mod datagram;
mod frames;
#[cfg(any(target_os = "linux", test, fuzzing))]
pub(super) mod segments;
pub(super) mod stream;
pub(super) mod value_packing;
