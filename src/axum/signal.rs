//! Shutdown signals of the operating system.

use std::io;
use tokio::signal;

/// SIGINT or SIGTERM, or Ctrl-C where there are no signals.
///
/// From [`install`](Self::install) on these signals no longer end the process by themselves, for as long as
/// it runs.
#[derive(Debug)]
#[must_use = "the signals do nothing unless they are waited for"]
pub struct ShutdownSignal {
    #[cfg(unix)]
    interrupt: signal::unix::Signal,
    #[cfg(unix)]
    terminate: signal::unix::Signal,
}

impl ShutdownSignal {
    /// Takes over the signals. One that comes before [`received`](Self::received) is called is not
    /// missed.
    ///
    /// # Errors
    /// What the operating system says; and outside of a tokio runtime.
    ///
    /// # Panics
    /// In a tokio runtime without its I/O driver.
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

    /// Waits for one of them.
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
