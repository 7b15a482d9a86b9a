use super::{assert_parsed, assert_refused};
use crate::parsers::{Metric, Refused, graphite, influx, librato, signalfx};

type Parse = fn(&[u8]) -> Result<Vec<Metric>, Refused>;

/// Parsers of the four dialects that write tags into the metric's name. Each has a sample in its
/// syntax: the name `a` with the tags k=v and l=w.
const DIALECTS: [(Parse, &str); 4] = [
    (graphite::parse, "a;k=v;l=w"),
    (influx::parse, "a,k=v,l=w"),
    (librato::parse, "a#k=v,l=w"),
    (signalfx::parse, "a[k=v,l=w]"),
];

#[test]
fn the_documented_examples() {
    for (parse, line, expected) in [
        (
            graphite::parse as Parse,
            "my.series;tag1=value1;tag2=value2:1|c",
            "my.series <tag1=value1,tag2=value2> 1 c -",
        ),
        (
            influx::parse,
            "users.current,service=payroll,region=us-west:32|g",
            "users.current <service=payroll,region=us-west> 32 g -",
        ),
        (influx::parse, "load.time,host=a:320|h|@0.1", "load.time <host=a> 320 h 0.1"),
        (
            librato::parse,
            "metric.name#tagName=val,tag2Name=val2:0|c",
            "metric.name <tagName=val,tag2Name=val2> 0 c -",
        ),
        (
            signalfx::parse,
            "metric.name[tagName=val,tag2Name=val2]:0|c",
            "metric.name <tagName=val,tag2Name=val2> 0 c -",
        ),
    ] {
        assert_parsed(parse(line.as_bytes()), expected);
    }
}

#[test]
fn accepted_by_each() {
    for (parse, tagged) in DIALECTS {
        for (rest, expected) in [
            (":1|c", "1 c -"),
            (":-2|c|@0.5", "-2 c 0.5"),
            (":+1|g", "+1 g -"),
            (":1.25|ms|@1", "1.25 ms 1"),
            (":a b|s", "a b s -"),
        ] {
            assert_parsed(
                parse(format!("{tagged}{rest}").as_bytes()),
                &format!("a <k=v,l=w> {expected}"),
            );
            assert_parsed(parse(format!("a{rest}").as_bytes()), &format!("a <> {expected}"));
        }
    }
}

#[test]
fn refused_by_each() {
    for (at, (parse, tagged)) in DIALECTS.into_iter().enumerate() {
        let refused = |line: &str, reason: &str| {
            assert_refused(parse(line.as_bytes()), line, reason);
        };
        // Each dialect refuses the tags of the others.
        for (other, (_, foreign)) in DIALECTS.into_iter().enumerate() {
            if other != at {
                assert!(parse(format!("{foreign}:1|c").as_bytes()).is_err(), "{foreign}");
            }
        }
        for (from, to, reason) in [
            ("k=v", "k", "a tag without a value"),
            ("k=v", "", "a tag without a value"),
            ("k=v", "=v", "an empty key"),
            ("k=v", "k=", "an empty value"),
            ("k=v", "k=v=w", "a separator in a tag"),
            ("k=v", "k=v w", "a separator in a tag"),
            ("a", "", "an empty name"),
        ] {
            refused(&format!("{}:1|c", tagged.replacen(from, to, 1)), reason);
        }
        for (line, reason) in [
            ("a b:1|c", "a separator in the name"),
            ("a=b:1|c", "a separator in the name"),
            ("a:1|c|#k:v", "a field that is not a sample rate"),
            ("a:1|d", "an unknown type"),
            ("a:1|m", "an unknown type"),
            ("a:1|g|@0.5", "a sample rate for a type that is not sampled"),
            ("a:1:2|ms", "not a plain decimal"),
            ("", "an empty line"),
        ] {
            refused(line, reason);
        }
        for character in [',', ';', '#', '[', ']'] {
            let line = tagged.replacen('v', &format!("v{character}w"), 1) + ":1|c";
            assert!(parse(line.as_bytes()).is_err(), "{line}");
        }
    }
}

#[test]
fn accepted_by_some() {
    for (parse, tagged) in DIALECTS {
        let is_telegraf = tagged.starts_with("a,");
        for (rest, is_accepted) in [
            (":-1.5|c|@0.5", !is_telegraf),
            (":1|c|@0.3", !is_telegraf),
            (":-b|s", !is_telegraf),
            (":9223372036854775807|c", true),
            (":1.5|ms|@0.3", tagged.starts_with("a;")),
        ] {
            let line = format!("{tagged}{rest}");
            assert_eq!(parse(line.as_bytes()).is_ok(), is_accepted, "{line}");
        }
    }
}

#[test]
fn refused_by_one() {
    for (parse, line, reason) in [
        (graphite::parse as Parse, "a;k=v;:1|c", "a tag without a value"),
        (graphite::parse, "a/b;k=v:1|c", "a name that the server rewrites"),
        (graphite::parse, "é;k=v:1|c", "a name that the server rewrites"),
        (graphite::parse, "a;k=é:1|c", "a tag that the server rewrites"),
        (graphite::parse, "a;k!=v:1|c", "a key with `!` or `^`"),
        (graphite::parse, "a;k=~v:1|c", "a value that begins with `~`"),
        (graphite::parse, "a:1|h", "an unknown type"),
        (influx::parse, "a,k=v\\:1|c", "a backslash"),
        (influx::parse, "a:0.5|c", "a counter that the server truncates"),
        (influx::parse, "a:9223372036854775808|c", "a counter that the server truncates"),
        (influx::parse, "a:-1|h", "a sign that the server does not accept"),
        (influx::parse, "a:+1|s", "a sign that the server does not accept"),
        (influx::parse, "a:-b|s", "a sign that the server does not accept"),
        (influx::parse, "a:1|c|@0.3", "a sample rate that the server rounds"),
        (influx::parse, "a:1|h|@0.3", "a sample rate that the server rounds"),
        (librato::parse, "a:1|ms|@0.3", "a sample rate that the server rounds"),
        (signalfx::parse, "a:1|ms|@0.3", "a sample rate that the server rounds"),
        (influx::parse, "a\\,k=v:1|c", "a backslash"),
        (librato::parse, "a#k=v#l=w:1|c", "a separator in a tag"),
        (librato::parse, "a:1|h", "an unknown type"),
        (signalfx::parse, "a[k=v:1|c", "tags that do not end"),
        (signalfx::parse, "a[k=v]b:1|c", "tags that do not end"),
        (signalfx::parse, "a[]:1|c", "a tag without a value"),
        (signalfx::parse, "a]:1|c", "a separator in the name"),
        (signalfx::parse, "a[k=v]]:1|c", "a separator in a tag"),
    ] {
        assert_refused(parse(line.as_bytes()), line, reason);
    }
}
