//! Identity of the Unix socket file at a path, to detect that another server has replaced it.

use socket2::{Domain, SockAddr, Socket, Type};
use std::fs::metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

pub(super) struct SocketIdentity {
    path: PathBuf,
    /// Device, inode number, and change time of the socket file (seconds and nanoseconds). The
    /// change time distinguishes files if an inode number is reused.
    file: [i64; 4],
}

impl SocketIdentity {
    /// Returns the identity of the socket at this path, or `None` if there is no file.
    pub(super) fn at(path: &Path) -> Option<Self> {
        Some(Self { path: path.to_owned(), file: file_at(path)? })
    }

    /// Returns true if another socket file lies at the path now, and a server listens there.
    pub(super) fn was_replaced(&self) -> bool {
        let is_another = file_at(&self.path).is_some_and(|file| file != self.file);
        is_another && has_listener(&self.path)
    }
}

fn file_at(path: &Path) -> Option<[i64; 4]> {
    let data = metadata(path).ok()?;
    Some([data.dev().cast_signed(), data.ino().cast_signed(), data.ctime(), data.ctime_nsec()])
}

/// Returns true if a connect to the Unix socket at this path succeeds at once. Returns false if the
/// queue of the listener is full.
fn has_listener(path: &Path) -> bool {
    let connect = || {
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        socket.connect(&SockAddr::unix(path)?)
    };
    connect().is_ok()
}
