//! Test of the wake-ups between two bursts of datagrams. It reads the counters of all eventfds.

use crate::alone;
use freewheel::{Connector, Protocol};
use std::net::UdpSocket;

/// Returns the sum of the counters of all eventfds of this process. The flusher never resets its own.
fn wake_ups() -> u64 {
    let fds = std::fs::read_dir("/proc/self/fdinfo").unwrap();
    let texts = fds.filter_map(|fd| std::fs::read_to_string(fd.unwrap().path()).ok());
    let counter = |text: String| {
        let count = text.lines().find_map(|line| line.strip_prefix("eventfd-count:"))?.trim();
        Some(u64::from_str_radix(count, 16).unwrap())
    };
    texts.filter_map(counter).sum()
}

/// Fills much more than an eighth of the capacity while the flusher waits for the next burst. The thread
/// must not wake the flusher, which could not send earlier.
#[test]
fn no_thread_wakes_the_flusher_between_two_bursts() {
    let _alone = alone();
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    let builder = Connector::builder("127.0.0.1").port(server.local_addr().unwrap().port());
    let statsd = builder.protocol(Protocol::Udp).build().unwrap();
    let name = "x".repeat(90);
    let emit = |lines| (0..lines).for_each(|_| statsd.incr(&name));
    // One thread runs the flusher and this test, so the flusher does nothing while the test emits.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        statsd.start().await.unwrap();
        emit(3_000);
        while statsd.stats().sent.lines == 0 {
            tokio::task::yield_now().await;
        }
        assert!(statsd.stats().buffered.lines > 0, "the flusher has sent all in one burst");
        let before = wake_ups();
        emit(20_000);
        assert_eq!(wake_ups(), before);
        assert_eq!(statsd.stop().await.stats.dropped().lines, 0);
    });
}
