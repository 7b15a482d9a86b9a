//! A StatsD server as a child process, and its reports so far.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Maximum time that a test waits for a server's report. Only a failing test waits this long.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// Metrics that a server derived from the received lines, under the server's names.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Metrics {
    pub(crate) counters: BTreeMap<String, f64>,
    pub(crate) gauges: BTreeMap<String, f64>,
    pub(crate) timers: BTreeMap<String, Timer>,
}

/// Summary of the durations recorded under one name, in milliseconds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Timer {
    pub(crate) count: f64,
    pub(crate) lower: f64,
    pub(crate) upper: f64,
    pub(crate) sum: f64,
}

impl Metrics {
    /// Returns the timer of this name, which is created if missing.
    pub(crate) fn timer(&mut self, name: &str) -> &mut Timer {
        self.timers.entry(name.to_owned()).or_default()
    }
}

impl Timer {
    pub(crate) fn single(milliseconds: f64) -> Self {
        Self { count: 1.0, lower: milliseconds, upper: milliseconds, sum: milliseconds }
    }

    /// Adds the durations that another report of the server gives for the same name.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.lower = self.lower.min(other.lower);
        self.upper = self.upper.max(other.upper);
        self.sum += other.sum;
    }
}

impl Default for Timer {
    /// Returns a timer without durations.
    fn default() -> Self {
        Self { count: 0.0, lower: f64::INFINITY, upper: f64::NEG_INFINITY, sum: 0.0 }
    }
}

/// Values that the server under test has flushed so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reports {
    pub(crate) metrics: Metrics,
    /// Received lines, if the server counts them.
    pub(crate) lines: u64,
    /// Lines that the server could not parse, if it counts them.
    pub(crate) bad_lines: u64,
    /// Largest reported number of distinct members, by set.
    pub(crate) sets: BTreeMap<String, f64>,
    /// Ports that the server chose, by protocol.
    pub(crate) ports: BTreeMap<String, u16>,
    /// Number of complete reports. It grows even if no lines arrive.
    pub(crate) completed: u64,
}

impl Reports {
    pub(crate) fn record_set(&mut self, name: &str, size: f64) {
        let largest = self.sets.entry(name.to_owned()).or_default();
        *largest = largest.max(size);
    }
}

/// Function that parses a line of the server's standard output. It returns `None` if the line is
/// not a report.
pub(crate) type ParseLine = fn(&mut Reports, &str) -> Option<()>;

/// Running server, killed when dropped.
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
    reported: Reports,
    /// Output that is not a report, such as the server's error messages.
    log: String,
    ended: bool,
}

impl Output {
    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic in `wait_for` poisons the lock. The state stays valid, and the reading threads
        // continue.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the output until its end. Lines that are not reports go to the log.
    fn read_output(&self, stream: impl Read, parse_line: ParseLine) {
        for line in BufReader::new(stream).lines() {
            let line = line.expect("a server's output is text");
            let mut state = self.lock();
            if parse_line(&mut state.reported, &line).is_none() {
                state.log += &line;
                state.log += "\n";
            }
            drop(state);
            self.changed.notify_all();
        }
    }
}

impl Server {
    pub(crate) fn start(command: &mut Command, parse_line: ParseLine) -> Self {
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
                output.read_output(stdout, parse_line);
                output.lock().ended = true;
                output.changed.notify_all();
            }
        });
        thread::spawn({
            let output = Arc::clone(&output);
            move || output.read_output(stderr, |_, _| None)
        });
        Self { child, output }
    }

    /// Waits until `done` is true for the reports, or until the deadline. Returns the reports in
    /// both cases, so that the caller's assertion shows the difference.
    ///
    /// # Panics
    ///
    /// If the server has exited.
    pub(crate) fn wait_until(&self, done: impl Fn(&Reports) -> bool) -> Reports {
        self.wait_for(DEADLINE, done)
    }

    /// Same as [`wait_until`](Self::wait_until), with another time limit.
    pub(crate) fn wait_for(&self, limit: Duration, done: impl Fn(&Reports) -> bool) -> Reports {
        let deadline = Instant::now() + limit;
        let mut state = self.output.lock();
        while !done(&state.reported) {
            assert!(!state.ended, "the server has exited; its output was:\n{}", state.log);
            let remaining = deadline.saturating_duration_since(Instant::now());
            if remaining.is_zero() {
                break;
            }
            (state, _) =
                self.output.changed.wait_timeout(state, remaining).expect("no reader panicked");
        }
        state.reported.clone()
    }

    /// Asserts that the server reports exactly these metrics, and still the same metrics two
    /// reports later. This shows that no line was delivered twice, and that the server is still
    /// alive.
    pub(crate) fn assert_reports(&self, expected: &Metrics) -> Reports {
        let first = self.wait_until(|reported| reported.metrics == *expected);
        assert_eq!(first.metrics, *expected);
        let last = self.wait_until(|reported| reported.completed >= first.completed + 2);
        assert_eq!(last.metrics, *expected);
        assert!(last.completed >= first.completed + 2, "the server stopped reporting");
        last
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // If the server has already exited, only the wait has an effect.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
