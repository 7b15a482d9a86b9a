//! Waiting for an answer: by a deadline that is its own, on any thread, and in any executor.
//!
//! Nothing here needs a runtime, a thread that is always there, a lock of the whole process, or the
//! thread's own storage: what waits may be a forked child, or a thread at its end.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::oneshot::{self, error::RecvError};
use tokio::task::unconstrained;

pub(crate) enum Answer<T> {
    Given(T),
    /// Who was asked is gone.
    NotGiven,
    /// The deadline came first.
    TooLate,
}

impl<T> From<Option<Result<T, RecvError>>> for Answer<T> {
    fn from(received: Option<Result<T, RecvError>>) -> Self {
        match received {
            Some(Ok(answer)) => Self::Given(answer),
            Some(Err(_)) => Self::NotGiven,
            None => Self::TooLate,
        }
    }
}

/// Asks, and blocks the thread until the answer or the deadline.
pub(crate) fn block<T>(
    limit: Duration,
    ask: impl FnOnce() + Send + 'static,
    answer: oneshot::Receiver<T>,
) -> Answer<T> {
    let deadline = Instant::now() + limit;
    if !is_to_ask_aside() {
        ask();
    } else if let Err(ask) = on_a_thread(ask, |ask| ask()) {
        ask();
    }
    block_until(deadline, answer).into()
}

/// Asks, and waits until the answer or the deadline, in whatever polls it.
///
/// A thread of its own keeps the deadline, for as long as it is waited for. That must not depend on tokio's
/// clock: the executor need not be tokio's; and where it is, that its runtime has a clock, and that this
/// turns while it waits, cannot be told.
pub(crate) async fn within<T>(
    limit: Duration,
    ask: impl FnOnce() + Send + 'static,
    answer: oneshot::Receiver<T>,
) -> Answer<T> {
    let deadline = Instant::now() + limit;
    let mut ask = Some(ask);
    if !is_to_ask_aside() {
        ask.take().into_iter().for_each(|ask| ask());
    }
    let (mut rings, alarm) = oneshot::channel();
    let set = on_a_thread(ask, move |ask| {
        ask.into_iter().for_each(|ask| ask());
        let _ = block_until(deadline, rings.closed());
        let _ = rings.send(());
    });
    match set {
        Ok(()) => answer_or(alarm, answer).await,
        Err(ask) => {
            ask.into_iter().for_each(|ask| ask());
            impatiently(deadline, answer).await
        }
    }
    .into()
}

/// Whether another thread is to ask. What one of a runtime's several threads wakes may be left for that
/// very thread to run, and it may be about to block.
fn is_to_ask_aside() -> bool {
    let flavor = Handle::try_current().map(|runtime| runtime.runtime_flavor());
    flavor.is_ok_and(|flavor| flavor != RuntimeFlavor::CurrentThread)
}

/// The answer, or None when the alarm rings.
async fn answer_or<F: Future>(alarm: impl Future, answer: F) -> Option<F::Output> {
    // A task's budget is not renewed while another executor blocks it.
    let (mut alarm, mut answer) = (pin!(unconstrained(alarm)), pin!(unconstrained(answer)));
    poll_fn(|cx| match answer.as_mut().poll(cx) {
        Poll::Ready(answer) => Poll::Ready(Some(answer)),
        Poll::Pending => alarm.as_mut().poll(cx).map(|_| None),
    })
    .await
}

/// Where no thread can be had: asks to be polled again, and again.
async fn impatiently<F: Future>(deadline: Instant, future: F) -> Option<F::Output> {
    let mut future = pin!(unconstrained(future));
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending if Instant::now() >= deadline => Poll::Ready(None),
        Poll::Pending => {
            cx.waker().wake_by_ref();
            Poll::Pending
        }
    })
    .await
}

/// Does it on a thread that ends with it; gives it back if there is none to be had.
fn on_a_thread<T: Send + 'static>(task: T, run: impl FnOnce(T) + Send + 'static) -> Result<(), T> {
    let place = Arc::new(Mutex::new(Some(task)));
    let taken = Arc::clone(&place);
    let body = move || {
        if let Some(task) = take(&taken) {
            run(task);
        }
    };
    match thread::Builder::new().name("freewheel-wait".to_owned()).spawn(body) {
        Ok(_) => Ok(()),
        Err(_) => take(&place).map_or(Ok(()), Err),
    }
}

fn take<T>(place: &Mutex<Option<T>>) -> Option<T> {
    place.lock().unwrap_or_else(PoisonError::into_inner).take()
}

/// The future's output, or None if it takes longer. Blocks the thread.
pub(crate) fn block_until<F: Future>(deadline: Instant, future: F) -> Option<F::Output> {
    let signal = Arc::new(Signal::default());
    let waker = Waker::from(Arc::clone(&signal));
    // A task's budget is not renewed while it blocks.
    let mut future = pin!(unconstrained(future));
    loop {
        // Before the look, so that it is the last one after the deadline.
        let is_over = Instant::now() >= deadline;
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return Some(output),
            Poll::Pending if is_over => return None,
            Poll::Pending => signal.wait(deadline),
        }
    }
}

/// Not the thread's own parking, which a thread at its end no longer has.
#[derive(Default)]
struct Signal {
    is_given: Mutex<bool>,
    given: Condvar,
}

impl Signal {
    fn wait(&self, deadline: Instant) {
        let left = deadline.saturating_duration_since(Instant::now());
        let is_given = self.is_given.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.given.wait_timeout_while(is_given, left, |is_given| !*is_given);
        *waited.unwrap_or_else(PoisonError::into_inner).0 = false;
    }
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        *self.is_given.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.given.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);
    const SHORT: Duration = Duration::from_millis(20);

    /// What asks is answered by another thread, after a moment.
    fn asked<T: Send + 'static>(value: T) -> (impl FnOnce() + Send, oneshot::Receiver<T>) {
        let (reply, answer) = oneshot::channel();
        let ask = move || {
            thread::spawn(move || {
                thread::sleep(SHORT);
                let _ = reply.send(value);
            });
        };
        (ask, answer)
    }

    #[test]
    fn the_answer_ends_it_or_the_deadline() {
        let (ask, answer) = asked(17);
        assert!(matches!(block(LONG, ask, answer), Answer::Given(17)));
        let (_reply, answer) = oneshot::channel::<u8>();
        assert!(matches!(block(SHORT, || (), answer), Answer::TooLate));
        let (reply, answer) = oneshot::channel::<u8>();
        assert!(matches!(block(LONG, || drop(reply), answer), Answer::NotGiven));
    }

    #[test]
    fn and_so_in_any_executor_without_a_thread_too() {
        let wait = |limit, ask: Box<dyn FnOnce() + Send>, answer| {
            block_until(Instant::now() + LONG, within::<u8>(limit, ask, answer)).unwrap()
        };
        let (ask, answer) = asked(17);
        assert!(matches!(wait(LONG, Box::new(ask), answer), Answer::Given(17)));
        let (_reply, answer) = oneshot::channel();
        assert!(matches!(wait(SHORT, Box::new(|| ()), answer), Answer::TooLate));

        let by_itself = |limit, answer| {
            let wait = impatiently(Instant::now() + limit, answer);
            block_until(Instant::now() + LONG, wait).unwrap()
        };
        let (ask, answer) = asked(17);
        ask();
        assert_eq!(by_itself(LONG, answer), Some(Ok(17)));
        let (_reply, answer) = oneshot::channel::<u8>();
        assert_eq!(by_itself(SHORT, answer), None);
    }

    /// A wait that is given up keeps no thread.
    #[test]
    #[cfg(target_os = "linux")]
    fn nobody_waits_for_what_nobody_wants() {
        let threads = || std::fs::read_dir("/proc/self/task").unwrap().count();
        let before = threads();
        let (_reply, answer) = oneshot::channel::<u8>();
        let mut waits = Box::pin(within(LONG, || (), answer));
        let _ = waits.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        drop(waits);
        let start = Instant::now();
        while threads() > before && start.elapsed() < LONG / 2 {
            thread::sleep(SHORT);
        }
        assert!(start.elapsed() < LONG / 2);
    }
}
