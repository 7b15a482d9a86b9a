//! What callers may do at the same time, all at the same time.

// In a test, that is an assertion.
#![allow(clippy::unwrap_used)]

mod support;

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};
use support::{TcpReceiver, assert_balanced, emit_numbered, flush, started, tcp};

/// Long enough for all sorts of moments.
const A_WHILE: Duration = Duration::from_secs(1);

/// Nobody who reads the account finds more sent than accepted, whenever it is read.
#[test]
fn no_line_is_sent_before_it_is_emitted() {
    let receiver = TcpReceiver::start();
    let statsd = &started(tcp(receiver.port()).queue_capacity(64 << 10));
    let over = &AtomicBool::new(false);
    thread::scope(|scope| {
        for thread in 0..3 {
            scope.spawn(move || {
                let numbers = (0..).take_while(|_| !over.load(Relaxed));
                numbers.for_each(|number| _ = emit_numbered(statsd, thread, number));
            });
        }
        let begun = Instant::now();
        let looks = std::iter::repeat_with(|| statsd.stats());
        let wrong = looks.take_while(|_| begun.elapsed() < A_WHILE).find(|stats| {
            let gone = stats.sent + stats.lost() + stats.dropped();
            gone.lines > stats.emitted.lines || gone.bytes > stats.emitted.bytes
        });
        // Before the assertion: a panic would wait for the other threads.
        over.store(true, Relaxed);
        assert_eq!(wrong, None);
    });
    flush(statsd);
    assert_balanced(&statsd.stats());
}
