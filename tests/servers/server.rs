//! StatsD server that a test runs as a child process, and the reports that the server has printed
//! so far.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Maximum time that a test waits for a server's report. Only a failing test waits this long.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// Metrics that a server has derived from the lines it received, by the names that the server
/// reports.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Metrics {
    pub(crate) counters: BTreeMap<String, f64>,
    pub(crate) gauges: BTreeMap<String, f64>,
    pub(crate) timers: BTreeMap<String, Timer>,
}

/// Summary of the durations that a server received for one timer: their count, minimum, maximum and
/// sum, in milliseconds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Timer {
    pub(crate) count: f64,
    pub(crate) lower: f64,
    pub(crate) upper: f64,
    pub(crate) sum: f64,
}

impl Metrics {
    /// Returns the summary of the timer with this name, and creates an empty summary if there is
    /// none.
    pub(crate) fn timer(&mut self, name: &str) -> &mut Timer {
        self.timers.entry(name.to_owned()).or_default()
    }
}

impl Timer {
    pub(crate) fn single(milliseconds: f64) -> Self {
        Self { count: 1.0, lower: milliseconds, upper: milliseconds, sum: milliseconds }
    }

    /// Merges the summary of the same timer from another report of the server into this summary.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.lower = self.lower.min(other.lower);
        self.upper = self.upper.max(other.upper);
        self.sum += other.sum;
    }
}

impl Default for Timer {
    /// Returns the summary of a timer without any durations.
    fn default() -> Self {
        Self { count: 0.0, lower: f64::INFINITY, upper: f64::NEG_INFINITY, sum: 0.0 }
    }
}

/// Values from all reports that the server under test has printed so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reports {
    pub(crate) metrics: Metrics,
    /// Number of lines that the server has received, if the server reports this number.
    pub(crate) lines: u64,
    /// Number of lines that the server could not parse, if the server reports this number.
    pub(crate) bad_lines: u64,
    /// Largest number of distinct members that a report has contained for each set, by name.
    pub(crate) sets: BTreeMap<String, f64>,
    /// Ports at which the server listens, by protocol.
    pub(crate) ports: BTreeMap<String, u16>,
    /// Number of complete reports of the server. It grows even if no lines arrive.
    pub(crate) completed: u64,
}

impl Reports {
    pub(crate) fn record_set(&mut self, name: &str, size: f64) {
        let largest = self.sets.entry(name.to_owned()).or_default();
        *largest = largest.max(size);
    }
}

/// Function that parses one line of the server's standard output and records its content. It
/// returns `None` if the line is not part of a report.
pub(crate) type ParseLine = fn(&mut Reports, &str) -> Option<()>;

/// StatsD server that runs as a child process, which is killed when this value is dropped.
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
    /// Output of the server that is not part of a report, such as error messages.
    log: String,
    ended: bool,
}

impl Output {
    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic in `wait_for` poisons the lock. The state stays valid, and the reading threads
        // continue.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads an output stream of the server until its end, and parses each line. Lines that are not
    /// part of a report are appended to the log.
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

    /// Waits until `done` returns true for the server's reports, or until `DEADLINE` has passed.
    /// Returns the reports in both cases, so that the caller's assertion shows the difference.
    ///
    /// # Panics
    ///
    /// If the server has exited.
    pub(crate) fn wait_until(&self, done: impl Fn(&Reports) -> bool) -> Reports {
        self.wait_for(DEADLINE, done)
    }

    /// Waits like [`wait_until`](Self::wait_until), with `limit` as the time limit.
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

    /// Asserts that the server reports exactly the metrics `expected`, and reports the same metrics
    /// two reports later.
    ///
    /// The later reports show that no line was delivered twice, and that the server is still alive.
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
