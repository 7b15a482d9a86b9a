//! Tests of TCP servers that send replies, although the StatsD protocol has none.

use crate::support::{
    WAIT_TIMEOUT, emit_all, emit_numbered, eventually, flush, numbers_by_thread, promptly, started,
    tcp,
};
use freewheel::{Counter, Tally};
use std::io::{Read, Write};
use std::mem::take;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};
use tokio::runtime::Builder as RuntimeBuilder;

/// A TCP server that sends replies sees an orderly end of its connection, because the client reads
/// the replies. Unread replies would turn the close into a reset, which discards data that the
/// server has not read.
#[test]
fn replying_server_sees_an_orderly_end() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let statsd = tcp(listener.local_addr().unwrap().port()).build().unwrap();
    let runtime = RuntimeBuilder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(statsd.start()).unwrap();
    emit_numbered(&statsd, 0, 0);
    assert_eq!(runtime.block_on(statsd.flush()), Ok(()));
    let (mut connection, _) = listener.accept().unwrap();
    // One read does not take all of these bytes, and the idle runtime does not read meanwhile.
    connection.write_all(&[b'x'; 40_000]).unwrap();
    emit_numbered(&statsd, 0, 1);
    assert_eq!(runtime.block_on(statsd.stop()).kept, Tally::default());
    let mut text = String::new();
    connection.read_to_string(&mut text).unwrap();
    let lines: Vec<_> = text.lines().map(str::to_owned).collect();
    assert_eq!(numbers_by_thread(&lines)[&0], [0, 1]);
    assert!(connection.take_error().unwrap().is_none(), "the connection was reset");
}

#[test]
fn replying_server_loses_nothing() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let statsd = started(tcp(listener.local_addr().unwrap().port()));
    let (mut connection, _) = listener.accept().unwrap();
    // The bytes written below exceed every socket buffer, so a write would block if they were not
    // read.
    connection.set_write_timeout(Some(WAIT_TIMEOUT)).unwrap();
    for number in 0..100 {
        connection.write_all(&[b'x'; 200_000]).unwrap();
        emit_numbered(&statsd, 0, number);
        flush(&statsd);
    }
    assert_eq!(statsd.blocking_stop().kept, Tally::default());
    let mut text = String::new();
    connection.read_to_string(&mut text).unwrap();
    let lines: Vec<_> = text.lines().map(str::to_owned).collect();
    assert_eq!(numbers_by_thread(&lines)[&0], Vec::from_iter(0..100));
}

/// A TCP server that sends replies and reads slowly receives all lines before a stop returns,
/// because the stop waits until the server closes the connection. An earlier close would answer
/// later replies with a reset, which discards data that the server has not read.
#[test]
fn slow_replying_server_receives_all_lines_before_a_stop() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let statsd = started(tcp(listener.local_addr().unwrap().port()));
    let (mut connection, _) = listener.accept().unwrap();
    let server = thread::spawn(move || {
        let (mut text, mut buffer) = (Vec::new(), [0; 16 << 10]);
        loop {
            match connection.read(&mut buffer).unwrap() {
                0 => break text,
                read => text.extend_from_slice(&buffer[..read]),
            }
            connection.write_all(b"x").unwrap();
            thread::sleep(Duration::from_millis(2));
        }
    });
    (0..60_000).for_each(|_| statsd.incr("a"));
    assert_eq!(statsd.blocking_stop().stats.sent.lines, 60_000);
    let text = server.join().unwrap();
    assert_eq!(text.len(), 60_000 * "a:1|c\n".len());
}

/// A TCP server that sends data without a pause, so that the client's socket is always readable, does
/// not keep the flusher from its other work: it sends the lines of an aggregated counter at each
/// interval.
#[test]
fn flooding_server_does_not_starve_the_flusher() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let settings = tcp(listener.local_addr().unwrap().port());
    let statsd = started(settings.aggregate_interval(Duration::from_millis(10)));
    let (mut connection, _) = listener.accept().unwrap();
    let mut reading = connection.try_clone().unwrap();
    let flood = thread::spawn(move || while connection.write_all(&[b'x'; 64 << 10]).is_ok() {});
    let reader = thread::spawn(move || reading.read_to_end(&mut Vec::new()));
    let hits = statsd.metric::<Counter>("hits").aggregate();
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(2) {
        hits.incr();
        thread::sleep(Duration::from_millis(1));
    }
    let lines = statsd.stats().sent.lines;
    assert!(lines > 20, "{lines} lines in 200 intervals");
    drop(statsd);
    drop(hits);
    reader.join().unwrap().unwrap();
    flood.join().unwrap();
}

/// A TCP server sends data without pause, and reads all lines. Its socket at the client is always
/// readable, which must not keep the flusher from taking lines, from flushes and from a stop. The
/// flusher has a thread of its own, or shares a runtime with one worker.
#[test]
fn server_that_sends_without_pause_delays_no_line() {
    for is_shared in [false, true] {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let settings = tcp(listener.local_addr().unwrap().port()).queue_capacity(1 << 20);
        let statsd = settings.build().unwrap();
        let mut runtime = RuntimeBuilder::new_multi_thread();
        let runtime = is_shared.then(|| runtime.worker_threads(1).enable_all().build().unwrap());
        match &runtime {
            Some(runtime) => runtime.block_on(statsd.start()).unwrap(),
            None => statsd.start_on_thread().unwrap(),
        }
        let (mut connection, _) = listener.accept().unwrap();
        let mut writer = connection.try_clone().unwrap();
        thread::spawn(move || while writer.write_all(&[b'x'; 1 << 16]).is_ok() {});
        let received = Arc::new(Mutex::new(Vec::new()));
        let reader_received = Arc::clone(&received);
        thread::spawn(move || {
            let mut buffer = [0; 1 << 16];
            while let Ok(read @ 1..) = connection.read(&mut buffer) {
                reader_received.lock().unwrap().extend_from_slice(&buffer[..read]);
            }
        });
        // The queue holds a part of these lines only.
        for batch in 0..20 {
            emit_all(&statsd, 0, batch * 1000..(batch + 1) * 1000);
            eventually("the flusher sends without a flush", || {
                statsd.stats().sent.lines == (batch + 1) * 1000
            });
        }
        emit_numbered(&statsd, 0, 20_000);
        flush(&statsd);
        let expected = statsd.stats().sent;
        assert_eq!(expected.lines, 20_001, "{}", statsd.stats());
        // The data that the client has not read at its end causes a reset.
        eventually("the server reads all", || {
            received.lock().unwrap().len() as u64 == expected.bytes
        });
        let report = promptly(move || statsd.blocking_stop());
        assert!(!report.unfinished && report.kept == Tally::default(), "{report:?}");
        let text = String::from_utf8(take(&mut *received.lock().unwrap())).unwrap();
        let lines: Vec<_> = text.lines().map(str::to_owned).collect();
        assert_eq!(numbers_by_thread(&lines)[&0], Vec::from_iter(0..=20_000));
    }
}
