//! Packing: decides which lines go next, in one datagram, batch or frame. No module here has sockets.
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
