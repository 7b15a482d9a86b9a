//! Start, flush and stop of a connector's flusher, the task that sends the lines.

mod waiting;

use crate::config::FlusherThread;
use crate::emit::Consumer;
use crate::error::{FlushError, StartError};
use crate::flush::{
    Command, Flusher, Shared, Starter, warn_of_unfinished_start, warn_of_unfinished_stop,
};
use crate::stats::StopReport;
use crate::tally::Tally;
use std::io;
use std::mem::forget;
use std::process;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::runtime;
use tokio::sync::{mpsc, oneshot};
use waiting::Reply;

type Commands = mpsc::UnboundedSender<Command>;

/// Channel through which connectors and metrics send commands to their flusher task. Dropping the
/// last of these connectors and metrics closes the channel, and the flusher stops.
#[derive(Default)]
pub(crate) struct Lifecycle {
    /// Identifier of the process that last started the flusher, or 0 before the first start.
    ///
    /// In a forked child, `commands` holds the parent's sender, in its state at the fork. The child
    /// must neither use nor drop it.
    process: AtomicU32,
    commands: Mutex<Option<Commands>>,
}

/// Additional time, beyond the stop timeout, that the caller of a stop waits for the flusher's
/// report. An overloaded machine may take this long to run the flusher's thread.
const GRACE: Duration = Duration::from_millis(250);

/// Minimum time that a start waits for the flusher's first reply, even if the stop timeout is
/// shorter. A flusher that fails later than this is not noticed.
///
/// An overloaded machine takes a while to run a thread.
const MIN_START_TIMEOUT: Duration = Duration::from_secs(1);

impl Lifecycle {
    pub(crate) async fn start(&self, shared: &Arc<Shared>) -> Result<(), StartError> {
        let runtime = runtime::Handle::try_current().map_err(|_| StartError::NoRuntime)?;
        let (starter, started) = oneshot::channel();
        let flusher = self.flusher(shared, starter)?;
        let spawn = move || drop(runtime.spawn(flusher.run()));
        start_result(waiting::request(start_timeout(shared), spawn, started).await)
    }

    pub(crate) fn start_on_thread(&self, shared: &Arc<Shared>) -> Result<(), StartError> {
        let (starter, started) = oneshot::channel();
        let flusher = self.flusher(shared, starter)?;
        let FlusherThread { name, on_start } = shared.settings.thread.clone();
        let body = move || {
            if !on_start.is_none_or(|on_start| on_start.call()) {
                let error = io::Error::other("the function for the start of the thread panicked");
                return flusher.refuse(StartError::Thread(error));
            }
            // A runtime may be neither built nor dropped within another one, in which the caller
            // may run.
            match runtime::Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => {
                    runtime.block_on(flusher.run());
                    // A name lookup that hangs must not keep the thread.
                    runtime.shutdown_background();
                }
                Err(error) => flusher.refuse(StartError::Thread(error)),
            }
        };
        let thread = std::thread::Builder::new().name(name);
        thread.spawn(body).map_err(StartError::Thread)?;
        start_result(waiting::block_until(Instant::now() + start_timeout(shared), started).into())
    }

    /// Returns a new flusher with a new command channel, or an error if a flusher is already
    /// running.
    fn flusher(&self, shared: &Arc<Shared>, starter: Starter) -> Result<Flusher, StartError> {
        let is_forked = self.is_started_by_parent();
        shared.wake.prepare().map_err(StartError::Descriptor)?;
        let mut commands = self.lock_commands();
        let no_consumer = if is_forked { StartError::Forked } else { StartError::AlreadyRunning };
        let consumer = Consumer::claim(&shared.exchange).ok_or(no_consumer)?;
        let (sender, receiver) = mpsc::unbounded_channel();
        let previous = commands.replace(sender);
        // ORDERING: Relaxed. A thread that reads this process's id then takes the mutex. A thread
        // that reads an older value came before the start.
        self.process.store(process::id(), Relaxed);
        drop(commands);
        drop(previous);
        Ok(Flusher::new(consumer, Arc::clone(shared), receiver, starter))
    }

    fn lock_commands(&self) -> MutexGuard<'_, Option<Commands>> {
        self.commands.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns true if a parent of this process started the flusher, before a fork.
    fn is_started_by_parent(&self) -> bool {
        // ORDERING: Relaxed, as at the store.
        let starter = self.process.load(Relaxed);
        starter != 0 && starter != process::id()
    }

    /// Returns the sender of commands to the flusher, or `None` if no flusher runs in this process.
    fn commands(&self) -> Option<Commands> {
        // ORDERING: Relaxed, as at the store.
        if self.process.load(Relaxed) != process::id() {
            return None;
        }
        // The caller sends after the lock is released: a send wakes a task that may take other
        // locks.
        self.lock_commands().clone().filter(|commands| !commands.is_closed())
    }

    /// Returns a function that sends a command to the flusher, and the receiver of the flusher's
    /// reply. Returns `None` if no flusher runs in this process.
    fn command<T: Send + 'static>(
        &self,
        command: impl FnOnce(oneshot::Sender<T>) -> Command + Send + 'static,
    ) -> Option<(impl FnOnce() + Send + 'static, oneshot::Receiver<T>)> {
        let commands = self.commands()?;
        let (reply, answer) = oneshot::channel();
        // If the flusher has ended in between, the send fails and drops `reply`.
        let send = move || drop(commands.send(command(reply)));
        Some((send, answer))
    }

    pub(crate) async fn flush(&self, shared: &Shared) -> Result<(), FlushError> {
        let Some((send, reply)) = self.command(Command::Flush) else {
            return Err(FlushError::NotRunning);
        };
        flush_outcome(waiting::request(shared.settings.stop_timeout, send, reply).await)
    }

    pub(crate) fn blocking_flush(&self, shared: &Shared) -> Result<(), FlushError> {
        let Some((send, reply)) = self.command(Command::Flush) else {
            return Err(FlushError::NotRunning);
        };
        flush_outcome(waiting::blocking_request(shared.settings.stop_timeout, send, reply))
    }

    pub(crate) async fn stop(&self, shared: &Shared) -> StopReport {
        let sent_before = shared.account.sent.read();
        let limit = shared.settings.stop_timeout + GRACE;
        let reply = match self.command(move |reply| Command::Stop { sent_before, reply }) {
            Some((send, reply)) => waiting::request(limit, send, reply).await,
            None => Reply::Closed,
        };
        stop_report(shared, sent_before, reply)
    }

    pub(crate) fn blocking_stop(&self, shared: &Shared) -> StopReport {
        let sent_before = shared.account.sent.read();
        let limit = shared.settings.stop_timeout + GRACE;
        let reply = match self.command(move |reply| Command::Stop { sent_before, reply }) {
            Some((send, reply)) => waiting::blocking_request(limit, send, reply),
            None => Reply::Closed,
        };
        stop_report(shared, sent_before, reply)
    }

    /// Returns true if no flusher runs in this process, and no parent of this process started one
    /// before a fork.
    pub(crate) fn is_without_flusher(&self) -> bool {
        !self.is_started_by_parent() && !self.is_running()
    }

    /// Returns true if a flusher runs in this process.
    pub(crate) fn is_running(&self) -> bool {
        self.commands().is_some()
    }
}

impl Drop for Lifecycle {
    fn drop(&mut self) {
        let is_parents = self.is_started_by_parent();
        let commands = self.commands.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if is_parents {
            // Dropping the sender would wake the parent's flusher. That takes locks which may be
            // held forever in this process.
            forget(commands);
        } else if let Some(commands) = commands.filter(|commands| !commands.is_closed()) {
            // The channel is closed on return: a runtime that ends next then finds the handles
            // dropped.
            waiting::send_and_return(move || drop(commands));
        }
    }
}

fn start_timeout(shared: &Shared) -> Duration {
    shared.settings.stop_timeout.max(MIN_START_TIMEOUT)
}

/// Converts the flusher's reply to the result of a start. A timeout counts as success, with a
/// warning: the flusher begins once its runtime runs.
fn start_result(reply: Reply<Result<(), StartError>>) -> Result<(), StartError> {
    match reply {
        Reply::Received(result) => result,
        Reply::Closed => Err(StartError::UnsuitableRuntime),
        Reply::TimedOut => {
            warn_of_unfinished_start();
            Ok(())
        }
    }
}

fn flush_outcome(reply: Reply<Result<(), FlushError>>) -> Result<(), FlushError> {
    match reply {
        Reply::Received(outcome) => outcome,
        Reply::Closed => Err(FlushError::NotRunning),
        Reply::TimedOut => Err(FlushError::TimedOut),
    }
}

/// Returns the flusher's report of a stop. Without a reply in time, the function makes a report
/// from the counters, and logs a warning.
fn stop_report(shared: &Shared, sent_before: Tally, reply: Reply<StopReport>) -> StopReport {
    let unfinished = matches!(reply, Reply::TimedOut);
    if let Reply::Received(report) = reply {
        return report;
    }
    let undrained = shared.aggregates.undrained();
    let report = StopReport::new(shared.stats(), sent_before, Tally::default(), undrained);
    if unfinished {
        warn_of_unfinished_stop(shared, report.kept);
    }
    StopReport { unfinished, ..report }
}
