//! Service checks: how something that is depended on is doing.

use super::message::{Message, Surroundings};
use std::time::SystemTime;

/// The state of a service, for the server to watch. Emitted by
/// [`Connector::service_check`](crate::Connector::service_check).
///
/// Of what is not set, the server takes its defaults: the time of arrival and its own host.
///
/// # What the texts may hold
///
/// Anything, but not everything arrives as it is:
///
/// * In the name and the host name, `|` and control characters become `_`.
/// * In the message, line breaks and `m:` are escaped (`\n` and `m\:` on the wire), as the official clients
///   do. `\r` and `\r\n` become line breaks; `|`, and control characters except tabs, become `_`. What looks
///   like one of these escapes already is read as what they stand for.
/// * Tags are as those of [metrics](crate::dogstatsd#tags).
/// * Times before the first full second of 1970 are left out.
///
/// Service checks that this alters are counted as [altered](crate::Stats::altered). One with an empty
/// name is dropped and counted as [invalid](crate::Drops::invalid), since servers refuse it.
///
/// The format is that of the
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

/// What a [`ServiceCheck`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Status {
    /// All is well: 0.
    Ok,
    /// Something may be wrong: 1.
    Warning,
    /// Something is wrong: 2.
    Critical,
    /// It could not be found out: 3.
    Unknown,
}

impl ServiceCheck {
    /// A check of this name, which must not be empty, that found this.
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

    /// When it was checked; sent in whole seconds. Default: when it arrives.
    pub fn timestamp(mut self, time: SystemTime) -> Self {
        self.timestamp = Some(time);
        self
    }

    /// The host that it is about. Default, and where this is empty: the server's.
    pub fn hostname(mut self, hostname: impl Into<String>) -> Self {
        self.hostname = hostname.into();
        self
    }

    /// One more tag, after the connector's own.
    pub fn tag(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags.push((key.into(), value.into()));
        self
    }

    /// What there is to say about it. Default: nothing.
    pub fn message(mut self, message: impl Into<String>) -> Self {
        self.message = message.into();
        self
    }

    /// None for a check that servers refuse.
    pub(super) fn render(&self, surroundings: Surroundings<'_>) -> Option<Message> {
        if self.name.is_empty() {
            return None;
        }
        let mut rendered = Message::default();
        rendered.put("_sc|").put_field(&self.name);
        rendered.put(match self.status {
            Status::Ok => "|0",
            Status::Warning => "|1",
            Status::Critical => "|2",
            Status::Unknown => "|3",
        });
        rendered.put_timestamp(self.timestamp).put_optional("|h:", &self.hostname);
        rendered.put_tags(surroundings.tags, &self.tags).put(surroundings.origin);
        // It must be the last field, says the documentation.
        if !self.message.is_empty() {
            put_message(rendered.put("|m:"), &self.message);
        }
        rendered.put("\n");
        Some(rendered)
    }
}

fn put_message(rendered: &mut Message, given: &str) {
    rendered.altered |= given.contains("m\\:") || given.contains('|');
    rendered.put_text(&given.replace('|', "_").replace("m:", "m\\:"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, UNIX_EPOCH};

    fn rendered(check: &ServiceCheck) -> (String, bool) {
        let rendered = check.render(Surroundings::default()).expect("it has a name");
        (rendered.line, rendered.altered)
    }

    #[test]
    fn the_documented_example() {
        let check = ServiceCheck::new("Redis connection", Status::Critical)
            .tag("env", "dev")
            .message("Redis connection timed out after 10s");
        let line = "_sc|Redis connection|2|#env:dev|m:Redis connection timed out after 10s\n";
        assert_eq!(rendered(&check), (line.to_owned(), false));
    }

    #[test]
    fn every_field_in_its_place_and_the_message_last() {
        let check = ServiceCheck::new("name", Status::Ok)
            .message("message")
            .tag("k", "v")
            .hostname("host")
            .timestamp(UNIX_EPOCH + Duration::from_secs(1_656_581_400));
        let surroundings = Surroundings { tags: "env:test", origin: "|c:ci-1" };
        let line = "_sc|name|0|d:1656581400|h:host|#env:test,k:v|c:ci-1|m:message\n";
        assert_eq!(check.render(surroundings).expect("it has a name").line, line);
    }

    #[test]
    fn every_status() {
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
            // Read as line breaks, and as `m:`, whoever wrote them.
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
    fn no_field_can_be_forged() {
        let check = ServiceCheck::new("n|2|m:x\n_sc|y|0", Status::Ok).hostname("h|m:x");
        assert_eq!(rendered(&check), ("_sc|n_2_m:x__sc_y_0|0|h:h_m:x\n".to_owned(), true));
    }

    #[test]
    fn a_check_has_a_name() {
        let check = ServiceCheck::new("", Status::Ok);
        assert_eq!(check.render(Surroundings::default()), None);
    }
}
