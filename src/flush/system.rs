//! System calls for which the dependencies have no safe function.

#![allow(unsafe_code)]

use socket2::SockRef;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd};

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

/// Returns true if the operating system knows the option `UDP_SEGMENT` of this socket: see udp(7).
pub(super) fn knows_segmentation(socket: &impl AsFd) -> bool {
    let (mut value, mut size): (libc::c_int, libc::socklen_t) = (0, size_of::<libc::c_int>() as _);
    // SAFETY: `socket` borrows the descriptor, so it is open. The call writes at most `size` bytes to
    // `value`, which has this size, and then the size of what it has written to `size`.
    let answer = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_UDP,
            libc::UDP_SEGMENT,
            (&raw mut value).cast(),
            &raw mut size,
        )
    };
    answer == 0
}

/// Opens an eventfd whose reads and writes do not block, and that a new program does not inherit: see
/// eventfd(2).
pub(super) fn eventfd() -> io::Result<File> {
    // SAFETY: the call takes no pointer.
    let descriptor = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
    if descriptor < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call has returned a new descriptor, which nothing else owns.
    Ok(unsafe { File::from_raw_fd(descriptor) })
}

/// Runs a full memory fence on every thread of this process: `membarrier(2)`, private and expedited.
/// Returns false if the kernel refuses.
#[cfg(not(miri))]
pub(super) fn process_barrier() -> bool {
    const RUN: libc::c_int = libc::MEMBARRIER_CMD_PRIVATE_EXPEDITED;
    const REGISTER: libc::c_int = libc::MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED;
    let membarrier = |command: libc::c_int| {
        // SAFETY: the call takes a command, flags and the number of a processor, and no pointer.
        unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) == 0 }
    };
    membarrier(RUN)
        // Not registered yet: this happens once in the life of a process.
        || (io::Error::last_os_error().raw_os_error() == Some(libc::EPERM)
            && membarrier(REGISTER)
            && membarrier(RUN))
}

/// Arranges for the sums of aggregated metrics to be 0 in each child that this process forks.
pub(crate) fn reset_sums_in_forked_children() {
    extern "C" fn reset() {
        freewheel_handoff::reset_sums_in_forked_child();
    }
    // SAFETY: the function is there for as long as the process runs, and only loads and stores
    // numbers, which the only thread of a forked child may do. A failure for lack of memory is
    // harmless: the child then sends what its parent counted too.
    unsafe { libc::pthread_atfork(None, None, Some(reset)) };
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{ErrorKind, Read, Write};

    #[test]
    fn an_eventfd_adds_what_is_written() {
        let eventfd = eventfd().unwrap();
        let mut count = [0; 8];
        assert_eq!((&eventfd).read(&mut count).unwrap_err().kind(), ErrorKind::WouldBlock);
        for _ in 0..3 {
            (&eventfd).write_all(&1_u64.to_ne_bytes()).unwrap();
        }
        (&eventfd).read_exact(&mut count).unwrap();
        assert_eq!(u64::from_ne_bytes(count), 3);
    }

    #[test]
    fn only_udp_sockets_know_segmentation() {
        let udp = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let (unix, _) = std::os::unix::net::UnixDatagram::pair().unwrap();
        assert!(knows_segmentation(&udp));
        assert!(!knows_segmentation(&unix));
    }

    #[test]
    fn a_process_barrier_runs_more_than_once() {
        assert!(process_barrier());
        assert!(process_barrier());
    }
}
