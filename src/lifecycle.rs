//! Starting and stopping: what the handles of one connector own together.

use crate::error::{FlushError, StartError};
use crate::handoff::{Exchange, Tally};
use crate::send::{Command, Flusher, Shared};
use crate::stats::StopReport;
use crate::waiting::{self, Answer};
use std::mem::forget;
use std::process;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::runtime;
use tokio::sync::{mpsc, oneshot};

type Commands = mpsc::UnboundedSender<Command>;

/// Held by the handles alone: when the last is dropped, so is the sender, and the flusher
/// learns that it is to end.
#[derive(Default)]
pub(crate) struct Lifecycle {
    /// Which process started it last; 0 before. In a child of that one, what is below is the parent's,
    /// in whatever state the fork found it, and is left alone.
    process: AtomicU32,
    commands: Mutex<Option<Commands>>,
}

/// What a deadline of the flusher's is given beyond it before its owner stops waiting: the
/// flusher's own word is the better one, if its runtime lets it speak. A machine with more to do
/// than it can takes this long to let a thread run.
const GRACE: Duration = Duration::from_millis(250);

impl Lifecycle {
    pub(crate) async fn start(&self, shared: &Arc<Shared>) -> Result<(), StartError> {
        let runtime = runtime::Handle::try_current().map_err(|_| StartError::NoRuntime)?;
        let flusher = self.flusher(shared)?;
        let (running, runs) = oneshot::channel();
        let ask = move || drop(runtime.spawn(flusher.run(running)));
        begun(waiting::within(shared.settings.stop_timeout, ask, runs).await)
    }

    pub(crate) fn start_on_thread(&self, shared: &Arc<Shared>) -> Result<(), StartError> {
        let flusher = self.flusher(shared)?;
        let (running, runs) = oneshot::channel();
        let body = move || {
            // Built here: it may neither be built nor dropped where the caller might be, in
            // another runtime.
            match runtime::Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => {
                    runtime.block_on(flusher.run(running));
                    // A name look-up that hangs must not keep the thread.
                    runtime.shutdown_background();
                }
                Err(error) => {
                    drop(flusher);
                    let _ = running.send(Err(StartError::Thread(error)));
                }
            }
        };
        let thread = std::thread::Builder::new().name("freewheel".to_owned());
        thread.spawn(body).map_err(StartError::Thread)?;
        let deadline = Instant::now() + shared.settings.stop_timeout;
        begun(waiting::block_until(deadline, runs).into())
    }

    /// The one flusher, if there is none.
    fn flusher(&self, shared: &Arc<Shared>) -> Result<Flusher, StartError> {
        let has_parents = self.is_parents();
        shared.wake.prepare().map_err(StartError::Descriptor)?;
        let mut place = self.place();
        let lines = Exchange::consumer(&shared.exchange);
        let lines = lines.ok_or(if has_parents {
            StartError::Forked
        } else {
            StartError::AlreadyRunning
        })?;
        let (sender, receiver) = mpsc::unbounded_channel();
        let last = place.replace(sender);
        // ORDERING: Relaxed. Whoever reads it as ours takes the mutex then; whoever does not yet, came
        // before the start.
        self.process.store(process::id(), Relaxed);
        drop(place);
        drop(last);
        Ok(Flusher::new(lines, Arc::clone(shared), receiver))
    }

    fn place(&self) -> MutexGuard<'_, Option<Commands>> {
        self.commands.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it was started by a process of which this one is a child.
    fn is_parents(&self) -> bool {
        // ORDERING: Relaxed. As where it is stored.
        let starter = self.process.load(Relaxed);
        starter != 0 && starter != process::id()
    }

    /// To the flusher. None if there is none in this process.
    fn commands(&self) -> Option<Commands> {
        // ORDERING: Relaxed. As where it is stored.
        if self.process.load(Relaxed) != process::id() {
            return None;
        }
        // Used when the lock is gone: what it wakes may take others.
        self.place().clone().filter(|commands| !commands.is_closed())
    }

    /// A question to the flusher, and where its answer comes. None if there is no flusher.
    fn question<T: Send + 'static>(
        &self,
        command: impl FnOnce(oneshot::Sender<T>) -> Command + Send + 'static,
    ) -> Option<(impl FnOnce() + Send + 'static, oneshot::Receiver<T>)> {
        let commands = self.commands()?;
        let (reply, answer) = oneshot::channel();
        // Refused if the flusher has ended meanwhile: then the answer is that there is none.
        let ask = move || drop(commands.send(command(reply)));
        Some((ask, answer))
    }

    pub(crate) async fn flush(&self, shared: &Shared) -> Result<(), FlushError> {
        let Some((ask, answer)) = self.question(Command::Flush) else {
            return Err(FlushError::NotRunning);
        };
        outcome(waiting::within(shared.settings.stop_timeout, ask, answer).await)
    }

    pub(crate) fn blocking_flush(&self, shared: &Shared) -> Result<(), FlushError> {
        let Some((ask, answer)) = self.question(Command::Flush) else {
            return Err(FlushError::NotRunning);
        };
        outcome(waiting::block(shared.settings.stop_timeout, ask, answer))
    }

    pub(crate) async fn stop(&self, shared: &Shared) -> StopReport {
        let before = shared.account.sent.read();
        let limit = shared.settings.stop_timeout + GRACE;
        let answer = match self.question(move |reply| Command::Stop(before, reply)) {
            Some((ask, answer)) => waiting::within(limit, ask, answer).await,
            None => Answer::NotGiven,
        };
        report(shared, before, answer)
    }

    pub(crate) fn blocking_stop(&self, shared: &Shared) -> StopReport {
        let before = shared.account.sent.read();
        let limit = shared.settings.stop_timeout + GRACE;
        let answer = match self.question(move |reply| Command::Stop(before, reply)) {
            Some((ask, answer)) => waiting::block(limit, ask, answer),
            None => Answer::NotGiven,
        };
        report(shared, before, answer)
    }

    /// Whether there is a flusher.
    pub(crate) fn is_running(&self) -> bool {
        self.commands().is_some()
    }
}

impl Drop for Lifecycle {
    fn drop(&mut self) {
        if self.is_parents() {
            // Its end would wake the parent's flusher, by locks that may be held for ever here.
            let commands = self.commands.get_mut().unwrap_or_else(PoisonError::into_inner);
            forget(commands.take());
        }
    }
}

/// Where nobody drives its runtime, the flusher begins when somebody does: it was started.
fn begun(answer: Answer<Result<(), StartError>>) -> Result<(), StartError> {
    match answer {
        Answer::Given(result) => result,
        Answer::NotGiven => Err(StartError::RuntimeUnfit),
        Answer::TooLate => Ok(()),
    }
}

fn outcome(answer: Answer<Result<(), FlushError>>) -> Result<(), FlushError> {
    match answer {
        Answer::Given(outcome) => outcome,
        Answer::NotGiven => Err(FlushError::NotRunning),
        Answer::TooLate => Err(FlushError::TimedOut),
    }
}

/// The flusher's; or the account's, where there is none, or its runtime does not let it run.
fn report(shared: &Shared, before: Tally, answer: Answer<StopReport>) -> StopReport {
    match answer {
        Answer::Given(report) => report,
        _ => StopReport {
            unfinished: matches!(answer, Answer::TooLate),
            ..StopReport::new(shared.stats(), before, Tally::default())
        },
    }
}
