//! Adapter that benchmarks the StatsD client cadence 1 with three sinks: one discards lines, one
//! buffers them, and one queues lines before a buffer.
//!
//! Sockets are non-blocking, as the documentation recommends. The queue has the bound of the
//! documentation's example.

use crate::fixtures::{ELAPSED, FULL_PRECISION, TAG_PARTS, TWO_DECIMALS, WHOLE};
use crate::subject::{Call, Caller, Info, Kind, Setup, Subject, Target, Transport};
use cadence::prelude::*;
use cadence::{
    BufferedUdpMetricSink, BufferedUnixMetricSink, MetricSink, NopMetricSink, QueuingMetricSink,
    StatsdClient,
};
use std::hint::black_box;
use std::io;
use std::net::UdpSocket;
use std::os::unix::net::UnixDatagram;
use std::sync::Arc;
use std::time::{Duration, Instant};

const TRANSPORTS: &[Transport] = &[Transport::Udp, Transport::UnixDatagram];

pub struct Client {
    statsd: Arc<StatsdClient>,
    name: &'static str,
}

impl Client {
    fn new(
        setup: &Setup,
        sink: impl MetricSink + Send + Sync + std::panic::RefUnwindSafe + 'static,
    ) -> Self {
        let statsd = Arc::new(StatsdClient::from_sink(setup.length.prefix(), sink));
        Self { statsd, name: setup.length.name() }
    }

    fn caller(&self) -> Self {
        Self { statsd: Arc::clone(&self.statsd), name: self.name }
    }
}

fn udp() -> UdpSocket {
    let socket = UdpSocket::bind("0.0.0.0:0").expect("a free port exists");
    socket.set_nonblocking(true).expect("the socket can be opened and configured");
    socket
}

fn unix() -> UnixDatagram {
    let socket = UnixDatagram::unbound().expect("the socket can be opened and configured");
    socket.set_nonblocking(true).expect("the socket can be opened and configured");
    socket
}

pub struct FormatsOnly(Client);

impl Subject for FormatsOnly {
    const INFO: Info = Info {
        id: "cadence_formats_only",
        label: "cadence, no-op sink",
        kind: Kind::FormatsOnly,
        calls: &Call::ALL,
        transports: &[],
    };
    type Caller = Client;

    fn start(setup: &Setup) -> Self {
        Self(Client::new(setup, NopMetricSink))
    }
    fn caller(&self) -> Client {
        self.0.caller()
    }
    fn close(self) -> Option<u64> {
        None
    }
}

pub struct Buffered(Client);

impl Subject for Buffered {
    const INFO: Info = Info {
        id: "cadence_buffered",
        label: "cadence, buffered",
        kind: Kind::LinePerCall,
        calls: &Call::ALL,
        transports: TRANSPORTS,
    };
    type Caller = Client;

    fn start(setup: &Setup) -> Self {
        Self(match &setup.target {
            Target::UnixDatagram(path) => {
                let sink = BufferedUnixMetricSink::with_capacity(path, unix(), setup.payload);
                Client::new(setup, sink)
            }
            target => {
                let to = target.address();
                let sink = BufferedUdpMetricSink::with_capacity(to, udp(), setup.payload);
                Client::new(setup, sink.expect("the address is valid"))
            }
        })
    }
    fn caller(&self) -> Client {
        self.0.caller()
    }
    fn close(self) -> Option<u64> {
        let _ = self.0.statsd.flush();
        None
    }
}

/// Sink of cadence that shares its queue with the adapter, which queries the length of the queue
/// before it closes the client.
struct SharedQueue(Arc<QueuingMetricSink>);

impl MetricSink for SharedQueue {
    fn emit(&self, metric: &str) -> io::Result<usize> {
        self.0.emit(metric)
    }
    fn flush(&self) -> io::Result<()> {
        self.0.flush()
    }
}

pub struct Queued {
    client: Client,
    queue: Arc<QueuingMetricSink>,
}

impl Subject for Queued {
    const INFO: Info = Info {
        id: "cadence_queued",
        label: "cadence, queued and buffered",
        kind: Kind::LinePerCall,
        calls: &Call::ALL,
        transports: TRANSPORTS,
    };
    type Caller = Client;

    fn start(setup: &Setup) -> Self {
        const QUEUE: usize = 512 * 1024;
        let queue = Arc::new(match &setup.target {
            Target::UnixDatagram(path) => {
                let sink = BufferedUnixMetricSink::with_capacity(path, unix(), setup.payload);
                QueuingMetricSink::with_capacity(sink, QUEUE)
            }
            target => {
                let to = target.address();
                let sink = BufferedUdpMetricSink::with_capacity(to, udp(), setup.payload);
                QueuingMetricSink::with_capacity(sink.expect("the address is valid"), QUEUE)
            }
        });
        Self { client: Client::new(setup, SharedQueue(Arc::clone(&queue))), queue }
    }
    fn caller(&self) -> Client {
        self.client.caller()
    }
    fn close(self) -> Option<u64> {
        let deadline = Instant::now() + Duration::from_secs(10);
        while self.queue.queued() > 0 && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(1));
        }
        let _ = self.queue.flush();
        None
    }
}

/// Makes the calls of cadence and ignores their errors, as most programs do.
impl Caller for Client {
    #[inline]
    fn incr(&mut self) {
        let _ = self.statsd.incr(black_box(self.name));
    }
    #[inline]
    fn incr_tagged(&mut self) {
        let [(method, get), (status, ok)] = black_box(TAG_PARTS);
        let line = self.statsd.incr_with_tags(black_box(self.name));
        let _ = line.with_tag(method, get).with_tag(status, ok).try_send();
    }
    #[inline]
    fn gauge_whole(&mut self) {
        let _ = self.statsd.gauge(black_box(self.name), black_box(WHOLE));
    }
    #[inline]
    fn gauge_two_decimals(&mut self) {
        let _ = self.statsd.gauge(black_box(self.name), black_box(TWO_DECIMALS));
    }
    #[inline]
    fn gauge_full_precision(&mut self) {
        let _ = self.statsd.gauge(black_box(self.name), black_box(FULL_PRECISION));
    }
    #[inline]
    fn timing(&mut self) {
        let _ = self.statsd.time(black_box(self.name), black_box(ELAPSED));
    }
}
