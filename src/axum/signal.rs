//! Handling of the operating system's shutdown signals, such as SIGTERM.

use std::io;
use tokio::signal;

/// Handler of SIGINT and SIGTERM on Unix, and of Ctrl-C on other systems.
///
/// After [`install`](Self::install) these signals no longer end the process, even after the handler is
/// dropped.
#[derive(Debug)]
#[must_use = "the signals do nothing unless they are waited for"]
pub struct ShutdownSignal {
    #[cfg(unix)]
    interrupt: signal::unix::Signal,
    #[cfg(unix)]
    terminate: signal::unix::Signal,
}

impl ShutdownSignal {
    /// Installs the signal handlers. On Unix, a signal that arrives before the call of
    /// [`received`](Self::received) is not lost.
    ///
    /// # Errors
    /// The operating system refuses the handler, or the call is outside a tokio runtime.
    ///
    /// # Panics
    /// Panics in a tokio runtime without its I/O driver.
    pub fn install() -> io::Result<Self> {
        tokio::runtime::Handle::try_current().map_err(io::Error::other)?;
        #[cfg(unix)]
        {
            use signal::unix::{SignalKind, signal};
            let (interrupt, terminate) = (SignalKind::interrupt(), SignalKind::terminate());
            Ok(Self { interrupt: signal(interrupt)?, terminate: signal(terminate)? })
        }
        #[cfg(not(unix))]
        Ok(Self {})
    }

    /// Waits until SIGINT or SIGTERM arrives.
    #[cfg(unix)]
    pub async fn received(mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }

    /// Waits for Ctrl-C.
    #[cfg(not(unix))]
    pub async fn received(self) {
        if signal::ctrl_c().await.is_err() {
            // No handler can be installed, so the signal never comes.
            std::future::pending::<()>().await;
        }
    }
}
