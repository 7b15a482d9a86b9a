//! Tests of settings from environment variables, with values that other programs set, and of the
//! precedence of the protocol.

use freewheel::{BuildError, Builder, Connector, Protocol, Settings};
use std::ffi::OsString;

/// Resolves the settings as if only these environment variables were set. Returns `Ok(None)` if the
/// connector is disabled.
fn resolve(settings: &Settings, variables: &[(&str, &str)]) -> Result<Option<Builder>, BuildError> {
    settings.builder_from(|variable| {
        let set = variables.iter().find(|(name, _)| *name == variable)?;
        Some(OsString::from(set.1))
    })
}

/// Returns settings with a host and a prefix, which need no environment variable.
fn complete() -> Settings {
    Settings::new().host("statsd.example").prefix("app")
}

const HOST: (&str, &str) = ("STATSD_HOST", "statsd.example");
const PREFIX: (&str, &str) = ("STATSD_PREFIX", "app");

/// A `tracing` subscriber reads a lazily initialised static while it handles the warning that this
/// initialisation causes. The read does not deadlock.
#[test]
fn subscriber_may_use_the_unfinished_connector() {
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
    use std::sync::{LazyLock, mpsc};
    use std::time::{Duration, Instant};
    use tracing::span;

    static STATSD: LazyLock<Option<Builder>> =
        LazyLock::new(|| resolve(&Settings::new(), &[PREFIX]).unwrap());
    static COUNTED: AtomicBool = AtomicBool::new(false);
    struct Counting;
    impl tracing::Subscriber for Counting {
        fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
            true
        }
        fn event(&self, _: &tracing::Event<'_>) {
            assert!(STATSD.is_none(), "no host is set");
            COUNTED.store(true, Relaxed);
        }
        fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
            span::Id::from_u64(1)
        }
        fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
        fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
        fn enter(&self, _: &span::Id) {}
        fn exit(&self, _: &span::Id) {}
    }
    let (made, result) = mpsc::channel();
    // With a single subscriber in the process, tracing asks the subscriber of the thread that meets a
    // callsite first, which may be another test's thread without one.
    let _second = tracing::Dispatch::new(Counting);
    // A thread of its own, since a deadlock would never end.
    std::thread::spawn(move || {
        tracing::subscriber::with_default(Counting, || made.send(STATSD.is_none()).unwrap());
    });
    assert_eq!(result.recv_timeout(Duration::from_secs(30)), Ok(true), "a deadlock");
    let begun = Instant::now();
    while !COUNTED.load(Relaxed) {
        assert!(begun.elapsed() < Duration::from_secs(30), "no warning");
        std::thread::yield_now();
    }
}

/// Settings resolve without an error from environment variables with values that Kubernetes,
/// Compose, files and shells produce. `None` is expected where the connector is disabled.
#[test]
fn foreign_environment_values_cause_no_error() {
    let host = ("STATSD_HOST", "10.0.0.11");
    for (variables, expected) in [
        // Kubernetes sets such variables for a Service named `statsd`. Only the port is used.
        (&[host, ("STATSD_PORT", "tcp://10.0.0.99:8126")][..], Some("tcp://10.0.0.11:8126")),
        (&[host, ("STATSD_PORT", "udp://10.0.0.99:8126")], Some("tcp://10.0.0.11:8126")),
        (&[host, ("STATSD_PORT", "sctp://10.0.0.11:8126")], Some("tcp://10.0.0.11:8126")),
        (&[host, ("STATSD_PORT", "UDP://10.0.0.99:8126")], Some("tcp://10.0.0.11:8126")),
        (&[host, ("STATSD_PORT", "udp://[fd00::99]:8126")], Some("tcp://10.0.0.11:8126")),
        (&[host, ("STATSD_PORT", " udp://10.0.0.99:8126\n")], Some("tcp://10.0.0.11:8126")),
        (
            &[host, ("STATSD_PORT", "tcp://10.0.0.99:8126"), ("STATSD_PROTOCOL", "udp")],
            Some("udp://10.0.0.11:8126"),
        ),
        (&[("STATSD_PORT", "udp://10.0.0.11:8125")], None),
        (
            &[
                host,
                ("STATSD_SERVICE_HOST", "10.0.0.99"),
                ("STATSD_SERVICE_PORT", "99"),
                ("STATSD_PORT_8125_UDP", "udp://10.0.0.99:99"),
                ("STATSD_PORT_8125_UDP_ADDR", "10.0.0.99"),
                ("STATSD_PORT_8125_UDP_PORT", "99"),
                ("STATSD_PORT_8125_UDP_PROTO", "udp"),
            ],
            Some("tcp://10.0.0.11:8125"),
        ),
        // Compose passes empty values for unset variables.
        (&[host, ("STATSD_PORT", "")], Some("tcp://10.0.0.11:8125")),
        (&[host, ("STATSD_PORT", " ")], Some("tcp://10.0.0.11:8125")),
        (&[host, ("STATSD_PROTOCOL", "")], Some("tcp://10.0.0.11:8125")),
        (&[host, ("STATSD_PROTOCOL", "\t")], Some("tcp://10.0.0.11:8125")),
        (&[("STATSD_HOST", "")], None),
        (&[("STATSD_HOST", " ")], None),
        (&[host, ("STATSD_PREFIX", " ")], Some("tcp://10.0.0.11:8125")),
        (&[host, ("STATSD_ENABLED", "")], None),
        (&[host, ("STATSD_ENABLED", " ")], None),
        // Files and shells add whitespace and line breaks.
        (&[("STATSD_HOST", " 10.0.0.11\r\n")], Some("tcp://10.0.0.11:8125")),
        (&[host, ("STATSD_PORT", "8126\n")], Some("tcp://10.0.0.11:8126")),
        (&[host, ("STATSD_PORT", " 8126 ")], Some("tcp://10.0.0.11:8126")),
        (&[host, ("STATSD_PROTOCOL", "udp\n")], Some("udp://10.0.0.11:8125")),
        (&[host, ("STATSD_ENABLED", "true\n")], Some("tcp://10.0.0.11:8125")),
        (&[host, ("STATSD_ENABLED", "False")], None),
        // Upper and lower case are equal.
        (&[host, ("STATSD_PROTOCOL", "UDP")], Some("udp://10.0.0.11:8125")),
        (&[host, ("STATSD_PROTOCOL", "Tcp")], Some("tcp://10.0.0.11:8125")),
        #[cfg(unix)]
        (
            &[("STATSD_HOST", " /run/statsd\n"), ("STATSD_PROTOCOL", "UnixGram")],
            Some("unixgram:///run/statsd"),
        ),
    ] {
        let settings = Settings::new().service("shop").environment("production");
        let builder =
            resolve(&settings, variables).unwrap_or_else(|bad| panic!("{variables:?}: {bad}"));
        let connector = builder.map(|builder| format!("{:?}", builder.build().unwrap()));
        assert_eq!(connector.is_some(), expected.is_some(), "{variables:?}");
        for (connector, expected) in connector.iter().zip(expected) {
            assert!(
                connector.contains(&format!("endpoint: {expected},")),
                "{variables:?}: {connector}"
            );
        }
    }
    // Whitespace around a prefix is removed too.
    let variables = [HOST, ("STATSD_PREFIX", " app\n")];
    let builder = resolve(&Settings::new(), &variables).unwrap().unwrap();
    let expected = Connector::builder("statsd.example").prefix("app");
    assert_eq!(format!("{builder:?}"), format!("{expected:?}"));
}

/// Subscriber of `tracing` that records the texts of warnings.
#[derive(Clone, Default)]
struct Warnings(std::sync::Arc<std::sync::Mutex<Vec<String>>>);

impl tracing::Subscriber for Warnings {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }
    fn event(&self, event: &tracing::Event<'_>) {
        let mut text = String::new();
        event.record(&mut |_: &tracing::field::Field, value: &dyn std::fmt::Debug| {
            text = format!("{value:?}");
        });
        self.0.lock().unwrap().push(text);
    }
    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

/// Returns the warnings that are logged when the settings are resolved from these variables.
fn warnings_of(settings: &Settings, variables: &[(&str, &str)]) -> Vec<String> {
    let warnings = Warnings::default();
    // As above: with two subscribers, tracing asks each.
    let _second = tracing::Dispatch::new(warnings.clone());
    tracing::subscriber::with_default(warnings.clone(), || {
        let _ = resolve(settings, variables).unwrap().unwrap();
    });
    // The thread that logs them is awaited for 50 ms at most.
    std::thread::sleep(std::time::Duration::from_millis(200));
    warnings.0.lock().unwrap().clone()
}

/// `STATSD_PORT` holds a link, as Kubernetes sets it, of which only the port is used. A warning says
/// so if its host or transport is not used, and quotes the value escaped and cut after 64 bytes.
#[test]
fn link_in_statsd_port_that_is_not_the_server_is_warned_of() {
    let (udp, host) = (("STATSD_PROTOCOL", "udp"), ("STATSD_HOST", "10.0.0.11"));
    let settings = Settings::new().prefix("app");
    for (variables, server) in [
        (&[host, ("STATSD_PORT", "udp://10.0.0.11:8126")][..], "tcp://10.0.0.11:8126"),
        (&[host, udp, ("STATSD_PORT", "tcp://10.0.0.11:8126")], "udp://10.0.0.11:8126"),
        (&[host, udp, ("STATSD_PORT", "udp://10.0.0.99:8126")], "udp://10.0.0.11:8126"),
        (&[HOST, udp, ("STATSD_PORT", "udp://10.0.0.11:8126")], "udp://statsd.example:8126"),
        #[cfg(unix)]
        (
            &[
                ("STATSD_HOST", "/run/statsd"),
                ("STATSD_PROTOCOL", "unixgram"),
                ("STATSD_PORT", "udp://10.0.0.11:8126"),
            ],
            "unixgram:///run/statsd",
        ),
    ] {
        let link = variables[variables.len() - 1].1;
        let expected = format!(
            "STATSD_PORT: {link:?} is used for no more than its port: the server is {server:?}"
        );
        assert_eq!(warnings_of(&settings, variables), [expected]);
    }
    let long = format!("udp://\u{1b}{}:8126", "x".repeat(100));
    let shown = format!(r#"STATSD_PORT: "udp://\u{{1b}}{}"… is"#, "x".repeat(64 - 12));
    let [warning] = &warnings_of(&settings, &[host, ("STATSD_PORT", &long)])[..] else { panic!() };
    assert!(warning.starts_with(&shown), "{warning}");

    // Host and transport are used, or the variable is not.
    for variables in [
        &[host, ("STATSD_PORT", "tcp://10.0.0.11:8126")][..],
        &[host, ("STATSD_PORT", "TCP://10.0.0.11:8126")],
        &[HOST, udp, ("STATSD_PORT", "udp://Statsd.Example:8126")],
        &[("STATSD_HOST", "[fd00::99]"), udp, ("STATSD_PORT", "udp://[fd00:0::99]:8126")],
        &[host, ("STATSD_PORT", "8126")],
    ] {
        assert_eq!(warnings_of(&settings, variables), [""; 0], "{variables:?}");
    }
    let given = settings.port(8127);
    assert_eq!(warnings_of(&given, &[host, ("STATSD_PORT", "udp://a:1")]), [""; 0]);
}

/// The protocol setting takes precedence over the variable `STATSD_PROTOCOL`, which takes
/// precedence over the dialect's default.
#[test]
fn protocol_precedence_is_setting_variable_dialect() {
    use freewheel::Dialect;
    let scheme = |settings: &Settings, variables: &[(&str, &str)]| {
        let builder = resolve(settings, variables).unwrap().unwrap();
        let connector = format!("{:?}", builder.build().unwrap());
        connector.split_once("://").unwrap().0.rsplit(' ').next().unwrap().to_owned()
    };
    let (tcp, udp) = (("STATSD_PROTOCOL", "tcp"), ("STATSD_PROTOCOL", "udp"));
    let dogstatsd = || complete().tune(|builder| builder.dialect(Dialect::DogStatsD));
    assert_eq!(scheme(&complete(), &[]), "tcp");
    assert_eq!(scheme(&complete(), &[udp]), "udp");
    assert_eq!(scheme(&dogstatsd(), &[]), "udp");
    assert_eq!(scheme(&dogstatsd(), &[("STATSD_PROTOCOL", "")]), "udp");
    assert_eq!(scheme(&dogstatsd(), &[tcp]), "tcp");
    assert_eq!(scheme(&dogstatsd().protocol(Protocol::Tcp), &[udp]), "tcp");
    assert_eq!(scheme(&complete().protocol(Protocol::Udp), &[tcp]), "udp");
    // The builder's protocol, or its URL, is a setting too.
    let stated = dogstatsd().tune(|builder| builder.protocol(Protocol::Tcp));
    assert_eq!(scheme(&stated, &[udp]), "tcp");
    let by_url = complete().tune(|_| Builder::from_url("udp://127.0.0.1").unwrap());
    assert_eq!(scheme(&by_url, &[tcp]), "udp");
    assert_eq!(scheme(&by_url.protocol(Protocol::Tcp), &[udp]), "tcp");
    // The dialect may be set after the settings are resolved.
    let builder = resolve(&complete(), &[]).unwrap().unwrap();
    assert!(
        format!("{:?}", builder.dialect(Dialect::DogStatsD).build().unwrap()).contains("udp://")
    );
}

#[test]
fn an_error_shows_a_value_escaped_and_cut_after_64_bytes() {
    let long = format!("\u{1b}[31m{}", "x".repeat(1000));
    let shown = format!(r#""\u{{1b}}[31m{}"…"#, "x".repeat(64 - 10));
    for variable in ["STATSD_HOST", "STATSD_PORT", "STATSD_PROTOCOL"] {
        let variables = [(variable, &*long), HOST, PREFIX];
        let refused = resolve(&Settings::new(), &variables).unwrap_err();
        assert_eq!((refused.setting(), refused.value()), (variable, &*shown));
    }
    let prefix = [HOST, ("STATSD_PREFIX", &*long)];
    assert_eq!(resolve(&Settings::new(), &prefix).unwrap_err().value(), shown);
}
