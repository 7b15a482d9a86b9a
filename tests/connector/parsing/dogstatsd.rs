use super::{assert_refused, formatted};
use crate::parsers::dogstatsd::{Event, Line, ServiceCheck, parse};
use crate::parsers::{Origin, Tag};

/// Returns the lowest minor version of DogStatsD 1.x at which the strict parser accepts the line,
/// and the parsed line.
fn first_version_of(line: &str) -> Option<(u8, Line)> {
    let mut versions = (0..=6).map(|minor| (minor, parse(line.as_bytes(), minor)));
    versions.find_map(|(minor, parsed)| Some((minor, parsed.ok()?.remove(0))))
}

fn tags(tags: &[(&str, &str)]) -> Vec<Tag> {
    tags.iter().map(|(key, value)| ((*key).to_owned(), Some((*value).to_owned()))).collect()
}

#[test]
fn metrics() {
    for (line, minor, expected) in [
        ("page.views:1|c", 0, "page.views <> 1 c -"),
        ("fuel.level:0.5|g", 0, "fuel.level <> 0.5 g -"),
        ("fuel.level:-0.5|g", 0, "fuel.level <> -0.5 g -"),
        ("song.length:240|h|@0.5", 0, "song.length <> 240 h 0.5"),
        ("users.uniques:1234|s", 0, "users.uniques <> 1234 s -"),
        ("daemon:abc:def|s", 0, "daemon <> abc:def s -"),
        ("a:1|c|@0.7", 0, "a <> 1 c 0.7"),
        ("users.online:1|c|#country:china", 0, "users.online <country=china> 1 c -"),
        ("users.online:1|c|@0.5|#country:china", 0, "users.online <country=china> 1 c 0.5"),
        ("a:1.5|d|#url:http://x:80/#y,only", 0, "a <url=http://x:80/#y,only> 1.5 d -"),
        ("a:1:2.5:-3|d|@0.5|#k:v", 1, "a <k=v> 1,2.5,-3 d 0.5"),
        ("a:1:2|c", 1, "a <> 1,2 c -"),
        (
            "a:1|c|#k:v|c:83c0a99c0a54c0c187f461c7980e9b57f3f6a8b0c918c8d93df19a9de6f3fe1d",
            2,
            "a <k=v> 1 c -",
        ),
        ("page.views:15|c|#env:dev|T1656581400", 3, "page.views <env=dev> 15 c -"),
        ("a:1|g|T1656581400", 3, "a <> 1 g -"),
        ("a:1|g|#k:v|c:ci-83c0", 4, "a <k=v> 1 g -"),
        ("a:1|g|#k:v|c:in-12345", 4, "a <k=v> 1 g -"),
        ("a:1|g|#k:v|e:it-false,cn-nginx,pu-75a2", 5, "a <k=v> 1 g -"),
        ("a:1|g|c:in-1|e:x|card:low|T1", 6, "a <> 1 g -"),
        ("a:1|ms|card:none", 6, "a <> 1 ms -"),
    ] {
        let Some((first, Line::Metric(metric))) = first_version_of(line) else {
            panic!("{line:?}")
        };
        assert_eq!((first, &*formatted(&metric)), (minor, expected), "{line:?}");
        // A container's identity has another form in later versions.
        let last = if line.contains("|c:83c0") { 3 } else { 6 };
        assert!((first..=last).all(|minor| parse(line.as_bytes(), minor).is_ok()), "{line:?}");
    }
}

#[test]
fn the_fields_of_later_versions() {
    let line = "a:1|c|#k:v|card:high|T1656581400|e:it-false|c:ci-83c0";
    let Some((6, Line::Metric(metric))) = first_version_of(line) else { panic!("it is accepted") };
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(metric.timestamp, Some(1_656_581_400));
    assert_eq!(
        metric.origin,
        Origin {
            container: text("ci-83c0"),
            external_data: text("it-false"),
            cardinality: text("high")
        }
    );
}

#[test]
fn events() {
    let line = "_e{21,36}:An exception occurred|Cannot parse CSV file from 10.0.0.17|t:warning|#err_type:bad_file";
    let expected = Event {
        title: "An exception occurred".to_owned(),
        text: "Cannot parse CSV file from 10.0.0.17".to_owned(),
        alert_type: Some("warning".to_owned()),
        tags: tags(&[("err_type", "bad_file")]),
        ..Event::default()
    };
    assert_eq!(first_version_of(line), Some((0, Line::Event(expected))));

    let line = "_e{7,8}:é\\na|b|\\n|p:low|d:2|d:1656581400|h:host|k:key|p:low|s:src|t:info|#k:v|c:ci-1|e:x|card:low";
    assert!(first_version_of(line).is_none(), "the text is longer than its length field");
    let line = "_e{7,9}:é\\na|b|\\n|p:low|d:1656581400|h:host|k:key|p:low|s:src|t:info|#k:v|c:ci-1|e:x|card:low";
    let text = |text: &str| Some(text.to_owned());
    let expected =
        Event { title: "é\na|b".to_owned(), text: "\n|p:low|".to_owned(), ..Event::default() };
    assert!(first_version_of(line).is_none(), "the text ends within a field");
    let line = line.replace("{7,9}", "{7,8}");
    let expected = Event {
        text: "\n|p:low".to_owned(),
        timestamp: Some(1_656_581_400),
        hostname: text("host"),
        aggregation_key: text("key"),
        priority: text("low"),
        source_type_name: text("src"),
        alert_type: text("info"),
        tags: tags(&[("k", "v")]),
        origin: Origin {
            container: text("ci-1"),
            external_data: text("x"),
            cardinality: text("low"),
        },
        ..expected
    };
    assert_eq!(first_version_of(&line), Some((6, Line::Event(expected))));
    assert!(matches!(first_version_of("_e{1,0}:a|"), Some((0, Line::Event(_)))));
    assert!(matches!(first_version_of("_e{1,1}:a|\t"), Some((0, Line::Event(_)))));
}

#[test]
fn service_checks() {
    let line = "_sc|Redis connection|2|#env:dev|m:Redis connection timed out after 10s";
    let expected = ServiceCheck {
        name: "Redis connection".to_owned(),
        status: 2,
        tags: tags(&[("env", "dev")]),
        message: Some("Redis connection timed out after 10s".to_owned()),
        ..ServiceCheck::default()
    };
    assert_eq!(first_version_of(line), Some((0, Line::ServiceCheck(expected))));

    let line = "_sc|name|0|d:1656581400|h:host|#k:v|c:in-1|m:a\\nm\\:b\tc";
    let expected = ServiceCheck {
        name: "name".to_owned(),
        timestamp: Some(1_656_581_400),
        hostname: Some("host".to_owned()),
        tags: tags(&[("k", "v")]),
        origin: Origin { container: Some("in-1".to_owned()), ..Origin::default() },
        message: Some("a\nm:b\tc".to_owned()),
        ..ServiceCheck::default()
    };
    assert_eq!(first_version_of(line), Some((4, Line::ServiceCheck(expected))));
}

#[test]
fn refused_by_all_versions() {
    for (line, reason) in [
        ("", "an empty line"),
        ("a:1|c\r", "a control character"),
        ("a:1", "no type"),
        ("a|c", "no value"),
        (":1|c", "an empty name"),
        ("a:1|m", "an unknown type"),
        ("a:+1|g", "not a plain decimal"),
        ("a:1:|d", "not a plain decimal"),
        ("a:1e3|d", "not a plain decimal"),
        ("a:-1|ms", "not a plain decimal"),
        ("a,k=v:1|c", "a separator in the name"),
        ("a[k:1|c|#l:w", "a separator in the name"),
        ("a@b:1|c", "a separator in the name"),
        ("a:1|ms|@0.7", "a sample rate that the server rounds"),
        ("a:1|d|@0.10000000149011612", "a sample rate that the server rounds"),
        ("a:1|g|@0.5", "a sample rate for a type that is not sampled"),
        ("a:1|s|@0.5", "a sample rate for a type that is not sampled"),
        ("a:1|c|@0", "a sample rate outside (0, 1]"),
        ("a:1|c|#k:v|@0.5", "an unknown field or a wrong order of fields"),
        ("a:1|c|@0.5|@0.5", "an unknown field or a wrong order of fields"),
        ("a:1|c|#k:v|#l:w", "an unknown field or a wrong order of fields"),
        ("a:1|c|", "an unknown field or a wrong order of fields"),
        ("a:1|c|x:y", "an unknown field or a wrong order of fields"),
        ("a:1|c|#", "an empty key"),
        ("a:1|c|#k:v,", "an empty key"),
        ("a:1|c|#:v", "an empty key"),
        ("a:1|c|#k:", "an empty value"),
        ("a:1|c|c:in-1|c:in-1", "a repeated field"),
        ("a:1|c|T1|T1", "a repeated field"),
        ("a:1|c|T0", "a timestamp of 0"),
        ("a:1|c|T-1", "a timestamp that is not a number"),
        ("a:1|c|T01", "a timestamp that is not a number"),
        ("a:1|c|T9223372036854775808", "a timestamp that is not a number"),
        ("a:1|h|T1", "a timestamp that this line cannot have"),
        ("a:1|c|c:", "an empty field"),
        ("a:1|c|c:ci-", "an empty field"),
        ("a:1|c|c:in-x", "an inode that is not a number"),
        ("a:1|c|c:83c0", "a container in the form of another version"),
        ("a:1|c|e:", "an empty field"),
        ("a:1|c|card:medium", "an unknown word"),
        ("_e{1,1}", "lengths that do not end"),
        ("_e{1}:a|b", "one length"),
        ("_e{0,1}:|b", "an empty title"),
        ("_e{1,x}:a|b", "a length that is not a number"),
        ("_e{+1,1}:a|b", "a length that is not a number"),
        ("_e{01,1}:a|b", "a length that is not a number"),
        ("_e{1,99999999999999999999}:a|b", "a length that is not a number"),
        ("_e{2,1}:a|b", "a wrong length"),
        ("_e{1,2}:a|b", "a wrong length"),
        ("_e{1,0}:a|b", "a wrong length"),
        ("_e{1,1}:é|b", "a wrong length"),
        ("_e{1,1}:a|b|", "an unknown field or a wrong order of fields"),
        ("_e{1,1}:a|b|p:low|h:x", "an unknown field or a wrong order of fields"),
        ("_e{1,1}:a|b|h:x|h:x", "an unknown field or a wrong order of fields"),
        ("_e{1,1}:a|b|p:high", "an unknown word"),
        ("_e{1,1}:a|b|t:fatal", "an unknown word"),
        ("_e{1,1}:a|b|h:", "an empty field"),
        ("_e{1,1}:a|b|d:x", "a timestamp that is not a number"),
        ("_e{1,1}:a|b|T1", "a timestamp that this line cannot have"),
        ("_e{1,1}:a|\r", "a control character"),
        ("_sc", "neither a service check nor a metric"),
        ("_scan:1|c", "neither a service check nor a metric"),
        ("_sc||0", "an empty name"),
        ("_sc|a", "no status from 0 to 3"),
        ("_sc|a|4", "no status from 0 to 3"),
        ("_sc|a|00", "no status from 0 to 3"),
        ("_sc|a\t|0", "a control character"),
        ("_sc|a|0|m:x|h:y", "an unknown field or a wrong order of fields"),
        ("_sc|a|0|m:x|y", "an unknown field or a wrong order of fields"),
        ("_sc|a|0|m:", "an empty message"),
        ("_sc|a|0|m:am:b", "an `m:` in a message"),
        ("_sc|a|0|m:\u{1}", "a control character"),
        ("_sc|a|0|k:x", "an unknown field or a wrong order of fields"),
    ] {
        assert_refused(parse(line.as_bytes(), 6), line, reason);
        assert!(first_version_of(line).is_none() || line.contains("c:83c0"), "{line:?}");
    }
    assert_refused(parse(b"a:1:2|d", 0), "a:1:2|d", "packed values before 1.1");
    assert_refused(parse(b"a:1|d|e:x", 4), "a:1|d|e:x", "a field of a later version");
    assert_refused(parse(b"a:1|d|card:low", 5), "a:1|d|card:low", "a field of a later version");
    assert_refused(parse(b"a:1|d|c:x", 1), "a:1|d|c:x", "a field of a later version");
    let reason = "a container in the form of another version";
    assert_refused(parse(b"a:1|d|c:ci-x", 3), "a:1|d|c:ci-x", reason);
}
