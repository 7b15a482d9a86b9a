//! Service checks, which report the state of a service.

#[cfg(feature = "client")]
use super::rendered_line::{ConnectorFields, RenderedLine};
use std::time::SystemTime;

/// A service check: a report about the state of a service. Emitted by
/// [`Connector::service_check`](crate::Connector::service_check).
///
/// The server substitutes its defaults for fields that are not set: the time of arrival and its own
/// host.
///
/// # Texts
///
/// The texts may contain any characters. Some of these do not arrive unchanged:
///
/// * In the name and the host name, `|` and control characters become `_`.
/// * In the message, line breaks and `m:` are escaped (`\n` and `m\:` on the wire), as in the official
///   clients. `\r` and `\r\n` become line breaks. `|`, and control characters except tabs, become `_`. A
///   text that contains one of these escapes already is read as if it had been escaped.
/// * Keys and values of tags are altered as described [here](crate::dogstatsd#tags).
/// * Times before 1970-01-01 00:00:01 UTC are omitted.
///
/// Altered service checks are counted as [altered](crate::Stats::altered). Servers reject a service
/// check with an empty name: it is dropped and counted as [invalid](crate::Drops::invalid).
///
/// The line follows Datadog's
/// [documentation](https://docs.datadoghq.com/developers/dogstatsd/datagram_shell/?tab=servicechecks).
///
/// ```
/// use freewheel::dogstatsd::{ServiceCheck, Status};
///
/// let check = ServiceCheck::new("redis.can_connect", Status::Critical)
///     .tag("env", "dev")
///     .message("connection timed out after 10 s");
/// # mod documented { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/documented.rs")); }
/// # let server = documented::Server::start();
/// # let builder = freewheel::Connector::builder("127.0.0.1").port(server.port());
/// # let statsd = builder.dialect(freewheel::Dialect::DogStatsD).build()?;
/// # statsd.start_on_thread()?;
/// statsd.service_check(&check);
/// # server.assert(&statsd, &["_sc|redis.can_connect|2|#env:dev|m:connection timed out after 10 s"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a service check does nothing until a connector emits it"]
pub struct ServiceCheck {
    name: String,
    status: Status,
    timestamp: Option<SystemTime>,
    hostname: String,
    tags: Vec<(String, String)>,
    message: String,
}

/// State of a service that a [`ServiceCheck`] reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Status {
    /// The service is healthy. Sent as 0.
    Ok,
    /// The service may have a problem. Sent as 1.
    Warning,
    /// The service has a problem. Sent as 2.
    Critical,
    /// The state of the service is unknown. Sent as 3.
    Unknown,
}

impl ServiceCheck {
    /// Creates a service check. The name must not be empty.
    pub fn new(name: impl Into<String>, status: Status) -> Self {
        Self {
            name: name.into(),
            status,
            timestamp: None,
            hostname: String::new(),
            tags: Vec::new(),
            message: String::new(),
        }
    }

    /// Sets the time of the check, which is sent in whole seconds. Default: the time at which the
    /// server receives the service check.
    pub fn timestamp(mut self, time: SystemTime) -> Self {
        self.timestamp = Some(time);
        self
    }

    /// Sets the name of the host on which the service runs. If the name is not set or is empty, the
    /// server uses its own host name.
    pub fn hostname(mut self, hostname: impl Into<String>) -> Self {
        self.hostname = hostname.into();
        self
    }

    /// Adds a tag to the service check. The line contains the tag after the tags of the connector
    /// (the client handle) that emits the service check.
    pub fn tag(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags.push((key.into(), value.into()));
        self
    }

    /// Sets a message about the state of the service. Default: none.
    pub fn message(mut self, message: impl Into<String>) -> Self {
        self.message = message.into();
        self
    }
}

#[cfg(feature = "client")]
impl ServiceCheck {
    /// Renders the service check as a DogStatsD line. Returns `None` if the name is empty, since
    /// servers reject service checks without a name.
    pub(super) fn render(&self, connector: ConnectorFields<'_>) -> Option<RenderedLine> {
        if self.name.is_empty() {
            return None;
        }
        let mut rendered = RenderedLine::default();
        rendered.put("_sc|").put_field(&self.name);
        rendered.put(match self.status {
            Status::Ok => "|0",
            Status::Warning => "|1",
            Status::Critical => "|2",
            Status::Unknown => "|3",
        });
        rendered.put_timestamp(self.timestamp).put_optional("|h:", &self.hostname);
        rendered.put_tags(connector.tags, &self.tags).put(connector.origin);
        // The documentation requires that the message is the last field.
        if !self.message.is_empty() {
            put_message(rendered.put("|m:"), &self.message);
        }
        rendered.put("\n");
        Some(rendered)
    }
}

#[cfg(feature = "client")]
fn put_message(rendered: &mut RenderedLine, given: &str) {
    rendered.altered |= given.contains("m\\:") || given.contains('|');
    rendered.put_text(&given.replace('|', "_").replace("m:", "m\\:"));
}

#[cfg(all(test, feature = "client"))]
mod tests {
    use super::*;
    use std::time::{Duration, UNIX_EPOCH};

    fn rendered(check: &ServiceCheck) -> (String, bool) {
        let rendered = check.render(ConnectorFields::default()).expect("it has a name");
        (rendered.line, rendered.altered)
    }

    #[test]
    fn the_documented_example_is_rendered() {
        let check = ServiceCheck::new("Redis connection", Status::Critical)
            .tag("env", "dev")
            .message("Redis connection timed out after 10s");
        let line = "_sc|Redis connection|2|#env:dev|m:Redis connection timed out after 10s\n";
        assert_eq!(rendered(&check), (line.to_owned(), false));
    }

    #[test]
    fn fields_are_in_order_and_the_message_last() {
        let check = ServiceCheck::new("name", Status::Ok)
            .message("message")
            .tag("k", "v")
            .hostname("host")
            .timestamp(UNIX_EPOCH + Duration::from_secs(1_656_581_400));
        let connector = ConnectorFields { tags: "env:test", origin: "|c:ci-1" };
        let line = "_sc|name|0|d:1656581400|h:host|#env:test,k:v|c:ci-1|m:message\n";
        assert_eq!(check.render(connector).expect("it has a name").line, line);
    }

    #[test]
    fn every_status_has_its_number() {
        for (status, number) in
            [(Status::Ok, 0), (Status::Warning, 1), (Status::Critical, 2), (Status::Unknown, 3)]
        {
            let check = ServiceCheck::new("name", status);
            assert_eq!(rendered(&check), (format!("_sc|name|{number}\n"), false));
        }
    }

    #[test]
    fn messages_are_escaped() {
        for (given, line, altered) in [
            ("one\ntwo", "one\\ntwo", false),
            ("m: m:m: mm:", "m\\: m\\:m\\: mm\\:", false),
            // Servers read these as escapes, although the caller wrote them.
            ("C:\\new", "C:\\new", true),
            ("m\\:", "m\\:", true),
            ("a|m:forged", "a_m\\:forged", true),
            ("a\r\nb\0", "a\\nb_", true),
        ] {
            let check = ServiceCheck::new("name", Status::Ok).message(given);
            assert_eq!(rendered(&check), (format!("_sc|name|0|m:{line}\n"), altered), "{given:?}");
        }
    }

    #[test]
    fn texts_cannot_forge_fields() {
        let check = ServiceCheck::new("n|2|m:x\n_sc|y|0", Status::Ok).hostname("h|m:x");
        assert_eq!(rendered(&check), ("_sc|n_2_m:x__sc_y_0|0|h:h_m:x\n".to_owned(), true));
    }

    #[test]
    fn checks_without_a_name_are_rejected() {
        let check = ServiceCheck::new("", Status::Ok);
        assert_eq!(check.render(ConnectorFields::default()), None);
    }
}
