//! What a dialect forbids becomes `_`, wherever it stands, and is counted.

use crate::spoken;
use freewheel::{Connector, Dialect, Set};

#[test]
fn what_is_forbidden_becomes_an_underscore() {
    let emit = |statsd: &Connector| {
        let (name, key, value) = ("n:1|c\nm;x,y", "k:1|l,=", "v|#a:b,c;d=e\u{85}é");
        statsd.counter(name).tag(key, value).incr();
        statsd.counter(name).tag(key, value).build().incr();
        statsd.with_tag(key, value).incr(name);
        statsd.metric::<Set>("s").insert("a:b|c\nd");
        statsd.metric::<Set>("s").build().insert("a:b|c\nd");
        statsd.set("s", "");
        statsd.counter("n").tag("", "").build().incr();
        statsd.counter("n").tag("", "").incr();
    };
    let all = |line: &str, empty: &str| {
        let sets = ["s:a_b_c_d|s"; 2].into_iter().chain(["s:_|s"]);
        let lines = [line; 3].into_iter().chain(sets).chain([empty; 2]);
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    for (dialect, line, empty) in [
        (Dialect::DogStatsD, "n_1_c_m;x,y:1|c|#k_1_l_=:v_#a:b_c;d=e_é", "n:1|c|#_:_"),
        (Dialect::Graphite, "n_1_c_m_x_y;k_1_l__=v__a_b_c_d_e__:1|c", "n;_=_:1|c"),
        (Dialect::Influx, "n_1_c_m_x_y,k_1_l__=v__a_b_c_d_e_é:1|c", "n,_=_:1|c"),
        (Dialect::Librato, "n_1_c_m_x_y#k_1_l__=v__a_b_c_d_e_é:1|c", "n#_=_:1|c"),
        (Dialect::SignalFx, "n_1_c_m_x_y[k_1_l__=v__a_b_c_d_e_é]:1|c", "n[_=_]:1|c"),
    ] {
        let (lines, stats) = spoken(dialect, emit);
        assert_eq!(lines, all(line, empty), "{dialect:?}");
        assert_eq!(stats.altered, lines.len() as u64, "{dialect:?}");
    }
    let (lines, stats) = spoken(Dialect::StatsD, |statsd| {
        statsd.counter("a:b|c\nd@#,;=").incr();
        statsd.counter("a:b|c\nd@#,;=").build().incr();
        statsd.scoped("a:b").counter("c").incr();
        statsd.scoped("a:b").incr("c");
        statsd.scoped("a:b").counter("c").build().incr();
        statsd.set("s", "a:b|c\nd@#");
        statsd.metric::<Set>("s").build().insert("@");
        statsd.scoped("a:b").inject_metric("c", "1", "c");
    });
    let scoped = "a_b.c:1|c";
    assert_eq!(
        lines,
        [
            "a_b_c_d@#,;=:1|c",
            "a_b_c_d@#,;=:1|c",
            scoped,
            scoped,
            scoped,
            "s:a_b_c_d__|s",
            "s:_|s",
            scoped
        ]
    );
    assert_eq!(stats.altered, 8);
    // No tag is on an injected line, so none was altered.
    let tagged = |statsd: &Connector| statsd.with_tag("a,b", "c").inject_metric("d", "1", "c");
    let (lines, stats) = spoken(Dialect::DogStatsD, tagged);
    assert_eq!((lines, stats.altered), (vec!["d:1|c".to_owned()], 0));
}
