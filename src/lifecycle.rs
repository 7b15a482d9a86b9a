//! Starting and stopping: what the handles of one connector own together.

use crate::error::StartError;
use crate::handoff::{Exchange, Tally};
use crate::send::{Command, Flusher, Shared};
use crate::stats::{FlushOutcome, StopReport};
use futures_timer::Delay;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;
use tokio::runtime;
use tokio::sync::{mpsc, oneshot};

/// Held by the handles alone: when the last is dropped, so is the sender, and the flusher
/// learns that it is to end.
#[derive(Default)]
pub(crate) struct Lifecycle {
    commands: Mutex<Option<mpsc::UnboundedSender<Command>>>,
}

/// What a deadline of the flusher's is given beyond it before its owner stops waiting: the
/// flusher's own word is the better one, if its runtime lets it speak. A machine with more to do
/// than it can takes this long to let a thread run.
const GRACE: Duration = Duration::from_millis(250);

impl Lifecycle {
    pub(crate) async fn start(&self, shared: &Arc<Shared>) -> Result<(), StartError> {
        let runtime = runtime::Handle::try_current().map_err(|_| StartError::NoRuntime)?;
        let (running, runs) = oneshot::channel();
        let flusher = self.flusher(shared)?;
        runtime.spawn(flusher.run(running));
        runs.await.map_err(|_| StartError::RuntimeUnfit)
    }

    pub(crate) fn start_on_thread(&self, shared: &Arc<Shared>) -> Result<(), StartError> {
        let flusher = self.flusher(shared)?;
        let (built, is_built) = std::sync::mpsc::channel();
        let body = move || {
            // Built here: it may neither be built nor dropped where the caller might be, in
            // another runtime.
            match runtime::Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => {
                    let _ = built.send(Ok(()));
                    let (running, _) = oneshot::channel();
                    runtime.block_on(flusher.run(running));
                    // A name look-up that hangs must not keep the thread.
                    runtime.shutdown_background();
                }
                Err(error) => {
                    drop(flusher);
                    let _ = built.send(Err(error));
                }
            }
        };
        let thread = std::thread::Builder::new().name("freewheel".to_owned());
        thread.spawn(body).map_err(StartError::Thread)?;
        match is_built.recv() {
            Ok(built) => built.map_err(StartError::Thread),
            Err(_) => Err(StartError::RuntimeUnfit),
        }
    }

    /// The one flusher, if there is none.
    fn flusher(&self, shared: &Arc<Shared>) -> Result<Flusher, StartError> {
        let mut place = self.commands.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = Exchange::collector(&shared.exchange).ok_or(StartError::AlreadyRunning)?;
        let (sender, receiver) = mpsc::unbounded_channel();
        *place = Some(sender);
        Ok(Flusher::new(lines, Arc::clone(shared), receiver))
    }

    fn send<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> oneshot::Receiver<T> {
        let (reply, answer) = oneshot::channel();
        let place = self.commands.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = &*place {
            // Refused if the flusher has ended: then the answer is that there is none.
            let _ = sender.send(command(reply));
        }
        answer
    }

    pub(crate) async fn flush(&self, shared: &Shared) -> FlushOutcome {
        let answer = self.send(Command::Flush);
        match within(shared.settings.stop_timeout, answer).await {
            Some(Ok(outcome)) => outcome,
            Some(Err(_)) => FlushOutcome::NotRunning,
            None => FlushOutcome::TimedOut,
        }
    }

    pub(crate) async fn stop(&self, shared: &Shared) -> StopReport {
        let before = shared.account.sent.read();
        let answer = self.send(Command::Stop);
        match within(shared.settings.stop_timeout + GRACE, answer).await {
            Some(Ok(report)) => report,
            answer => StopReport {
                // Not heard of where its runtime does not let it run; otherwise there is none.
                unfinished: answer.is_none(),
                ..StopReport::new(shared.stats(), before, Tally::default())
            },
        }
    }

    /// Whether there is a flusher.
    pub(crate) fn is_running(&self) -> bool {
        let place = self.commands.lock().unwrap_or_else(PoisonError::into_inner);
        place.as_ref().is_some_and(|sender| !sender.is_closed())
    }
}

/// The future's output, or None if it takes longer. Works in any executor, since a connector
/// on a thread of its own has users without tokio.
async fn within<F: Future>(limit: Duration, future: F) -> Option<F::Output> {
    let (mut future, mut delay) = (pin!(future), pin!(Delay::new(limit)));
    std::future::poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => delay.as_mut().poll(cx).map(|()| None),
    })
    .await
}
