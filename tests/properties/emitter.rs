//! Threads that emit when they are told to.

use crate::support::emit_numbered;
use freewheel::{Connector, Tally};
use std::sync::mpsc::{self, Sender};
use std::thread::{self, JoinHandle};

/// A thread that emits as many lines as it is told to. It ends when told no more, and says what
/// it has emitted.
pub(crate) struct Emitter {
    pub(crate) go: Sender<u64>,
    pub(crate) thread: JoinHandle<Tally>,
}

impl Emitter {
    pub(crate) fn spawn(statsd: &Connector, thread: u64) -> Self {
        let (go, told) = mpsc::channel();
        let statsd = statsd.clone();
        let thread = thread::spawn(move || {
            let mut numbers = 0..;
            let mut emitted = Tally::default();
            for lines in told {
                for number in numbers.by_ref().take(lines as usize) {
                    emitted += emit_numbered(&statsd, thread, number);
                }
            }
            emitted
        });
        Self { go, thread }
    }
}
