use super::*;

/// What is read where these variables are set, and no others.
fn read(variables: &[(&'static str, &str)]) -> Result<Environment, BuildError> {
    Environment::read(|name| {
        let found = variables.iter().find(|(variable, _)| *variable == name);
        found.map(|(_, value)| value.into())
    })
}

fn accepted(variables: &[(&'static str, &str)]) -> Environment {
    read(variables).expect("accepted")
}

/// As a URL, port and all.
fn endpoint(variables: &[(&'static str, &str)]) -> String {
    let Environment { protocol, host, port, .. } = accepted(variables);
    Endpoint::new(protocol, &host, port).expect("it was checked").to_string()
}

fn tags(variables: &[(&'static str, &str)]) -> Vec<String> {
    let tags = accepted(variables).tags;
    tags.into_iter().map(|(key, value)| format!("{key}:{value}")).collect()
}

/// The error names the variable, the value, and something that is accepted.
#[track_caller]
fn assert_refused(variables: &[(&'static str, &str)], variable: &str, expected: &str) {
    let (_, value) = variables.iter().find(|(name, _)| *name == variable).expect("it is set");
    let refused = read(variables).expect_err("refused");
    assert_eq!(refused.setting(), variable);
    assert_eq!(refused.value(), format!("{value:?}"));
    assert!(refused.expected().contains(expected), "{refused}");
}

#[test]
fn nothing_set() {
    let expected = Environment {
        protocol: Protocol::Udp,
        host: "127.0.0.1".to_owned(),
        port: 8125,
        tags: Vec::new(),
        origin_detection: true,
        external_data: None,
        cardinality: None,
    };
    assert_eq!(accepted(&[]), expected);
    // As an empty one is none.
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
    for url in
        ["agent", "agent:8125", "tcp://agent", "http://agent", "udp://", "udp://a b", "udp://a:0"]
            .into_iter()
            .chain(["udp://a:x", "unix://", r"\\.\pipe\dsd"])
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
    // What has no say is not looked at.
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
    // One that came with the host comes first.
    let both = [("DD_AGENT_HOST", "agent:1"), ("DD_DOGSTATSD_PORT", "2")];
    assert_eq!(endpoint(&both), "udp://agent:1");
    for port in ["0", "65536", "-1", "+1", "x", " 1"] {
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
        for value in ["a|b", "a,b", "a\nb"] {
            assert_refused(&[(variable, value)], variable, "no `|`");
        }
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
    // A variable of its own comes first.
    assert_eq!(tags(&[("DD_TAGS", "env:a,env:b,k:v"), ("DD_ENV", "c")]), ["env:c", "k:v"]);
    assert_eq!(tags(&[("DD_TAGS", "env:a,env:b")]), ["env:b"]);
    for value in ["urgent", "k:v,urgent", ":v", "k:", "k:v|#x", "k:v\n"] {
        let value = if value == "k:v\n" { "k:v\nx" } else { value };
        assert_refused(&[("DD_TAGS", value)], "DD_TAGS", "key:value");
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
    let variable = "DD_ORIGIN_DETECTION_ENABLED";
    assert_refused(&[(variable, "maybe")], variable, "true or false");
}

#[test]
fn dd_external_env() {
    let external = ("DD_EXTERNAL_ENV", "it-false,cn-nginx,pu-75a2b6d5");
    assert_eq!(accepted(&[external]).external_data.as_deref(), Some(external.1));
    // It is a part of origin detection.
    let off = ("DD_ORIGIN_DETECTION_ENABLED", "false");
    assert_eq!(accepted(&[external, off]).external_data, None);
    for value in ["a|b", "a\nb"] {
        assert_refused(&[("DD_EXTERNAL_ENV", value)], "DD_EXTERNAL_ENV", "no `|`");
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
            assert_refused(&[(variable, "medium")], variable, "low");
        }
    }
    let both = [("DATADOG_CARDINALITY", "high"), ("DD_CARDINALITY", "low")];
    assert_eq!(accepted(&both).cardinality, Some(Cardinality::Low));
}

#[cfg(unix)]
#[test]
fn what_is_no_text_is_refused_and_not_overlooked() {
    use std::os::unix::ffi::OsStringExt;
    let no_text = || OsString::from_vec(b"a\xff".to_vec());
    let refused = Environment::read(|name| (name == "DD_SERVICE").then(no_text)).expect_err("");
    assert_eq!(refused.to_string(), r#"DD_SERVICE: "a\xFF" is refused: expected UTF-8"#);
}
