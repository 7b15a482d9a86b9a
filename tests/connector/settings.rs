//! Tests how settings and environment variables configure a connector. The name of each test states
//! a rule.

use freewheel::{BuildError, Builder, Connector, Protocol, Settings};
use std::ffi::OsString;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tracing::span;

/// Resolves the settings in a simulated environment with only these variables. Returns the
/// resulting builder, or `None` if the settings disable the connector.
fn resolve(settings: &Settings, variables: &[(&str, &str)]) -> Result<Option<Builder>, BuildError> {
    settings.builder_from(|variable| {
        let set = variables.iter().find(|(name, _)| *name == variable)?;
        Some(OsString::from(set.1))
    })
}

/// Asserts that the settings are accepted, and resolve to the builder `expected` in an environment
/// with only these variables.
#[track_caller]
fn assert_is(settings: &Settings, variables: &[(&str, &str)], expected: Builder) {
    let builder =
        resolve(settings, variables).unwrap().expect("the settings do not disable the connector");
    assert_eq!(format!("{builder:?}"), format!("{expected:?}"));
}

/// Asserts that the settings are refused in an environment with only these variables, with the
/// error message `text`.
#[track_caller]
fn assert_refused(settings: &Settings, variables: &[(&str, &str)], text: &str) {
    assert_eq!(resolve(settings, variables).unwrap_err().to_string(), text);
}

/// Returns settings that are complete without environment variables: a host and a prefix.
fn complete() -> Settings {
    Settings::new().host("statsd.example").prefix("app")
}

const HOST: (&str, &str) = ("STATSD_HOST", "statsd.example");
const PREFIX: (&str, &str) = ("STATSD_PREFIX", "app");

fn is_enabled(settings: &Settings, value: &str) -> bool {
    resolve(settings, &[("STATSD_ENABLED", value)]).unwrap().is_some()
}

#[test]
fn host_and_prefix_in_the_environment_are_enough() {
    let defaults = Connector::builder("statsd.example").prefix("app");
    assert_is(&Settings::new(), &[HOST, PREFIX], defaults);
}

#[test]
fn enabled_if_statsd_enabled_is_not_set() {
    assert!(resolve(&complete(), &[]).unwrap().is_some());
}

#[test]
fn statsd_enabled_integers_other_than_0_are_true() {
    for value in ["1", "2", "-1", "+1", "007", " 1 ", "1\n", "99999999999999999999999999"] {
        assert!(is_enabled(&complete(), value), "{value:?}");
    }
}

#[test]
fn statsd_enabled_on_t_true_and_yes_are_true_in_any_case() {
    for value in ["on", "On", "ON", "t", "T", "true", "True", "tRuE", "TRUE", "yes", "Yes", "YES"] {
        assert!(is_enabled(&complete(), value), "{value:?}");
        assert!(is_enabled(&complete(), &format!(" {value}\n")), "{value:?}");
    }
}

#[test]
fn statsd_enabled_all_else_is_false() {
    for value in [
        "", " ", "0", "00", "-0", "+0", "off", "f", "false", "no", "n", "y", "yes!", "tru",
        "enabled", "1.0", "0x1", "1e3", "-", "+", "none", "ja", "true !", "\n",
    ] {
        assert!(!is_enabled(&complete(), value), "{value:?}");
    }
}

#[cfg(unix)]
#[test]
fn statsd_enabled_other_than_utf8_is_false() {
    use std::os::unix::ffi::OsStringExt;
    let value = |_: &str| Some(OsString::from_vec(vec![0xff]));
    assert!(complete().builder_from(value).unwrap().is_none());
}

#[test]
fn settings_win_over_the_environment() {
    let environment = [
        ("STATSD_ENABLED", "no"),
        ("STATSD_HOST", "other.example"),
        ("STATSD_PORT", "bad"),
        ("STATSD_PREFIX", "other"),
        ("STATSD_PROTOCOL", "bad"),
    ];
    let settings = complete().enabled(true).port(9125).protocol(Protocol::Udp);
    let expected = Connector::builder("statsd.example").port(9125).prefix("app");
    assert_is(&settings, &environment, expected.protocol(Protocol::Udp));
    let disabled = complete().enabled(false);
    assert!(resolve(&disabled, &[("STATSD_ENABLED", "yes")]).unwrap().is_none());
}

#[test]
fn environment_completes_the_settings() {
    let environment = [
        HOST,
        PREFIX,
        ("STATSD_PORT", "9125"),
        ("STATSD_PROTOCOL", "udp"),
        ("STATSD_ENABLED", "1"),
    ];
    let expected = Connector::builder("statsd.example").port(9125).prefix("app");
    assert_is(&Settings::new(), &environment, expected.protocol(Protocol::Udp));
}

#[test]
fn without_a_host_the_connector_is_disabled() {
    assert!(resolve(&Settings::new(), &[PREFIX]).unwrap().is_none());
    assert!(resolve(&Settings::new(), &[PREFIX, ("STATSD_HOST", "")]).unwrap().is_none());
}

#[test]
fn missing_host_is_warned_of_once() {
    let warnings = Warnings::default();
    // With one subscriber in the process, `tracing` decides by the thread that reaches a callsite
    // first. That may be a thread of another test, without a subscriber. With two, it asks each.
    let _second = tracing::Dispatch::new(warnings.clone());
    tracing::subscriber::with_default(warnings.clone(), || {
        resolve(&Settings::new(), &[PREFIX]).unwrap();
        warnings.wait_for(1);
        // Explicitly disabled metrics and a set host cause no warning.
        resolve(&Settings::new(), &[("STATSD_ENABLED", "0")]).unwrap();
        resolve(&Settings::new(), &[HOST, PREFIX]).unwrap();
        assert_eq!(warnings.count(), 1);
    });
}

#[test]
fn an_unknown_value_of_statsd_enabled_is_warned_of() {
    let warnings = Warnings::default();
    // As above.
    let _second = tracing::Dispatch::new(warnings.clone());
    tracing::subscriber::with_default(warnings.clone(), || {
        for known in ["0", "-0", "false", "F", "no", "off", "disabled", "none", "1", "true"] {
            resolve(&complete(), &[("STATSD_ENABLED", known)]).unwrap();
            assert_eq!(warnings.count(), 0, "{known:?}");
        }
        for (index, unknown) in (1..).zip(["", " ", "tru", "y", "1.0", "-"]) {
            assert!(resolve(&complete(), &[("STATSD_ENABLED", unknown)]).unwrap().is_none());
            warnings.wait_for(index);
        }
    });
}

#[test]
fn an_empty_host_in_the_settings_is_an_error() {
    let expected =
        "invalid value \"\" for host: expected an IP address or a host name, without a port";
    assert_refused(&complete().host(""), &[HOST], expected);
}

#[test]
fn invalid_statsd_host_is_named_by_the_error() {
    let expected = "invalid value \"a host\" for STATSD_HOST: expected an IP address or a host name, without a port";
    assert_refused(&Settings::new(), &[("STATSD_HOST", "a host"), PREFIX], expected);
}

#[test]
fn invalid_statsd_port_is_named_by_the_error() {
    for value in ["0", "-1", "65536", "70000", "eighty", "81.25", "0x1f", "http://10.0.0.11:8125"]
        .into_iter()
        .chain(["udp://10.0.0.11", "udp://10.0.0.11:", "udp://10.0.0.11:0", "udp://:8125"])
        .chain(["tcp://10.0.0.11:70000", "tcp://10.0.0.11:+1", "quic://10.0.0.11:1", "10.0.0.11:1"])
    {
        let expected = format!("invalid value {value:?} for STATSD_PORT: expected 1 to 65535");
        assert_refused(&complete(), &[("STATSD_PORT", value)], &expected);
    }
}

#[test]
fn invalid_port_setting_is_named_by_the_error() {
    let expected = "invalid value 0 for port: expected 1 to 65535";
    assert_refused(&complete().port(0), &[("STATSD_PORT", "1")], expected);
}

#[test]
fn invalid_statsd_protocol_is_named_by_the_error() {
    for value in ["sctp", "upd", "tcp udp", "17"] {
        let expected = format!(
            "invalid value {value:?} for STATSD_PROTOCOL: expected tcp or udp, \
             or on Unix unixgram or unixstream"
        );
        assert_refused(&complete(), &[("STATSD_PROTOCOL", value)], &expected);
    }
}

#[cfg(unix)]
#[test]
fn statsd_protocol_may_be_a_unix_socket_and_the_host_its_path() {
    for (name, protocol) in
        [("unixgram", Protocol::UnixDatagram), ("unixstream", Protocol::UnixStream)]
    {
        let environment = [("STATSD_HOST", "/run/statsd"), PREFIX, ("STATSD_PROTOCOL", name)];
        let expected = Connector::builder("/run/statsd").prefix("app").protocol(protocol);
        assert_is(&Settings::new(), &environment, expected);
    }
}

#[test]
fn the_prefix_is_the_setting_even_when_it_is_empty() {
    let settings = Settings::new().prefix("").service("shop").environment("production");
    assert_is(&settings, &[HOST, PREFIX], Connector::builder("statsd.example"));
}

#[test]
fn prefix_falls_back_to_a_non_empty_statsd_prefix() {
    let settings = Settings::new().service("shop").environment("production");
    let of = |prefix: &str| Connector::builder("statsd.example").prefix(prefix);
    assert_is(&settings, &[HOST, PREFIX], of("app"));
    assert_is(&settings, &[HOST, ("STATSD_PREFIX", "")], of("applications.shop.production"));
}

#[test]
fn prefix_falls_back_to_service_and_environment() {
    let settings = Settings::new().service("shop").environment("production");
    let expected = Connector::builder("statsd.example").prefix("applications.shop.production");
    assert_is(&settings, &[HOST], expected);
}

#[test]
fn missing_prefix_error_lists_the_alternatives() {
    let expected = "missing value for prefix: expected a prefix, by STATSD_PREFIX or the setting \
        `prefix`, or the settings `service` and `environment`; or `prefix` set to none explicitly";
    for settings in [
        Settings::new(),
        Settings::new().service("shop"),
        Settings::new().environment("production"),
    ] {
        assert_refused(&settings, &[HOST], expected);
        assert_refused(&settings, &[HOST, ("STATSD_PREFIX", "")], expected);
    }
}

#[test]
fn an_empty_service_or_environment_is_an_error() {
    let settings = Settings::new().service("").environment("production");
    assert_refused(&settings, &[HOST], "invalid value \"\" for service: expected a name");
    let settings = Settings::new().service("shop").environment("");
    assert_refused(&settings, &[HOST], "invalid value \"\" for environment: expected a name");
}

#[test]
fn dots_alone_are_no_prefix_by_accident() {
    let variable = [HOST, ("STATSD_PREFIX", "..")];
    let refused = "invalid value \"..\" for STATSD_PREFIX: expected more than dots";
    assert_refused(&Settings::new(), &variable, refused);
    let settings = Settings::new().service(".").environment("production");
    assert_refused(&settings, &[HOST], "invalid value \".\" for service: expected a name");
    let settings = Settings::new().service(".shop.").environment("production.");
    let expected = Connector::builder("statsd.example").prefix("applications.shop.production");
    assert_is(&settings, &[HOST], expected);
}

#[test]
fn no_prefix_is_explicit_and_takes_precedence() {
    let settings = Settings::new().service("shop").environment("production").no_prefix();
    assert_is(&settings, &[HOST, PREFIX], Connector::builder("statsd.example"));
    // The variable cannot state this: `none` is a prefix like any other.
    let expected = Connector::builder("statsd.example").prefix("none");
    assert_is(&Settings::new(), &[HOST, ("STATSD_PREFIX", "none")], expected);
}

#[test]
fn invalid_prefix_error_names_its_source() {
    let refused = |by: &str, value: &str| {
        format!(
            "invalid value {value:?} for {by}: expected no `:`, `|`, control, or what the dialect forbids"
        )
    };
    assert_refused(&complete().prefix("a:b"), &[], &refused("prefix", "a:b"));
    let variable = [HOST, ("STATSD_PREFIX", "a|b")];
    assert_refused(&Settings::new(), &variable, &refused("STATSD_PREFIX", "a|b"));
    let settings = Settings::new().service("a\nb").environment("c");
    let made = refused("service and environment", "applications.a\nb.c");
    assert_refused(&settings, &[HOST], &made);
}

#[test]
fn disabled_never_raises() {
    let bad = [
        ("STATSD_ENABLED", "0"),
        ("STATSD_HOST", "a host"),
        ("STATSD_PORT", "bad"),
        ("STATSD_PROTOCOL", "bad"),
        ("STATSD_PREFIX", "a:b"),
    ];
    assert!(resolve(&Settings::new(), &bad).unwrap().is_none());
    let bad_setting = Settings::new().enabled(false).port(0).wait_timeout(Duration::ZERO);
    assert!(resolve(&bad_setting, &bad).unwrap().is_none());
    // Bad values are ignored without a host, too.
    assert!(resolve(&Settings::new(), &[("STATSD_PORT", "bad")]).unwrap().is_none());
}

#[cfg(unix)]
#[test]
fn variable_other_than_utf8_is_named_by_the_error() {
    use std::os::unix::ffi::OsStringExt;
    for bad in ["STATSD_HOST", "STATSD_PORT", "STATSD_PREFIX", "STATSD_PROTOCOL"] {
        let environment = |variable: &str| match variable {
            _ if variable == bad => Some(OsString::from_vec(vec![b'a', 0xff])),
            "STATSD_HOST" => Some("statsd.example".into()),
            "STATSD_PREFIX" => Some("app".into()),
            _ => None,
        };
        let refused = Settings::new().builder_from(environment).unwrap_err();
        assert_eq!(
            refused.to_string(),
            format!(r#"invalid value "a\xFF" for {bad}: expected text in UTF-8"#)
        );
    }
}

#[test]
fn reconnect_and_wait_timeout_are_the_two_times_of_the_builder() {
    let (sleep, interval) = (Duration::from_millis(70), Duration::from_millis(30));
    let settings = complete().reconnect_timeout(sleep).wait_timeout(interval);
    let expected = Connector::builder("statsd.example").prefix("app");
    assert_is(&settings, &[], expected.reconnect_sleep(sleep).flush_interval(interval));

    let expected = |by| format!("invalid value 0ns for {by}: expected more than 0, at most a day");
    let none = Duration::ZERO;
    assert_refused(&complete().reconnect_timeout(none), &[], &expected("reconnect_timeout"));
    assert_refused(&complete().wait_timeout(none), &[], &expected("wait_timeout"));
}

#[test]
fn every_other_setting_can_be_tuned() {
    let tune = |builder: Builder| builder.queue_capacity(1 << 20).type_prefixes(false);
    let expected = tune(Connector::builder("statsd.example").prefix("app"));
    // The rules override these settings of the builder.
    let settings = complete().tune(|builder| tune(builder).port(1).prefix("other"));
    assert_is(&settings, &[], expected);
    let expected = "invalid value 1 for queue_capacity: expected 1024 to 1073741824 bytes";
    assert_refused(&complete().tune(|builder| builder.queue_capacity(1)), &[], expected);
    let expected = "invalid value 999.999µs for peer_timeout: expected at least a millisecond";
    let timeout = Duration::from_nanos(999_999);
    assert_refused(&complete().tune(|builder| builder.peer_timeout(timeout)), &[], expected);
}

/// A connector from `Connector::from_env` uses the process's environment variables. The test runs
/// it in a child process, because changing variables here would race with other tests.
#[test]
fn connector_reads_the_process_environment() {
    const CHILD: &str = "FREEWHEEL_TEST_OF_ENVIRONMENT";
    if let Ok(port) = std::env::var(CHILD) {
        let statsd = Connector::from_env().unwrap();
        let endpoint = format!("udp://127.0.0.1:{port}");
        assert!(format!("{statsd:?}").contains(&endpoint), "{statsd:?}");
        statsd.start_on_thread().unwrap();
        statsd.incr("requests");
        assert_eq!(statsd.blocking_stop().kept.lines, 0);
        return;
    }
    let receiver = crate::support::UdpReceiver::start();
    let port = receiver.port().to_string();
    let mut child = std::process::Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "settings::connector_reads_the_process_environment"]);
    child.env(CHILD, &port).env("STATSD_HOST", "127.0.0.1").env("STATSD_PORT", &port);
    child.env("STATSD_PREFIX", "app").env("STATSD_PROTOCOL", "udp").env_remove("STATSD_ENABLED");
    let output = child.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert_eq!(receiver.lines(1), ["app.counters.requests:1|c"]);
}

/// Subscriber of `tracing` that counts logged warnings.
#[derive(Clone, Default)]
struct Warnings(Arc<Mutex<u64>>);

impl Warnings {
    fn count(&self) -> u64 {
        *self.0.lock().unwrap()
    }

    /// Waits until `count` warnings are logged by another thread, and asserts that no more are
    /// logged.
    #[track_caller]
    fn wait_for(&self, count: u64) {
        crate::support::eventually("the warning is logged", || self.count() >= count);
        assert_eq!(self.count(), count);
    }
}

impl tracing::Subscriber for Warnings {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        *metadata.level() == tracing::Level::WARN
    }
    fn event(&self, _event: &tracing::Event<'_>) {
        *self.0.lock().unwrap() += 1;
    }
    fn new_span(&self, _span: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _span: &span::Id, _values: &span::Record<'_>) {}
    fn record_follows_from(&self, _span: &span::Id, _follows: &span::Id) {}
    fn enter(&self, _span: &span::Id) {}
    fn exit(&self, _span: &span::Id) {}
}
