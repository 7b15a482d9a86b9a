//! Settings in a file: numbers and texts under their names, which errors give back.

use super::environment::protocol;
use super::{Prefix, Settings};
use crate::builder::{Builder, Delivery, Framing, WhenFull};
use crate::error::BuildError;
use serde::{Deserialize, Deserializer};
use std::time::Duration;

/// Wider types than those of [`Settings`], so that what is out of bounds is refused with the
/// setting's name, by whatever format it came.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Named {
    enabled: Option<bool>,
    host: Option<String>,
    port: Option<i64>,
    #[serde(deserialize_with = "prefix")]
    prefix: Prefix,
    protocol: Option<String>,
    reconnect_timeout: Option<f64>,
    wait_timeout: Option<f64>,
    service: Option<String>,
    environment: Option<String>,
    shutdown_timeout: Option<f64>,
    type_prefixes: Option<bool>,
    queue_capacity: Option<i64>,
    max_datagram_payload: Option<i64>,
    hold_when_refused: Option<bool>,
    delivery: Option<String>,
    framing: Option<String>,
    when_full: Option<String>,
    connect_timeout: Option<f64>,
    peer_timeout: Option<f64>,
    lookup_interval: Option<f64>,
    stop_timeout: Option<f64>,
}

/// One that is there and null says that there is to be none.
fn prefix<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Prefix, D::Error> {
    let given = Option::deserialize(deserializer)?;
    Ok(given.map_or(Prefix::None, Prefix::Given))
}

impl TryFrom<Named> for Settings {
    type Error = BuildError;

    fn try_from(named: Named) -> Result<Self, BuildError> {
        let mut builder = Builder::new(String::new());
        if let Some(on) = named.type_prefixes {
            builder = builder.type_prefixes(on);
        }
        if let Some(given) = named.queue_capacity {
            let bytes = whole("queue_capacity", given, "1024 to 1073741824 bytes")?;
            builder = builder.queue_capacity(bytes);
        }
        if let Some(given) = named.max_datagram_payload {
            let bytes = whole("max_datagram_payload", given, "1 to 65507 bytes")?;
            builder = builder.max_datagram_payload(bytes);
        }
        if let Some(on) = named.hold_when_refused {
            builder = builder.hold_when_refused(on);
        }
        if let Some(given) = &named.delivery {
            builder = builder.delivery(match &**given {
                "acknowledged" => Delivery::Acknowledged,
                "written" => Delivery::Written,
                _ => return Err(refused("delivery", given, "acknowledged or written")),
            });
        }
        if let Some(given) = &named.framing {
            builder = builder.framing(match &**given {
                "newlines" => Framing::Newlines,
                "length_prefixed" => Framing::LengthPrefixed,
                _ => return Err(refused("framing", given, "newlines or length_prefixed")),
            });
        }
        if let Some(given) = &named.when_full {
            builder = builder.when_full(match &**given {
                "drop_newest" => WhenFull::DropNewest,
                "drop_oldest" => WhenFull::DropOldest,
                _ => return Err(refused("when_full", given, "drop_newest or drop_oldest")),
            });
        }
        type SetTime = fn(Builder, Duration) -> Builder;
        let times: [(_, _, SetTime); 6] = [
            ("reconnect_timeout", named.reconnect_timeout, Builder::reconnect_sleep),
            ("wait_timeout", named.wait_timeout, Builder::flush_interval),
            ("connect_timeout", named.connect_timeout, Builder::connect_timeout),
            ("peer_timeout", named.peer_timeout, Builder::peer_timeout),
            ("lookup_interval", named.lookup_interval, Builder::lookup_interval),
            ("stop_timeout", named.stop_timeout, Builder::stop_timeout),
        ];
        for (setting, given, set) in times {
            if let Some(given) = given {
                builder = set(builder, seconds(setting, given)?);
            }
        }
        let mut settings = Self {
            enabled: named.enabled,
            host: named.host,
            port: named.port.map(|given| whole("port", given, "1 to 65535")).transpose()?,
            prefix: named.prefix,
            protocol: named.protocol.map(|given| protocol("protocol", &given)).transpose()?,
            service: named.service,
            environment: named.environment,
            builder,
            ..Self::new()
        };
        if let Some(given) = named.shutdown_timeout {
            settings.shutdown_timeout = seconds("shutdown_timeout", given)?;
        }
        Ok(settings)
    }
}

fn refused(setting: &'static str, given: &str, expected: &'static str) -> BuildError {
    BuildError { setting, value: format!("{given:?}"), expected }
}

fn whole<T: TryFrom<i64>>(
    setting: &'static str,
    given: i64,
    expected: &'static str,
) -> Result<T, BuildError> {
    let refused = |_| BuildError { setting, value: given.to_string(), expected };
    T::try_from(given).map_err(refused)
}

fn seconds(setting: &'static str, given: f64) -> Result<Duration, BuildError> {
    let expected = "seconds, more than 0, at most a day";
    let refused = |_| BuildError { setting, value: given.to_string(), expected };
    Duration::try_from_secs_f64(given).map_err(refused)
}
