//! Servers that say what nobody listens to.

use crate::support::{PATIENCE, emit_numbered, flush, numbers_by_thread, started, tcp};
use freewheel::Tally;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::thread;
use std::time::Duration;
use tokio::runtime::Builder as RuntimeBuilder;

/// Bytes left unread would turn the end of the connection into a reset, which takes with it
/// what the server has not read yet, and for some servers is fatal.
#[test]
fn a_server_that_talks_back_sees_an_orderly_end() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let statsd = tcp(listener.local_addr().unwrap().port()).build().unwrap();
    let runtime = RuntimeBuilder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(statsd.start()).unwrap();
    emit_numbered(&statsd, 0, 0);
    assert_eq!(runtime.block_on(statsd.flush()), Ok(()));
    let (mut connection, _) = listener.accept().unwrap();
    // More than is read at once, and before a runtime that rests can read any of it.
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
fn a_server_that_talks_back_loses_nothing() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let statsd = started(tcp(listener.local_addr().unwrap().port()));
    let (mut connection, _) = listener.accept().unwrap();
    // More than operating systems hold for who does not read.
    connection.set_write_timeout(Some(PATIENCE)).unwrap();
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

/// A socket that is gone answers what the server sends by a reset, which discards what the
/// server has not read yet. So a stop waits for the server's own end.
#[test]
fn a_slow_server_that_talks_back_gets_what_was_stopped_with() {
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
