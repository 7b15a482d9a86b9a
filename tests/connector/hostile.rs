//! Property test of hostile names, tags and set members in every dialect. The lines that arrive
//! match the rules in the documentation of `Dialect`.

#[allow(unreachable_pub)]
#[path = "../../fuzz/src/clean.rs"]
mod clean;
use crate::parsers::plain::Types;
use crate::support::{assert_balanced, flush, started};
use clean::{DIALECTS, LinePart, has_tags};
use freewheel::{Connector, Counter, Dialect, Protocol, Set};
use proptest::prelude::*;
use std::net::UdpSocket;

/// Generates text, often with characters that end a field in some dialect.
fn hostile() -> impl Strategy<Value = String> {
    let character = prop_oneof![
        3 => prop::sample::select(
            ":|,;=#[]@!^~+-\\ \n\r\0\t\u{7f}\u{80}\u{85}\u{9f}\u{a0}\u{2028}é_sce{".chars().collect::<Vec<_>>()
        ),
        3 => prop::char::range('a', 'z'),
        1 => any::<char>(),
    ];
    prop_oneof![
        8 => prop::collection::vec(character, 0..24).prop_map(String::from_iter),
        1 => prop::sample::select(vec!["_sc", "_sc|x", ":sc", "_e{1,1}:a", "|e{", "__sc", "_"])
            .prop_map(str::to_owned),
    ]
}

/// Generated name, tags and set member of a metric, with hostile characters.
#[derive(Clone, Debug)]
struct Hostile {
    name: String,
    tags: [(String, String); 2],
    member: String,
}

fn any_hostile() -> impl Strategy<Value = Hostile> {
    let tag = || (hostile(), hostile());
    (hostile(), tag(), tag(), hostile()).prop_map(|(name, first, second, member)| Hostile {
        name,
        tags: [first, second],
        member,
    })
}

/// Parses the datagram with the strict parser of the dialect. Returns the number of metrics in it.
fn metrics(dialect: Dialect, datagram: &[u8]) -> Result<usize, String> {
    let parsed = match dialect {
        Dialect::StatsD => crate::parsers::plain::parse(datagram, Types::Etsy),
        Dialect::Extended => crate::parsers::plain::parse(datagram, Types::Extended),
        Dialect::Graphite => crate::parsers::graphite::parse(datagram),
        Dialect::Influx => crate::parsers::influx::parse(datagram),
        Dialect::Librato => crate::parsers::librato::parse(datagram),
        Dialect::SignalFx => crate::parsers::signalfx::parse(datagram),
        _ => {
            let lines =
                crate::parsers::dogstatsd::parse(datagram, 6).map_err(|error| error.to_string())?;
            let is_metric = |line: &&_| matches!(line, crate::parsers::dogstatsd::Line::Metric(_));
            return Ok(lines.iter().filter(is_metric).count());
        }
    };
    parsed.map(|metrics| metrics.len()).map_err(|error| error.to_string())
}

/// Emits counters and sets: directly, by prepared metrics, and by connectors with tags. Returns,
/// for each line, its number of tags, and true if it is a line of a set.
fn emit(statsd: &Connector, Hostile { name, tags, member }: &Hostile) -> Vec<(usize, bool)> {
    let [(k, v), (l, w)] = tags;
    statsd.metric::<Counter>(name).incr();
    statsd.metric::<Counter>(name).build().incr();
    statsd.set(name, member);
    statsd.metric::<Set>(name).build().insert(member);
    statsd.metric::<Counter>(name).tag(k, v).incr();
    statsd.metric::<Counter>(name).tag(k, v).build().incr_by(1);
    statsd.with_tag(k, v).incr(name);
    statsd.metric::<Counter>(name).tag(k, v).tag(l, w).incr();
    statsd.metric::<Counter>(name).tag(k, v).tag(l, w).build().incr();
    statsd.with_tag(k, v).metric::<Counter>(name).tag(l, w).incr();
    statsd.with_tag(k, v).with_tag(l, w).metric::<Set>(name).insert(member);
    vec![
        (0, false),
        (0, false),
        (0, true),
        (0, true),
        (1, false),
        (1, false),
        (1, false),
        (2, false),
        (2, false),
        (2, false),
        (2, true),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_text_stays_in_its_field(
        all in prop::collection::vec(any_hostile(), 1..12),
        prefix in prop::sample::select(vec!["", "app"]),
    ) {
        for dialect in DIALECTS {
            let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
            let port = receiver.local_addr().unwrap().port();
            let builder = Connector::builder("127.0.0.1").port(port).protocol(Protocol::Udp);
            let builder = builder.dialect(dialect).prefix(prefix).type_prefixes(false);
            // Batches are padded with empty lines, which the strict parsers reject.
            let builder = builder.segmentation_offload(false);
            let statsd = started(builder);
            let (mut expected, mut altered, mut unsupported, mut invalid) = (vec![], 0, 0, 0);
            for hostile in &all {
                let tags: Vec<(&str, &str)> =
                    hostile.tags.iter().map(|(key, value)| (&**key, &**value)).collect();
                for (count, is_set) in emit(&statsd, hostile) {
                    if count > 0 && !has_tags(dialect) {
                        unsupported += 1;
                        continue;
                    }
                    if hostile.name.is_empty() {
                        invalid += 1;
                        continue;
                    }
                    let (member, member_altered) = clean::clean(dialect, LinePart::Member, &hostile.member);
                    let (field, code) = if is_set { (&*member, "s") } else { ("1", "c") };
                    let (line, line_altered) =
                        clean::line(dialect, prefix, &hostile.name, &tags[..count], field, code);
                    altered += u64::from(line_altered || (is_set && member_altered));
                    expected.push(line);
                }
            }
            flush(&statsd);
            receiver.set_nonblocking(true).unwrap();
            let (mut buffer, mut lines) = ([0; 65_536], Vec::new());
            while let Ok(length) = receiver.recv(&mut buffer) {
                let datagram = std::str::from_utf8(&buffer[..length]).unwrap();
                let count = datagram.matches('\n').count();
                prop_assert_eq!(metrics(dialect, &buffer[..length]), Ok(count), "{:?}", dialect);
                lines.extend(datagram.split_terminator('\n').map(str::to_owned));
            }
            prop_assert_eq!(&lines, &expected, "{:?}", dialect);
            let stats = statsd.stats();
            assert_balanced(&stats);
            prop_assert_eq!(stats.altered, altered, "{:?}", dialect);
            prop_assert_eq!(stats.drops.unsupported.lines, unsupported);
            prop_assert_eq!(stats.drops.invalid.lines, invalid);
            // Each line has exactly the fields that the dialect's grammar requires.
            for line in &lines {
                prop_assert!(!line.contains(char::is_control), "{line:?}");
                let bars = line.matches('|').count();
                let has_tags_last = dialect == Dialect::DogStatsD && line.contains("|#");
                prop_assert_eq!(bars, 1 + usize::from(has_tags_last), "{:?}", line);
            }
        }
    }
}
