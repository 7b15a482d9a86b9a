//! A StatsD server as a child process, and what it has reported so far.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How long a server may take to report what a test waits for. Only a failing test waits this long.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// Everything a server made of the lines that it was sent, under the names that it gave.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Metrics {
    pub(crate) counters: BTreeMap<String, f64>,
    pub(crate) gauges: BTreeMap<String, f64>,
    pub(crate) timers: BTreeMap<String, Timer>,
}

/// The durations recorded under one name, in milliseconds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Timer {
    pub(crate) count: f64,
    pub(crate) lower: f64,
    pub(crate) upper: f64,
    pub(crate) sum: f64,
}

impl Metrics {
    /// The timer of this name, made if need be.
    pub(crate) fn timer(&mut self, name: &str) -> &mut Timer {
        self.timers.entry(name.to_owned()).or_default()
    }
}

impl Timer {
    pub(crate) fn of(milliseconds: f64) -> Self {
        Self { count: 1.0, lower: milliseconds, upper: milliseconds, sum: milliseconds }
    }

    /// Takes in what was recorded under the same name at another time.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.lower = self.lower.min(other.lower);
        self.upper = self.upper.max(other.upper);
        self.sum += other.sum;
    }
}

impl Default for Timer {
    /// No duration at all.
    fn default() -> Self {
        Self { count: 0.0, lower: f64::INFINITY, upper: f64::NEG_INFINITY, sum: 0.0 }
    }
}

/// What a server has reported up to now.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reported {
    pub(crate) metrics: Metrics,
    /// Lines received and lines not understood, where the server counts them.
    pub(crate) lines: u64,
    pub(crate) bad_lines: u64,
    /// The largest number of different members that a set was reported with.
    pub(crate) sets: BTreeMap<String, f64>,
    /// Ports that the server chose itself, by protocol.
    pub(crate) ports: BTreeMap<String, u16>,
    /// Reports that are complete; they go on when nothing arrives.
    pub(crate) reports: u64,
}

impl Reported {
    pub(crate) fn set(&mut self, name: &str, size: f64) {
        let largest = self.sets.entry(name.to_owned()).or_default();
        *largest = largest.max(size);
    }
}

/// Reads one line of a server's standard output; `None` means that it is no report.
pub(crate) type ReadLine = fn(&mut Reported, &str) -> Option<()>;

/// A running server, killed when dropped.
pub(crate) struct Server {
    child: Child,
    output: Arc<Output>,
}

#[derive(Default)]
struct Output {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    reported: Reported,
    /// All other output: what a server says about its own failure.
    log: String,
    ended: bool,
}

impl Output {
    fn lock(&self) -> MutexGuard<'_, State> {
        // A test that has failed inside `wait_for` is no trouble to the threads that still read.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn follow(&self, stream: impl Read, read_line: ReadLine) {
        for line in BufReader::new(stream).lines() {
            let line = line.expect("a server's output is text");
            let mut state = self.lock();
            if read_line(&mut state.reported, &line).is_none() {
                state.log += &line;
                state.log += "\n";
            }
            drop(state);
            self.changed.notify_all();
        }
    }
}

impl Server {
    pub(crate) fn start(command: &mut Command, read_line: ReadLine) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        let stdout = child.stdout.take().expect("stdout is piped");
        let stderr = child.stderr.take().expect("stderr is piped");
        let output = Arc::new(Output::default());
        thread::spawn({
            let output = Arc::clone(&output);
            move || {
                output.follow(stdout, read_line);
                output.lock().ended = true;
                output.changed.notify_all();
            }
        });
        thread::spawn({
            let output = Arc::clone(&output);
            move || output.follow(stderr, |_, _| None)
        });
        Self { child, output }
    }

    /// Blocks until `done` holds for what the server has reported, or the deadline has passed, and
    /// returns what it has reported by then: the caller's assertion shows what was wrong.
    ///
    /// # Panics
    ///
    /// When the server has ended.
    pub(crate) fn wait_until(&self, done: impl Fn(&Reported) -> bool) -> Reported {
        self.wait_for(DEADLINE, done)
    }

    /// The same with a limit of the caller's.
    pub(crate) fn wait_for(&self, limit: Duration, done: impl Fn(&Reported) -> bool) -> Reported {
        let deadline = Instant::now() + limit;
        let mut state = self.output.lock();
        while !done(&state.reported) {
            assert!(!state.ended, "the server has ended; it said:\n{}", state.log);
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            (state, _) = self.output.changed.wait_timeout(state, left).expect("no reader panicked");
        }
        state.reported.clone()
    }

    /// Asserts that the server reports exactly these metrics, and two reports later still does:
    /// nothing was delivered twice, and the server has survived its client.
    pub(crate) fn assert_reports(&self, expected: &Metrics) -> Reported {
        let first = self.wait_until(|reported| reported.metrics == *expected);
        assert_eq!(first.metrics, *expected);
        let last = self.wait_until(|reported| reported.reports >= first.reports + 2);
        assert_eq!(last.metrics, *expected);
        assert!(last.reports >= first.reports + 2, "the server stopped reporting");
        last
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // One that has ended by itself is only reaped.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
