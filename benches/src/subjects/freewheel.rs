//! freewheel, with its default settings but for the endpoint.

use crate::lines::{ELAPSED, FULL_PRECISION, TWO_DECIMALS, WHOLE};
use crate::subject::{Call, Caller, Info, Nature, Setup, Subject, Target, Transport};
use freewheel::{Connector, Protocol};
use std::hint::black_box;

/// The calls that take a name. (Beside it there is room for prepared metrics.)
pub struct Plain {
    statsd: Connector,
    name: &'static str,
}

impl Subject for Plain {
    const INFO: Info = Info {
        id: "freewheel",
        label: "freewheel",
        nature: Nature::Lines,
        calls: Call::UNTAGGED,
        transports: &[Transport::Udp, Transport::Tcp, Transport::UnixDatagram],
    };
    type Caller = Self;

    fn start(setup: &Setup) -> Self {
        Self { statsd: start(setup), name: setup.length.name() }
    }

    fn caller(&self) -> Self {
        Self { statsd: self.statsd.clone(), name: self.name }
    }

    /// Its flusher ends, so that nobody but the caller is at work.
    fn settle(&self) {
        let _ = self.statsd.blocking_stop();
    }

    fn close(self) -> Option<u64> {
        let stats = self.statsd.blocking_stop().stats;
        Some(stats.dropped().lines + stats.lost().lines)
    }
}

fn start(setup: &Setup) -> Connector {
    let builder = match &setup.target {
        Target::Udp(port) => Connector::builder("127.0.0.1").protocol(Protocol::Udp).port(*port),
        Target::Tcp(port) => Connector::builder("127.0.0.1").port(*port),
        Target::UnixDatagram(path) => {
            Connector::builder(path.to_string_lossy()).protocol(Protocol::UnixDatagram)
        }
    };
    let builder = builder.max_datagram_payload(setup.payload);
    let builder = builder.prefix(setup.length.prefix()).type_prefixes(false);
    let statsd = builder.build().expect("good settings");
    statsd.start_on_thread().expect("a thread");
    while !statsd.connected() {
        std::thread::yield_now();
    }
    statsd
}

impl Caller for Plain {
    #[inline]
    fn incr(&mut self) {
        self.statsd.incr(black_box(self.name));
    }
    #[inline]
    fn gauge_whole(&mut self) {
        self.statsd.gauge(black_box(self.name), black_box(WHOLE));
    }
    #[inline]
    fn gauge_two_decimals(&mut self) {
        self.statsd.gauge(black_box(self.name), black_box(TWO_DECIMALS));
    }
    #[inline]
    fn gauge_full_precision(&mut self) {
        self.statsd.gauge(black_box(self.name), black_box(FULL_PRECISION));
    }
    #[inline]
    fn timing(&mut self) {
        self.statsd.timing(black_box(self.name), black_box(ELAPSED));
    }
}
