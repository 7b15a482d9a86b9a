//! Sampled counters and sets, which statsd, collectd and netdata read alike.

use freewheel::{Builder, Connector, Dialect, Protocol, SampleRate, Set};
use std::time::{Duration, Instant};

use crate::server::DEADLINE;

/// A power of two, which is as exact in a server's arithmetic as on the line.
pub(crate) const QUARTER: f64 = 0.25;

/// How many of the [members](insert_members) differ once they are safe.
pub(crate) const DIFFERENT: f64 = 4.0;

/// A connector whose counter `by.pattern` is sampled.
pub(crate) fn connector(
    dialect: Dialect,
    port: u16,
    configure: impl FnOnce(Builder) -> Builder,
) -> Connector {
    let builder = Connector::builder("127.0.0.1").port(port).protocol(Protocol::Udp);
    let builder = builder.dialect(dialect).prefix("app").type_prefixes(false);
    let builder = builder.sample("by.pattern", SampleRate::new(QUARTER).expect("a rate"));
    configure(builder.stop_timeout(DEADLINE)).build().expect("valid settings")
}

/// Counts a thousand times each by a prepared counter, by calls and by the pattern, and says what a
/// server must make of the lines that were drawn of each.
pub(crate) fn count_sampled(statsd: &Connector) -> [(&'static str, f64); 3] {
    let rate = SampleRate::new(QUARTER).expect("a rate");
    let prepared = statsd.counter("prepared").sample_rate(rate).build();
    let ways: [(_, &dyn Fn()); 3] = [
        ("prepared", &|| prepared.incr()),
        ("by.call", &|| statsd.counter("by.call").sample_rate(rate).incr()),
        ("by.pattern", &|| statsd.incr("by.pattern")),
    ];
    ways.map(|(name, count)| {
        let before = statsd.stats().emitted.lines;
        (0..1_000).for_each(|_| count());
        let drawn = (statsd.stats().emitted.lines - before) as f64;
        // Ten standard deviations around the mean.
        assert!((drawn - 250.0).abs() < 137.0, "{drawn} of 1000 were drawn");
        (name, drawn / QUARTER)
    })
}

/// Puts [`DIFFERENT`] members into the set `visitors`, some of them twice.
pub(crate) fn insert_members(statsd: &Connector) {
    let visitors = statsd.metric::<Set>("visitors").build();
    for member in ["ann", "bob", "ann", "a:b|c\nd", "Élodie @ #1"] {
        visitors.insert(member);
    }
    statsd.set("visitors", "a_b_c_d");
}

/// Puts them in again and again, for servers that begin a new set with each report, which may be in the
/// midst of them: until one has told of all, and none of more.
pub(crate) fn insert_until_seen(statsd: &Connector, size: impl Fn() -> Option<f64>) {
    let deadline = Instant::now() + DEADLINE;
    loop {
        insert_members(statsd);
        let _ = statsd.blocking_flush();
        std::thread::sleep(Duration::from_millis(50));
        let size = size();
        assert!(size.is_none_or(|size| size <= DIFFERENT), "{size:?}");
        if size == Some(DIFFERENT) {
            return;
        }
        assert!(Instant::now() < deadline, "{size:?} of {DIFFERENT}");
    }
}
