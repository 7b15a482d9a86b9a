//! Calls for DogStatsD: a builder from the Agent's environment variables, and emitting of events and
//! service checks.

use super::datadog_env::{DatadogEnv, DatadogTag};
use super::origin::Origin;
use super::rendered_line::{ConnectorFields, RenderedLine};
use super::{Event, ServiceCheck};
use crate::config::Builder;
use crate::connector::Connector;
use crate::connector_core::ScopedExchange;
use crate::emit::{
    Exchange, allocate_guarded, drop_invalid, drop_unsupported, emit_event, emit_service_check,
};
use crate::encode;
use crate::error::BuildError;
use crate::options::Dialect;

impl Builder {
    /// Creates a builder for a connector that speaks [DogStatsD](Dialect::DogStatsD), configured by the
    /// environment variables of the Datadog Agent's clients.
    ///
    /// Detects the container of the process on Linux. Settings that are made on the builder take
    /// precedence. Values that Datadog's own clients strip or ignore are stripped or ignored here
    /// too, with a warning.
    ///
    /// | variable | meaning |
    /// |---|---|
    /// | `DD_DOGSTATSD_URL` | the endpoint: `udp://host[:port]`, `unix:///path`, `unixgram:///path` or `unixstream:///path` |
    /// | `DD_AGENT_HOST`, `DD_DOGSTATSD_PORT` | without a URL: host and port, over UDP. Default: 127.0.0.1 and 8125 |
    /// | `DD_ENV`, `DD_SERVICE`, `DD_VERSION`, `DD_TAGS` | tags of all metrics; tags in `DD_TAGS` may lack a value |
    /// | `DD_ENTITY_ID` | the tag `dd.internal.entity_id` |
    /// | `DD_ORIGIN_DETECTION_ENABLED` | true (the default) if lines carry their container |
    /// | `DD_EXTERNAL_ENV` | the orchestrator's data about the origin |
    /// | `DD_CARDINALITY` | the cardinality of the tags that the Agent adds |
    ///
    /// A stream to a Unix socket uses the Agent's [framing](crate::Framing::LengthPrefixed). The origin is sent
    /// as far as the [version](Builder::dogstatsd_version) supports it. `unix://` is a datagram socket;
    /// use `unixstream://` for a server that listens to a stream.
    ///
    /// ```
    /// use freewheel::Builder;
    ///
    /// let statsd = Builder::from_datadog_env()?.tag("region", "eu").build()?;
    /// # Ok::<(), freewheel::BuildError>(())
    /// ```
    ///
    /// A tag of a variable that would leave less than 256 bytes of the longest line for calls is left out
    /// at the build, with a warning.
    ///
    /// # Errors
    /// The first invalid value, by the name of its variable.
    pub fn from_datadog_env() -> Result<Self, BuildError> {
        let environment = DatadogEnv::read(std::env::var_os)?;
        Ok(builder(environment, Origin::detect))
    }
}

impl Connector {
    /// Emits an event. The call allocates, and is not intended for the hot path.
    ///
    /// The event has the connector's tags, but not its prefix. Like every line, an event that is
    /// [too long](crate::Dialect#long-lines) is dropped and counted as
    /// [oversize](crate::Drops::oversize).
    pub fn event(&self, event: &Event) {
        emit_rendered(self.inner(), |connector| event.render(connector), emit_event);
    }

    /// Emits a service check. The call allocates, and is not intended for the hot path.
    ///
    /// The service check has the connector's tags, but not its prefix. Service checks are sent in the
    /// order in which they were emitted, even if they come from different threads.
    pub fn service_check(&self, check: &ServiceCheck) {
        emit_rendered(self.inner(), |connector| check.render(connector), emit_service_check);
    }
}

/// Creates a builder from the values of Datadog's environment variables. Calls `detect`, which
/// finds the container of this process, only if origin detection is enabled.
fn builder(environment: DatadogEnv, detect: impl FnOnce() -> Option<Origin>) -> Builder {
    let DatadogEnv { endpoint, tags, origin_detection, external_data, cardinality } = environment;
    let mut builder = Builder::from(endpoint).dialect(Dialect::DogStatsD);
    for DatadogTag { variable, key, value } in tags {
        builder = builder.tag_of_variable(variable, key, value);
    }
    let container_id =
        origin_detection.then(detect).flatten().map(|container| container.to_string());
    builder.detected(encode::OriginFields { container_id, external_data, cardinality })
}

/// Calls `render` with the connector's tags and origin fields (which identify the sender), and
/// passes the resulting event or service check to `emit`. Counts a dropped line if the dialect has
/// no events, or if `render` returns `None`.
fn emit_rendered(
    inner: Option<&ScopedExchange>,
    render: impl FnOnce(ConnectorFields<'_>) -> Option<RenderedLine>,
    emit: impl FnOnce(&Exchange, &str, bool),
) {
    let Some(ScopedExchange { exchange, scoped }) = inner else { return };
    let scope = &scoped.scope;
    let mut drop_reason: Option<fn(&Exchange)> = None;
    let render = || {
        let Some((tags, origin)) = scope.dogstatsd_fields() else {
            drop_reason = Some(drop_unsupported);
            return None;
        };
        let rendered = render(ConnectorFields { tags: &tags, origin: &origin });
        if rendered.is_none() {
            drop_reason = Some(|exchange| drop_invalid(exchange, 1));
        }
        rendered
    };
    allocate_guarded(exchange, 1, render, |RenderedLine { line, altered }| {
        emit(exchange, line, *altered || scope.are_tags_altered());
    });
    if let Some(count_dropped) = drop_reason {
        count_dropped(exchange);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::Protocol;

    /// Returns the builder that the given environment variables configure, as if this process ran
    /// in the container `c0ffee`.
    fn built(variables: &[(&str, &str)]) -> Builder {
        let value = |name| variables.iter().find(|(variable, _)| *variable == name);
        let environment = DatadogEnv::read(|name| value(name).map(|(_, value)| value.into()));
        builder(environment.unwrap(), || Some(Origin::Container("c0ffee".to_owned())))
    }

    #[track_caller]
    fn assert_same(built: &Builder, expected: &Builder) {
        assert_eq!(format!("{built:?}"), format!("{expected:?}"));
    }

    fn local() -> Builder {
        let local = Connector::builder("127.0.0.1").protocol(Protocol::Udp);
        local.dialect(Dialect::DogStatsD)
    }

    fn in_container(builder: Builder) -> Builder {
        let container_id = Some("ci-c0ffee".to_owned());
        builder.detected(encode::OriginFields { container_id, ..encode::OriginFields::default() })
    }

    #[test]
    fn the_default_is_the_agent_on_this_host() {
        assert_same(&built(&[]), &in_container(local()));
    }

    #[test]
    fn disabled_origin_detection_sets_no_origin() {
        let variables = [("DD_ORIGIN_DETECTION_ENABLED", "false"), ("DD_EXTERNAL_ENV", "it-x")];
        assert_same(&built(&variables), &local());
    }

    #[test]
    fn all_variables_are_applied() {
        let variables = [
            ("DD_AGENT_HOST", "agent"),
            ("DD_DOGSTATSD_PORT", "9125"),
            ("DD_ENV", "prod"),
            ("DD_TAGS", "team:a"),
            ("DD_EXTERNAL_ENV", "it-x"),
            ("DD_CARDINALITY", "low"),
        ];
        let expected = Connector::builder("agent").port(9125).protocol(Protocol::Udp);
        let expected = expected
            .dialect(Dialect::DogStatsD)
            .tag_of_variable("DD_ENV", "env".to_owned(), Some("prod".to_owned()))
            .tag_of_variable("DD_TAGS", "team".to_owned(), Some("a".to_owned()));
        let origin = encode::OriginFields {
            container_id: Some("ci-c0ffee".to_owned()),
            external_data: Some("it-x".to_owned()),
            cardinality: Some(crate::Cardinality::Low),
        };
        assert_same(&built(&variables), &expected.detected(origin));
    }

    /// Builds a connector with the given text as the value of `DD_TAGS`, increments a counter, and
    /// returns the UDP datagram that the server receives.
    fn sent(tags: &str) -> String {
        let server = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        server.set_read_timeout(Some(std::time::Duration::from_secs(60))).unwrap();
        let url = format!("udp://{}", server.local_addr().unwrap());
        let variables = [("DD_DOGSTATSD_URL", &*url), ("DD_TAGS", tags)];
        let statsd = built(&variables).dogstatsd_version(crate::DogStatsDVersion::V1_0);
        let statsd = statsd.build().unwrap();
        statsd.start_on_thread().unwrap();
        statsd.incr("hits");
        assert_eq!(statsd.blocking_stop().kept.lines, 0);
        let mut datagram = [0; 1000];
        let len = server.recv(&mut datagram).unwrap();
        String::from_utf8(datagram[..len].to_vec()).unwrap()
    }

    /// Checks that the tags in `DD_TAGS` are sent unchanged, also if a tag has no value. The
    /// examples are from the tests of Datadog's clients for Ruby and Python.
    #[test]
    fn tags_without_a_value_are_sent_unchanged() {
        for (given, expected) in [
            ("ghi,team:qa", "ghi,team:qa"),
            ("country:china,age:45,blue", "country:china,age:45,blue"),
            ("team:qa,k:,:v", "team:qa,k:,:v"),
        ] {
            let statsd = built(&[("DD_TAGS", given)]).build().unwrap();
            let scope = &statsd.inner().unwrap().scoped.scope;
            assert_eq!(scope.dogstatsd_fields().unwrap().0, expected);
            assert!(!scope.are_tags_altered());
            assert_eq!(sent(given), format!("hits:1|c|#{expected}\n"));
            assert_eq!(
                scope.with_tag("a", "b").dogstatsd_fields().unwrap().0,
                format!("{expected},a:b")
            );
        }
        // Other dialects have no tags without a value.
        let refused = built(&[("DD_TAGS", "ghi"), ("DD_ORIGIN_DETECTION_ENABLED", "no")]);
        let refused = refused.dialect(Dialect::Graphite).build().unwrap_err();
        assert_eq!(
            refused.to_string(),
            r#"invalid value "ghi" for DD_TAGS: expected a key and a value"#
        );
    }

    /// Checks for each DogStatsD version that lines carry exactly the origin fields that the
    /// version supports. The origin is a container identifier in one case and an inode in the
    /// other.
    #[test]
    fn origin_fields_depend_on_the_version() {
        use crate::DogStatsDVersion::{V1_0, V1_1, V1_2, V1_3, V1_4, V1_5, V1_6};
        let variables = [("DD_EXTERNAL_ENV", "it-x"), ("DD_CARDINALITY", "low")];
        let value = |name| variables.iter().find(|(variable, _)| *variable == name);
        let read = || DatadogEnv::read(|name| value(name).map(|(_, value)| value.into())).unwrap();
        let container = || Some(Origin::Container("c0ffee".to_owned()));
        for (version, of_container, of_inode) in [
            (V1_0, "", ""),
            (V1_1, "", ""),
            (V1_2, "|c:c0ffee", ""),
            (V1_3, "|c:c0ffee", ""),
            (V1_4, "|c:ci-c0ffee", "|c:in-7"),
            (V1_5, "|c:ci-c0ffee|e:it-x", "|c:in-7|e:it-x"),
            (V1_6, "|c:ci-c0ffee|e:it-x|card:low", "|c:in-7|e:it-x|card:low"),
        ] {
            let fields = |detect: fn() -> Option<Origin>| {
                let statsd = builder(read(), detect).dogstatsd_version(version).build().unwrap();
                let inner = statsd.inner().unwrap();
                let (_, origin) = inner.scoped.scope.dogstatsd_fields().unwrap();
                String::from_utf8_lossy(origin.as_ref()).into_owned()
            };
            assert_eq!(fields(container).trim_end(), of_container);
            assert_eq!(fields(|| Some(Origin::Inode(7))).trim_end(), of_inode);
        }
    }

    #[test]
    #[cfg(unix)]
    fn unix_streams_are_framed() {
        let built = built(&[("DD_DOGSTATSD_URL", "unixstream:///run/dsd.sock")]);
        let expected = Connector::builder("/run/dsd.sock").protocol(Protocol::UnixStream);
        assert_same(&built, &in_container(expected.dialect(Dialect::DogStatsD)));
    }
}
