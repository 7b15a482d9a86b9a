//! An application's settings: what it says itself. What it leaves open, its environment says.
//!
//! This file holds the words, [`environment`] the rules by which they become a connector, and
//! [`deserialize`] their form in a file.

#[cfg(feature = "serde")]
mod deserialize;
mod environment;
mod warnings;

pub(crate) use warnings::warn;

use crate::builder::{Builder, Protocol};
use crate::connector::Connector;
use std::time::Duration;

/// What an application says about its metrics; what it leaves open, these environment variables
/// say when the connector is [made](Self::connector):
///
/// | setting | variable | otherwise |
/// |---|---|---|
/// | [`enabled`](Self::enabled) | `STATSD_ENABLED` | true |
/// | [`host`](Self::host) | `STATSD_HOST` | the connector is disabled, and a warning says so |
/// | [`port`](Self::port) | `STATSD_PORT` | 8125 |
/// | [`prefix`](Self::prefix) | `STATSD_PREFIX` | `applications.<service>.<environment>` |
/// | [`protocol`](Self::protocol) | `STATSD_PROTOCOL` | `udp` in DogStatsD, `tcp` in other dialects |
///
/// # Rules
///
/// * What is said here wins over the environment.
/// * White space around a variable's text is no part of it. A variable that is empty is as one that
///   is not set, but for `STATSD_ENABLED`.
/// * `STATSD_ENABLED` is true for an integer other than 0, and for `on`, `t`, `true` and `yes` in
///   any case. All else is false, the empty text too.
/// * `STATSD_PORT` may be `tcp://host:port` or `udp://host:port`, which Kubernetes sets for a Service
///   that is named `statsd`. Its port alone is taken: host and transport are what `STATSD_HOST` and
///   `STATSD_PROTOCOL` say.
/// * There is no running without a prefix by accident: where neither `prefix` nor `STATSD_PREFIX` is
///   given, nor both `service` and `environment`, that is an error. [`no_prefix`](Self::no_prefix)
///   says that it is meant.
/// * `STATSD_PROTOCOL` is `tcp` or `udp`; or `unixgram` or `unixstream`, and then the host is a path; in
///   any case.
/// * All else is an error that names the variable, and its value, cut after 64 bytes.
/// * Where the connector is disabled, nothing else is looked at, and nothing is an error.
///
/// # From a file
///
/// With the feature `serde`, settings are read by these names: `enabled`, `host`, `port`, `prefix`
/// (a text; empty, or null where the format has it, for none), `protocol`, `reconnect_timeout`,
/// `wait_timeout` (times are seconds, fractions allowed), `service`, `environment`,
/// `shutdown_timeout`; and those of the [`Builder`]:
///
/// * `type_prefixes`, `dialect` (`statsd`, `extended`, `dogstatsd`, `graphite`, `influx`, `librato`,
///   `signalfx`), `dogstatsd_version` (a text, `"1.0"` to `"1.6"`), `tags` (texts by their keys, which are
///   put in order), `sample` (pairs of a pattern and a rate), `pack_values`, `container_id`,
///   `external_data`, `cardinality` (`none`, `low`, `orchestrator`, `high`);
/// * `queue_capacity`, `max_datagram_payload`, `hold_when_refused`, `segmentation_offload`, `delivery`
///   (`acknowledged` or `written`), `framing` (`newlines` or `length_prefixed`), `when_full`
///   (`drop_newest` or `drop_oldest`), `connect_timeout`, `peer_timeout`, `lookup_interval`,
///   `stop_timeout`.
///
/// All may be left out. Other names are errors, and so are values of another type: a port is a number.
///
/// ```
/// # #[cfg(feature = "serde")] {
/// let settings: freewheel::Settings = serde_json::from_str(
///     r#"{"service": "shop", "environment": "production", "wait_timeout": 0.05}"#,
/// )?;
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Example
///
/// ```
/// use freewheel::Settings;
///
/// // With STATSD_HOST=statsd.example in the environment: to applications.shop.production.
/// let statsd = Settings::new().service("shop").environment("production").connector()?;
/// # Ok::<(), freewheel::BuildError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "settings do nothing until a connector is made from them"]
pub struct Settings {
    enabled: Option<bool>,
    host: Option<String>,
    port: Option<u16>,
    prefix: Prefix,
    service: Option<String>,
    environment: Option<String>,
    pub(crate) shutdown_timeout: Duration,
    /// All that the environment says nothing about.
    builder: Builder,
}

/// What is said about the prefix.
#[derive(Clone, Debug, Default)]
enum Prefix {
    #[default]
    Open,
    None,
    Given(String),
}

impl Settings {
    /// Settings that say nothing yet.
    pub fn new() -> Self {
        Self {
            enabled: None,
            host: None,
            port: None,
            prefix: Prefix::default(),
            service: None,
            environment: None,
            shutdown_timeout: Duration::from_secs(10),
            builder: Builder::new(String::new()),
        }
    }

    /// Whether metrics are emitted at all. Where not, the connector is
    /// [disabled](Connector::disabled).
    pub fn enabled(mut self, on: bool) -> Self {
        self.enabled = Some(on);
        self
    }

    /// The server's address or name, or a Unix socket's path.
    pub fn host(mut self, host: impl Into<String>) -> Self {
        self.host = Some(host.into());
        self
    }

    /// The server's port.
    pub fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// What every metric path begins with. An empty one is one too: it wins over the
    /// environment, and is none in the end.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = Prefix::Given(prefix.into());
        self
    }

    /// Metric paths begin with nothing, whatever the environment says.
    pub fn no_prefix(mut self) -> Self {
        self.prefix = Prefix::None;
        self
    }

    /// How lines travel.
    pub fn protocol(self, protocol: Protocol) -> Self {
        self.tune(|builder| builder.protocol(protocol))
    }

    /// How long to wait before connecting again: the builder's
    /// [`reconnect_sleep`](Builder::reconnect_sleep). Default: 1 s.
    pub fn reconnect_timeout(self, timeout: Duration) -> Self {
        self.tune(|builder| builder.reconnect_sleep(timeout))
    }

    /// How long a line waits at most before it is sent: the builder's
    /// [`flush_interval`](Builder::flush_interval). Default: 100 ms.
    pub fn wait_timeout(self, timeout: Duration) -> Self {
        self.tune(|builder| builder.flush_interval(timeout))
    }

    /// The service's name, for a prefix of `applications.<service>.<environment>`.
    pub fn service(mut self, service: impl Into<String>) -> Self {
        self.service = Some(service.into());
        self
    }

    /// Where the service runs, such as `production`: the end of that prefix.
    pub fn environment(mut self, environment: impl Into<String>) -> Self {
        self.environment = Some(environment.into());
        self
    }

    /// How long requests under way may take to end once the service is told to stop, where it is
    /// [served](crate::axum::serve) by this library. Default: 10 s. Refused: 0, and more than a day.
    #[cfg_attr(not(feature = "axum"), allow(rustdoc::broken_intra_doc_links))]
    pub fn shutdown_timeout(mut self, timeout: Duration) -> Self {
        self.shutdown_timeout = timeout;
        self
    }

    /// Any other setting of the [`Builder`]. The host, port and prefix are decided by the rules
    /// above, whatever is said about them here. A protocol that is stated here is
    /// [stated](Self::protocol).
    ///
    /// ```
    /// use freewheel::{Settings, WhenFull};
    ///
    /// let settings = Settings::new()
    ///     .service("shop")
    ///     .environment("production")
    ///     .tune(|builder| builder.when_full(WhenFull::DropOldest).queue_capacity(1 << 20));
    /// ```
    pub fn tune(mut self, settings: impl FnOnce(Builder) -> Builder) -> Self {
        self.builder = settings(self.builder);
        self
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self::new()
    }
}

impl Connector {
    /// A connector as the environment has it: [`Settings::new`] and nothing more.
    ///
    /// # Errors
    /// See [`Settings::connector`].
    pub fn from_env() -> Result<Self, crate::BuildError> {
        Settings::new().connector()
    }
}
