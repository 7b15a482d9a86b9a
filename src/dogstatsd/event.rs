//! Events for the event stream of Datadog.

#[cfg(feature = "client")]
use super::rendered_line::{ConnectorFields, RenderedLine};
use std::time::SystemTime;

/// An event for Datadog's event stream, such as a deployment or a failure. Emitted by
/// [`Connector::event`](crate::Connector::event).
///
/// The server substitutes its defaults for fields that are not set: the time of arrival, its own host,
/// normal priority, [`AlertType::Info`].
///
/// # Texts
///
/// The texts may contain any characters. Some of these do not arrive unchanged:
///
/// * Line breaks in the title and the text arrive as line breaks (`\n` on the wire). `\r` and `\r\n`
///   become line breaks too. Other control characters except tabs become `_`. The protocol has no
///   escape for a backslash followed by an `n`: servers read both as a line break.
/// * In the host name, the aggregation key and the source type, `|` and control characters become `_`.
/// * Keys and values of tags are altered as described [here](crate::dogstatsd#tags).
/// * Times before 1970-01-01 00:00:01 UTC are omitted.
///
/// Altered events are counted as [altered](crate::Stats::altered). Servers reject an event with an
/// empty title: it is dropped and counted as [invalid](crate::Drops::invalid).
///
/// The line follows Datadog's
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

/// Priority of an [`Event`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Priority {
    /// Normal priority, which servers assume if an event states no priority.
    #[default]
    Normal,
    /// Low priority. Datadog hides events with low priority by default.
    Low,
}

/// Alert type of an [`Event`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AlertType {
    /// Event that gives information. Servers assume this type if an event states no alert type.
    #[default]
    Info,
    /// Event that reports a success.
    Success,
    /// Event that reports a warning.
    Warning,
    /// Event that reports an error.
    Error,
}

impl Event {
    /// Creates an event. The title must not be empty; the text may be.
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

    /// Sets the time of the event, which is sent in whole seconds. Default: the time at which the
    /// server receives the event.
    pub fn timestamp(mut self, time: SystemTime) -> Self {
        self.timestamp = Some(time);
        self
    }

    /// Sets the name of the host to which the event belongs. If the name is not set or is empty,
    /// the server uses its own host name.
    pub fn hostname(mut self, hostname: impl Into<String>) -> Self {
        self.hostname = hostname.into();
        self
    }

    /// Sets the aggregation key: events with the same key are shown together. Default: none.
    pub fn aggregation_key(mut self, key: impl Into<String>) -> Self {
        self.aggregation_key = key.into();
        self
    }

    /// Sets the priority. Default: [`Priority::Normal`].
    pub fn priority(mut self, priority: Priority) -> Self {
        self.priority = Some(priority);
        self
    }

    /// Sets the kind of software that caused the event, by a name that Datadog knows, such as
    /// `nginx` or `postgres`. Default: none.
    pub fn source_type_name(mut self, name: impl Into<String>) -> Self {
        self.source_type_name = name.into();
        self
    }

    /// Sets the alert type. Default: [`AlertType::Info`].
    pub fn alert_type(mut self, alert_type: AlertType) -> Self {
        self.alert_type = Some(alert_type);
        self
    }

    /// Adds a tag to the event. The line contains the tag after the tags of the connector (the
    /// client handle) that emits the event.
    pub fn tag(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags.push((key.into(), value.into()));
        self
    }
}

#[cfg(feature = "client")]
impl Event {
    /// Renders the event as a DogStatsD line. Returns `None` if the title is empty, since servers
    /// reject events without a title.
    pub(super) fn render(&self, connector: ConnectorFields<'_>) -> Option<RenderedLine> {
        if self.title.is_empty() {
            return None;
        }
        // The lengths count the bytes of the escaped texts.
        let mut texts = RenderedLine::default();
        texts.put_text(&self.title);
        let title = texts.line.len();
        texts.put("|").put_text(&self.text);
        let text = texts.line.len() - title - "|".len();

        let mut rendered = RenderedLine { line: String::new(), altered: texts.altered };
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
        rendered.put_tags(connector.tags, &self.tags).put(connector.origin).put("\n");
        Some(rendered)
    }
}

#[cfg(all(test, feature = "client"))]
mod tests {
    use super::*;
    use std::time::{Duration, UNIX_EPOCH};

    fn rendered(event: &Event) -> (String, bool) {
        let rendered = event.render(ConnectorFields::default()).expect("it has a title");
        (rendered.line, rendered.altered)
    }

    #[test]
    fn documented_examples_are_rendered() {
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
    fn every_field_has_its_place() {
        let event = Event::new("title", "")
            .tag("k", "v")
            .alert_type(AlertType::Error)
            .source_type_name("nginx")
            .priority(Priority::Normal)
            .aggregation_key("key")
            .hostname("host")
            .timestamp(UNIX_EPOCH + Duration::from_millis(1_656_581_400_999));
        let connector = ConnectorFields { tags: "env:test", origin: "|c:ci-1|e:x|card:low" };
        let line = "_e{5,0}:title||d:1656581400|h:host|k:key|p:normal|s:nginx|t:error\
                    |#env:test,k:v|c:ci-1|e:x|card:low\n";
        assert_eq!(event.render(connector).expect("it has a title").line, line);
    }

    #[test]
    fn lengths_count_escaped_bytes() {
        let event = Event::new("é\n€", "\r\n𝄞|x");
        assert_eq!(rendered(&event), ("_e{7,8}:é\\n€|\\n𝄞|x\n".to_owned(), true));
    }

    #[test]
    fn texts_cannot_forge_fields() {
        let event = Event::new("t|x|p:low", "y|#a:b")
            .hostname("h|k:forged")
            .aggregation_key("k\n_e{1,1}:a|b")
            .source_type_name("s|t:error");
        let line = "_e{9,6}:t|x|p:low|y|#a:b|h:h_k:forged|k:k__e{1,1}:a_b|s:s_t:error\n";
        assert_eq!(rendered(&event), (line.to_owned(), true));
    }

    #[test]
    fn events_without_a_title_are_rejected() {
        assert_eq!(Event::new("", "text").render(ConnectorFields::default()), None);
    }
}
