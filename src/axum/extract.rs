//! Extractor for axum that gives request handlers the connector (the StatsD client).

use super::Statsd;
use super::instrument::ConnectorExtension;
use crate::connector::Connector;
use crate::log_thread::log_on_thread;
use axum::extract::FromRequestParts;
use http::request::Parts;
use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Extracts the [`Connector`] that [`instrument`](super::instrument) added to the request's extensions.
///
/// Without one, for example in the test of a handler, the connector is disabled. The first such
/// extraction logs a warning.
impl<S: Sync> FromRequestParts<S> for Statsd {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        static WARNED: AtomicBool = AtomicBool::new(false);
        let Some(extension) = parts.extensions.get::<ConnectorExtension>() else {
            // ORDERING: Relaxed. Only the first exchange matters.
            if !WARNED.load(Relaxed) && !WARNED.swap(true, Relaxed) {
                // A subscriber may block or panic, which must not be the request's concern.
                log_on_thread(|| {
                    tracing::warn!(
                        "a handler's metrics are discarded: its router is not instrumented"
                    );
                });
            }
            return Ok(Self::new(Connector::disabled()));
        };
        Ok(Self::new(extension.connector().clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::pin;
    use std::sync::mpsc;
    use std::task::{Context, Poll, Waker};
    use std::time::Duration;
    use tracing::span;

    fn extract() {
        let (mut parts, ()) = http::Request::new(()).into_parts();
        let extracted = pin!(Statsd::from_request_parts(&mut parts, &()));
        assert!(matches!(
            extracted.poll(&mut Context::from_waker(Waker::noop())),
            Poll::Ready(Ok(_))
        ));
    }

    /// Test subscriber for `tracing`. For each event, the subscriber extracts a connector from an
    /// empty request, and then sends a message on a channel.
    struct Extracting(mpsc::Sender<()>);

    impl tracing::Subscriber for Extracting {
        fn enabled(&self, _metadata: &tracing::Metadata<'_>) -> bool {
            true
        }
        fn event(&self, _event: &tracing::Event<'_>) {
            extract();
            let _ = self.0.send(());
        }
        fn new_span(&self, _span: &span::Attributes<'_>) -> span::Id {
            span::Id::from_u64(1)
        }
        fn record(&self, _span: &span::Id, _values: &span::Record<'_>) {}
        fn record_follows_from(&self, _span: &span::Id, _follows: &span::Id) {}
        fn enter(&self, _span: &span::Id) {}
        fn exit(&self, _span: &span::Id) {}
    }

    /// Extracts a connector from two requests that have none, which logs a warning. The `tracing`
    /// subscriber also extracts a connector while it handles the warning. The test must not
    /// deadlock, and the warning must come once.
    ///
    /// The test uses a separate thread, which a held lock would block forever.
    #[test]
    fn subscriber_may_extract_during_the_warning() {
        let (warned, warnings) = mpsc::channel();
        // With a single subscriber in the process, tracing asks the subscriber of the thread that meets
        // a callsite first, which may be another test's thread without one.
        let second = tracing::Dispatch::new(Extracting(warned.clone()));
        std::thread::spawn(|| {
            tracing::subscriber::with_default(Extracting(warned), || {
                extract();
                extract();
            });
        });
        assert!(
            warnings.recv_timeout(Duration::from_secs(30)).is_ok(),
            "no warning, or a deadlock"
        );
        drop(second);
        assert!(warnings.recv_timeout(Duration::from_secs(30)).is_err(), "a second warning");
    }
}
