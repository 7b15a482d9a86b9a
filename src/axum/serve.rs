//! Functions that start the connector, serve an axum router until a signal, and then stop the
//! connector.

use super::{ShutdownSignal, instrument};
use crate::config::Settings;
use crate::connector::Connector;
use crate::error::{BuildError, StartError};
use crate::log_thread::log_on_thread;
use crate::stats::StopReport;
use axum::Router;
use axum::serve::Listener;
use std::fmt;
use std::io;
use std::time::Duration;
use tokio::sync::oneshot;

/// Serves a router until SIGINT or SIGTERM, and times all of its requests.
///
/// The function performs these steps:
///
/// 1. It creates the [connector](Settings::connector) from the settings and the environment, and
///    starts the flusher on this runtime.
/// 2. It [instruments](instrument) the router, and serves it.
/// 3. After a signal it accepts no more connections, and closes those that are idle. It waits for
///    requests in flight until the [shutdown timeout](Settings::shutdown_timeout) (10 s) has passed.
///    Requests without a response by then end with the process.
/// 4. It [stops](crate::Connector::stop) the connector within its stop timeout (5 s). The report has
///    the number of lines that were not sent.
///
/// A shutdown therefore loses no metric of an answered request, provided that the server can be
/// reached. See the [module](super) for an example and for the parts.
///
/// # Errors
/// An invalid setting, before anything else happens. A failure to install the signal handlers, to
/// start the flusher, or to serve.
///
/// # Cancel safety
/// If the future is dropped, no more connections are accepted. Open connections are still served, and
/// the flusher ends with the last of them.
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
    // After an error the signals must still end the process, so this comes second.
    let signal = ShutdownSignal::install().map_err(ServeError::Io)?;
    run(listener, router, statsd, settings.shutdown_timeout, signal.received()).await
}

/// Serves a router as [`serve`] does, until the future `signal` completes.
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
        // The sender is dropped without a message only after serving has ended.
        let _ = is_stopping.await;
        tokio::time::sleep(shutdown_timeout).await;
    };
    let served = tokio::select! {
        served = serving => served,
        () = out_of_time => {
            // A log that blocks must not keep the connector from being stopped.
            log_on_thread(move || {
                tracing::warn!(
                    after = ?shutdown_timeout,
                    "the shutdown timeout passed with requests in flight"
                );
            });
            Ok(())
        }
    };
    let report = statsd.stop().await;
    served.map(|()| report).map_err(ServeError::Io)
}

/// Error of [`serve`] and of `serve_until`.
#[derive(Debug)]
#[non_exhaustive]
pub enum ServeError {
    /// Invalid setting or environment variable. The error message contains its name, its value and
    /// the accepted values.
    Settings(BuildError),
    /// Failure to start the flusher, the task that sends the metrics to the StatsD server.
    Start(StartError),
    /// I/O error of installing the signal handlers, or of serving connections.
    Io(io::Error),
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Settings(error) => error.fmt(f),
            Self::Start(_) => f.write_str("cannot start the flusher"),
            Self::Io(_) => f.write_str("cannot serve the service"),
        }
    }
}

impl std::error::Error for ServeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            // `Display` has already shown this error.
            Self::Settings(error) => error.source(),
            Self::Start(error) => Some(error),
            Self::Io(error) => Some(error),
        }
    }
}
