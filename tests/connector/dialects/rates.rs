//! Tests of sample rates: servers compute the intended weight from the rate that is written in a
//! line.

use super::{ALL, arrived_in, until_emitted};
use freewheel::{Connector, Counter, Dialect, Distribution, Histogram, Meter, SampleRate, Timing};
use std::num::NonZeroU64;

fn one_in(n: u64) -> SampleRate {
    SampleRate::one_in(NonZeroU64::new(n).unwrap())
}

/// Returns the weight that each of several servers gives a timing with this sample rate, by the
/// server's own formula. (Casts truncate, in Go and in Rust.)
fn weights(rate: f64) -> [(&'static str, f64); 5] {
    [
        ("the Agent, pkg/metrics/histogram.go: int64(1/rate)", (1.0 / rate) as i64 as f64),
        ("the Agent, pkg/util/quantile/agent.go: uint(1/rate)", (1.0 / rate) as u64 as f64),
        ("statsd_exporter, Telegraf: int(1/rate)", (1.0 / rate) as i64 as f64),
        ("Vector: (1.0 / rate) as u32", f64::from((1.0 / rate) as u32)),
        ("netdata: llrint(1.0 / rate)", (1.0 / rate).round_ties_even()),
    ]
}

/// Returns the count that each server with integer counters computes from this value and sample
/// rate, by the server's own formula. (Netdata's minimum rate is omitted.)
fn counts(value: i64, rate: f64) -> [(&'static str, f64); 2] {
    let value = value as f64;
    [
        ("Telegraf: int64(float64(v) / rate)", (value / rate) as i64 as f64),
        ("netdata: llrint(v / rate)", (value / rate).round_ties_even()),
    ]
}

#[test]
fn all_servers_weigh_one_in_n_as_n() {
    for n in 1..=1_000_000_u64 {
        let rate: f64 = one_in(n).to_string().parse().unwrap();
        for (server, weight) in weights(rate) {
            assert_eq!(weight, n as f64, "{server}: {n} from {rate}");
        }
        // The last two products are next to a power of two, where the step between floating-point
        // numbers changes.
        let below = (1_i64 << 40) / n as i64;
        for value in [1, 3, -1, 1_000_003, below, below + 1] {
            let expected = value as f64 * n as f64;
            for (server, counted) in counts(value, rate) {
                assert_eq!(counted, expected, "{server}: {value} at {rate}");
            }
            let unrounded = value as f64 * (1.0 / rate);
            assert!((unrounded / expected - 1.0).abs() < 1e-15, "{value} at {rate}: {unrounded}");
        }
    }
}

/// A sample rate that differs from 1/n only by rounding, such as `0.1 * 0.1`, is sent as 1/n.
#[test]
fn computed_rates_are_taken_for_one_in_n() {
    for (computed, n) in [
        (0.1 * 0.1, 100),
        (f64::from(0.1_f32), 10),
        (f64::from(0.2_f32), 5),
        (f64::from(0.05_f32), 20),
        (f64::from(0.01_f32), 100),
        (1.0 / 93.0, 93),
        (1.0 / 99.0, 99),
        (0.3333333, 3),
        (0.00001, 100_000),
        (1.0 - 1e-9, 1),
    ] {
        let rate = SampleRate::new(computed).unwrap();
        assert_eq!(rate.rate(), computed);
        assert_eq!(rate.to_string(), one_in(n).to_string(), "{computed}");
        for dialect in ALL {
            let effective = rate.effective_rate::<Counter>(dialect);
            assert_eq!(effective, one_in(n).rate_as_sent(), "{computed} in {dialect:?}");
        }
    }
    for n in 1..=100_000_u64 {
        let single = f64::from(1.0 / n as f32);
        for computed in [1.0 / n as f64, single, 1.0 / n as f64 * (1.0 - 9e-7)] {
            let rate = SampleRate::new(computed).unwrap();
            assert_eq!(rate.to_string(), one_in(n).to_string(), "{computed}");
        }
    }
    assert_eq!(one_in(10).to_string(), "0.1");
    assert_eq!(one_in(93).to_string(), "0.01075268817204301");
}

trait Sent {
    fn rate_as_sent(&self) -> f64;
}

impl Sent for SampleRate {
    fn rate_as_sent(&self) -> f64 {
        self.to_string().parse().unwrap()
    }
}

/// A sample rate is sent as requested, or rounded to one in n, for the dialects and kinds of metric
/// that the documentation of `SampleRate` lists.
#[test]
fn table_of_sent_rates() {
    for (requested, n) in
        [(0.9, 2), (0.7, 2), (0.51, 2), (0.4, 3), (0.3, 4), (0.03, 34), (0.015, 67)]
    {
        let rate = SampleRate::new(requested).unwrap();
        let whole = one_in(n).rate_as_sent();
        assert!(whole < requested, "more lines than requested");
        for dialect in ALL {
            let is_rounded = |kind: &str| match dialect {
                Dialect::Extended | Dialect::Influx => true,
                Dialect::Graphite => false,
                _ => kind != "counter",
            };
            let expected = |kind| if is_rounded(kind) { whole } else { requested };
            let context = format!("{requested} in {dialect:?}");
            assert_eq!(rate.effective_rate::<Counter>(dialect), expected("counter"), "{context}");
            assert_eq!(rate.effective_rate::<Timing>(dialect), expected("timing"), "{context}");
            assert_eq!(
                rate.effective_rate::<Histogram>(dialect),
                expected("histogram"),
                "{context}"
            );
            let distribution = rate.effective_rate::<Distribution>(dialect);
            assert_eq!(distribution, expected("distribution"), "{context}");
            assert_eq!(rate.effective_rate::<Meter>(dialect), expected("meter"), "{context}");
        }
    }
}

/// Sampled lines state the rate that [`SampleRate::effective_rate`] returns, both for metrics
/// emitted directly and for prepared metrics.
#[test]
fn lines_say_the_effective_rate() {
    let rate = SampleRate::new(0.7).unwrap();
    for dialect in ALL {
        let (lines, _) = arrived_in(dialect, |statsd: &Connector| {
            let counter = || statsd.metric::<Counter>("a").sample_rate(rate);
            until_emitted(statsd, || counter().incr());
            until_emitted(statsd, || counter().build().incr());
            let timing = || statsd.metric::<Timing>("a").sample_rate(rate);
            until_emitted(statsd, || timing().record_seconds(0.001));
            until_emitted(statsd, || timing().build().record_seconds(0.001));
            if dialect == Dialect::Extended {
                until_emitted(statsd, || statsd.metric::<Meter>("a").sample_rate(rate).mark(1));
            }
            if dialect == Dialect::DogStatsD {
                let distribution = || statsd.metric::<Distribution>("a").sample_rate(rate);
                until_emitted(statsd, || distribution().record(1));
            }
        });
        for line in &lines {
            let (_, code) = line.split_once('|').unwrap();
            let (code, sent) = code.split_once("|@").unwrap();
            let effective = match code {
                "c" => rate.effective_rate::<Counter>(dialect),
                "ms" => rate.effective_rate::<Timing>(dialect),
                "m" => rate.effective_rate::<Meter>(dialect),
                _ => rate.effective_rate::<Distribution>(dialect),
            };
            assert_eq!(sent.parse(), Ok(effective), "{line} in {dialect:?}");
        }
        let more = u8::from(matches!(dialect, Dialect::Extended | Dialect::DogStatsD));
        assert_eq!(lines.len(), 4 + usize::from(more), "{dialect:?}");
    }
}
