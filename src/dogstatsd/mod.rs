//! What DogStatsD has beside metrics: events and service checks.
//!
//! They are for a few times a minute, and not for the hot path: emitting one allocates. In dialects
//! without them they are dropped and counted.
//!
//! # Tags
//!
//! In a tag of an event or a service check, `|`, `,` and control characters become `_`, in its key `:`
//! too; so does a key or a value that is empty.

mod environment;
mod event;
mod line;
mod origin;
mod rendered;
mod service_check;

pub use event::{AlertType, Event, Priority};
pub use service_check::{ServiceCheck, Status};

use crate::builder::{Builder, Framing, Protocol};
use crate::connector::Connector;
use crate::connector_core::ScopedExchange;
use crate::encode::{self, Dialect, Invalid, Unsupported};
use crate::error::BuildError;
use environment::Environment;
use origin::Origin;
use rendered::{Rendered, Surroundings};

impl Connector {
    /// Begins the settings of a connector that speaks [DogStatsD](Dialect::DogStatsD), as the environment
    /// of the Datadog Agent's clients has them, and finds out which container this is (on Linux).
    /// What is set on the builder after that wins. What others wrote there does not stop a service:
    /// what Datadog's own clients strip or ignore is stripped or ignored here too, with a warning.
    ///
    /// | variable | what it says |
    /// |---|---|
    /// | `DD_DOGSTATSD_URL` | the endpoint: `udp://host[:port]`, `unix:///path`, `unixgram:///path` or `unixstream:///path` |
    /// | `DD_AGENT_HOST`, `DD_DOGSTATSD_PORT` | without that: host and port, over UDP. 127.0.0.1 and 8125 |
    /// | `DD_ENV`, `DD_SERVICE`, `DD_VERSION`, `DD_TAGS` | tags of all metrics; those of `DD_TAGS` may lack a value |
    /// | `DD_ENTITY_ID` | the tag `dd.internal.entity_id` |
    /// | `DD_ORIGIN_DETECTION_ENABLED` | whether lines say which container they are from: true |
    /// | `DD_EXTERNAL_ENV` | what the orchestrator says of that |
    /// | `DD_CARDINALITY` | of which cardinality the tags are that the Agent adds |
    ///
    /// A stream to a Unix socket is [framed](Framing::LengthPrefixed) as the Agent reads it. Where lines
    /// are from is said as far as the [version](Builder::dogstatsd_version) has words for it. `unix://` is
    /// a datagram socket: where the server listens to a stream, say `unixstream://`.
    ///
    /// ```
    /// use freewheel::Connector;
    ///
    /// let statsd = Connector::from_datadog_env()?.tag("region", "eu").build()?;
    /// # Ok::<(), freewheel::BuildError>(())
    /// ```
    ///
    /// # Errors
    /// The first bad value, by the name of its variable, with what is accepted.
    pub fn from_datadog_env() -> Result<Builder, BuildError> {
        let environment = Environment::read(std::env::var_os)?;
        Ok(builder(environment, Origin::detect))
    }

    /// Emits an event. Not for the hot path: it allocates.
    ///
    /// The connector's prefix has no part in it, its tags do. An event that is longer than a block is
    /// dropped and counted as [oversize](crate::Drops::oversize), as every line is.
    pub fn event(&self, event: &Event) {
        if let Some(inner) = self.inner() {
            emit(
                inner,
                |surroundings| event.render(surroundings),
                |line| {
                    inner.exchange.emit(|| line);
                },
            );
        }
    }

    /// Emits a service check. Not for the hot path: it allocates.
    ///
    /// The connector's prefix has no part in it, its tags do. Of two, also of two threads, the one that was
    /// emitted first is sent first.
    pub fn service_check(&self, check: &ServiceCheck) {
        if let Some(inner) = self.inner() {
            emit(
                inner,
                |surroundings| check.render(surroundings),
                |line| {
                    inner.exchange.emit_ordered(|| line);
                },
            );
        }
    }
}

/// `detect` is asked only where the environment does not forbid it.
fn builder(environment: Environment, detect: impl FnOnce() -> Option<Origin>) -> Builder {
    let Environment { protocol, host, port, tags, origin_detection, external_data, cardinality } =
        environment;
    let mut builder = Connector::builder(host).port(port).protocol(protocol);
    #[cfg(unix)]
    if protocol == Protocol::UnixStream {
        builder = builder.framing(Framing::LengthPrefixed);
    }
    builder = builder.dialect(Dialect::DogStatsD);
    for (key, value) in tags {
        builder = match value {
            Some(value) => builder.tag(key, value),
            None => builder.bare_tag(key),
        };
    }
    let container_id =
        origin_detection.then(detect).flatten().map(|container| container.to_string());
    builder.detected(encode::Origin { container_id, external_data, cardinality })
}

fn emit(
    inner: &ScopedExchange,
    render: impl FnOnce(Surroundings<'_>) -> Option<Rendered>,
    hand_over: impl FnOnce(&Rendered),
) {
    let scope = &inner.scoped.scope;
    let Some((tags, origin)) = scope.dogstatsd_fields() else {
        return inner.exchange.emit(|| Unsupported);
    };
    match render(Surroundings { tags, origin }) {
        Some(mut rendered) => {
            rendered.altered |= scope.are_tags_altered();
            hand_over(&rendered);
        }
        None => inner.exchange.emit(|| Invalid),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the environment makes of the builder, where this is the container `c0ffee`.
    fn built(variables: &[(&str, &str)]) -> Builder {
        let value = |name| variables.iter().find(|(variable, _)| *variable == name);
        let environment = Environment::read(|name| value(name).map(|(_, value)| value.into()));
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

    fn from_here(builder: Builder) -> Builder {
        let container_id = Some("ci-c0ffee".to_owned());
        builder.detected(encode::Origin { container_id, ..encode::Origin::default() })
    }

    #[test]
    fn nothing_set_is_the_agent_on_this_machine() {
        assert_same(&built(&[]), &from_here(local()));
    }

    #[test]
    fn no_origin_where_it_is_not_wanted() {
        let variables = [("DD_ORIGIN_DETECTION_ENABLED", "false"), ("DD_EXTERNAL_ENV", "it-x")];
        assert_same(&built(&variables), &local());
    }

    #[test]
    fn all_that_can_be_set_is() {
        let variables = [
            ("DD_AGENT_HOST", "agent"),
            ("DD_DOGSTATSD_PORT", "9125"),
            ("DD_ENV", "prod"),
            ("DD_TAGS", "team:a"),
            ("DD_EXTERNAL_ENV", "it-x"),
            ("DD_CARDINALITY", "low"),
        ];
        let expected = Connector::builder("agent").port(9125).protocol(Protocol::Udp);
        let expected = expected.dialect(Dialect::DogStatsD).tag("env", "prod").tag("team", "a");
        let origin = encode::Origin {
            container_id: Some("ci-c0ffee".to_owned()),
            external_data: Some("it-x".to_owned()),
            cardinality: Some(encode::Cardinality::Low),
        };
        assert_same(&built(&variables), &expected.detected(origin));
    }

    /// What a counter is on the wire where these are the tags of the environment.
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

    /// As tests of Datadog's clients for Ruby and Python have them.
    #[test]
    fn tags_without_a_value_are_sent_as_they_are() {
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
        // No other dialect has them.
        let refused = built(&[("DD_TAGS", "ghi"), ("DD_ORIGIN_DETECTION_ENABLED", "no")]);
        let refused = refused.dialect(Dialect::Graphite).build().unwrap_err();
        assert_eq!(refused.to_string(), r#"tag: "ghi" is refused: expected a key and a value"#);
    }

    /// What each version makes of a container, and of an inode.
    #[test]
    fn where_lines_are_from_is_said_in_words_of_the_version() {
        use crate::DogStatsDVersion::{V1_0, V1_1, V1_2, V1_3, V1_4, V1_5, V1_6};
        let variables = [("DD_EXTERNAL_ENV", "it-x"), ("DD_CARDINALITY", "low")];
        let value = |name| variables.iter().find(|(variable, _)| *variable == name);
        let read = || Environment::read(|name| value(name).map(|(_, value)| value.into())).unwrap();
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
    fn a_unix_stream_is_framed() {
        let built = built(&[("DD_DOGSTATSD_URL", "unixstream:///run/dsd.sock")]);
        let expected = Connector::builder("/run/dsd.sock").protocol(Protocol::UnixStream);
        let expected = expected.framing(Framing::LengthPrefixed).dialect(Dialect::DogStatsD);
        assert_same(&built, &from_here(expected));
    }
}
