//! Requests to the flusher task, such as a stop. The caller waits for the reply until a deadline,
//! on any thread and in any executor.
//!
//! This module needs no runtime, no permanent thread, no lock of the whole process, and no
//! thread-local storage: the caller may be a forked child, or a thread that is exiting.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::oneshot::{self, error::RecvError};
use tokio::task::{try_id, unconstrained};

pub(crate) enum Reply<T> {
    Received(T),
    /// The flusher has dropped the sender of the reply without replying.
    Closed,
    /// The deadline passed before the reply arrived.
    TimedOut,
}

impl<T> From<Option<Result<T, RecvError>>> for Reply<T> {
    fn from(received: Option<Result<T, RecvError>>) -> Self {
        match received {
            Some(Ok(reply)) => Self::Received(reply),
            Some(Err(_)) => Self::Closed,
            None => Self::TimedOut,
        }
    }
}

/// Calls `send`, which sends a request, and blocks the thread until the reply arrives or the time
/// `limit` has passed.
pub(crate) fn blocking_request<T>(
    limit: Duration,
    send: impl FnOnce() + Send + 'static,
    reply: oneshot::Receiver<T>,
) -> Reply<T> {
    let deadline = Instant::now() + limit;
    if !must_send_from_thread() {
        send();
    } else if let Err(send) = run_on_thread(send, |send| send()) {
        send();
    }
    block_until(deadline, reply).into()
}

/// Calls `send`, which sends a request, and waits until the reply arrives or the time `limit` has
/// passed. Works in any executor.
///
/// A thread keeps the deadline, and ends with the wait. tokio's clock cannot keep it: the executor
/// may not be tokio's. And it cannot be found out whether a tokio runtime has a clock that runs
/// during the wait.
pub(crate) async fn request<T>(
    limit: Duration,
    send: impl FnOnce() + Send + 'static,
    reply: oneshot::Receiver<T>,
) -> Reply<T> {
    let deadline = Instant::now() + limit;
    let mut send = Some(send);
    if !must_send_from_thread() {
        send.take().into_iter().for_each(|send| send());
    }
    let (mut timer, expired) = oneshot::channel();
    let started = run_on_thread(send, move |send| {
        send.into_iter().for_each(|send| send());
        let _ = block_until(deadline, timer.closed());
        let _ = timer.send(());
    });
    match started {
        Ok(_) => first_of(reply, expired).await,
        Err(send) => {
            send.into_iter().for_each(|send| send());
            busy_poll(deadline, reply).await
        }
    }
    .into()
}

/// Calls `send`, which wakes the flusher, and returns after that.
pub(crate) fn send_and_return(send: impl FnOnce() + Send + 'static) {
    if !must_send_from_thread() {
        return send();
    }
    match run_on_thread(send, |send| send()) {
        // A panic of `send` is reported already.
        Ok(thread) => drop(thread.join()),
        Err(send) => send(),
    }
}

/// Returns true if a separate thread must wake the flusher, because the caller may run on a worker
/// of a multi-threaded tokio runtime.
///
/// Such a worker may keep the task that it wakes for itself, and may be about to block.
fn must_send_from_thread() -> bool {
    // The handle of a task's thread may be that of another runtime, which the task has entered.
    let flavor = Handle::try_current().map(|runtime| runtime.runtime_flavor());
    try_id().is_some() || flavor.is_ok_and(|flavor| flavor != RuntimeFlavor::CurrentThread)
}

/// Returns the output of the future `reply`, or `None` if the future `expired` completes first.
async fn first_of<F: Future>(reply: F, expired: impl Future) -> Option<F::Output> {
    // If another executor blocks a tokio task, the budget of the task is not renewed.
    let (mut expired, mut reply) = (pin!(unconstrained(expired)), pin!(unconstrained(reply)));
    poll_fn(|cx| match reply.as_mut().poll(cx) {
        Poll::Ready(reply) => Poll::Ready(Some(reply)),
        Poll::Pending => expired.as_mut().poll(cx).map(|_| None),
    })
    .await
}

/// Polls the future in a loop until it is ready or the deadline has passed. Used if no thread can
/// be spawned.
async fn busy_poll<F: Future>(deadline: Instant, future: F) -> Option<F::Output> {
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

/// Calls the function `run` with the argument `task` on a new thread, and returns the thread. Returns
/// `task` as an error if no thread can be spawned.
fn run_on_thread<T: Send + 'static>(
    task: T,
    run: impl FnOnce(T) + Send + 'static,
) -> Result<JoinHandle<()>, T> {
    let slot = Arc::new(Mutex::new(Some(task)));
    let thread_slot = Arc::clone(&slot);
    let body = move || {
        if let Some(task) = take(&thread_slot) {
            run(task);
        }
    };
    let thread = thread::Builder::new().name("freewheel-wait".to_owned()).spawn(body);
    thread.map_err(|_| take(&slot).expect("only the thread takes the task"))
}

fn take<T>(slot: &Mutex<Option<T>>) -> Option<T> {
    slot.lock().unwrap_or_else(PoisonError::into_inner).take()
}

/// Blocks the thread until the future is ready or the deadline has passed. Returns the future's
/// output, or `None` after the deadline.
pub(crate) fn block_until<F: Future>(deadline: Instant, future: F) -> Option<F::Output> {
    let signal = Arc::new(Signal::default());
    let waker = Waker::from(Arc::clone(&signal));
    // While the thread blocks, the budget of a tokio task is not renewed.
    let mut future = pin!(unconstrained(future));
    loop {
        // The clock is read before the poll, so that the last poll comes after the deadline.
        let is_over = Instant::now() >= deadline;
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return Some(output),
            Poll::Pending if is_over => return None,
            Poll::Pending => signal.wait(deadline),
        }
    }
}

/// Waker that ends the wait of a blocked thread by a condition variable. Parking is not used, since
/// a thread that is exiting has lost its parker.
#[derive(Default)]
struct Signal {
    is_set: Mutex<bool>,
    condition: Condvar,
}

impl Signal {
    /// Waits until the signal is set or the deadline has passed, and then clears the signal.
    fn wait(&self, deadline: Instant) {
        let remaining = deadline.saturating_duration_since(Instant::now());
        let is_set = self.is_set.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.condition.wait_timeout_while(is_set, remaining, |is_set| !*is_set);
        *waited.unwrap_or_else(PoisonError::into_inner).0 = false;
    }
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        *self.is_set.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.condition.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);
    const SHORT: Duration = Duration::from_millis(20);

    /// Returns a function that starts a thread, which replies with `value` after 20 ms, and the
    /// receiver of this reply.
    fn answered<T: Send + 'static>(value: T) -> (impl FnOnce() + Send, oneshot::Receiver<T>) {
        let (sender, reply) = oneshot::channel();
        let send = move || {
            thread::spawn(move || {
                thread::sleep(SHORT);
                let _ = sender.send(value);
            });
        };
        (send, reply)
    }

    #[test]
    fn a_blocking_request_ends_by_reply_or_deadline() {
        let (send, reply) = answered(17);
        assert!(matches!(blocking_request(LONG, send, reply), Reply::Received(17)));
        let (_sender, reply) = oneshot::channel::<u8>();
        assert!(matches!(blocking_request(SHORT, || (), reply), Reply::TimedOut));
        let (sender, reply) = oneshot::channel::<u8>();
        assert!(matches!(blocking_request(LONG, || drop(sender), reply), Reply::Closed));
    }

    #[test]
    fn a_request_in_any_executor_ends_by_reply_or_deadline() {
        let wait = |limit, send: Box<dyn FnOnce() + Send>, reply| {
            block_until(Instant::now() + LONG, request::<u8>(limit, send, reply)).unwrap()
        };
        let (send, reply) = answered(17);
        assert!(matches!(wait(LONG, Box::new(send), reply), Reply::Received(17)));
        let (_sender, reply) = oneshot::channel();
        assert!(matches!(wait(SHORT, Box::new(|| ()), reply), Reply::TimedOut));

        let without_thread = |limit, reply| {
            let wait = busy_poll(Instant::now() + limit, reply);
            block_until(Instant::now() + LONG, wait).unwrap()
        };
        let (send, reply) = answered(17);
        send();
        assert_eq!(without_thread(LONG, reply), Some(Ok(17)));
        let (_sender, reply) = oneshot::channel::<u8>();
        assert_eq!(without_thread(SHORT, reply), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_cancelled_request_keeps_no_thread() {
        let threads = || std::fs::read_dir("/proc/self/task").unwrap().count();
        let before = threads();
        let (_sender, reply) = oneshot::channel::<u8>();
        let mut request = Box::pin(request(LONG, || (), reply));
        let _ = request.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        drop(request);
        let start = Instant::now();
        while threads() > before && start.elapsed() < LONG / 2 {
            thread::sleep(SHORT);
        }
        assert!(start.elapsed() < LONG / 2);
    }
}
