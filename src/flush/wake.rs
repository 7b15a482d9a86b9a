//! Waking the flusher from any thread, and from within a signal handler.
//!
//! tokio's own primitives take a mutex and the locks of its scheduler. A thread that a signal
//! interrupts may hold these, and a forked child may find them held forever. So on Unix the
//! flusher waits for a descriptor: write(2) takes no lock, and is async-signal-safe.

#[cfg(unix)]
pub(crate) use by_descriptor::Wake;
#[cfg(unix)]
pub(super) use by_descriptor::WakeListener;
#[cfg(not(unix))]
pub(crate) use by_notify::Wake;
#[cfg(not(unix))]
pub(super) use by_notify::WakeListener;

#[cfg(unix)]
mod by_descriptor {
    use std::future::pending;
    use std::io;
    use std::sync::{Arc, OnceLock};
    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;

    /// Signal that wakes the flusher task. A notification ends the current sleep of the flusher, or
    /// its next sleep; several notifications before that count as one.
    #[derive(Default)]
    pub(crate) struct Wake {
        descriptor: OnceLock<Box<ProcessDescriptor>>,
    }

    /// File descriptor through which the threads of one process wake the flusher. It is a node of a
    /// list, to which a forked child appends a node for itself.
    ///
    /// A child that restarts the connector has its own descriptor. If two flushers waited for one,
    /// each could take the other's notifications.
    struct ProcessDescriptor {
        process: u32,
        notifier: Arc<Notifier>,
        /// Descriptor of a forked child of this process: the next node of the list. Empty if no
        /// child has appended one.
        child: Wake,
    }

    impl Wake {
        /// Opens the file descriptor through which this process wakes its flusher, unless it is
        /// open. Before that, `notify` has no effect.
        pub(crate) fn prepare(&self) -> io::Result<()> {
            if self.own().is_none() {
                let notifier = Arc::new(Notifier::new()?);
                let process = std::process::id();
                let descriptor = ProcessDescriptor { process, notifier, child: Self::default() };
                // If two threads race, the first descriptor is kept.
                let _ = self.last().descriptor.set(Box::new(descriptor));
            }
            Ok(())
        }

        /// Wakes the flusher. It ignores a failed write: a write fails only if so many
        /// notifications wait that the flusher wakes anyway.
        pub(crate) fn notify(&self) {
            if let Some(own) = self.own() {
                own.notifier.notify();
            }
        }

        /// Returns a listener for the notifications, registered with the current tokio runtime.
        ///
        /// # Panics
        /// Panics if the runtime has no I/O driver.
        pub(crate) fn listen(&self) -> io::Result<WakeListener> {
            let own = self.own().ok_or(io::ErrorKind::NotFound)?;
            // The replacement exists since tokio 1.54 only. The descriptor lives as long as `self`.
            #[allow(deprecated)]
            AsyncFd::with_interest(Arc::clone(&own.notifier), Interest::READABLE).map(WakeListener)
        }

        /// Returns the descriptor that this process has opened to wake its flusher, or `None`. A
        /// descriptor that a parent process opened may be closed here, or its number may belong to
        /// another file.
        fn own(&self) -> Option<&ProcessDescriptor> {
            let first = self.descriptor.get();
            let newest =
                std::iter::successors(first, |older| older.child.descriptor.get()).last()?;
            (newest.process == std::process::id()).then_some(newest)
        }

        /// Returns the empty node at the end of the list of descriptors.
        fn last(&self) -> &Self {
            let mut last = self;
            while let Some(descriptor) = last.descriptor.get() {
                last = &descriptor.child;
            }
            last
        }
    }

    impl Drop for ProcessDescriptor {
        /// Closes the file descriptor only in the process that opened it. In a forked child, its
        /// number may already belong to another file.
        fn drop(&mut self) {
            if self.process != std::process::id() {
                std::mem::forget(Arc::clone(&self.notifier));
            }
        }
    }

    /// Receiver of the notifications of a [`Wake`], on which the flusher waits.
    pub(crate) struct WakeListener(AsyncFd<Arc<Notifier>>);

    impl WakeListener {
        /// Waits for the next notification. Cancel safe.
        pub(crate) async fn notified(&self) {
            match self.0.readable().await {
                Ok(mut readable) => {
                    self.0.get_ref().clear();
                    // Each notification makes the descriptor readable again.
                    readable.clear_ready();
                }
                // The runtime is shutting down, and the flusher with it.
                Err(_) => pending().await,
            }
        }
    }

    #[cfg(target_os = "linux")]
    use by_eventfd::Notifier;
    #[cfg(not(target_os = "linux"))]
    use by_socket_pair::Notifier;

    #[cfg(target_os = "linux")]
    mod by_eventfd {
        use crate::flush::system::eventfd;
        use std::fs::File;
        use std::io::{self, Write};
        use std::os::fd::{AsRawFd, RawFd};

        pub(crate) struct Notifier(File);

        impl Notifier {
            pub(super) fn new() -> io::Result<Self> {
                eventfd().map(Self)
            }

            pub(super) fn notify(&self) {
                let _ = (&self.0).write(&1_u64.to_ne_bytes());
            }

            /// Leaves the eventfd unread, since the listener gets an event for each write to it.
            /// The counter of the eventfd never reaches its limit of 2^64.
            pub(super) fn clear(&self) {}
        }

        impl AsRawFd for Notifier {
            fn as_raw_fd(&self) -> RawFd {
                self.0.as_raw_fd()
            }
        }
    }

    #[cfg(not(target_os = "linux"))]
    mod by_socket_pair {
        use std::io::{self, Read, Write};
        use std::os::fd::{AsRawFd, RawFd};
        use std::os::unix::net::UnixStream;

        pub(crate) struct Notifier {
            writer: UnixStream,
            reader: UnixStream,
        }

        impl Notifier {
            pub(super) fn new() -> io::Result<Self> {
                let (writer, reader) = UnixStream::pair()?;
                writer.set_nonblocking(true)?;
                reader.set_nonblocking(true)?;
                Ok(Self { writer, reader })
            }

            pub(super) fn notify(&self) {
                let _ = (&self.writer).write(&[1]);
            }

            /// Reads all pending notifications from the reading end of the socket pair, so that the
            /// next notification causes a new event.
            pub(super) fn clear(&self) {
                while (&self.reader).read(&mut [0; 64]).is_ok_and(|read| read > 0) {}
            }
        }

        impl AsRawFd for Notifier {
            fn as_raw_fd(&self) -> RawFd {
                self.reader.as_raw_fd()
            }
        }
    }
}

#[cfg(not(unix))]
mod by_notify {
    use std::io;
    use std::sync::Arc;
    use tokio::sync::Notify;

    /// Signal that wakes the flusher task. A notification ends the current sleep of the flusher, or
    /// its next sleep.
    #[derive(Default)]
    pub(crate) struct Wake(Arc<Notify>);

    impl Wake {
        pub(crate) fn prepare(&self) -> io::Result<()> {
            Ok(())
        }

        pub(crate) fn notify(&self) {
            self.0.notify_one();
        }

        pub(crate) fn listen(&self) -> io::Result<WakeListener> {
            Ok(WakeListener(Arc::clone(&self.0)))
        }
    }

    /// Receiver of the notifications of a [`Wake`], on which the flusher waits.
    pub(crate) struct WakeListener(Arc<Notify>);

    impl WakeListener {
        /// Waits for the next notification. Cancel safe.
        pub(crate) async fn notified(&self) {
            self.0.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::runtime::Builder;
    use tokio::time::timeout;

    /// Maximum time that a test waits for a notification.
    const SOON: Duration = Duration::from_secs(10);

    /// Returns true if the future `notified` stays pending for 50 milliseconds, so that no
    /// notification waits.
    async fn is_quiet(notified: impl Future) -> bool {
        timeout(Duration::from_millis(50), notified).await.is_err()
    }

    fn block_on(test: impl Future) {
        Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
    }

    #[test]
    fn notifications_before_the_sleep_merge_into_one() {
        let wake = Wake::default();
        wake.prepare().unwrap();
        block_on(async {
            let listener = wake.listen().unwrap();
            assert!(is_quiet(listener.notified()).await);
            for count in [1, 2, 10_000] {
                (0..count).for_each(|_| wake.notify());
                timeout(SOON, listener.notified()).await.unwrap();
                assert!(is_quiet(listener.notified()).await, "after {count} notifications");
            }
        });
    }

    #[test]
    fn a_notification_before_the_first_listener_is_kept() {
        let wake = Wake::default();
        wake.notify();
        wake.prepare().unwrap();
        wake.notify();
        for _ in 0..2 {
            block_on(async { timeout(SOON, wake.listen().unwrap().notified()).await.unwrap() });
            // For the listener of the next runtime.
            wake.notify();
        }
    }

    /// Sends 10,000 notifications from another thread, each after the previous one is received.
    /// Each must end one wait of the listener, even if it comes before the wait.
    #[test]
    fn no_notification_is_lost() {
        let wake = &Wake::default();
        wake.prepare().unwrap();
        let (answers, answer) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                for _ in 0..10_000 {
                    wake.notify();
                    answer.recv_timeout(SOON).expect("each notification arrives");
                }
            });
            block_on(async {
                let listener = wake.listen().unwrap();
                for _ in 0..10_000 {
                    timeout(SOON, listener.notified()).await.expect("each notification arrives");
                    let _ = answers.send(());
                }
            });
        });
    }
}
