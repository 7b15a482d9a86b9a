//! Soak tests: a connector runs while random faults of the server occur, one after the other. The
//! connector's statistics must agree with the lines that arrive, except for lines in the buffers of
//! closed sockets.
//!
//! `FREEWHEEL_SOAK_SECONDS` sets the duration for each protocol. `FREEWHEEL_SOAK_SEED` repeats the
//! random choices of the run that printed the seed.

use crate::support::{
    Arrivals, Discrepancies, Listener, SocketPath, UdpReceiver, assert_balanced, emit_all,
    eventually, flush, started, tcp, udp, unused_port,
};
use freewheel::{Builder, Connector, Delivery, Framing, Protocol, Stats, Tally, WhenFull};
use std::hash::{BuildHasher, RandomState};
use std::net::Ipv4Addr;
use std::os::unix::net::UnixDatagram;
use std::thread;
use std::time::{Duration, Instant};

/// Parses the environment variable `name` as a number. Returns `None` if the variable is not set.
fn env_number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("the variable is a number"))
}

/// State of a soak test: a random number generator with a reproducible seed, and the time at which
/// the test ends.
pub(crate) struct SoakRun {
    state: u64,
    end: Instant,
}

impl SoakRun {
    /// Starts a soak test. Reads its seed and duration from environment variables, or chooses them,
    /// and prints them so that the run can be repeated.
    pub(crate) fn start(soak: &str) -> Self {
        let seed =
            env_number("FREEWHEEL_SOAK_SEED").unwrap_or_else(|| RandomState::new().hash_one(()));
        let seconds = env_number("FREEWHEEL_SOAK_SECONDS").unwrap_or(3);
        println!("FREEWHEEL_SOAK_SEED={seed} FREEWHEEL_SOAK_SECONDS={seconds} ({soak})");
        Self { state: seed, end: Instant::now() + Duration::from_secs(seconds) }
    }

    /// Returns true until the duration of the soak test is over.
    pub(crate) fn is_running(&self) -> bool {
        Instant::now() < self.end
    }

    /// Returns a random number below `bound`, from SplitMix64.
    pub(crate) fn random_below(&mut self, bound: u64) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    /// Returns true with a probability of `1 / count`.
    pub(crate) fn one_in(&mut self, count: u64) -> bool {
        self.random_below(count) == 0
    }

    /// Returns the settings with a random queue capacity and a random choice of the lines to drop
    /// from a full queue. The assertions of the soak tests hold for every choice.
    fn choose_settings(&mut self, settings: Builder) -> Builder {
        let drops = [WhenFull::DropNewest, WhenFull::DropOldest];
        let settings = settings.queue_capacity(1 << (10 + self.random_below(14)));
        settings.when_full(drops[self.random_below(2) as usize])
    }

    /// Sleeps for a random time of at most `max_ms` milliseconds.
    pub(crate) fn sleep_up_to(&mut self, max_ms: u64) {
        thread::sleep(Duration::from_millis(self.random_below(max_ms + 1)));
    }
}

/// Emitter of numbered test lines to a connector. Each call of its method `emit` starts new
/// producer threads. The emitter records the number of emitted lines and bytes.
pub(crate) struct Emitters {
    statsd: Connector,
    threads: u64,
    emitted: Tally,
}

impl Emitters {
    pub(crate) fn of(statsd: &Connector) -> Self {
        Self { statsd: statsd.clone(), threads: 0, emitted: Tally::default() }
    }

    /// Emits a random number of lines, between three and about `max`, on three new threads.
    pub(crate) fn emit(&mut self, run: &mut SoakRun, max: u64) {
        let counts = [(); 3].map(|()| 1 + run.random_below(max.div_ceil(3)));
        thread::scope(|scope| {
            let threads = counts.map(|count| {
                let (statsd, thread) = (&self.statsd, self.threads);
                self.threads += 1;
                scope.spawn(move || emit_all(statsd, thread, 0..count))
            });
            for thread in threads {
                self.emitted += thread.join().unwrap();
            }
        });
    }

    /// Emits exactly one line, on the calling thread.
    pub(crate) fn emit_one(&mut self) {
        self.emitted += emit_all(&self.statsd, self.threads, 0..1);
        self.threads += 1;
    }

    pub(crate) fn stats(&self) -> Stats {
        self.statsd.stats()
    }

    /// Asserts that `stats` contains exactly the lines that this emitter emitted, and that its
    /// sent, buffered, dropped and lost lines add up to them.
    #[track_caller]
    pub(crate) fn assert_accounted(&self, stats: &Stats) {
        assert_eq!(stats.emitted, self.emitted);
        assert_balanced(stats);
    }
}

/// Runs a soak test against a TCP or Unix stream server. The server reads a random part of each
/// connection, and then ends the connection in a random way.
///
/// Each broken connection may lose at most the bytes in the kernel's buffers.
fn soak_stream(mut run: SoakRun, listen: impl Fn() -> Listener, settings: Builder, is_unix: bool) {
    let kernel_bytes = if is_unix { 1 << 20 } else { 64 << 10 };
    let (delivery, framing) = (
        [Delivery::Acknowledged, Delivery::Written][run.random_below(2) as usize],
        [Framing::Newlines, Framing::LengthPrefixed][run.random_below(2) as usize],
    );
    let kernel_bytes = if delivery == Delivery::Written { 8 << 20 } else { kernel_bytes };
    let count = match framing {
        Framing::Newlines => |arrivals: &mut Arrivals, text: &[u8]| arrivals.count_stream(text),
        _ => |arrivals: &mut Arrivals, text: &[u8]| drop(arrivals.count_frames(text)),
    };
    let statsd = started(run.choose_settings(settings).delivery(delivery).framing(framing));
    let (mut emitters, mut arrivals, mut breaks) = (Emitters::of(&statsd), Arrivals::default(), 0);
    let mut server = Some(listen());
    while run.is_running() {
        if run.one_in(4) {
            server = None;
            emitters.emit(&mut run, 1_000);
            run.sleep_up_to(30);
        }
        let listener = server.get_or_insert_with(&listen);
        let mut peer = listener.accept();
        let mut text = Vec::new();
        for _ in 0..run.random_below(5) {
            emitters.emit(&mut run, 3_000);
            run.sleep_up_to(5);
            text.append(&mut peer.read_so_far(run.random_below(200_000)));
        }
        match run.random_below(5) {
            0 => {
                peer.half_close();
                text.append(&mut peer.read_to_end());
            }
            1 => {
                let stopping = statsd.clone();
                let stop = thread::spawn(move || stopping.blocking_stop());
                text.append(&mut peer.read_to_end());
                let report = stop.join().unwrap();
                assert_eq!(report.kept, report.stats.buffered);
                statsd.start_on_thread().unwrap();
            }
            2 => {
                breaks += 1;
                drop(peer);
            }
            3 => {
                breaks += 1;
                peer.half_close();
                run.sleep_up_to(10);
                drop(peer);
            }
            _ => {
                breaks += 1;
                peer.reset();
            }
        }
        count(&mut arrivals, &text);
        emitters.assert_accounted(&statsd.stats());
    }
    let listener = server.get_or_insert_with(&listen);
    emitters.emit(&mut run, 100);
    let peer = listener.accept();
    let reading = thread::spawn(|| peer.read_to_end());
    flush(&statsd);
    let stats = statsd.blocking_stop().stats;
    count(&mut arrivals, &reading.join().unwrap());
    println!(
        "{delivery:?} {framing:?} {breaks} breaks: {stats}, {:?}",
        arrivals.compare_with(&stats)
    );
    emitters.assert_accounted(&stats);
    assert_eq!(stats.emitted, stats.sent + stats.drops.full + stats.losses.evicted);
    let found = arrivals.compare_with(&stats);
    assert_eq!(
        Discrepancies { lost: 0, duplicated: 0, unaccounted: 0, ..found },
        Discrepancies::default()
    );
    // The kernel does not report whether a Unix server has read a part of a buffer, or whether a
    // TCP server had read the lines whose acknowledgement a reset overtook. Such lines would be
    // sent again, but may be evicted for newer lines first.
    assert!(found.unaccounted <= stats.losses.evicted.lines, "{stats}, {found:?}");
    assert!(
        stats.sent.bytes.saturating_sub(arrivals.tally().bytes) <= breaks * kernel_bytes,
        "{breaks}: {found:?}"
    );
}

#[test]
fn tcp_survives_random_faults() {
    let port = unused_port();
    let listen = || Listener::tcp(port);
    soak_stream(SoakRun::start("soak::tcp_survives_random_faults"), listen, tcp(port), false);
}

#[test]
fn unix_stream_survives_random_faults() {
    let socket_path = SocketPath::new("soak-stream");
    let listen = || Listener::unix(socket_path.path());
    let settings = socket_path.settings(Protocol::UnixStream);
    soak_stream(SoakRun::start("soak::unix_stream_survives_random_faults"), listen, settings, true);
}

/// Datagram server of a soak test: a UDP or Unix socket that the test reads.
trait Receive {
    /// Reads the datagrams that have arrived, without waiting, and counts their lines in
    /// `arrivals`.
    fn read(&mut self, arrivals: &mut Arrivals);
}

impl Receive for UdpReceiver {
    fn read(&mut self, arrivals: &mut Arrivals) {
        arrivals.count_all(&self.lines_so_far());
    }
}

impl Receive for UnixDatagram {
    fn read(&mut self, arrivals: &mut Arrivals) {
        let mut datagram = vec![0; 1 << 16];
        self.set_nonblocking(true).unwrap();
        while let Ok(size) = self.recv(&mut datagram) {
            arrivals.count_datagram(&datagram[..size]);
        }
    }
}

/// Flushes the connector on one thread and reads the datagram server on another, because the
/// server's socket buffer may not hold all lines.
fn flush_and_read(statsd: &Connector, receiver: &mut impl Receive, arrivals: &mut Arrivals) {
    thread::scope(|scope| {
        let flushing = scope.spawn(|| flush(statsd));
        while !flushing.is_finished() {
            receiver.read(arrivals);
            thread::yield_now();
        }
        flushing.join().unwrap();
    });
    receiver.read(arrivals);
}

/// Runs a soak test against a datagram server that repeatedly closes its socket and binds it again.
///
/// On one machine, each disappearance loses exactly the lines that the server had not read.
fn soak_datagrams<R: Receive>(mut run: SoakRun, bind: impl Fn() -> R, settings: Builder) {
    let statsd = started(run.choose_settings(settings));
    let (mut emitters, mut arrivals, mut unread) = (Emitters::of(&statsd), Arrivals::default(), 0);
    while run.is_running() {
        // Some lines are emitted while no server is bound.
        if run.one_in(2) {
            emitters.emit(&mut run, 60);
            run.sleep_up_to(20);
        }
        let mut receiver = bind();
        for _ in 0..run.random_below(10) {
            emitters.emit(&mut run, 60);
            if run.one_in(3) {
                flush_and_read(&statsd, &mut receiver, &mut arrivals);
                let report = statsd.blocking_stop();
                assert_eq!(report.kept, Tally::default());
                statsd.start_on_thread().unwrap();
            }
            flush_and_read(&statsd, &mut receiver, &mut arrivals);
            assert_eq!(statsd.stats().sent.lines, arrivals.tally().lines + unread);
        }
        flush_and_read(&statsd, &mut receiver, &mut arrivals);
        // The receiver's buffer has room for these few lines.
        emitters.emit(&mut run, 6);
        flush(&statsd);
        if run.one_in(2) {
            receiver.read(&mut arrivals);
        }
        drop(receiver);
        // One of these lines detects the disappearance. It is the first line, unless a child
        // process of another test still holds the socket.
        emitters.emit(&mut run, 10);
        eventually("the client notices the disappearance", || {
            emitters.emit_one();
            !statsd.connected()
        });
        let stats = statsd.stats();
        unread = stats.sent.lines - arrivals.tally().lines;
        emitters.assert_accounted(&stats);
    }
    let mut receiver = bind();
    flush_and_read(&statsd, &mut receiver, &mut arrivals);
    let stats = statsd.blocking_stop().stats;
    println!("{stats}, {:?}", arrivals.compare_with(&stats));
    emitters.assert_accounted(&stats);
    assert_eq!(stats.emitted, stats.sent + stats.drops.full + stats.losses.evicted);
    assert_eq!(
        arrivals.compare_with(&stats),
        Discrepancies { lost: unread, ..Discrepancies::default() }
    );
}

#[test]
fn udp_survives_random_faults() {
    let port = unused_port();
    let bind = || UdpReceiver::listen(Ipv4Addr::LOCALHOST, port);
    soak_datagrams(SoakRun::start("soak::udp_survives_random_faults"), bind, udp(port));
}

#[test]
fn unix_datagrams_survive_random_faults() {
    let socket_path = SocketPath::new("soak-datagrams");
    let settings = socket_path.settings(Protocol::UnixDatagram);
    soak_datagrams(
        SoakRun::start("soak::unix_datagrams_survive_random_faults"),
        || socket_path.bind(),
        settings,
    );
}
