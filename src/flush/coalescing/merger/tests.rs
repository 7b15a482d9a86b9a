use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

fn config(has_gauge_deltas: bool) -> CoalescingConfig {
    CoalescingConfig {
        max_contexts: 100,
        has_gauge_deltas,
        max_line: 100,
        payload: 100,
        capacity: 1 << 20,
    }
}

/// Merges these lines, which are one run of bytes. Returns the merged lines, without their last
/// newlines.
/// Asserts that lines and bytes balance.
#[track_caller]
fn merged(config: CoalescingConfig, lines: &[&str]) -> Vec<String> {
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let merger = Merger::new(config);
    let mut batch = merger.begin();
    batch.add(text.as_bytes(), u64::MAX);
    let merged = batch.finish();
    let mut records = Vec::new();
    for record in merged.records() {
        let text = std::str::from_utf8(record).unwrap().strip_suffix('\n').unwrap();
        match text.contains(":0|g") {
            // Two lines that must stay together.
            true => records.push(text.to_owned()),
            false => records.extend(text.lines().map(str::to_owned)),
        }
    }
    let count = |records: &[String]| records.iter().map(|r| r.lines().count()).sum::<usize>();
    let bytes = records.iter().map(|record| record.len() + 1).sum::<usize>();
    let spared =
        Tally { lines: (lines.len() - count(&records)) as u64, bytes: (text.len() - bytes) as u64 };
    assert_eq!((merged.taken(), merged.difference()), (text.len() as u64, spared));
    records
}

#[track_caller]
fn assert_merged(has_gauge_deltas: bool, lines: &[&str], expected: &[&str]) {
    assert_eq!(merged(config(has_gauge_deltas), lines), expected, "{lines:?}");
}

#[test]
fn counts_of_a_counter_are_added_up_in_the_place_of_the_first() {
    for has_gauge_deltas in [false, true] {
        assert_merged(
            has_gauge_deltas,
            &["a:1|c", "b:5|c|#t", "a:9|c", "t:3|ms", "b:-7|c|#t", "b:1|c|#u", "a:090|c", "t:3|ms"],
            &["a:100|c", "b:-2|c|#t", "t:3|ms", "b:1|c|#u", "t:3|ms"],
        );
    }
}

#[test]
fn a_single_count_stays_as_it_is_and_a_sum_of_0_is_sent() {
    assert_merged(true, &["a:007|c", "b:-0|c", "c:3|c", "c:-3|c"], &["a:007|c", "b:-0|c", "c:0|c"]);
}

#[test]
fn a_sum_that_does_not_fit_begins_anew() {
    let (max, min) = (i64::MAX.to_string(), i64::MIN.to_string());
    assert_merged(
        true,
        &[&format!("a:{max}|c"), "a:1|c", "a:2|c", &format!("b:{min}|c"), "b:-1|c", "b:-1|c"],
        &[&format!("a:{max}|c"), "a:3|c", &format!("b:{min}|c"), "b:-2|c"],
    );
    // The order of the numbers decides, and not their sum.
    assert_merged(true, &[&format!("a:{max}|c"), "a:-1|c", "a:1|c"], &[&format!("a:{max}|c")]);
}

#[test]
fn a_sum_is_no_longer_than_a_line_or_a_datagram_may_be() {
    let lines = ["aaaa:5|c", "aaaa:5|c", "aaaa:4|c", "aaaa:1|c"];
    let fitting = ["aaaa:15|c"];
    for (max_line, payload, expected) in [
        (10, 100, &fitting[..]),
        (9, 100, &["aaaa:5|c", "aaaa:9|c", "aaaa:1|c"]),
        (100, 10, &fitting),
        (100, 9, &["aaaa:5|c", "aaaa:9|c", "aaaa:1|c"]),
        // A line that exceeds the datagram alone.
        (100, 8, &fitting),
        (9, 8, &["aaaa:5|c", "aaaa:9|c", "aaaa:1|c"]),
    ] {
        let config = CoalescingConfig { max_line, payload, ..config(true) };
        assert_eq!(merged(config, &lines), expected, "{max_line} {payload}");
    }
}

#[test]
fn a_gauge_keeps_its_last_value_in_its_place() {
    for has_gauge_deltas in [false, true] {
        assert_merged(
            has_gauge_deltas,
            &["a:1|g", "b:1|g|#t", "a:2.5|g", "b:2|g|#u", "x:1|h", "a:3|g", "b:0|g|#t"],
            &["b:2|g|#u", "x:1|h", "a:3|g", "b:0|g|#t"],
        );
    }
}

#[test]
fn a_change_ends_the_merging_of_the_values_before_it() {
    let lines = ["a:1|g", "a:2|g", "b:7|g", "a:+3|g", "a:5|g", "a:6|g", "a:-1|g", "b:8|g", "a:9|g"];
    assert_merged(true, &lines, &["a:2|g", "a:+3|g", "a:6|g", "a:-1|g", "b:8|g", "a:9|g"]);
    assert_merged(false, &["a:1|g", "a:-1|g", "a:2|g", "a:-3.5|g"], &["a:-3.5|g"]);
}

#[test]
fn the_two_lines_of_a_negative_gauge_stay_together() {
    let lines = ["a:1|g", "a:0|g", "a:-5|g", "a:0|g", "a:-6|g", "a:7|g", "a:8|g"];
    assert_merged(true, &lines, &["a:1|g", "a:0|g\na:-5|g", "a:0|g\na:-6|g", "a:8|g"]);
    assert_merged(
        true,
        &["a:0|g|#t", "a:-5|g|#t", "a:0|g|#t"],
        &["a:0|g|#t\na:-5|g|#t", "a:0|g|#t"],
    );
    // A value of 0 and a change that only looks like a second line.
    assert_merged(
        true,
        &["a:0|g|#t", "a:-5|g", "a:0|g|#t", "a:1|g"],
        &["a:0|g|#t\na:-5|g", "a:0|g|#t", "a:1|g"],
    );
    let config = CoalescingConfig { max_line: 13, ..config(true) };
    assert_eq!(
        merged(config, &["a:0|g", "a:-5|g", "b:0|g", "b:-55|g"]),
        ["a:0|g\na:-5|g", "b:0|g", "b:-55|g"]
    );
}

#[test]
fn lines_of_further_contexts_are_passed_on() {
    let lines = ["a:1|c", "b:1|g", "c:1|c", "a:1|c", "d:1|g", "b:2|g", "c:1|c", "d:2|g"];
    for (max_contexts, expected) in [
        (1, &["a:2|c", "b:1|g", "c:1|c", "d:1|g", "b:2|g", "c:1|c", "d:2|g"][..]),
        (2, &["a:2|c", "c:1|c", "d:1|g", "b:2|g", "c:1|c", "d:2|g"]),
        (3, &["a:2|c", "c:2|c", "d:1|g", "b:2|g", "d:2|g"]),
        (4, &["a:2|c", "c:2|c", "b:2|g", "d:2|g"]),
    ] {
        let config = CoalescingConfig { max_contexts, ..config(true) };
        assert_eq!(merged(config, &lines), expected, "{max_contexts}");
    }
}

/// Returns a strategy for lines of few names, so that many of them can be merged, and of all forms.
fn line() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec!["a", "bb", "_e{1,1}"]);
    let number = prop_oneof![
        4 => (-100_i64..100).prop_map(|number| number.to_string()),
        1 => any::<i64>().prop_map(|number| number.to_string()),
        1 => prop::sample::select(vec!["0", "+3", "1.5", "-2.5", "1:2", "", "x"])
            .prop_map(str::to_owned),
    ];
    let kind = prop::sample::select(vec!["c", "c", "g", "g", "ms", "s"]);
    let fields = prop::sample::select(vec!["", "", "", "|#t", "|@0.5", "|#t|T17"]);
    (name, number, kind, fields)
        .prop_map(|(name, number, kind, fields)| format!("{name}:{number}|{kind}{fields}"))
}

/// Parts of a line: its key, its value and its type with the fields.
fn split(line: &str) -> (String, &str, &str) {
    let (name, rest) = line.split_once(':').unwrap();
    let (value, fields) = rest.split_once('|').unwrap();
    (format!("{name}|{fields}"), value, fields)
}

/// Numbers of a server that has received these lines: the total of each counter, and the value of each
/// gauge after each line that changes it.
#[derive(Debug, Default, PartialEq)]
struct Server {
    totals: BTreeMap<String, i128>,
    gauges: BTreeMap<String, f64>,
    /// Lines that are neither of these, and changes of gauges with the values that they led to.
    others: Vec<String>,
}

impl Server {
    fn of<'a>(lines: impl Iterator<Item = &'a str>, has_deltas: bool) -> Self {
        let mut server = Self::default();
        for line in lines {
            let (key, value, fields) = split(line);
            let is_plain = !fields.contains(['@', 'T']) && !line.starts_with("_e{");
            match (&fields[..1], value.parse::<f64>()) {
                ("c", Ok(_)) if is_plain && !value.contains(['.', '+']) => {
                    *server.totals.entry(key).or_default() += value.parse::<i128>().unwrap();
                }
                ("g", Ok(number)) if is_plain && has_deltas && value.starts_with(['+', '-']) => {
                    let gauge = server.gauges.entry(key).or_default();
                    *gauge += number;
                    let now = *gauge;
                    server.others.push(format!("{line} -> {now}"));
                }
                ("g", Ok(number)) if is_plain && !value.starts_with('+') => {
                    server.gauges.insert(key, number);
                }
                _ => server.others.push(line.to_owned()),
            }
        }
        server
    }
}

proptest! {
    /// Merges random lines. A server must end with the same totals and values, see each change of a
    /// gauge at the same value, and receive all other lines in order. Gauges that stay are in order.
    #[test]
    fn a_server_ends_with_the_same_numbers(
        lines in prop::collection::vec(line(), 0..80),
        has_gauge_deltas in any::<bool>(),
        max_contexts in prop_oneof![1 => 1_usize..4, 1 => Just(100)],
    ) {
        let config = CoalescingConfig { max_contexts, ..config(has_gauge_deltas) };
        let given: Vec<_> = lines.iter().map(String::as_str).collect();
        let records = merged(config, &given);
        let received = || records.iter().flat_map(|record| record.lines());
        prop_assert_eq!(
            Server::of(received(), has_gauge_deltas),
            Server::of(given.iter().copied(), has_gauge_deltas)
        );
        let is_count = |line: &&str| split(line).2.starts_with('c');
        let mut source = given.iter();
        for line in received().filter(|line| !is_count(line)) {
            prop_assert!(source.any(|given| *given == line), "{}", line);
        }
        prop_assert!(received().all(|line| line.len() < 100));
        if max_contexts == 100 {
            let mut keys = BTreeMap::new();
            for line in received() {
                let (key, value, fields) = split(line);
                let small = value.parse::<i64>().is_ok_and(|number| number.unsigned_abs() < 1 << 55)
                    && !value.starts_with('+');
                if small && !fields.contains(['@', 'T', 'm', 's']) && !line.starts_with("_e{") {
                    *keys.entry(key).or_insert(0) += usize::from(fields.starts_with('c'));
                }
            }
            let anew = given.iter().filter(|line| split(line).1.len() > 15).count();
            for (key, lines) in keys {
                prop_assert!(lines <= 1 + 2 * anew, "{}: {}", key, lines);
            }
        }
    }
}
