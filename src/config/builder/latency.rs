//! Settings of a latency-sensitive service: what calls may cost, and the flusher's own thread.

use super::Builder;
use crate::config::validated::{FlusherThread, OnThreadStart};
use crate::error::{BuildError, quoted, require};

/// Maximum number of threads whose memory is allocated in advance. The flusher has the last of the
/// 65,536 thread IDs.
const MAX_THREADS: usize = (1 << 16) - 1;

/// Size in bytes of the blocks of [`Builder::low_latency`]: more than a thousand lines of 100 bytes.
const LARGE_BLOCK: usize = 128 << 10;

/// Bounds of the size in bytes of a block.
const MIN_BLOCK: usize = 1 << 10;
const MAX_BLOCK: usize = 1 << 20;

#[derive(Clone, Debug)]
pub(super) struct LatencyOptions {
    block_size: Option<usize>,
    never_wake: bool,
    prefault: Option<usize>,
    thread_name: String,
    on_thread_start: Option<OnThreadStart>,
}

/// Validated options of a latency-sensitive service.
pub(super) struct ValidatedLatency {
    /// Size in bytes of a block, as far as the capacity allows it. `None` selects the default.
    pub(super) block_size: Option<usize>,
    /// True if no producer thread may wake the flusher.
    pub(super) never_wake: bool,
    /// Number of threads whose memory is allocated in advance. `None` allocates no memory in advance.
    pub(super) prefault: Option<usize>,
    pub(super) thread: FlusherThread,
}

impl Default for LatencyOptions {
    fn default() -> Self {
        Self {
            block_size: None,
            never_wake: false,
            prefault: None,
            thread_name: "freewheel".to_owned(),
            on_thread_start: None,
        }
    }
}

impl LatencyOptions {
    pub(super) fn validate(self) -> Result<ValidatedLatency, BuildError> {
        if let Some(size) = self.block_size {
            let in_bounds = (MIN_BLOCK..=MAX_BLOCK).contains(&size);
            require("block_size", size, in_bounds, "1024 to 1048576 bytes")?;
        }
        let threads = self.prefault.unwrap_or_default();
        require("prefault", threads, threads <= MAX_THREADS, "0 to 65535 threads")?;
        let name = self.thread_name;
        let accepted = !name.is_empty() && !name.contains('\0');
        require("thread_name", quoted(&name), accepted, "a text without NUL characters")?;
        Ok(ValidatedLatency {
            block_size: self.block_size,
            never_wake: self.never_wake,
            prefault: self.prefault,
            thread: FlusherThread { name, on_start: self.on_thread_start },
        })
    }
}

impl Builder {
    /// Sets all options of a service in which a call that emits must never be slow. `threads` is the
    /// number of threads that emit.
    ///
    /// It is the same as [`never_wake(true)`](Self::never_wake), [`prefault(threads)`](Self::prefault) and
    /// [`block_size`](Self::block_size) of 128 KiB. In addition, run the flusher on its own thread by
    /// [`start_on_thread`](crate::Connector::start_on_thread), with a core and a priority from
    /// [`on_thread_start`](Self::on_thread_start), and call
    /// [`prepare_thread`](crate::Connector::prepare_thread) on each thread that emits. After that the
    /// thread's calls make no system call, allocate nothing and take no page fault. `prepare_thread`
    /// lists the exceptions.
    ///
    /// ```
    /// use freewheel::{Connector, Counter, Protocol};
    ///
    /// # mod documented { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/documented.rs")); }
    /// # let server = documented::Server::start();
    /// let statsd = Connector::builder("127.0.0.1")
    /// #     .port(server.port())
    ///     .protocol(Protocol::Udp)
    ///     .low_latency(4)
    ///     .thread_name("statsd")
    ///     .on_thread_start(|| {
    ///         // Here the service sets the core and the priority of the flusher's thread.
    ///     })
    ///     .build()?;
    /// statsd.start_on_thread()?;
    /// let requests = statsd.metric::<Counter>("requests").build();
    /// std::thread::scope(|scope| {
    ///     scope.spawn(|| {
    ///         assert!(statsd.prepare_thread());
    ///         requests.incr(); // counters.requests:1|c
    ///     });
    /// });
    /// # server.assert(&statsd, &["counters.requests:1|c"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn low_latency(self, threads: usize) -> Self {
        self.never_wake(true).prefault(threads).block_size(LARGE_BLOCK)
    }

    /// Sets the size in bytes of a block, the buffer that a thread fills before it takes the next one.
    /// Default: 16 KiB. Must be from 1 KiB to 1 MiB. At most a fifth of the
    /// [capacity](Self::queue_capacity) is used.
    ///
    /// The call that takes the next block is the slowest at a steady rate. At 70 bytes a line it is one in
    /// 234 calls by default, and one in 1,872 with blocks of 128 KiB, so that it no longer determines the
    /// slowest thousandth. Each thread that has emitted has a block, so memory grows with their number.
    /// The size also bounds the length of a line.
    pub fn block_size(mut self, bytes: usize) -> Self {
        self.latency.block_size = Some(bytes);
        self
    }

    /// Sets whether the flusher finds all lines by itself, so that no call that emits makes a system
    /// call to wake it. Default: false.
    ///
    /// Otherwise some calls wake the flusher, which takes them 15 to 40 µs: one after an idle second,
    /// and one when an eighth of the [capacity](Self::queue_capacity) has filled since the flusher last
    /// took lines. With this setting the flusher takes lines at its own times: when a sixteenth of the
    /// capacity has gathered at the rate of the lines before, and at least once in each
    /// [flush interval](Self::flush_interval), also while no line is emitted. What is given up:
    ///
    /// * **Bursts.** A rate that rises suddenly is noticed only at the next of these times. The lines
    ///   until then must fit into the capacity; the rest is dropped, and counted in
    ///   [`Drops::full`](crate::Drops::full). After an idle time these are the lines of a flush
    ///   interval. By default 4 MiB of lines fit, and 3,276 gauges and service checks: only the flusher
    ///   moves these on from the ordered queue. The same holds with
    ///   [`WhenFull::DropOldest`](crate::WhenFull), since only the flusher discards old lines. A larger
    ///   capacity or a shorter flush interval helps.
    /// * **The first lines after an idle time** are sent after up to a flush interval, not after a
    ///   millisecond.
    /// * **Processor time** while no line is emitted: 1.1 to 1.2 ms a second with the default flush
    ///   interval, measured on a virtual machine, where it is 0.02 ms otherwise. A shorter interval costs
    ///   more.
    ///
    /// [`flush`](crate::Connector::flush), [`stop`](crate::Connector::stop) and the drop of the last
    /// handle still wake the flusher. Calls that emit never do, also while the flusher does not run or
    /// the capacity is used up.
    pub fn never_wake(mut self, on: bool) -> Self {
        self.latency.never_wake = on;
        self
    }

    /// Sets the number of threads for which [`build`](Self::build) allocates memory in advance, and
    /// touches it, so that later calls neither allocate nor take page faults. Default: no memory in
    /// advance. Must be from 0 to 65,535.
    ///
    /// `build` allocates the whole [capacity](Self::queue_capacity), and one block for each of the
    /// threads and for the flusher. Otherwise memory is allocated as lines need it. On Linux `build`
    /// also maps the code and the constants of the program and of the C library, as far as the
    /// operating system allows: it reads them from the file system if they are in no cache.
    ///
    /// `threads` counts all threads that use any connector of the process at the same time, and the
    /// flushers of other connectors. Threads beyond them allocate their block when they emit their first
    /// line, or in [`prepare_thread`](crate::Connector::prepare_thread), which each thread should call.
    ///
    /// Memory is not locked. An operating system that is short of memory may take pages away again,
    /// unless the service calls `mlockall`. After a fork, the first write to each page is a page fault.
    pub fn prefault(mut self, threads: usize) -> Self {
        self.latency.prefault = Some(threads);
        self
    }

    /// Sets the name of the thread that [`start_on_thread`](crate::Connector::start_on_thread) creates
    /// for the flusher. Default: `freewheel`. Must have no NUL character, and at least one other. Linux
    /// shows the first 15 bytes.
    pub fn thread_name(mut self, name: impl Into<String>) -> Self {
        self.latency.thread_name = name.into();
        self
    }

    /// Sets a function that [`start_on_thread`](crate::Connector::start_on_thread) calls on the
    /// flusher's new thread, before the flusher begins. Default: none.
    ///
    /// The function can set the core, the scheduling policy or the priority of the thread. It runs
    /// again at each later start. [`start`](crate::Connector::start) does not call it, since there the
    /// flusher runs on a thread of the current runtime. If it panics, the start fails with
    /// [`StartError::Thread`](crate::StartError::Thread).
    ///
    /// ```
    /// use freewheel::Connector;
    /// use std::{sync::mpsc, thread};
    ///
    /// let (sender, name) = mpsc::channel();
    /// let statsd = Connector::builder("127.0.0.1")
    ///     .thread_name("statsd")
    ///     .on_thread_start(move || {
    ///         let _ = sender.send(thread::current().name().map(str::to_owned));
    ///     })
    ///     .build()?;
    /// statsd.start_on_thread()?;
    /// assert_eq!(name.recv()?.as_deref(), Some("statsd"));
    /// # statsd.blocking_stop();
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn on_thread_start(mut self, function: impl Fn() + Send + Sync + 'static) -> Self {
        self.latency.on_thread_start = Some(OnThreadStart::new(function));
        self
    }
}
