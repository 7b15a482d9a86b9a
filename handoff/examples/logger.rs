//! Example logger: application threads write log records into memory blocks, and one thread writes
//! the records to a file.
//!
//! ```sh
//! cargo run --release -p freewheel-handoff --example logger [FILE]
//! ```
//!
//! A call of [`Logger::log`] takes no lock, makes no system call, and never blocks. The account at the
//! end shows that every record was written, or counted as dropped.

use bytes::Buf;
use freewheel_handoff::{Barrier, Consumer, Exchange, Settings};
use std::fmt::Arguments;
use std::fs::File;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

/// Maximum length of a log record in bytes. Longer records are truncated.
const MAX_RECORD: usize = 1024;

/// Handle with which a thread writes log records. Each thread can have a clone.
#[derive(Clone)]
struct Logger(Arc<Exchange>);

impl Logger {
    fn log(&self, level: &str, message: Arguments<'_>) {
        let Some(mut space) = self.0.reserve(1, MAX_RECORD) else { return };
        let mut rest = &mut space.buffer()[..MAX_RECORD - 1];
        // A message that is too long fills the space, and the error is of no interest.
        let _ = write!(rest, "{level:5} {message}");
        let len = MAX_RECORD - 1 - rest.len();
        space.buffer()[len] = b'\n';
        space.commit(len + 1);
    }
}

/// Writes all log records that threads have published so far to the file. Returns their total
/// length in bytes.
fn write_published(consumer: &mut Consumer, file: &mut impl Write) -> io::Result<usize> {
    consumer.sweep();
    let len = consumer.remaining();
    for run in consumer.runs() {
        file.write_all(run)?;
    }
    consumer.discard(len);
    Ok(len)
}

fn main() -> io::Result<()> {
    let mut file: Box<dyn Write + Send> = match std::env::args().nth(1) {
        Some(path) => Box::new(File::create(path)?),
        None => Box::new(io::sink()),
    };
    let (writer, is_over) = (thread::current(), AtomicBool::new(false));
    let settings =
        Settings { block_size: 16 << 10, blocks: 256, ring_at: 32, max_record: MAX_RECORD };
    let wake = Box::new(move || writer.unpark());
    // Without a barrier the consumer is never dormant: it looks for records at each tick.
    let logger = Logger(Arc::new(Exchange::new(&settings, wake, Barrier::none())));
    let mut consumer = Consumer::claim(&logger.0).expect("no other consumer exists");

    let written = thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|thread| {
                let logger = logger.clone();
                scope.spawn(move || {
                    for number in 0..250_000 {
                        logger
                            .log("INFO", format_args!("thread {thread} handled request {number}"));
                        // A pause as of a service under load.
                        if number % 500 == 0 {
                            thread::sleep(Duration::from_millis(1));
                        }
                    }
                })
            })
            .collect();
        let is_over = &is_over;
        scope.spawn(move || {
            threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
            is_over.store(true, Relaxed);
        });
        let mut written = 0;
        while !is_over.load(Relaxed) {
            written += write_published(&mut consumer, &mut file)?;
            // A thread that seals a block from now on wakes this one.
            if consumer.prepare_park() {
                thread::park_timeout(Duration::from_millis(20));
            }
        }
        io::Result::Ok(written + write_published(&mut consumer, &mut file)?)
    })?;
    file.flush()?;

    let counts = logger.0.counts();
    println!("{} records of {} bytes written", counts.accepted.records, written);
    println!("{} records dropped: no block was empty", counts.full.records);
    assert_eq!(counts.accepted.bytes, written as u64);
    assert_eq!(counts.accepted.records + counts.full.records, 1_000_000);
    Ok(())
}
