//! How much of what was written is not acknowledged: one question to the operating system,
//! for which no well-kept crate has a safe function.

#![allow(unsafe_code)]

use socket2::SockRef;
use std::os::fd::AsRawFd;

/// How many bytes, the last of those written to a TCP connection, the other side's operating system
/// has not acknowledged; also of a connection that was reset. Of a Unix stream, as many as it has
/// not read, or more: its buffers are counted whole, until it is gone. None if ours does not say.
///
/// `SIOCOUTQ`, which Linux also calls `TIOCOUTQ`: see tcp(7), and `unix_outq_len` in its source.
pub(super) fn unacknowledged(socket: &SockRef<'_>) -> Option<usize> {
    let mut bytes: libc::c_int = 0;
    // SAFETY: the descriptor is open, as `socket` borrows it. The request writes one `c_int`
    // to where its argument points, which is `bytes`.
    let answer = unsafe { libc::ioctl(socket.as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) };
    (answer == 0).then(|| usize::try_from(bytes).ok()).flatten()
}
