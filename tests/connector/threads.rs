//! Tests of exiting threads: lines that a destructor emits at thread exit, and lines left in the
//! thread's block (its buffer).

use crate::support::{
    TcpReceiver, assert_balanced, emit_numbered, flush, numbers_by_thread, runtime, started, tcp,
    unused_port,
};
use freewheel::{Connector, Counter, SampleRate, Stats, Tally};
use std::cell::{Cell, RefCell};
use std::num::NonZeroU64;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;
use std::sync::mpsc::{self, Sender};
use std::thread;
use thread_local::ThreadLocal;

#[test]
fn a_timer_may_end_on_another_thread() {
    let receiver = TcpReceiver::start();
    let statsd = started(tcp(receiver.port()));
    thread::scope(|scope| {
        let timer = statsd.timer("a");
        scope.spawn(move || drop(timer));
    });
    runtime().block_on(async {
        let _timer = statsd.timer("b");
        tokio::task::yield_now().await;
    });
    flush(&statsd);
    receiver.wait_for_lines(2);
    let lines = receiver.lines();
    let recorded = |name: &str| lines.iter().filter(|line| line.starts_with(name)).count();
    assert_eq!((recorded("a:"), recorded("b:")), (1, 1), "{lines:?}");
}

/// Thread-local value that emits lines from its destructor, and reports to the test whether
/// emitting panicked.
struct EmitOnDrop {
    statsd: Connector,
    result: Sender<thread::Result<()>>,
}

impl Drop for EmitOnDrop {
    fn drop(&mut self) {
        // A panic that leaves this destructor would abort the process.
        let emit = AssertUnwindSafe(|| (0..10).for_each(|_| self.statsd.incr("at.exit")));
        let _ = self.result.send(catch_unwind(emit));
    }
}

thread_local! {
    static EMIT_ON_DROP: RefCell<Option<EmitOnDrop>> = const { RefCell::new(None) };
}

/// Runs `body` on a thread with a thread-local value, which emits lines from its destructor.
/// Asserts that each line is sent, or counted as dropped at thread exit.
///
/// The library's exit hook may run before or after the destructor.
///
/// `body` gets the value to store in `EMIT_ON_DROP`. `lines` is the number of all lines.
fn check_lines_at_exit(body: fn(&Connector, EmitOnDrop), lines: u64) -> Stats {
    let receiver = TcpReceiver::start();
    let statsd = started(tcp(receiver.port()));
    let (sender, result) = mpsc::channel();
    let value = EmitOnDrop { statsd: statsd.clone(), result: sender };
    let emitting = statsd.clone();
    thread::spawn(move || body(&emitting, value)).join().unwrap();
    result.recv().unwrap().expect("a destructor can emit");
    flush(&statsd);
    let stats = statsd.stats();
    assert_eq!(stats.emitted.lines, lines);
    assert_eq!(stats.sent.lines + stats.drops.thread_exit.lines, lines);
    assert_balanced(&stats);
    receiver.wait_for_lines(stats.sent.lines);
    stats
}

#[test]
fn destructor_after_the_connectors_own_may_emit() {
    let body = |statsd: &Connector, value| {
        EMIT_ON_DROP.set(Some(value));
        statsd.incr("a");
    };
    let _ = check_lines_at_exit(body, 11);
}

#[test]
fn destructor_before_the_connectors_own_may_emit() {
    let body = |statsd: &Connector, value| {
        statsd.incr("a");
        EMIT_ON_DROP.set(Some(value));
    };
    let _ = check_lines_at_exit(body, 11);
}

#[test]
fn a_thread_may_emit_only_when_it_ends() {
    check_lines_at_exit(|_, value| EMIT_ON_DROP.set(Some(value)), 10);
}

#[test]
fn exiting_thread_can_emit_into_a_second_connector() {
    let body = |_: &Connector, value| {
        EMIT_ON_DROP.set(Some(value));
        tcp(1).build().unwrap().incr("a");
    };
    check_lines_at_exit(body, 10);
}

/// The first line of a thread is not dropped, even if a late destructor emits it. That destructor
/// runs after the crate `thread_local` has destroyed its own value for the thread.
#[test]
fn first_line_in_a_late_destructor_is_accounted_for() {
    let body = |_: &Connector, value| {
        EMIT_ON_DROP.set(Some(value));
        ThreadLocal::new().get_or(|| ());
    };
    let stats = check_lines_at_exit(body, 10);
    assert_eq!(stats.drops.thread_exit.lines, 0);
}

/// Sampled counter that the destructor of a thread's storage in libc increments, and the key of this
/// storage.
#[cfg(unix)]
static SAMPLED: OnceLock<(Counter, libc::pthread_key_t)> = OnceLock::new();

#[cfg(unix)]
thread_local! {
    /// Number of rounds of destructors that libc has begun on this thread.
    static ROUNDS: Cell<u32> = const { Cell::new(0) };
}

/// A sampled line may be emitted, for the first time on its thread, in the last round of libc's
/// destructors. The thread-local values and the thread's handle of the standard library are gone by
/// then. The line is dropped and counted.
#[test]
#[cfg(unix)]
#[allow(unsafe_code)]
fn sampled_line_in_the_last_destructor_is_counted() {
    extern "C" fn destructor(value: *mut libc::c_void) {
        let (counter, key) = SAMPLED.get().unwrap();
        if ROUNDS.replace(ROUNDS.get() + 1) < 3 {
            // SAFETY: the key is valid until the process ends. A value asks for another round.
            unsafe { libc::pthread_setspecific(*key, value) };
        } else {
            (0..100).for_each(|_| counter.incr());
        }
    }
    let receiver = TcpReceiver::start();
    let statsd = started(tcp(receiver.port()));
    let mut key = 0;
    // SAFETY: the destructor is valid until the process ends.
    assert_eq!(unsafe { libc::pthread_key_create(&raw mut key, Some(destructor)) }, 0);
    let half = SampleRate::one_in(NonZeroU64::new(2).unwrap());
    let counter = statsd.metric::<Counter>("sampled").sample_rate(half).build();
    SAMPLED.set((counter, key)).unwrap();
    let emitting = statsd.clone();
    let body = move || {
        emitting.incr("a");
        // SAFETY: the key is valid until the process ends. The value is never read.
        unsafe { libc::pthread_setspecific(key, (&raw const SAMPLED).cast()) };
    };
    thread::spawn(body).join().unwrap();
    flush(&statsd);
    let stats = statsd.stats();
    assert!(stats.drops.thread_exit.lines > 0, "{stats:?}");
    assert_balanced(&stats);
}

#[test]
fn short_lived_threads_lose_nothing() {
    let receiver = TcpReceiver::start();
    let statsd = started(tcp(receiver.port()));
    let mut emitted = Tally::default();
    for wave in 0..100 {
        let threads = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map(|thread| {
            let statsd = statsd.clone();
            let emit = move |number| emit_numbered(&statsd, wave * 10 + thread, number);
            thread::spawn(move || (0..10).map(emit).fold(Tally::default(), |a, b| a + b))
        });
        emitted = threads.into_iter().fold(emitted, |sum, thread| sum + thread.join().unwrap());
    }
    flush(&statsd);
    let stats = statsd.stats();
    assert_eq!((stats.emitted, stats.sent), (emitted, emitted));
    receiver.wait_for_lines(10_000);
    let threads = numbers_by_thread(&receiver.lines());
    assert_eq!(threads.len(), 1_000);
    assert!(threads.values().all(|numbers| numbers.iter().copied().eq(0..10)));
}

/// A new thread reuses the block (buffer) of an exited thread. The test runs a thousand short-lived
/// threads, which would otherwise buffer far more bytes.
#[test]
fn short_lived_threads_share_their_memory() {
    const BLOCK: u64 = 1 << 10;
    /// Maximum number of blocks (buffers) that a thousand short-lived test threads use in turn.
    /// Threads of other tests may hold some of the reusable thread IDs at the same time, which
    /// raises the number.
    const SLOTS: u64 = 200;
    let statsd = tcp(unused_port()).queue_capacity(BLOCK as usize).build().unwrap();
    let mut emitted = Tally::default();
    for thread in 0..1_000 {
        let emit = |number| emit_numbered(&statsd, thread, number);
        let ten_lines = || (0..10).map(emit).fold(Tally::default(), |a, b| a + b);
        emitted += thread::scope(|scope| scope.spawn(ten_lines).join().unwrap());
    }
    let stats = statsd.stats();
    assert_eq!(stats.emitted, emitted);
    assert!(stats.buffered.bytes <= (1 + SLOTS) * BLOCK, "{stats:?}");
    assert_balanced(&stats);
}
