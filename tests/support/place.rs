//! Paths for Unix sockets.

use freewheel::{Builder, Connector, Protocol};
use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A path of its own for each test, removed with it.
pub(crate) struct Place(PathBuf);

impl Place {
    pub(crate) fn new(name: &str) -> Self {
        let name = format!("freewheel-{}-{name}.sock", std::process::id());
        Self(std::env::temp_dir().join(name))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// A receiver of datagrams; whoever was there before is not found any more.
    pub(crate) fn bind(&self) -> UnixDatagram {
        let _ = fs::remove_file(&self.0);
        let receiver = UnixDatagram::bind(&self.0).expect("the path is free");
        receiver.set_read_timeout(Some(super::PATIENCE)).expect("a timeout above 0 is accepted");
        receiver
    }

    /// Settings that lose no time.
    pub(crate) fn settings(&self, protocol: Protocol) -> Builder {
        Connector::builder(self.0.to_str().expect("a path that is text"))
            .protocol(protocol)
            .type_prefixes(false)
            .flush_interval(Duration::from_millis(5))
            .reconnect_sleep(Duration::from_millis(10))
            .stop_timeout(super::PATIENCE)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}
