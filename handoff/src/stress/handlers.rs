//! Stress test of signal handlers that emit records on the flusher thread, which consumes the
//! records.

#![allow(unsafe_code)]

use super::*;
use std::sync::OnceLock;
use std::sync::atomic::AtomicU64;

static EXCHANGE: OnceLock<Arc<Exchange>> = OnceLock::new();
static HANDLED: AtomicU64 = AtomicU64::new(0);

extern "C" fn emit_both(_signal: libc::c_int) {
    if let Some(exchange) = EXCHANGE.get() {
        exchange.push(1, b"0.0.\n");
        exchange.push_ordered(1, b"0.0.\n");
        HANDLED.fetch_add(2, Relaxed);
    }
}

fn handed_over(exchange: &Exchange) -> u64 {
    let Counts { accepted, full, reentrant, .. } = exchange.counts();
    accepted.records + full.records + reentrant.records
}

/// Checks that a signal handler that emits lines on the flusher thread never blocks, although
/// signals also interrupt the flusher's queue operations. All accepted lines must arrive.
#[test]
fn handler_on_the_flushers_thread_never_waits() {
    const TIME: Duration = Duration::from_secs(2);
    // Blocks of one line.
    let exchange = EXCHANGE.get_or_init(|| super::exchange(8, 4));
    // SAFETY: returns the ID of this thread, which outlives the thread that uses it.
    let flusher = unsafe { libc::pthread_self() };
    // SAFETY: the handler lives as long as the process, and no other code uses this signal.
    unsafe { libc::signal(libc::SIGUSR2, emit_both as *const () as libc::sighandler_t) };
    emit_both(0);
    let (sweeps, over) = (&AtomicU64::new(0), &AtomicBool::new(false));
    thread::scope(|scope| {
        let signals = scope.spawn(move || {
            let mut last = (0, Instant::now());
            while !over.load(Relaxed) {
                // SAFETY: the flusher's thread joins this one, so it is alive.
                unsafe { libc::pthread_kill(flusher, libc::SIGUSR2) };
                (0..200).for_each(|step| _ = std::hint::black_box(step));
                let now = sweeps.load(Relaxed);
                if now != last.0 {
                    last = (now, Instant::now());
                } else if last.1.elapsed() > WATCHDOG {
                    eprintln!("the flusher is blocked by its own thread's handler");
                    std::process::abort();
                }
            }
        });
        let (mut consumer, mut received) = (consumer(exchange), 0);
        let begun = Instant::now();
        // On a busy machine it takes longer until a signal interrupts a queue operation.
        let is_over = |emitted: Counts| {
            begun.elapsed() > WATCHDOG || emitted.reentrant.records > 0 && begun.elapsed() > TIME
        };
        while !is_over(exchange.counts()) {
            received += lines(&sweep_and_consume(&mut consumer, exchange, all)).count() as u64;
            sweeps.fetch_add(1, Relaxed);
        }
        over.store(true, Relaxed);
        signals.join().expect("no panic");
        // The last signal has arrived by now: it was sent to this thread.
        assert_eq!(HANDLED.load(Relaxed), handed_over(exchange));
        // Records wait for blocks, which each round of consumption gives back.
        loop {
            let more = lines(&sweep_and_consume(&mut consumer, exchange, all)).count() as u64;
            received += more;
            if more == 0 {
                break;
            }
        }
        let emitted = exchange.counts();
        assert!(emitted.reentrant.records > 0, "no signal interrupted a queue operation");
        assert_eq!(received, emitted.accepted.records);
    });
}
