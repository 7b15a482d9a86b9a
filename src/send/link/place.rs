//! Places: what lies at a path, and whether that is still the same.

use socket2::{Domain, SockAddr, Socket, Type};
use std::fs::metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

pub(super) struct Place {
    path: PathBuf,
    /// Device, number, and when it was made: numbers are used again.
    socket: [i64; 4],
}

impl Place {
    pub(super) fn of(path: &Path) -> Option<Self> {
        Some(Self { path: path.to_owned(), socket: socket_at(path)? })
    }

    /// Whether the path leads to another socket than it did, and somebody listens there.
    pub(super) fn is_anothers(&self) -> bool {
        let is_another = socket_at(&self.path).is_some_and(|socket| socket != self.socket);
        is_another && is_listened_at(&self.path)
    }
}

fn socket_at(path: &Path) -> Option<[i64; 4]> {
    let data = metadata(path).ok()?;
    Some([data.dev().cast_signed(), data.ino().cast_signed(), data.ctime(), data.ctime_nsec()])
}

/// Does not wait: a listener whose queue is full is none.
fn is_listened_at(path: &Path) -> bool {
    let connect = || {
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        socket.connect(&SockAddr::unix(path)?)
    };
    connect().is_ok()
}
