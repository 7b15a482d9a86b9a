//! Threads that emit on request.

use crate::support::emit_numbered;
use freewheel::{Connector, Tally};
use std::sync::mpsc::{self, Sender};
use std::thread::{self, JoinHandle};

/// Thread that emits the requested numbers of lines.
pub(crate) struct Emitter {
    requests: Sender<u64>,
    thread: JoinHandle<Tally>,
}

impl Emitter {
    /// Starts a thread that emits numbered lines. `thread` is the thread number in these lines.
    pub(crate) fn spawn(statsd: &Connector, thread: u64) -> Self {
        let (requests, requested) = mpsc::channel();
        let statsd = statsd.clone();
        let thread = thread::spawn(move || {
            let mut numbers = 0..;
            let mut emitted = Tally::default();
            for lines in requested {
                for number in numbers.by_ref().take(lines as usize) {
                    emitted += emit_numbered(&statsd, thread, number);
                }
            }
            emitted
        });
        Self { requests, thread }
    }

    /// Requests this many more lines, without waiting for them.
    pub(crate) fn emit(&self, lines: u64) {
        self.requests.send(lines).expect("the thread is alive");
    }

    /// Waits until all requested lines are emitted. Returns their tally.
    pub(crate) fn end(self) -> Tally {
        drop(self.requests);
        self.thread.join().expect("the thread does not panic")
    }
}
