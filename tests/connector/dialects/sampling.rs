//! Tests of sampling: the number of emitted lines, and the names to which a sampling pattern
//! applies.

use super::{arrived, half_rate, until_emitted};
use freewheel::{Builder, Connector, Counter, SampleRate, Set};
use std::time::Duration;

/// Sampled calls emit a number of lines within six standard deviations of the expected mean, for
/// each way to set a sample rate.
#[test]
fn lines_are_sampled_at_their_rate() {
    const CALLS: u64 = 100_000;
    let statsd = |builder: Builder| builder.queue_capacity(64 << 20).build().unwrap();
    let rate = |rate| SampleRate::new(rate).unwrap();
    for (chance, timing_chance) in
        [(0.001, 0.001), (0.1, 0.1), (0.5, 0.5), (0.9, 0.5), (0.35, 1.0 / 3.0)]
    {
        let plain = statsd(Connector::builder("127.0.0.1").sample("http.*", rate(chance)));
        let hits = plain.metric::<Counter>("hits").sample_rate(rate(chance)).build();
        let by_pattern = plain.metric::<Counter>("http.hits").build();
        let scoped = plain.scoped("http");
        let ways: [&dyn Fn(); 6] = [
            &|| hits.incr(),
            &|| by_pattern.incr_by(2),
            &|| plain.metric::<Counter>("hits").sample_rate(rate(chance)).incr(),
            &|| plain.incr("http.hits"),
            &|| plain.timing("http.time", Duration::from_millis(1)),
            &|| scoped.incr("hits"),
        ];
        for (number, way) in ways.iter().enumerate() {
            let before = plain.stats().emitted.lines;
            (0..CALLS).for_each(|_| way());
            let drawn = (plain.stats().emitted.lines - before) as f64;
            // Kinds with an integer weight are drawn at the rate of that weight.
            let chance = if number == 4 { timing_chance } else { chance };
            let mean = CALLS as f64 * chance;
            let deviation = (mean * (1.0 - chance)).sqrt();
            assert!((drawn - mean).abs() < 6.0 * deviation, "{drawn} of {mean}, way {number}");
        }
        assert_eq!(plain.stats().dropped().lines, 0);
    }
}

#[test]
fn rate_of_a_call_overrides_the_rate_of_a_pattern() {
    let configure = |builder: Builder| {
        let never = SampleRate::new(1e-18).unwrap();
        let builder = builder.type_prefixes(false).prefix("app").sample("a.all", half_rate());
        builder.sample("a.*", never).sample("*.z", never)
    };
    let (lines, stats) = arrived(configure, |statsd| {
        statsd.incr("a.b");
        until_emitted(statsd, || statsd.incr("a.all"));
        statsd.incr("app.a.b");
        statsd.scoped("a").incr("b");
        statsd.metric::<Counter>("a.b").build().incr();
        let half = || statsd.metric::<Counter>("a.b").sample_rate(half_rate());
        until_emitted(statsd, || half().incr());
        until_emitted(statsd, || half().build().incr());
        // Gauges and sets are not sampled. The timing is not drawn.
        statsd.gauge("a.b", -1);
        statsd.set("x.z", "m");
        statsd.metric::<Set>("a.b").build().insert("m");
        statsd.timing("x.z", Duration::ZERO);
    });
    let rate = "@0.5";
    let expected = [
        &*format!("app.a.all:1|c|{rate}"),
        "app.app.a.b:1|c",
        &format!("app.a.b:1|c|{rate}"),
        &format!("app.a.b:1|c|{rate}"),
        "app.x.z:m|s",
        "app.a.b:m|s",
        // Gauges are in a separate queue.
        "app.a.b:0|g",
        "app.a.b:-1|g",
    ];
    assert_eq!(lines, expected);
    assert_eq!(stats.emitted.lines, 8);
}
