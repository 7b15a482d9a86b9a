//! Test of the order in which the lines of one thread arrive.

use super::emitter::Emitter;
use crate::support::{
    TcpReceiver, assert_whole_and_in_order, emit_numbered, eventually, flush, started, tcp,
};

/// Lines of a thread arrive in order even if it fills its block while the flusher collects the
/// lines of all threads one by one. Newer lines in the thread's next block must not overtake the
/// full block.
#[test]
fn lines_of_a_thread_keep_their_order_across_blocks() {
    const IDLE: u64 = 100;
    let receiver = TcpReceiver::start();
    let statsd = started(tcp(receiver.port()).queue_capacity(4 << 10));
    // The idle threads make each sweep longer.
    let idle = Vec::from_iter((1..=IDLE).map(|thread| Emitter::spawn(&statsd, thread)));
    idle.iter().for_each(|emitter| emitter.emit(1));
    eventually("each idle thread has emitted its line", || statsd.stats().emitted.lines == IDLE);
    for number in 0..20_000 {
        emit_numbered(&statsd, 0, number);
        // The pause is long enough that a next block is always available.
        (0..100).for_each(|_| std::hint::spin_loop());
    }
    flush(&statsd);
    receiver.wait_for_lines(statsd.stats().sent.lines);
    assert_whole_and_in_order(&receiver.lines());
    drop(idle);
}
