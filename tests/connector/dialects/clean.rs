//! Tests that forbidden characters of each dialect become `_` in names, tags and set members, and
//! that each altered line is counted.

use super::arrived_in;
use freewheel::{Connector, Counter, Dialect, Set};

#[test]
fn forbidden_characters_become_underscores() {
    let emit = |statsd: &Connector| {
        let (name, key, value) = ("n:1|c\nm;x,y", "k:1|l,=", "v|#a:b,c;d=e\u{85}é");
        statsd.metric::<Counter>(name).tag(key, value).incr();
        statsd.metric::<Counter>(name).tag(key, value).build().incr();
        statsd.with_tag(key, value).incr(name);
        statsd.metric::<Set>("s").insert("ab|c\nd");
        statsd.metric::<Set>("s").build().insert("ab|c\nd");
        statsd.set("s", "");
        statsd.metric::<Counter>("n").tag("", "").build().incr();
        statsd.metric::<Counter>("n").tag("", "").incr();
    };
    let all = |line: &str, empty: &str| {
        let sets = ["s:ab_c_d|s"; 2].into_iter().chain(["s:_|s"]);
        let lines = [line; 3].into_iter().chain(sets).chain([empty; 2]);
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    for (dialect, line, empty) in [
        (Dialect::DogStatsD, "n_1_c_m_x_y:1|c|#k_1_l_=:v_#a:b_c;d=e_é", "n:1|c|#_:_"),
        (Dialect::Graphite, "n_1_c_m_x_y;k_1_l__=v__a_b_c_d_e__:1|c", "n;_=_:1|c"),
        (Dialect::Influx, "n_1_c_m_x_y,k_1_l__=v__a_b_c_d_e_é:1|c", "n,_=_:1|c"),
        (Dialect::Librato, "n_1_c_m_x_y#k_1_l__=v__a_b_c_d_e_é:1|c", "n#_=_:1|c"),
        (Dialect::SignalFx, "n_1_c_m_x_y[k_1_l__=v__a_b_c_d_e_é]:1|c", "n[_=_]:1|c"),
    ] {
        let (lines, stats) = arrived_in(dialect, emit);
        assert_eq!(lines, all(line, empty), "{dialect:?}");
        assert_eq!(stats.altered, lines.len() as u64, "{dialect:?}");
    }
    let (lines, stats) = arrived_in(Dialect::StatsD, |statsd| {
        statsd.metric::<Counter>("a:b|c\nd@#,;=").incr();
        statsd.metric::<Counter>("a:b|c\nd@#,;=").build().incr();
        statsd.scoped("a:b").metric::<Counter>("c").incr();
        statsd.scoped("a:b").incr("c");
        statsd.scoped("a:b").metric::<Counter>("c").build().incr();
        statsd.set("s", "a:b|c\nd@#");
        statsd.metric::<Set>("s").build().insert("@");
        statsd.scoped("a:b").inject_metric("c", "1", "c");
    });
    let scoped = "a_b.c:1|c";
    assert_eq!(
        lines,
        [
            "a_b_c_d_____:1|c",
            "a_b_c_d_____:1|c",
            scoped,
            scoped,
            scoped,
            "s:a_b_c_d__|s",
            "s:_|s",
            scoped
        ]
    );
    assert_eq!(stats.altered, 8);
    // An injected line has no tags, so its line is not altered.
    let tagged = |statsd: &Connector| statsd.with_tag("a,b", "c").inject_metric("d", "1", "c");
    let (lines, stats) = arrived_in(Dialect::DogStatsD, tagged);
    assert_eq!((lines, stats.altered), (vec!["d:1|c".to_owned()], 0));
}

/// Characters that the documentation of [`Dialect`] lists as forbidden become `_`, and all other
/// characters are sent unchanged. The test checks each character up to U+00FF.
#[test]
fn table_of_forbidden_characters() {
    let words = " !#,:;=[\\]^|~";
    let strict: String = (' '..='ÿ').filter(|c| !c.is_ascii_alphanumeric()).collect();
    let strict = &*strict.replace(['_', '-', '.'], "");
    let names = "#,:;=@[]|";
    for (dialect, [name, key, value, member]) in [
        (Dialect::StatsD, [names, "", "", ":|@#"]),
        (Dialect::Extended, [names, "", "", ":|@#"]),
        (Dialect::DogStatsD, [names, ":|,", "|,", "|"]),
        (Dialect::Graphite, [strict, strict, strict, ":|"]),
        (Dialect::Influx, [words, words, words, ":|"]),
        (Dialect::Librato, [words, words, words, ":|"]),
        (Dialect::SignalFx, [words, words, words, ":|"]),
    ] {
        let has_tags = !matches!(dialect, Dialect::StatsD | Dialect::Extended);
        let (mut expected, mut altered) = (Vec::new(), 0);
        let (lines, stats) = arrived_in(dialect, |statsd| {
            for character in '\0'..='ÿ' {
                let text = &*format!("a{character}b");
                let mut safe = |forbidden: &str| {
                    let is_safe = !character.is_control() && !forbidden.contains(character);
                    altered += u64::from(!is_safe);
                    if is_safe { text.to_owned() } else { "a_b".to_owned() }
                };
                statsd.incr(text);
                expected.push(format!("{}:1|c", safe(name)));
                statsd.set("s", text);
                expected.push(format!("s:{}|s", safe(member)));
                if has_tags {
                    statsd.metric::<Counter>("k").tag(text, "v").incr();
                    expected.push(tagged(dialect, "k", &safe(key), "v"));
                    statsd.metric::<Counter>("v").tag("k", text).incr();
                    expected.push(tagged(dialect, "v", "k", &safe(value)));
                }
            }
        });
        assert_eq!(lines, expected, "{dialect:?}");
        assert_eq!(stats.altered, altered, "{dialect:?}");
    }
}

/// A sign at the start of a set member becomes `_` in the dialects `StatsD` and `Influx`. Telegraf
/// reads these dialects, and drops members that begin with a sign.
#[test]
fn members_have_no_sign_where_servers_reject_it() {
    for dialect in super::ALL {
        let members = ["-1", "+b", "-", "+-", "a-b", "-:"];
        let (lines, stats) = arrived_in(dialect, |statsd| {
            for member in members {
                statsd.set("s", member);
                statsd.metric::<Set>("s").build().insert(member);
            }
        });
        let (expected, altered) = match dialect {
            Dialect::StatsD | Dialect::Influx => (["_1", "_b", "_", "_-", "a-b", "__"], 10),
            Dialect::DogStatsD => (members, 0),
            _ => (["-1", "+b", "-", "+-", "a-b", "-_"], 2),
        };
        let expected = expected.iter().flat_map(|member| vec![format!("s:{member}|s"); 2]);
        assert_eq!(lines, expected.collect::<Vec<_>>(), "{dialect:?}");
        assert_eq!(stats.altered, altered, "{dialect:?}");
    }
}

/// Names that some StatsD server would read as a name with a value or a tag are sanitized.
#[test]
fn no_name_is_a_value_or_a_tag() {
    for name in [
        "g.a=7",   // netdata: the gauge `g.a` is 7
        "a,k=v",   // Telegraf, statsd_exporter: a tag
        "a;k=v",   // statsd, for Graphite: a tag
        "a#k=v",   // statsd_exporter: a tag
        "a[k=v]b", // statsd_exporter: a tag
        "a@0.1",   // forbidden by the protocol's older text
    ] {
        for dialect in super::ALL {
            let (lines, stats) = arrived_in(dialect, |statsd| {
                statsd.incr(name);
                statsd.metric::<Counter>(name).build().incr();
                statsd.scoped(name).timing_seconds(name, 1.0);
            });
            let mut expected = name.replace(['=', ',', ';', '#', '[', ']', '@'], "_");
            if name.contains('@') && super::tags_stand_in_names(dialect) {
                // Among these dialects, only Graphite forbids `@`.
                let is_graphite = dialect == Dialect::Graphite;
                expected = name.replace('@', if is_graphite { "_" } else { "@" });
            }
            let lines: Vec<&str> =
                lines.iter().map(|line| line.split_once(':').unwrap().0).collect();
            let both = format!("{expected}.{expected}");
            assert_eq!(lines, [&*expected, &*expected, &*both], "{dialect:?}");
            let altered = if expected == name { 0 } else { 3 };
            assert_eq!(stats.altered, altered, "{dialect:?}");
        }
    }
}

fn tagged(dialect: Dialect, name: &str, key: &str, value: &str) -> String {
    match dialect {
        Dialect::Graphite => format!("{name};{key}={value}:1|c"),
        Dialect::Influx => format!("{name},{key}={value}:1|c"),
        Dialect::Librato => format!("{name}#{key}={value}:1|c"),
        Dialect::SignalFx => format!("{name}[{key}={value}]:1|c"),
        _ => format!("{name}:1|c|#{key}:{value}"),
    }
}
