use super::*;

/// Returns the result of reading Datadog's settings from an environment that contains only the
/// given variables.
fn read(variables: &[(&'static str, &str)]) -> Result<DatadogEnv, BuildError> {
    DatadogEnv::read(|name| {
        let found = variables.iter().find(|(variable, _)| *variable == name);
        found.map(|(_, value)| value.into())
    })
}

fn accepted(variables: &[(&'static str, &str)]) -> DatadogEnv {
    read(variables).expect("the values are valid")
}

/// Returns the URL of the server that the given environment variables select.
fn endpoint(variables: &[(&'static str, &str)]) -> String {
    accepted(variables).endpoint.to_string()
}

fn tags(variables: &[(&'static str, &str)]) -> Vec<String> {
    let tags = accepted(variables).tags;
    let text = |DatadogTag { key, value, .. }: DatadogTag| match value {
        Some(value) => format!("{key}:{value}"),
        None => key,
    };
    tags.into_iter().map(text).collect()
}

/// Returns the warnings that reading the given environment variables causes. Panics if the values
/// cause an error.
fn warnings(variables: &[(&'static str, &str)]) -> Vec<String> {
    let value = |name| variables.iter().find(|(variable, _)| *variable == name);
    let (read, warnings) =
        DatadogEnv::read_with_warnings(|name| value(name).map(|(_, value)| value.into()));
    read.expect("the values are valid");
    warnings
}

/// Asserts that reading the given variables fails. The error must name `variable` and quote its
/// value, and must contain the text `expected`.
#[track_caller]
fn assert_refused(variables: &[(&'static str, &str)], variable: &str, expected: &str) {
    let (_, value) =
        variables.iter().find(|(name, _)| *name == variable).expect("the variable is set");
    let error = read(variables).expect_err("the value is invalid");
    assert_eq!(error.setting(), variable);
    assert_eq!(error.value(), format!("{value:?}"));
    assert!(error.expected().contains(expected), "{error}");
}

#[test]
fn defaults_apply_if_nothing_is_set() {
    let expected = DatadogEnv {
        endpoint: "udp://127.0.0.1:8125".parse().expect("a URL"),
        tags: Vec::new(),
        origin_detection: true,
        external_data: None,
        cardinality: None,
    };
    assert_eq!(accepted(&[]), expected);
    // An empty variable counts as unset.
    let all = ["DD_DOGSTATSD_URL", "DD_AGENT_HOST", "DD_DOGSTATSD_PORT", "DD_TAGS", "DD_ENV"]
        .into_iter()
        .chain(["DD_SERVICE", "DD_VERSION", "DD_ENTITY_ID", "DD_EXTERNAL_ENV", "DD_CARDINALITY"])
        .chain(["DATADOG_CARDINALITY", "DD_ORIGIN_DETECTION_ENABLED"]);
    assert_eq!(accepted(&all.map(|name| (name, "")).collect::<Vec<_>>()), expected);
}

#[test]
fn dd_dogstatsd_url() {
    for (url, expected) in [
        ("udp://agent", "udp://agent:8125"),
        ("udp://agent:9125", "udp://agent:9125"),
        ("udp://[::1]:9125", "udp://[::1]:9125"),
        #[cfg(unix)]
        ("unix:///var/run/datadog/dsd.socket", "unixgram:///var/run/datadog/dsd.socket"),
        #[cfg(unix)]
        ("unixgram:///dsd.socket", "unixgram:///dsd.socket"),
        #[cfg(unix)]
        ("unixstream:///dsd.socket", "unixstream:///dsd.socket"),
    ] {
        assert_eq!(endpoint(&[("DD_DOGSTATSD_URL", url)]), expected);
    }
    for url in ["udp://a b", "udp://a:0", "unix://", "unix:/dsd.socket", "udp:agent", "udp://a:b:1"]
    {
        assert_refused(&[("DD_DOGSTATSD_URL", url)], "DD_DOGSTATSD_URL", "udp://host[:port]");
    }
}

#[test]
fn dd_dogstatsd_url_comes_before_dd_agent_host() {
    let url = ("DD_DOGSTATSD_URL", "udp://first:1");
    assert_eq!(
        endpoint(&[("DD_AGENT_HOST", "second"), ("DD_DOGSTATSD_PORT", "2"), url]),
        "udp://first:1"
    );
    // Variables without effect are not read.
    assert_eq!(
        endpoint(&[("DD_AGENT_HOST", "?"), ("DD_DOGSTATSD_PORT", "?"), url]),
        "udp://first:1"
    );
}

#[test]
fn dd_agent_host() {
    for (host, expected) in [
        ("agent", "udp://agent:8125"),
        ("10.0.0.1", "udp://10.0.0.1:8125"),
        ("::1", "udp://[::1]:8125"),
        ("[::1]", "udp://[::1]:8125"),
        ("agent:9125", "udp://agent:9125"),
        ("[::1]:9125", "udp://[::1]:9125"),
        #[cfg(unix)]
        ("unix:///dsd.socket", "unixgram:///dsd.socket"),
    ] {
        assert_eq!(endpoint(&[("DD_AGENT_HOST", host)]), expected);
    }
    for host in ["a b", "agent:", "agent:0", "agent:x", ":1"] {
        assert_refused(&[("DD_AGENT_HOST", host)], "DD_AGENT_HOST", "a host name");
    }
    assert_refused(&[("DD_AGENT_HOST", "tcp://a")], "DD_AGENT_HOST", "udp://host[:port]");
}

#[test]
fn dd_dogstatsd_port() {
    let host = ("DD_AGENT_HOST", "agent");
    assert_eq!(endpoint(&[host, ("DD_DOGSTATSD_PORT", "9125")]), "udp://agent:9125");
    assert_eq!(endpoint(&[("DD_DOGSTATSD_PORT", "9125")]), "udp://127.0.0.1:9125");
    // A port in the host takes precedence.
    let both = [("DD_AGENT_HOST", "agent:1"), ("DD_DOGSTATSD_PORT", "2")];
    assert_eq!(endpoint(&both), "udp://agent:1");
    for port in ["0", "65536", "-1", "+1"] {
        let variables = [host, ("DD_DOGSTATSD_PORT", port)];
        assert_refused(&variables, "DD_DOGSTATSD_PORT", "1 to 65535");
    }
}

#[test]
fn dd_entity_id_dd_env_dd_service_dd_version() {
    for (variable, key) in [
        ("DD_ENTITY_ID", "dd.internal.entity_id"),
        ("DD_ENV", "env"),
        ("DD_SERVICE", "service"),
        ("DD_VERSION", "version"),
    ] {
        assert_eq!(tags(&[(variable, "a:b c")]), [format!("{key}:a:b c")]);
        for value in ["a|b", "a,b", "a\nb", "\tab\n"] {
            assert_eq!(tags(&[(variable, value)]), [format!("{key}:ab")]);
        }
        assert_eq!(tags(&[(variable, "|")]), [""; 0]);
    }
    let all = [("DD_VERSION", "4"), ("DD_SERVICE", "3"), ("DD_ENV", "2"), ("DD_ENTITY_ID", "1")];
    assert_eq!(tags(&all), ["dd.internal.entity_id:1", "env:2", "service:3", "version:4"]);
}

#[test]
fn dd_tags() {
    assert_eq!(
        tags(&[("DD_TAGS", "team:storage,url:http://a b , k:v,")]),
        ["team:storage", "url:http://a b", "k:v"]
    );
    assert_eq!(tags(&[("DD_TAGS", " team:storage  k:v ")]), ["team:storage", "k:v"]);
    assert_eq!(tags(&[("DD_TAGS", "k:v,k:w")]), ["k:w"]);
    // A variable for one tag takes precedence.
    assert_eq!(tags(&[("DD_TAGS", "env:a,env:b,k:v"), ("DD_ENV", "c")]), ["env:c", "k:v"]);
    assert_eq!(tags(&[("DD_TAGS", "env:a,env:b")]), ["env:b"]);
    // Any white space separates tags.
    assert_eq!(tags(&[("DD_TAGS", "team:storage\nk:v\r\n")]), ["team:storage", "k:v"]);
    // A tag without key and value is sent literally.
    for (given, expected) in [
        ("urgent", &["urgent"][..]),
        ("ghi,team:qa", &["ghi", "team:qa"]),
        ("country:china,age:45,blue", &["country:china", "age:45", "blue"]),
        ("a b", &["a", "b"]),
        (":v", &[":v"]),
        ("k:", &["k:"]),
        ("k,k:v,k", &["k", "k:v"]),
        ("env,k:v", &["env", "k:v"]),
        ("k:v|#x", &["k:v#x"]),
        ("|,k:v\nx", &["k:vx"]),
    ] {
        assert_eq!(tags(&[("DD_TAGS", given)]), expected);
    }
}

#[test]
fn dd_origin_detection_enabled() {
    let enabled = |value| accepted(&[("DD_ORIGIN_DETECTION_ENABLED", value)]).origin_detection;
    for value in ["true", "TRUE", "t", "1", "yes", "on"] {
        assert!(enabled(value), "{value}");
    }
    for value in ["false", "False", "f", "0", "no", "off"] {
        assert!(!enabled(value), "{value}");
    }
    assert!(enabled("maybe"));
}

#[test]
fn dd_external_env() {
    let external = ("DD_EXTERNAL_ENV", "it-false,cn-nginx,pu-75a2b6d5");
    assert_eq!(accepted(&[external]).external_data.as_deref(), Some(external.1));
    // External data is part of origin detection.
    let off = ("DD_ORIGIN_DETECTION_ENABLED", "false");
    assert_eq!(accepted(&[external, off]).external_data, None);
    for (given, expected) in [
        ("it-false,cn-x\n", Some("it-false,cn-x")),
        ("prod\nstaging\tdev\r", Some("prodstagingdev")),
        ("it-|false", Some("it-false")),
        ("a b\"é\u{301}\\", Some("a b\"é\u{301}\\")),
        ("a\u{85}\u{200b}\u{a0}\u{7f}b", Some("ab")),
        ("|\n", None),
        (&"a".repeat(256), Some(&*"a".repeat(256))),
        (&"a".repeat(257), None),
    ] {
        assert_eq!(accepted(&[("DD_EXTERNAL_ENV", given)]).external_data.as_deref(), expected);
    }
}

#[test]
fn dd_cardinality() {
    for (value, cardinality) in [
        ("none", Cardinality::None),
        ("low", Cardinality::Low),
        ("Orchestrator", Cardinality::Orchestrator),
        ("HIGH", Cardinality::High),
    ] {
        for variable in ["DD_CARDINALITY", "DATADOG_CARDINALITY"] {
            assert_eq!(accepted(&[(variable, value)]).cardinality, Some(cardinality));
            assert_eq!(accepted(&[(variable, "medium")]).cardinality, None);
        }
    }
    let both = [("DATADOG_CARDINALITY", "high"), ("DD_CARDINALITY", "low")];
    assert_eq!(accepted(&both).cardinality, Some(Cardinality::Low));
    let both = [("DATADOG_CARDINALITY", "high"), ("DD_CARDINALITY", "invalid")];
    assert_eq!(accepted(&both).cardinality, Some(Cardinality::High));
}

#[test]
fn white_space_around_a_value_is_removed() {
    let padded = [
        ("DD_DOGSTATSD_PORT", " 9125\n"),
        ("DD_AGENT_HOST", "\tagent\r\n"),
        ("DD_TAGS", " team:a "),
        ("DD_ENV", " prod "),
        ("DD_EXTERNAL_ENV", " it-x\n"),
        ("DD_CARDINALITY", " Low "),
        ("DD_ORIGIN_DETECTION_ENABLED", " True "),
    ];
    let bare = padded.map(|(variable, value)| (variable, value.trim()));
    assert_eq!(accepted(&padded), accepted(&bare));
    assert_eq!(warnings(&padded), [""; 0]);
    assert_eq!(endpoint(&[("DD_DOGSTATSD_URL", " UDP://agent:1\n")]), "udp://agent:1");
    let blank = padded.map(|(variable, _)| (variable, " \n"));
    assert_eq!(accepted(&blank), accepted(&[]));
}

/// Checks that unusual endpoint URLs and ports are accepted. A foreign scheme, an invalid port or a
/// missing host causes one warning; a user, a path or a query causes none, as in Datadog's clients.
#[test]
fn unusual_endpoints_are_accepted_with_a_warning() {
    let foreign = "is ignored: expected udp://host[:port]";
    let port = "has no port from 1 to 65535: taken as 8125";
    let host = "has no host: taken as 127.0.0.1";
    for (url, expected, warning) in [
        ("http://myenvvarhost:4321", "udp://second:2", Some(foreign)),
        ("tcp://agent:8125", "udp://second:2", Some(foreign)),
        ("agent", "udp://second:2", Some(foreign)),
        ("agent:8125", "udp://second:2", Some(foreign)),
        ("10.0.0.1:8125", "udp://second:2", Some(foreign)),
        (r"\\.\pipe\dsd", "udp://second:2", Some(foreign)),
        ("udp://agent:x", "udp://agent:8125", Some(port)),
        ("udp://agent:", "udp://agent:8125", Some(port)),
        ("udp://agent:65536", "udp://agent:8125", Some(port)),
        ("udp://agent:-1", "udp://agent:8125", Some(port)),
        ("udp://:9125", "udp://127.0.0.1:9125", Some(host)),
        ("udp://", "udp://127.0.0.1:8125", Some(host)),
        ("udp://agent:9125/", "udp://agent:9125", None),
        ("udp://agent:9125/path?query#fragment", "udp://agent:9125", None),
        ("udp://agent?query", "udp://agent:8125", None),
        ("udp://user:word@agent:9125", "udp://agent:9125", None),
        ("udp://user@[::1]/", "udp://[::1]:8125", None),
    ] {
        let variables =
            [("DD_DOGSTATSD_URL", url), ("DD_AGENT_HOST", "second"), ("DD_DOGSTATSD_PORT", "2")];
        assert_eq!(endpoint(&variables), expected, "{url}");
        let warnings = warnings(&variables);
        assert_eq!(warnings.len(), usize::from(warning.is_some()), "{warnings:?}");
        for (given, expected) in warnings.iter().zip(warning) {
            assert!(given.starts_with(&format!("DD_DOGSTATSD_URL: {url:?} {expected}")), "{given}");
        }
    }
    for port in ["x", "tcp://10.0.0.11:8125", "80.5", "+"] {
        let variables = [("DD_AGENT_HOST", "agent"), ("DD_DOGSTATSD_PORT", port)];
        assert_eq!(endpoint(&variables), "udp://agent:8125");
        let warning = format!("DD_DOGSTATSD_PORT: {port:?} is ignored: expected 1 to 65535");
        assert_eq!(warnings(&variables), [warning]);
    }
}

#[test]
fn warnings_quote_values_escaped_and_cut() {
    let long = format!("{}\u{85}", "x".repeat(100));
    let shown = format!("\"{}\"…", "x".repeat(64));
    for (variable, value, warning) in [
        (
            "DD_CARDINALITY",
            "a\nb",
            r#""a\nb" is ignored: expected one of none, low, orchestrator, high"#,
        ),
        (
            "DD_CARDINALITY",
            &long,
            &format!("{shown} is ignored: expected one of none, low, orchestrator, high"),
        ),
        (
            "DATADOG_CARDINALITY",
            "all",
            r#""all" is ignored: expected one of none, low, orchestrator, high"#,
        ),
        ("DD_ENV", "a\u{1b}b", r#""a\u{1b}b" is taken as "ab""#),
        ("DD_SERVICE", "a,b", r#""a,b" is taken as "ab""#),
        ("DD_VERSION", "1|2", r#""1|2" is taken as "12""#),
        ("DD_ENTITY_ID", "1\r2", r#""1\r2" is taken as "12""#),
        ("DD_TAGS", "k:v,a|b", r#""a|b" is taken as "ab""#),
        ("DD_EXTERNAL_ENV", "it|x", r#""it|x" is taken as "itx""#),
        (
            "DD_ORIGIN_DETECTION_ENABLED",
            "maybe",
            r#""maybe" is taken as true: expected true or false"#,
        ),
    ] {
        assert_eq!(warnings(&[(variable, value)]), [format!("{variable}: {warning}")]);
    }
    let long = "x".repeat(300);
    let warning = format!("DD_EXTERNAL_ENV: {shown} is ignored: expected at most 256 bytes");
    assert_eq!(warnings(&[("DD_EXTERNAL_ENV", &long)]), [warning]);
    assert_eq!(warnings(&[("DD_TAGS", "ghi,team:qa"), ("DD_CARDINALITY", "")]), [""; 0]);
}

/// Checks that warnings are logged only after all variables have been read. The `tracing`
/// subscriber of the test can therefore read the variables while it handles a warning.
#[test]
fn warnings_follow_the_last_read() {
    use std::cell::Cell;
    use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
    use tracing::span;

    static READ: AtomicU32 = AtomicU32::new(0);
    struct Reader;
    impl tracing::Subscriber for Reader {
        fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
            *metadata.level() == tracing::Level::WARN
        }
        fn event(&self, _event: &tracing::Event<'_>) {
            accepted(&[("DD_TAGS", "a:b")]);
            // Warnings that a subscriber causes are discarded.
            accepted(&[("DD_CARDINALITY", "?")]);
            READ.fetch_add(1, Relaxed);
        }
        fn new_span(&self, _span: &span::Attributes<'_>) -> span::Id {
            span::Id::from_u64(1)
        }
        fn record(&self, _span: &span::Id, _values: &span::Record<'_>) {}
        fn record_follows_from(&self, _span: &span::Id, _follows: &span::Id) {}
        fn enter(&self, _span: &span::Id) {}
        fn exit(&self, _span: &span::Id) {}
    }
    let asked = Cell::new(0);
    let lookup = |name| {
        asked.set(asked.get() + 1);
        assert_eq!(READ.load(Relaxed), 0, "warned before {name} was asked for");
        (name == "DD_CARDINALITY" || name == "DD_ORIGIN_DETECTION_ENABLED").then(|| "?".into())
    };
    // With a single subscriber in the process, tracing asks the subscriber of the thread that meets a
    // callsite first, which may be another test's thread without one.
    let _second = tracing::Dispatch::new(Reader);
    tracing::subscriber::with_default(Reader, || DatadogEnv::read(lookup))
        .expect("the values are valid");
    let begun = std::time::Instant::now();
    while READ.load(Relaxed) < 2 && begun.elapsed().as_secs() < 30 {
        std::thread::yield_now();
    }
    assert_eq!(READ.load(Relaxed), 2);
    assert!(asked.get() > 8);
}

#[cfg(unix)]
#[test]
fn values_other_than_utf8_are_refused() {
    use std::os::unix::ffi::OsStringExt;
    let no_text = || OsString::from_vec(b"a\xff".to_vec());
    let error = DatadogEnv::read(|name| (name == "DD_SERVICE").then(no_text)).expect_err("bytes");
    let expected = r#"invalid value "a\xFF" for DD_SERVICE: expected text in UTF-8"#;
    assert_eq!(error.to_string(), expected);
    // Variables whose invalid values are ignored ignore such bytes too.
    for variable in [
        "DD_DOGSTATSD_URL",
        "DD_DOGSTATSD_PORT",
        "DD_CARDINALITY",
        "DATADOG_CARDINALITY",
        "DD_ORIGIN_DETECTION_ENABLED",
    ] {
        let read = DatadogEnv::read(|name| (name == variable).then(no_text));
        assert_eq!(read.expect(variable), accepted(&[]));
    }
    let read = DatadogEnv::read(|name| (name == "DD_EXTERNAL_ENV").then(no_text));
    assert_eq!(read.expect("read").external_data.as_deref(), Some("a\u{fffd}"));
}
