//! Test of receivers in separate processes that are killed while they read.

use crate::process::{command_of_test, role};
use crate::support::{
    Arrivals, Discrepancies, Listener, emit_all, eventually, flush, numbered_line, started, tcp,
    unused_port,
};
use freewheel::{Connector, Tally};
use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Maximum number of bytes that a receiver process reads at a time. A killed process can lose these
/// bytes.
const READ_BYTES: u64 = 16 << 10;

/// Maximum size in bytes of the kernel's socket buffer for a receiver process.
const KERNEL_BUFFER_BYTES: u64 = 32 << 10;

/// Child process that accepts one connection, and writes the bytes that it reads to a file.
struct Receiver {
    process: Child,
    file: PathBuf,
}

impl Receiver {
    fn start(port: u16, number: u64) -> Self {
        let name = format!("freewheel-killed-{}-{number}", std::process::id());
        let file = std::env::temp_dir().join(name);
        let role = format!("{port} {}", file.display());
        let test = "killed::killed_receivers_lose_only_their_buffers";
        let mut command = command_of_test(test, &role);
        let process = command.stdout(Stdio::null()).spawn().unwrap();
        Self { process, file }
    }

    /// Accepts one connection, and writes the bytes that it reads to a file. The receiver process
    /// runs this function.
    fn run(role: &str) {
        let (port, file) = role.split_once(' ').unwrap();
        let mut file = File::create(file).unwrap();
        let mut peer = Listener::tcp(port.parse().unwrap()).accept();
        assert!(peer.buffer() <= KERNEL_BUFFER_BYTES);
        loop {
            let bytes = peer.read_some(READ_BYTES as usize);
            if bytes.is_empty() {
                break;
            }
            file.write_all(&bytes).unwrap();
        }
    }

    /// Returns the number of bytes that the receiver process has written to its file.
    fn bytes_read(&self) -> u64 {
        fs::metadata(&self.file).map_or(0, |file| file.len())
    }

    /// Returns the number of bytes in the kernel's buffers that the receiver at this port has not
    /// read yet: see proc_pid_net(5).
    fn unread(port: u16) -> u64 {
        let local_address = format!("0100007F:{port:04X}");
        let text = fs::read_to_string("/proc/self/net/tcp").unwrap();
        let connections = text.lines().filter_map(|line| {
            let mut fields = line.split_whitespace().skip(1);
            let (local, _remote) = (fields.next()?, fields.next()?);
            let (state, queues) = (fields.next()?, fields.next()?);
            (local == local_address && state == "01").then(|| queues.split_once(':').unwrap().1)
        });
        connections.map(|queue| u64::from_str_radix(queue, 16).unwrap()).sum()
    }

    fn signal(&self, signal: libc::c_int) {
        // SAFETY: the call accesses no memory. The process is a child that was not waited for, so
        // its ID is not reused.
        unsafe { libc::kill(self.process.id() as libc::pid_t, signal) };
    }

    /// Waits for the end of the receiver process, and returns the bytes that it had written to its
    /// file.
    fn wait(mut self) -> Vec<u8> {
        self.process.wait().unwrap();
        fs::read(&self.file).unwrap_or_default()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_file(&self.file);
    }
}

/// Emits 10,000 lines a second until another thread sets `end`. Returns the number of lines.
fn emit_steadily(statsd: &Connector, end: &AtomicBool) -> u64 {
    let (start, mut next) = (Instant::now(), 0);
    while !end.load(Ordering::Relaxed) {
        let due = start.elapsed().as_micros() as u64 / 100;
        emit_all(statsd, 0, next..due);
        next = due;
        thread::sleep(Duration::from_millis(1));
    }
    next
}

/// Observations about one receiver process that the test has killed.
struct Death {
    /// Bytes that the killed receiver had written to its file.
    text: Vec<u8>,
    /// Number of lines that the client counted as acknowledged, once it had noticed the end of the
    /// connection.
    sent: u64,
    /// Minimum number of acknowledged bytes: those in the receiver's file and those unread in the
    /// kernel. `None` if the receiver was not suspended before it was killed.
    acknowledged: Option<u64>,
}

/// Returns the number of whole lines, beginning with line number `first`, that fit into this many
/// bytes.
fn lines_within(bytes: u64, first: u64) -> u64 {
    let sizes = (first..).map(|number| numbered_line(0, number).len() as u64 + 1);
    let ends = sizes.scan(0, |end, size| {
        *end += size;
        Some(*end)
    });
    ends.take_while(|end| *end <= bytes).count() as u64
}

/// Returns the number of sent lines once it no longer grows. After the server's end of a connection,
/// the client still counts lines whose acknowledgement arrives late.
fn settled_sent(statsd: &Connector) -> u64 {
    let mut sent = statsd.stats().sent.lines;
    loop {
        thread::sleep(Duration::from_millis(200));
        let before = std::mem::replace(&mut sent, statsd.stats().sent.lines);
        if before == sent {
            return sent;
        }
    }
}

/// A killed receiver process loses only lines that it was reading or that its kernel had
/// acknowledged. The test kills ten processes, and suspends half of them before.
#[test]
fn killed_receivers_lose_only_their_buffers() {
    if let Some(role) = role() {
        return Receiver::run(&role);
    }
    let port = unused_port();
    let statsd = started(tcp(port).queue_capacity(64 << 20));
    let end = AtomicBool::new(false);
    let (emitted, deaths, last) = thread::scope(|scope| {
        let emitting = scope.spawn(|| emit_steadily(&statsd, &end));
        let mut deaths = Vec::new();
        for death in 0..10 {
            let receiver = Receiver::start(port, death);
            eventually("the receiver reads 200 kB", || receiver.bytes_read() > 200_000);
            let acknowledged = (death % 2 == 0).then(|| {
                receiver.signal(libc::SIGSTOP);
                // After the pause the receiver's buffer is full, and no more bytes arrive.
                thread::sleep(Duration::from_millis(200));
                receiver.bytes_read() + Receiver::unread(port)
            });
            receiver.signal(libc::SIGKILL);
            let text = receiver.wait();
            eventually("the client notices the end", || !statsd.connected());
            deaths.push(Death { text, sent: settled_sent(&statsd), acknowledged });
        }
        end.store(true, Ordering::Relaxed);
        let emitted = emitting.join().unwrap();
        let receiver = Receiver::start(port, 10);
        flush(&statsd);
        let _report = statsd.blocking_stop();
        (emitted, deaths, receiver.wait())
    });

    let (mut arrivals, mut first, mut lost) = (Arrivals::default(), 0, 0);
    for death in &deaths {
        let numbers = Arrivals::of_stream(&death.text).numbers(0);
        // The unacknowledged lines arrive first, and no line is left out.
        assert_eq!(numbers, Vec::from_iter(first..first + numbers.len() as u64));
        let read = first + numbers.len() as u64;
        if let Some(bytes) = death.acknowledged {
            let acknowledged =
                [bytes, bytes + READ_BYTES].map(|bytes| first + lines_within(bytes, first));
            let [min, max] = acknowledged;
            assert!((min..=max).contains(&death.sent), "{acknowledged:?}: {}", death.sent);
        }
        let missing = (read..death.sent).map(|number| numbered_line(0, number).len() as u64 + 1);
        let missing = missing.sum::<u64>();
        assert!(
            missing <= READ_BYTES + KERNEL_BUFFER_BYTES,
            "{missing} bytes lost with one receiver"
        );
        arrivals.count_stream(&death.text);
        lost += death.sent.saturating_sub(read);
        first = death.sent;
    }
    assert_eq!(Arrivals::of_stream(&last).numbers(0), Vec::from_iter(first..emitted));
    arrivals.count_stream(&last);
    let stats = statsd.stats();
    assert_eq!((stats.emitted.lines, stats.sent), (emitted, stats.emitted));
    assert_eq!((stats.buffered, stats.connections), (Tally::default(), 11));
    let found = arrivals.compare_with(&stats);
    println!("{emitted} lines: {found:?}");
    assert_eq!(
        Discrepancies { duplicated: 0, ..found },
        Discrepancies { lost, ..Discrepancies::default() }
    );
    // The lines of one segment arrive twice if the acknowledgement of read bytes was lost.
    assert!(found.duplicated <= 10 * 500, "{found:?}");
}
