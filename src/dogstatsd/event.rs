//! Events: what happened, told in words.

use super::message::{Message, Surroundings};
use std::time::SystemTime;

/// Something that happened, for the event stream: a deployment, a failure. Emitted by
/// [`Connector::event`](crate::Connector::event).
///
/// Of what is not set, the server takes its defaults: the time of arrival, its own host, normal
/// priority, [`AlertType::Info`].
///
/// # What the texts may hold
///
/// Anything, but not everything arrives as it is:
///
/// * Line breaks in the title and the text arrive as such (`\n` on the wire). `\r` and `\r\n` become
///   line breaks, other control characters except tabs become `_`. Nothing can escape a backslash
///   that is followed by an `n`: servers read both as a line break.
/// * In the host name, the aggregation key and the source type, `|` and control characters become `_`.
/// * Tags are as those of [metrics](crate::dogstatsd#tags).
/// * Times before the first full second of 1970 are left out.
///
/// Events that this alters are counted as [altered](crate::Stats::altered). One with an empty title is
/// dropped and counted as [invalid](crate::Drops::invalid), since servers refuse it.
///
/// The format is that of the
/// [documentation](https://docs.datadoghq.com/developers/dogstatsd/datagram_shell/?tab=events).
///
/// ```
/// use freewheel::dogstatsd::{AlertType, Event, Priority};
///
/// let event = Event::new("Deployed", "Version 1.2.3\nby hand")
///     .priority(Priority::Low)
///     .alert_type(AlertType::Success)
///     .tag("team", "storage");
/// # mod documented { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/documented.rs")); }
/// # let server = documented::Server::start();
/// # let builder = freewheel::Connector::builder("127.0.0.1").port(server.port());
/// # let statsd = builder.dialect(freewheel::Dialect::DogStatsD).build()?;
/// # statsd.start_on_thread()?;
/// statsd.event(&event);
/// # server.assert(&statsd, &[r"_e{8,22}:Deployed|Version 1.2.3\nby hand|p:low|t:success|#team:storage"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "an event does nothing until a connector emits it"]
pub struct Event {
    title: String,
    text: String,
    timestamp: Option<SystemTime>,
    hostname: String,
    aggregation_key: String,
    priority: Option<Priority>,
    source_type_name: String,
    alert_type: Option<AlertType>,
    tags: Vec<(String, String)>,
}

/// How important an [`Event`] is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Priority {
    /// What servers take an event for that does not say.
    #[default]
    Normal,
    /// Hidden by default where events are shown.
    Low,
}

/// What kind of news an [`Event`] is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AlertType {
    /// What servers take an event for that does not say.
    #[default]
    Info,
    /// It went well.
    Success,
    /// It may not go well.
    Warning,
    /// It went wrong.
    Error,
}

impl Event {
    /// An event of this title, which must not be empty, and this text, which may.
    pub fn new(title: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            text: text.into(),
            timestamp: None,
            hostname: String::new(),
            aggregation_key: String::new(),
            priority: None,
            source_type_name: String::new(),
            alert_type: None,
            tags: Vec::new(),
        }
    }

    /// When it happened; sent in whole seconds. Default: when it arrives.
    pub fn timestamp(mut self, time: SystemTime) -> Self {
        self.timestamp = Some(time);
        self
    }

    /// The host that it is about. Default, and where this is empty: the server's.
    pub fn hostname(mut self, hostname: impl Into<String>) -> Self {
        self.hostname = hostname.into();
        self
    }

    /// Events of the same key are shown together. Default: none.
    pub fn aggregation_key(mut self, key: impl Into<String>) -> Self {
        self.aggregation_key = key.into();
        self
    }

    /// Default: [`Priority::Normal`].
    pub fn priority(mut self, priority: Priority) -> Self {
        self.priority = Some(priority);
        self
    }

    /// What it comes from, of the names that the server knows: `nginx`, `postgres`. Default: none.
    pub fn source_type_name(mut self, name: impl Into<String>) -> Self {
        self.source_type_name = name.into();
        self
    }

    /// Default: [`AlertType::Info`].
    pub fn alert_type(mut self, alert_type: AlertType) -> Self {
        self.alert_type = Some(alert_type);
        self
    }

    /// One more tag, after the connector's own.
    pub fn tag(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags.push((key.into(), value.into()));
        self
    }

    /// None for an event that servers refuse.
    pub(super) fn render(&self, surroundings: Surroundings<'_>) -> Option<Message> {
        if self.title.is_empty() {
            return None;
        }
        // The lengths count the bytes of what is escaped already.
        let mut texts = Message::default();
        texts.put_text(&self.title);
        let title = texts.line.len();
        texts.put("|").put_text(&self.text);
        let text = texts.line.len() - title - "|".len();

        let mut rendered = Message { line: String::new(), altered: texts.altered };
        rendered.put(&format!("_e{{{title},{text}}}:")).put(&texts.line);
        rendered.put_timestamp(self.timestamp);
        rendered.put_optional("|h:", &self.hostname);
        rendered.put_optional("|k:", &self.aggregation_key);
        rendered.put(match self.priority {
            None => "",
            Some(Priority::Normal) => "|p:normal",
            Some(Priority::Low) => "|p:low",
        });
        rendered.put_optional("|s:", &self.source_type_name);
        rendered.put(match self.alert_type {
            None => "",
            Some(AlertType::Info) => "|t:info",
            Some(AlertType::Success) => "|t:success",
            Some(AlertType::Warning) => "|t:warning",
            Some(AlertType::Error) => "|t:error",
        });
        rendered.put_tags(surroundings.tags, &self.tags).put(surroundings.origin).put("\n");
        Some(rendered)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, UNIX_EPOCH};

    fn rendered(event: &Event) -> (String, bool) {
        let rendered = event.render(Surroundings::default()).expect("it has a title");
        (rendered.line, rendered.altered)
    }

    #[test]
    fn the_documented_examples() {
        let event = Event::new("An exception occurred", "Cannot parse CSV file from 10.0.0.17")
            .alert_type(AlertType::Warning)
            .tag("err_type", "bad_file");
        let line = "_e{21,36}:An exception occurred|Cannot parse CSV file from 10.0.0.17\
                    |t:warning|#err_type:bad_file\n";
        assert_eq!(rendered(&event), (line.to_owned(), false));

        let event =
            Event::new("An exception occurred", "Cannot parse JSON request:\n{\"foo: \"bar\"}")
                .priority(Priority::Low)
                .tag("err_type", "bad_request");
        let line = "_e{21,41}:An exception occurred|Cannot parse JSON request:\\n{\"foo: \"bar\"}\
                    |p:low|#err_type:bad_request\n";
        assert_eq!(rendered(&event), (line.to_owned(), false));
    }

    #[test]
    fn every_field_in_its_place() {
        let event = Event::new("title", "")
            .tag("k", "v")
            .alert_type(AlertType::Error)
            .source_type_name("nginx")
            .priority(Priority::Normal)
            .aggregation_key("key")
            .hostname("host")
            .timestamp(UNIX_EPOCH + Duration::from_millis(1_656_581_400_999));
        let surroundings = Surroundings { tags: "env:test", origin: "|c:ci-1|e:x|card:low" };
        let line = "_e{5,0}:title||d:1656581400|h:host|k:key|p:normal|s:nginx|t:error\
                    |#env:test,k:v|c:ci-1|e:x|card:low\n";
        assert_eq!(event.render(surroundings).expect("it has a title").line, line);
    }

    #[test]
    fn lengths_are_of_bytes_after_escaping() {
        let event = Event::new("é\n€", "\r\n𝄞|x");
        assert_eq!(rendered(&event), ("_e{7,8}:é\\n€|\\n𝄞|x\n".to_owned(), true));
    }

    #[test]
    fn no_field_can_be_forged() {
        let event = Event::new("t|x|p:low", "y|#a:b")
            .hostname("h|k:forged")
            .aggregation_key("k\n_e{1,1}:a|b")
            .source_type_name("s|t:error");
        let line = "_e{9,6}:t|x|p:low|y|#a:b|h:h_k:forged|k:k__e{1,1}:a_b|s:s_t:error\n";
        assert_eq!(rendered(&event), (line.to_owned(), true));
    }

    #[test]
    fn an_event_has_a_title() {
        assert_eq!(Event::new("", "text").render(Surroundings::default()), None);
    }
}
