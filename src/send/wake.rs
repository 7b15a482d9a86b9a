//! How the flusher's sleep is ended: from any thread, and from within a signal handler.
//!
//! tokio's own ways take a mutex and its scheduler's locks, which a thread that a signal interrupts
//! may hold, and a forked child may find held for ever. So on Unix it is a descriptor that the
//! flusher waits for: write(2) takes no lock, and is async-signal-safe.

#[cfg(unix)]
pub(crate) use by_descriptor::Wake;
#[cfg(not(unix))]
pub(crate) use by_notify::Wake;

#[cfg(unix)]
mod by_descriptor {
    use std::future::pending;
    use std::io;
    use std::sync::{Arc, OnceLock};
    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;

    /// Ends the flusher's sleep, or its next one if it has not begun. Several calls before that are
    /// one.
    #[derive(Default)]
    pub(crate) struct Wake {
        wire: OnceLock<Box<Wire>>,
    }

    /// The descriptor of one process. A child that starts the connector anew has its own: in one
    /// that two flushers wait for, each could take the other's calls.
    struct Wire {
        process: u32,
        ends: Arc<Ends>,
        /// Of a child of this process.
        next: Wake,
    }

    impl Wake {
        /// Makes the descriptor, once in a process's life: before that nobody is woken.
        pub(crate) fn prepare(&self) -> io::Result<()> {
            if self.own().is_none() {
                let ends = Arc::new(Ends::new()?);
                let wire = Wire { process: std::process::id(), ends, next: Self::default() };
                // Two threads may have come here: the first descriptor is taken.
                let _ = self.free_place().wire.set(Box::new(wire));
            }
            Ok(())
        }

        /// Nothing that fails here is the caller's affair: what can is that enough calls wait.
        pub(crate) fn call(&self) {
            if let Some(wire) = self.own() {
                wire.ends.call();
            }
        }

        /// To on_link_event the calls in this runtime.
        ///
        /// # Panics
        /// If it has no I/O driver.
        pub(crate) fn listen(&self) -> io::Result<Ear> {
            let wire = self.own().ok_or(io::ErrorKind::NotFound)?;
            // What is to be used instead, tokio has since 1.54 only. The descriptor lives as long as this.
            #[allow(deprecated)]
            AsyncFd::with_interest(Arc::clone(&wire.ends), Interest::READABLE).map(Ear)
        }

        /// This process's: another's descriptor may be closed by now, and its number that of another file.
        fn own(&self) -> Option<&Wire> {
            let last =
                std::iter::successors(self.wire.get(), |wire| wire.next.wire.get()).last()?;
            (last.process == std::process::id()).then_some(last)
        }

        fn free_place(&self) -> &Self {
            let mut place = self;
            while let Some(wire) = place.wire.get() {
                place = &wire.next;
            }
            place
        }
    }

    /// The flusher's side.
    pub(crate) struct Ear(AsyncFd<Arc<Ends>>);

    impl Ear {
        /// Waits for the next call. Cancel safe.
        pub(crate) async fn called(&self) {
            match self.0.readable().await {
                Ok(mut readable) => {
                    self.0.get_ref().on_link_event();
                    // Each call makes it readable anew.
                    readable.clear_ready();
                }
                // The runtime is being shut down, and the flusher with it.
                Err(_) => pending().await,
            }
        }
    }

    #[cfg(not(target_os = "linux"))]
    use elsewhere::Ends;
    #[cfg(target_os = "linux")]
    use on_linux::Ends;

    #[cfg(target_os = "linux")]
    mod on_linux {
        use rustix::event::{EventfdFlags, eventfd};
        use std::io;
        use std::os::fd::{AsRawFd, OwnedFd, RawFd};

        pub(crate) struct Ends(OwnedFd);

        impl Ends {
            pub(super) fn new() -> io::Result<Self> {
                Ok(Self(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?))
            }

            pub(super) fn call(&self) {
                let _ = rustix::io::write(&self.0, &1_u64.to_ne_bytes());
            }

            /// It is never read: each call is an event of its own, and the sum of 2^64 is never reached.
            pub(super) fn on_link_event(&self) {}
        }

        impl AsRawFd for Ends {
            fn as_raw_fd(&self) -> RawFd {
                self.0.as_raw_fd()
            }
        }
    }

    #[cfg(not(target_os = "linux"))]
    mod elsewhere {
        use std::io::{self, Read, Write};
        use std::os::fd::{AsRawFd, RawFd};
        use std::os::unix::net::UnixStream;

        pub(crate) struct Ends {
            calls: UnixStream,
            hears: UnixStream,
        }

        impl Ends {
            pub(super) fn new() -> io::Result<Self> {
                let (calls, hears) = UnixStream::pair()?;
                calls.set_nonblocking(true)?;
                hears.set_nonblocking(true)?;
                Ok(Self { calls, hears })
            }

            pub(super) fn call(&self) {
                let _ = (&self.calls).write(&[1]);
            }

            pub(super) fn on_link_event(&self) {
                while (&self.hears).read(&mut [0; 64]).is_ok_and(|read| read > 0) {}
            }
        }

        impl AsRawFd for Ends {
            fn as_raw_fd(&self) -> RawFd {
                self.hears.as_raw_fd()
            }
        }
    }
}

#[cfg(not(unix))]
mod by_notify {
    use std::io;
    use std::sync::Arc;
    use tokio::sync::Notify;

    /// Ends the flusher's sleep, or its next one if it has not begun.
    #[derive(Default)]
    pub(crate) struct Wake(Arc<Notify>);

    impl Wake {
        pub(crate) fn prepare(&self) -> io::Result<()> {
            Ok(())
        }

        pub(crate) fn call(&self) {
            self.0.notify_one();
        }

        pub(crate) fn listen(&self) -> io::Result<Ear> {
            Ok(Ear(Arc::clone(&self.0)))
        }
    }

    /// The flusher's side.
    pub(crate) struct Ear(Arc<Notify>);

    impl Ear {
        /// Waits for the next call. Cancel safe.
        pub(crate) async fn called(&self) {
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

    const SOON: Duration = Duration::from_secs(10);

    /// Whether nothing is heard, by when whatever was called is.
    async fn is_quiet(called: impl Future) -> bool {
        timeout(Duration::from_millis(50), called).await.is_err()
    }

    fn block_on(test: impl Future) {
        Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
    }

    #[test]
    fn a_call_before_the_sleep_is_kept_and_several_are_one() {
        let wake = Wake::default();
        wake.prepare().unwrap();
        block_on(async {
            let ear = wake.listen().unwrap();
            assert!(is_quiet(ear.called()).await);
            for calls in [1, 2, 10_000] {
                (0..calls).for_each(|_| wake.call());
                timeout(SOON, ear.called()).await.unwrap();
                assert!(is_quiet(ear.called()).await, "after {calls} calls");
            }
        });
    }

    #[test]
    fn a_call_before_anybody_listens_is_kept() {
        let wake = Wake::default();
        wake.call();
        wake.prepare().unwrap();
        wake.call();
        for _ in 0..2 {
            block_on(async { timeout(SOON, wake.listen().unwrap().called()).await.unwrap() });
            // The next runtime's.
            wake.call();
        }
    }

    /// Each call ends a sleep, whenever it comes: here and there, at once.
    #[test]
    fn no_call_is_lost() {
        let wake = &Wake::default();
        wake.prepare().unwrap();
        let (answers, answer) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                for _ in 0..10_000 {
                    wake.call();
                    answer.recv_timeout(SOON).expect("a call was lost");
                }
            });
            block_on(async {
                let ear = wake.listen().unwrap();
                for _ in 0..10_000 {
                    timeout(SOON, ear.called()).await.expect("a call was lost");
                    let _ = answers.send(());
                }
            });
        });
    }
}
