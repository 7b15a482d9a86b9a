//! Threads that emit on command.

use crate::support::emit_numbered;
use freewheel::{Connector, Tally};
use std::sync::mpsc::{self, Sender};
use std::thread::{self, JoinHandle};

/// Thread that emits the commanded numbers of lines. It ends when the channel closes, and returns
/// the emitted tally.
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
