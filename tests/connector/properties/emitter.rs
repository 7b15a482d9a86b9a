//! Producer threads that emit lines when a test requests them.

use crate::support::emit_numbered;
use freewheel::{Connector, Tally};
use std::sync::mpsc::{self, Sender};
use std::thread::{self, JoinHandle};

/// Producer thread that emits as many lines as a test requests.
pub(crate) struct Emitter {
    requests: Sender<u64>,
    thread: JoinHandle<Tally>,
}

impl Emitter {
    /// Starts a thread that emits numbered lines on request. `thread` is the thread number that is
    /// written in these lines.
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

    /// Requests `lines` more lines from this producer thread, without waiting for them.
    pub(crate) fn emit(&self, lines: u64) {
        self.requests.send(lines).expect("the thread is alive");
    }

    /// Waits until this producer thread has emitted all requested lines, and ends the thread.
    /// Returns the number of emitted lines and bytes.
    pub(crate) fn end(self) -> Tally {
        drop(self.requests);
        self.thread.join().expect("the thread does not panic")
    }
}
