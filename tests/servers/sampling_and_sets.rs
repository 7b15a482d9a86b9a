//! Helpers for tests of sampled counters and of sets, which statsd, collectd and netdata interpret
//! in the same way.

use freewheel::{Builder, Connector, Counter, Dialect, Protocol, SampleRate, Set};
use std::time::{Duration, Instant};

use crate::server::DEADLINE;

/// Sample rate of the tests' sampled counters. It is a power of two, so that the server's
/// arithmetic is exact.
pub(crate) const QUARTER: f64 = 0.25;

/// Number of distinct set members that [`insert_members`] inserts, counted after the client has
/// sanitized them.
pub(crate) const DISTINCT_MEMBERS: f64 = 4.0;

/// Returns a connector for a server at `port` that samples the counter `by.pattern` at the rate
/// `QUARTER`.
pub(crate) fn connector(
    dialect: Dialect,
    port: u16,
    configure: impl FnOnce(Builder) -> Builder,
) -> Connector {
    let builder = Connector::builder("127.0.0.1").port(port).protocol(Protocol::Udp);
    let builder = builder.dialect(dialect).prefix("app").type_prefixes(false);
    let builder =
        builder.sample("by.pattern", SampleRate::new(QUARTER).expect("the rate is valid"));
    configure(builder.stop_timeout(DEADLINE)).build().expect("the settings are valid")
}

/// Increments three sampled counters a thousand times each. Returns the value that a server must
/// report for each counter, computed from the number of emitted lines.
///
/// One counter is prepared, one gets its sample rate in each call, and one gets it from a name
/// pattern.
pub(crate) fn count_sampled(statsd: &Connector) -> [(&'static str, f64); 3] {
    let rate = SampleRate::new(QUARTER).expect("the rate is valid");
    let prepared = statsd.metric::<Counter>("prepared").sample_rate(rate).build();
    let counters: [(_, &dyn Fn()); 3] = [
        ("prepared", &|| prepared.incr()),
        ("by.call", &|| statsd.metric::<Counter>("by.call").sample_rate(rate).incr()),
        ("by.pattern", &|| statsd.incr("by.pattern")),
    ];
    counters.map(|(name, count)| {
        let before = statsd.stats().emitted.lines;
        (0..1_000).for_each(|_| count());
        let drawn = (statsd.stats().emitted.lines - before) as f64;
        // Allows ten standard deviations around the mean.
        assert!((drawn - 250.0).abs() < 137.0, "{drawn} of 1000 were drawn");
        (name, drawn / QUARTER)
    })
}

/// Inserts [`DISTINCT_MEMBERS`] distinct members into the set `visitors`, some of them twice.
pub(crate) fn insert_members(statsd: &Connector) {
    let visitors = statsd.metric::<Set>("visitors").build();
    for member in ["ann", "bob", "ann", "a:b|c\nd", "Élodie @ #1"] {
        visitors.insert(member);
    }
    statsd.set("visitors", "a_b_c_d");
}

/// Inserts the members of `insert_members` repeatedly, until `size` shows that a report of the
/// server contains all of them. The function `size` returns the number of members that the server
/// has reported.
///
/// Servers start a new set with each report, so a report may contain only some of the members. No
/// report may contain more.
pub(crate) fn insert_until_seen(statsd: &Connector, size: impl Fn() -> Option<f64>) {
    let deadline = Instant::now() + DEADLINE;
    loop {
        insert_members(statsd);
        let _ = statsd.blocking_flush();
        std::thread::sleep(Duration::from_millis(50));
        let size = size();
        assert!(size.is_none_or(|size| size <= DISTINCT_MEMBERS), "{size:?}");
        if size == Some(DISTINCT_MEMBERS) {
            return;
        }
        assert!(Instant::now() < deadline, "{size:?} of {DISTINCT_MEMBERS}");
    }
}
