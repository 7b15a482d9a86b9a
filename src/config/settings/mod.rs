//! Settings of an application's metrics, completed by environment variables.
//!
//! This file holds the settings, [`resolve`] the rules that turn them into a connector, and
//! [`deserialize`] their form in a file.

#[cfg(feature = "serde")]
mod deserialize;
mod resolve;

use crate::config::builder::Builder;
use crate::error::BuildError;
use crate::options::Protocol;
use std::time::Duration;

/// Settings of an application's metrics, from which a connector (the StatsD client) is created.
///
/// [`connector`](Self::connector) completes them with environment variables:
///
/// | setting | variable | default |
/// |---|---|---|
/// | [`enabled`](Self::enabled) | `STATSD_ENABLED` | true |
/// | [`host`](Self::host) | `STATSD_HOST` | a disabled connector, with a warning |
/// | [`port`](Self::port) | `STATSD_PORT` | 8125 |
/// | [`prefix`](Self::prefix) | `STATSD_PREFIX` | `applications.<service>.<environment>` |
/// | [`protocol`](Self::protocol) | `STATSD_PROTOCOL` | `udp` in DogStatsD, `tcp` in other dialects |
///
/// # Rules
///
/// * A setting takes precedence over its variable.
/// * White space around the value of a variable is removed. A blank variable counts as unset, except
///   for `STATSD_ENABLED`.
/// * `STATSD_ENABLED` is true for an integer other than 0, and for `on`, `t`, `true` and `yes` in
///   any case. Every other value is false. A value that is neither 0 nor a usual word for false,
///   such as a blank one, is logged as a warning.
/// * `STATSD_PORT` may be `tcp://host:port`, or the same with `udp` or `sctp`, which Kubernetes sets for a Service
///   named `statsd`. Only its port is used: `STATSD_HOST` and `STATSD_PROTOCOL` give host and
///   transport. A warning says so if these differ from the host and the transport in the text.
/// * A missing prefix is an error, so that no service runs without one by accident. A prefix comes
///   from `prefix`, `STATSD_PREFIX`, or both `service` and `environment`.
///   [`no_prefix`](Self::no_prefix) is the explicit way to have none.
/// * `STATSD_PROTOCOL` is `tcp`, `udp`, `unixgram` or `unixstream`, in any case. With the last two,
///   the host is a path.
/// * Every other value is an error that names the variable, and its value cut after 64 bytes.
/// * If the connector is disabled, no other variable is read, and no value is an error.
///
/// # From a file
///
/// With the feature `serde`, settings are deserialized by these names: `enabled`, `host`, `port`,
/// `prefix` (a text; empty or null for none), `protocol`, `reconnect_timeout`, `wait_timeout`,
/// `service`, `environment`, `shutdown_timeout`; and the settings of the [`Builder`]:
///
/// * `type_prefixes`, `dialect` (`statsd`, `extended`, `dogstatsd`, `graphite`, `influx`, `librato`,
///   `signalfx`), `dogstatsd_version` (a text, `"1.0"` to `"1.6"`), `tags` (a map of texts, sorted by
///   key), `sample` (a list of pairs of a pattern and a rate), `pack_values`, `container_id`,
///   `external_data`, `cardinality` (`none`, `low`, `orchestrator`, `high`);
/// * `queue_capacity`, `max_datagram_payload`, `hold_when_refused`, `segmentation_offload`, `delivery`
///   (`acknowledged` or `written`), `framing` (`newlines` or `length_prefixed`), `when_full`
///   (`drop_newest` or `drop_oldest`), `connect_timeout`, `peer_timeout`, `lookup_interval`,
///   `stop_timeout`, `aggregate_interval`, `gauge_repeat` (a pair of times), `coalesce` (a number
///   of contexts, 0 for none);
/// * `block_size`, `never_wake`, `prefault` (a number of threads), `thread_name`.
///
/// Times are seconds, with fractions allowed. Every setting is optional. Unknown names and values of
/// another type are errors: a port is a number.
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
    /// Builder that holds the protocol, and the settings that no environment variable provides.
    builder: Builder,
}

/// Prefix of metric names as the settings define it, before environment variables complete them.
#[derive(Clone, Debug, Default)]
enum Prefix {
    /// No prefix is set: `STATSD_PREFIX`, or the names of service and environment, provide the
    /// prefix.
    #[default]
    Unset,
    /// The prefix is explicitly disabled.
    None,
    Given(String),
}

impl Settings {
    /// Creates settings in which no value is set.
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

    /// Sets whether metrics are enabled. If false, the connector is
    /// [disabled](crate::Connector::disabled).
    pub fn enabled(mut self, on: bool) -> Self {
        self.enabled = Some(on);
        self
    }

    /// Sets the address or name of the server, or the path of its Unix socket.
    pub fn host(mut self, host: impl Into<String>) -> Self {
        self.host = Some(host.into());
        self
    }

    /// Sets the port of the server.
    pub fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// Sets the prefix of every metric path. An empty prefix also takes precedence over the
    /// environment, and results in no prefix.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = Prefix::Given(prefix.into());
        self
    }

    /// Disables the prefix of metric paths, even if an environment variable provides one.
    pub fn no_prefix(mut self) -> Self {
        self.prefix = Prefix::None;
        self
    }

    /// Sets the transport protocol.
    pub fn protocol(self, protocol: Protocol) -> Self {
        self.tune(|builder| builder.protocol(protocol))
    }

    /// Sets the delay before a reconnection, as the builder's
    /// [`reconnect_sleep`](Builder::reconnect_sleep) does. Default: 1 s.
    pub fn reconnect_timeout(self, timeout: Duration) -> Self {
        self.tune(|builder| builder.reconnect_sleep(timeout))
    }

    /// Sets the maximum time that a line waits before it is sent, as the builder's
    /// [`flush_interval`](Builder::flush_interval) does. Default: 100 ms.
    pub fn wait_timeout(self, timeout: Duration) -> Self {
        self.tune(|builder| builder.flush_interval(timeout))
    }

    /// Sets the name of the service, which is part of the default prefix
    /// `applications.<service>.<environment>`.
    pub fn service(mut self, service: impl Into<String>) -> Self {
        self.service = Some(service.into());
        self
    }

    /// Sets the environment of the service, such as `production`, which is part of the default
    /// prefix `applications.<service>.<environment>`.
    pub fn environment(mut self, environment: impl Into<String>) -> Self {
        self.environment = Some(environment.into());
        self
    }

    /// Sets the time that [`axum::serve`](crate::axum::serve) waits for requests in flight to end
    /// when the service stops. Default: 10 s. Must be more than 0 and at most a day.
    #[cfg_attr(not(feature = "axum"), allow(rustdoc::broken_intra_doc_links))]
    pub fn shutdown_timeout(mut self, timeout: Duration) -> Self {
        self.shutdown_timeout = timeout;
        self
    }

    /// Applies a function to the underlying [`Builder`], for settings without a method of
    /// `Settings`. The [rules](Self#rules) still determine host, port and prefix.
    ///
    /// A protocol that the function sets counts as [set](Self::protocol).
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

impl Builder {
    /// Creates the builder of a connector that is configured only by environment variables, through
    /// [`Settings::new`]. Returns `None` if metrics are disabled or no host is given.
    ///
    /// # Errors
    /// The same as for [`Settings::connector`].
    pub fn from_env() -> Result<Option<Self>, BuildError> {
        Settings::new().builder_from(|variable| std::env::var_os(variable))
    }
}
