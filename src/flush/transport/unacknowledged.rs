//! Query of the operating system for the number of bytes that are written to a socket and not
//! acknowledged. No well-maintained crate has a safe function for this query.

#![allow(unsafe_code)]

use socket2::SockRef;
use std::os::fd::AsRawFd;

/// Returns the number of bytes that are written to this socket and not acknowledged by the peer, or
/// `None` if the operating system does not report it.
///
/// Over TCP the operating system of the other side acknowledges bytes. The number is also right
/// after a reset. Over a Unix stream the number is an upper bound of what the server has not read:
/// buffers are counted whole, until the server is gone.
///
/// The request is `SIOCOUTQ`, which Linux also calls `TIOCOUTQ`: see tcp(7), and `unix_outq_len` in
/// the source of Linux.
pub(super) fn unacknowledged(socket: &SockRef<'_>) -> Option<usize> {
    let mut bytes: libc::c_int = 0;
    // SAFETY: `socket` borrows the descriptor, so it is open. The request writes one `c_int` to the
    // address of its argument, which is `bytes`.
    let answer = unsafe { libc::ioctl(socket.as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) };
    (answer == 0).then(|| usize::try_from(bytes).ok()).flatten()
}
