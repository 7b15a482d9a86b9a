//! Property test: each API call arrives as the expected StatsD line.

use super::call::{Call, Expected};
use super::strategies::{call, name, prefix};
use super::{LONGEST_LINE, is_forbidden};
use crate::support::{Line, UdpReceiver, assert_balanced, flush, tally, udp};
use freewheel::Tally;
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    /// Random API calls arrive as the expected lines: names stay in their field, and numbers parse
    /// to the same numbers. Invalid calls are counted, and adjacent lines are unaffected.
    #[test]
    fn received_lines_match_their_calls(
        prefix in prefix(),
        type_prefixes in any::<bool>(),
        calls in prop::collection::vec((name(), call()), 1..24),
    ) {
        assert_lines_match(prefix, type_prefixes, &calls)?;
    }
}

/// Makes these API calls, each between two increments of a counter. Asserts that exactly the
/// expected lines arrive, and that the statistics agree.
fn assert_lines_match(
    prefix: String,
    type_prefixes: bool,
    calls: &[(String, Call)],
) -> TestCaseResult {
    let receiver = UdpReceiver::start();
    let builder = udp(receiver.port()).type_prefixes(type_prefixes).prefix(prefix.clone());
    let prefix = prefix.trim_matches('.');
    let Ok(statsd) = builder.build() else {
        prop_assert!(prefix.contains(is_forbidden) || prefix.len() > 256, "{prefix:?} is refused");
        return Ok(());
    };
    prop_assert!(!prefix.contains(is_forbidden) && prefix.len() <= 256, "{prefix:?} is accepted");
    let path = |forbidden: fn(char) -> bool, kind: &str, name: &str| {
        let kind = if type_prefixes { kind } else { "" };
        let parts = [prefix, kind, name].into_iter().filter(|part| !part.is_empty());
        parts.collect::<Vec<_>>().join(".").replace(forbidden, "_")
    };

    let mut expected = Vec::new();
    // Expected numbers of lines.
    let (mut invalid, mut oversize, mut altered) = (0, 0, 0);
    for (index, (name, call)) in calls.iter().enumerate() {
        let neighbour =
            (path(is_forbidden, "counters", "neighbour"), "c", Expected::Text(index.to_string()));
        statsd.incr_by("neighbour", index);
        (call.emit)(&statsd, name);
        statsd.incr_by("neighbour", index);
        expected.push(neighbour.clone());
        if name.is_empty() || call.values.is_empty() {
            invalid += call.values.len().max(1) as u64;
        } else if name.len() >= LONGEST_LINE {
            oversize += call.values.len() as u64;
        } else {
            altered += if name.contains(call.forbidden) { call.values.len() as u64 } else { 0 };
            let line = |value: &Expected| {
                (path(call.forbidden, call.kind, name), &*call.code, value.clone())
            };
            expected.extend(call.values.iter().map(line));
        }
        expected.push(neighbour);
    }

    statsd.start_on_thread().expect("the connector is not running");
    flush(&statsd);
    let received = receiver.lines(expected.len() as u64);
    // Gauges are in a separate queue. The order holds within each of the two groups.
    let (gauges, mut received): (Vec<_>, Vec<_>) =
        received.into_iter().partition(|line| line.ends_with("|g"));
    received.extend(gauges);
    expected.sort_by_key(|(_, code, _)| *code == "g");
    for (line, (path, code, value)) in received.iter().zip(&expected) {
        let is_numeric = !matches!(value, Expected::Text(_));
        let fields = if is_numeric { Line::parse(line) } else { Line::split(line) };
        let is_expected =
            |read: Line<'_>| read.path == path && read.code == *code && value.matches(read.value);
        prop_assert!(
            fields.is_some_and(is_expected),
            "{line:?} is not {path:?} {value:?} {code:?}"
        );
    }
    prop_assert_eq!(received.len(), expected.len());
    let stats = statsd.stats();
    prop_assert_eq!(stats.sent, tally(&received));
    prop_assert_eq!((stats.drops.invalid.lines, stats.drops.oversize.lines), (invalid, oversize));
    prop_assert_eq!((stats.buffered, stats.altered), (Tally::default(), altered));
    assert_balanced(&stats);
    Ok(())
}
