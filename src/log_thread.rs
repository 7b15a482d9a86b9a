//! Thread that logs a warning which arises in a call of the application.
//!
//! The caller may be initializing a static connector which the subscriber uses. On the caller's thread
//! the subscriber would wait for that static forever.

use std::cell::Cell;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

thread_local! {
    /// Flag that is true on a thread that logs warnings. Further warnings that arise in calls on this
    /// thread are discarded.
    static IS_LOGGING: Cell<bool> = const { Cell::new(false) };
}

/// Maximum time that the caller of [`log_on_thread()`] waits for its warnings to be logged.
const MAX_LOGGING_TIME: Duration = Duration::from_millis(50);

/// Logs warnings on a separate thread, and waits for a short time until they are logged.
pub(crate) fn log(warnings: Vec<String>) {
    if !warnings.is_empty() {
        log_on_thread(move || warnings.iter().for_each(|text| tracing::warn!("{text}")));
    }
}

/// Calls `log_all`, which logs warnings, on a separate thread. Waits for a short time until they are
/// logged, so that they usually precede what the application logs next.
///
/// Warnings that arise while a subscriber handles earlier ones are discarded. Such a subscriber builds
/// another connector, which would recurse without end.
pub(crate) fn log_on_thread(log_all: impl FnOnce() + Send + 'static) {
    if IS_LOGGING.try_with(Cell::get) != Ok(false) {
        return;
    }
    let dispatch = tracing::dispatcher::get_default(Clone::clone);
    let (done, finished) = mpsc::channel::<()>();
    let log = move || {
        let _ = IS_LOGGING.try_with(|is_logging| is_logging.set(true));
        tracing::dispatcher::with_default(&dispatch, log_all);
        drop(done);
    };
    if thread::Builder::new().name("freewheel-log".to_owned()).spawn(log).is_ok() {
        let _ = finished.recv_timeout(MAX_LOGGING_TIME);
    }
}
