//! Paths for the Unix sockets of the tests.

use freewheel::{Builder, Connector, Protocol};
use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Path of a Unix socket that only one test uses. Dropping this value removes the socket's file.
pub(crate) struct SocketPath(PathBuf);

impl SocketPath {
    /// Creates a path in the temporary directory from `name` and the process ID. Does not create a
    /// file.
    pub(crate) fn new(name: &str) -> Self {
        let name = format!("freewheel-{}-{name}.sock", std::process::id());
        Self(std::env::temp_dir().join(name))
    }

    /// Returns the path of the Unix socket.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Binds a Unix datagram socket at the path, and replaces any earlier socket.
    pub(crate) fn bind(&self) -> UnixDatagram {
        let _ = fs::remove_file(&self.0);
        let receiver = UnixDatagram::bind(&self.0).expect("the path is free");
        receiver.set_read_timeout(Some(super::WAIT_TIMEOUT)).expect("the timeout is not zero");
        receiver
    }

    /// Returns connector settings with short flush and reconnect intervals, for a server at this
    /// Unix socket path.
    pub(crate) fn settings(&self, protocol: Protocol) -> Builder {
        Connector::builder(self.0.to_str().expect("the path is UTF-8"))
            .protocol(protocol)
            .type_prefixes(false)
            .flush_interval(Duration::from_millis(5))
            .reconnect_sleep(Duration::from_millis(10))
            .stop_timeout(super::WAIT_TIMEOUT)
    }
}

impl Drop for SocketPath {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}
