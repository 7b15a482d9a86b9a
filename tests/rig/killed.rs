//! A receiver in a process of its own, which is killed in the midst of things.

use crate::process::{part, program};
use crate::support::{
    Arrivals, Findings, Listener, emit_all, eventually, flush, numbered_line, quiet_port, started,
    tcp,
};
use freewheel::{Connector, Tally};
use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Bytes that it reads at once: what it can die with in its hands.
const READ: u64 = 16 << 10;

/// What its kernel can have for it.
const BUFFER: u64 = 32 << 10;

/// A process that reads one connection, and keeps what it has read in a file.
struct Receiver {
    process: Child,
    file: PathBuf,
}

impl Receiver {
    fn start(port: u16, number: u64) -> Self {
        let name = format!("freewheel-killed-{}-{number}", std::process::id());
        let file = std::env::temp_dir().join(name);
        let part = format!("{port} {}", file.display());
        let mut command = program("killed::killed_receivers_lose_only_their_buffers", &part);
        let process = command.stdout(Stdio::null()).spawn().unwrap();
        Self { process, file }
    }

    /// What such a process does.
    fn run(part: &str) {
        let (port, file) = part.split_once(' ').unwrap();
        let mut file = File::create(file).unwrap();
        let mut peer = Listener::tcp(port.parse().unwrap()).accept();
        assert!(peer.buffer() <= BUFFER);
        loop {
            let bytes = peer.read_some(READ as usize);
            if bytes.is_empty() {
                break;
            }
            file.write_all(&bytes).unwrap();
        }
    }

    fn has_read(&self) -> u64 {
        fs::metadata(&self.file).map_or(0, |file| file.len())
    }

    /// What its kernel has for it, and it has not read: see proc_pid_net(5).
    fn unread(port: u16) -> u64 {
        let own = format!("0100007F:{port:04X}");
        let text = fs::read_to_string("/proc/self/net/tcp").unwrap();
        let connections = text.lines().filter_map(|line| {
            let mut fields = line.split_whitespace().skip(1);
            let (local, _remote) = (fields.next()?, fields.next()?);
            let (state, queues) = (fields.next()?, fields.next()?);
            (local == own && state == "01").then(|| queues.split_once(':').unwrap().1)
        });
        connections.map(|queue| u64::from_str_radix(queue, 16).unwrap()).sum()
    }

    fn signal(&self, signal: libc::c_int) {
        // SAFETY: no memory is concerned, and the process is a child that was not waited for.
        unsafe { libc::kill(self.process.id() as libc::pid_t, signal) };
    }

    /// Waits for its end, and returns what it had read by then.
    fn remains(mut self) -> Vec<u8> {
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

/// Emits 10,000 lines a second until it is told to end; returns how many.
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

/// What a receiver left behind.
struct Death {
    /// What it had read.
    text: Vec<u8>,
    /// Lines that had been acknowledged by then, by the account.
    sent: u64,
    /// Bytes of its connection that had been, by its own kernel's word, but for what it had in its
    /// hands; of one that was stopped before.
    acknowledged: Option<u64>,
}

/// How many lines from this one on are whole within so many bytes.
fn lines_within(bytes: u64, first: u64) -> u64 {
    let sizes = (first..).map(|number| numbered_line(0, number).len() as u64 + 1);
    let ends = sizes.scan(0, |end, size| {
        *end += size;
        Some(*end)
    });
    ends.take_while(|end| *end <= bytes).count() as u64
}

/// Each death costs what the dead process had in its hands or its kernel had acknowledged, and
/// not a line more; half of them die after they stopped reading.
#[test]
fn killed_receivers_lose_only_their_buffers() {
    if let Some(part) = part() {
        return Receiver::run(&part);
    }
    let port = quiet_port();
    let statsd = started(tcp(port).queue_capacity(64 << 20));
    let end = AtomicBool::new(false);
    let (emitted, deaths, last) = thread::scope(|scope| {
        let emitting = scope.spawn(|| emit_steadily(&statsd, &end));
        let mut deaths = Vec::new();
        for death in 0..10 {
            let receiver = Receiver::start(port, death);
            eventually("it reads", || receiver.has_read() > 200_000);
            let acknowledged = (death % 2 == 0).then(|| {
                receiver.signal(libc::SIGSTOP);
                // Its buffer is full by then, and all is still.
                thread::sleep(Duration::from_millis(200));
                receiver.has_read() + Receiver::unread(port)
            });
            receiver.signal(libc::SIGKILL);
            let text = receiver.remains();
            eventually("its end is noticed", || !statsd.connected());
            deaths.push(Death { text, sent: statsd.stats().sent.lines, acknowledged });
        }
        end.store(true, Ordering::Relaxed);
        let emitted = emitting.join().unwrap();
        let receiver = Receiver::start(port, 10);
        flush(&statsd);
        let _report = statsd.blocking_stop();
        (emitted, deaths, receiver.remains())
    });

    let (mut arrivals, mut first, mut lost) = (Arrivals::default(), 0, 0);
    for death in &deaths {
        let numbers = Arrivals::of_stream(&death.text).numbers(0);
        // What was not acknowledged before comes first, and nothing is left out.
        assert_eq!(numbers, Vec::from_iter(first..first + numbers.len() as u64));
        let read = first + numbers.len() as u64;
        if let Some(bytes) = death.acknowledged {
            let acknowledged =
                [bytes, bytes + READ].map(|bytes| first + lines_within(bytes, first));
            let [least, most] = acknowledged;
            assert!((least..=most).contains(&death.sent), "{acknowledged:?}: {}", death.sent);
        }
        let missing = (read..death.sent).map(|number| numbered_line(0, number).len() as u64 + 1);
        let missing = missing.sum::<u64>();
        assert!(missing <= READ + BUFFER, "{missing} bytes went with one receiver");
        arrivals.count_stream(&death.text);
        lost += death.sent.saturating_sub(read);
        first = death.sent;
    }
    assert_eq!(Arrivals::of_stream(&last).numbers(0), Vec::from_iter(first..emitted));
    arrivals.count_stream(&last);
    let stats = statsd.stats();
    assert_eq!((stats.emitted.lines, stats.sent), (emitted, stats.emitted));
    assert_eq!((stats.buffered, stats.connections), (Tally::default(), 11));
    let found = arrivals.against(&stats);
    println!("{emitted} lines: {found:?}");
    assert_eq!(Findings { duplicated: 0, ..found }, Findings { lost, ..Findings::default() });
    // A segment's worth, where the acknowledgement of what was read did not come any more.
    assert!(found.duplicated <= 10 * 500, "{found:?}");
}
