//! A whole service: started, served and stopped.

use super::{ShutdownSignal, instrument};
use crate::connector::Connector;
use crate::error::{BuildError, StartError};
use crate::settings::Settings;
use crate::stats::StopReport;
use axum::Router;
use axum::serve::Listener;
use std::fmt;
use std::io;
use std::time::Duration;
use tokio::sync::oneshot;

/// Serves this router until SIGINT or SIGTERM, with all of its requests timed.
///
/// In this order:
///
/// 1. makes the [connector](Settings::connector) of the settings and the environment, and starts its
///    flusher on this runtime;
/// 2. [instruments](instrument) the router, and serves it;
/// 3. on a signal, accepts no more connections, ends those that are idle, and waits for requests in flight,
///    for as long as the [shutdown timeout](Settings::shutdown_timeout) (10 s). What is not answered by then
///    is left to end with the process;
/// 4. [stops](crate::Connector::stop) the connector within its stop timeout (5 s). The report says whether lines were
///    left behind.
///
/// So no metric of a request that was answered is lost by a shutdown, if the server takes it. See the
/// [module](super) for an example, and for the pieces.
///
/// # Errors
/// A bad setting, before anything else happens. Signals or a flusher that cannot be installed or started.
///
/// # Cancel safety
/// If the future is dropped, no more connections are accepted; those that are open go on. The flusher ends
/// with the last of them.
pub async fn serve<L>(
    listener: L,
    router: Router,
    settings: Settings,
) -> Result<StopReport, ServeError>
where
    L: Listener,
    L::Addr: fmt::Debug,
{
    let statsd = settings.connector().map_err(ServeError::Settings)?;
    // Taken over only now: after an error the program ends by them as before.
    let signal = ShutdownSignal::install().map_err(ServeError::Io)?;
    run(listener, router, statsd, settings.shutdown_timeout, signal.received()).await
}

/// [`serve`] for services that know by other means when to stop: when `signal` is ready.
///
/// # Errors
/// The errors of [`serve`], except those of the signals.
pub async fn serve_until<L>(
    listener: L,
    router: Router,
    settings: Settings,
    signal: impl Future<Output = ()> + Send + 'static,
) -> Result<StopReport, ServeError>
where
    L: Listener,
    L::Addr: fmt::Debug,
{
    let statsd = settings.connector().map_err(ServeError::Settings)?;
    run(listener, router, statsd, settings.shutdown_timeout, signal).await
}

async fn run<L>(
    listener: L,
    router: Router,
    statsd: Connector,
    shutdown_timeout: Duration,
    signal: impl Future<Output = ()> + Send + 'static,
) -> Result<StopReport, ServeError>
where
    L: Listener,
    L::Addr: fmt::Debug,
{
    statsd.start().await.map_err(ServeError::Start)?;
    let (stopping, is_stopping) = oneshot::channel();
    let serving = axum::serve(listener, instrument(router, &statsd))
        .with_graceful_shutdown(async {
            signal.await;
            let _ = stopping.send(());
        })
        .into_future();
    let out_of_time = async {
        // The sender is dropped unsent only where serving has ended.
        let _ = is_stopping.await;
        tokio::time::sleep(shutdown_timeout).await;
    };
    let served = tokio::select! {
        served = serving => served,
        () = out_of_time => {
            tracing::warn!(after = ?shutdown_timeout, "requests were left unanswered");
            Ok(())
        }
    };
    let report = statsd.stop().await;
    served.map(|()| report).map_err(ServeError::Io)
}

/// An error of [`serve`]. The text of a refused setting names the setting, its value and the accepted values.
#[derive(Debug)]
#[non_exhaustive]
pub enum ServeError {
    /// A setting, or a variable of the environment, is refused.
    Settings(BuildError),
    /// The flusher could not be started.
    Start(StartError),
    /// An I/O operation failed.
    Io(io::Error),
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Settings(refused) => refused.fmt(f),
            Self::Start(_) => f.write_str("cannot start the flusher"),
            Self::Io(_) => f.write_str("cannot serve the service"),
        }
    }
}

impl std::error::Error for ServeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            // Shown already.
            Self::Settings(refused) => refused.source(),
            Self::Start(error) => Some(error),
            Self::Io(error) => Some(error),
        }
    }
}
