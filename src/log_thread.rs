//! Threads that log warnings.
//!
//! A warning runs code of the application, its log subscriber. On the thread on which the warning
//! arises, this code could deadlock: the caller of the library may be initializing a static connector
//! which the subscriber uses, or may hold a lock that the subscriber takes. The flusher's warnings
//! arise in such calls too, since an application may drive or end the flusher's runtime there. So
//! each warning is logged on a separate thread, and no call waits for it longer than
//! [`MAX_LOGGING_TIME`].
//!
//! Where no thread can be started, the warnings are lost: on the current thread they could deadlock.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, TryRecvError};
use std::thread;
use std::time::Duration;

thread_local! {
    /// Flag that is true on a thread that logs warnings. Further warnings that arise in calls on this
    /// thread are discarded.
    static IS_LOGGING: Cell<bool> = const { Cell::new(false) };
}

/// Maximum time that a caller waits for its warnings to be logged.
const MAX_LOGGING_TIME: Duration = Duration::from_millis(50);

/// Warnings that are logged together, in order. Each one is a function that logs it.
#[derive(Default)]
pub(crate) struct Batch(Vec<Box<dyn FnOnce() + Send>>);

impl Batch {
    pub(crate) fn add(&mut self, log: impl FnOnce() + Send + 'static) {
        self.0.push(Box::new(log));
    }

    /// Logs the warnings on a separate thread. Waits for a short time until they are logged, so that
    /// they usually precede what the application logs next.
    pub(crate) fn log(self) {
        let mut thread = LogThread::default();
        thread.log(self);
        thread.wait();
    }
}

/// Logs a warning by the function `log`, as [`Batch::log()`] does.
pub(crate) fn log_on_thread(log: impl FnOnce() + Send + 'static) {
    let mut batch = Batch::default();
    batch.add(log);
    batch.log();
}

/// Logs warnings on a separate thread, as [`Batch::log()`] does.
pub(crate) fn log(warnings: Vec<String>) {
    let mut batch = Batch::default();
    for text in warnings {
        batch.add(move || tracing::warn!("{text}"));
    }
    batch.log();
}

/// Logger of batches of warnings, in order. Each batch has a short-lived thread.
#[derive(Default)]
pub(crate) struct LogThread {
    /// Channel whose sender is dropped once the last batch is logged.
    last: Option<mpsc::Receiver<()>>,
}

impl LogThread {
    /// Returns true while the last batch is being logged.
    ///
    /// A caller that then logs no further batch leaves at most one thread behind in a log that blocks
    /// forever.
    pub(crate) fn is_busy(&self) -> bool {
        self.last.as_ref().is_some_and(|last| last.try_recv() == Err(TryRecvError::Empty))
    }

    /// Logs the batch once the last one is logged, without waiting for either.
    ///
    /// Warnings that arise while a subscriber handles earlier ones are discarded. Such a subscriber
    /// builds another connector, which would recurse without end.
    pub(crate) fn log(&mut self, batch: Batch) {
        if batch.0.is_empty() || IS_LOGGING.try_with(Cell::get) != Ok(false) {
            return;
        }
        let dispatch = tracing::dispatcher::get_default(Clone::clone);
        let (done, finished) = mpsc::channel::<()>();
        let previous = self.last.replace(finished);
        let log_all = move || {
            let _ = IS_LOGGING.try_with(|is_logging| is_logging.set(true));
            if let Some(previous) = previous {
                let _ = previous.recv();
            }
            tracing::dispatcher::with_default(&dispatch, || batch.0.into_iter().for_each(guarded));
            drop(done);
        };
        // Without a thread the closure is dropped, and `done` with it.
        let _ = thread::Builder::new().name("freewheel-log".to_owned()).spawn(log_all);
    }

    /// Waits for a short time until all batches are logged.
    pub(crate) fn wait(&self) {
        if let Some(last) = &self.last {
            let _ = last.recv_timeout(MAX_LOGGING_TIME);
        }
    }
}

/// Calls `log`, and catches a panic of the application's log subscriber. This panic must not discard
/// the next warnings.
fn guarded(log: Box<dyn FnOnce() + Send>) {
    let _ = catch_unwind(AssertUnwindSafe(log));
}
