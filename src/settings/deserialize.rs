//! Settings in a file: each by its name, which errors give back.

use super::{Prefix, Settings};
use crate::builder::Builder;
use crate::encode::{Cardinality, Dialect, DogStatsDVersion, SampleRate};
use crate::error::quoted;
use crate::options::{Delivery, Framing, Protocol, WhenFull};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::time::Duration;

const NAMES: &[&str] = &[
    "enabled",
    "host",
    "port",
    "prefix",
    "protocol",
    "reconnect_timeout",
    "wait_timeout",
    "service",
    "environment",
    "shutdown_timeout",
    "type_prefixes",
    "dialect",
    "dogstatsd_version",
    "tags",
    "sample",
    "pack_values",
    "container_id",
    "external_data",
    "cardinality",
    "queue_capacity",
    "max_datagram_payload",
    "hold_when_refused",
    "segmentation_offload",
    "delivery",
    "framing",
    "when_full",
    "connect_timeout",
    "peer_timeout",
    "lookup_interval",
    "stop_timeout",
];

impl<'de> Deserialize<'de> for Settings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_struct("Settings", NAMES, SettingsByName)
    }
}

struct SettingsByName;

impl<'de> Visitor<'de> for SettingsByName {
    type Value = Settings;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("settings by their names")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Settings, M::Error> {
        let (mut settings, mut names) = (Settings::new(), Vec::<String>::new());
        while let Some(name) = map.next_key()? {
            if names.contains(&name) {
                return Err(M::Error::custom(format_args!("duplicate field `{name}`")));
            }
            settings = Given { name: &name, map: &mut map }.add_to(settings)?;
            names.push(name);
        }
        Ok(settings)
    }
}

/// What is given under a name, and not read yet. What is null is left open.
struct Given<'a, M> {
    name: &'a str,
    map: &'a mut M,
}

impl<'de, M: MapAccess<'de>> Given<'_, M> {
    fn add_to(self, settings: Settings) -> Result<Settings, M::Error> {
        Ok(match self.name {
            "enabled" => Settings { enabled: self.flag()?, ..settings },
            "host" => Settings { host: self.text()?, ..settings },
            "port" => Settings { port: self.whole("1 to 65535")?, ..settings },
            // Null says that there is to be none.
            "prefix" => {
                Settings { prefix: self.text()?.map_or(Prefix::None, Prefix::Given), ..settings }
            }
            "protocol" => match self.text()? {
                Some(given) => {
                    settings.protocol(given.parse::<Protocol>().map_err(M::Error::custom)?)
                }
                None => settings,
            },
            "service" => Settings { service: self.text()?, ..settings },
            "environment" => Settings { environment: self.text()?, ..settings },
            "shutdown_timeout" => match self.seconds()? {
                Some(timeout) => settings.shutdown_timeout(timeout),
                None => settings,
            },
            _ => Settings { builder: self.add_to_builder(settings.builder)?, ..settings },
        })
    }

    /// What is as in the builder, and two times with names of their own.
    fn add_to_builder(self, builder: Builder) -> Result<Builder, M::Error> {
        const BYTES: &str = "1024 to 1073741824 bytes";
        Ok(match self.name {
            "reconnect_timeout" => set(builder, self.seconds()?, Builder::reconnect_sleep),
            "wait_timeout" => set(builder, self.seconds()?, Builder::flush_interval),
            "type_prefixes" => set(builder, self.flag()?, Builder::type_prefixes),
            "dialect" => set(builder, self.word(&DIALECTS)?, Builder::dialect),
            "dogstatsd_version" => set(builder, self.word(&VERSIONS)?, Builder::dogstatsd_version),
            "tags" => {
                let tags = self.read::<BTreeMap<String, String>>("texts by their keys")?;
                let tags = tags.into_iter().flatten();
                tags.fold(builder, |builder, (key, value)| builder.tag(key, value))
            }
            "sample" => {
                let expected = "pairs of a pattern and a rate";
                let pairs = self.read::<Vec<(String, f64)>>(expected)?;
                pairs.into_iter().flatten().try_fold(builder, |builder, (pattern, rate)| {
                    let rate = SampleRate::new(rate);
                    let rate =
                        rate.map_err(|bad| M::Error::custom(format_args!("sample: {bad}")))?;
                    Ok::<_, M::Error>(builder.sample(pattern, rate))
                })?
            }
            "pack_values" => set(builder, self.flag()?, Builder::pack_values),
            "container_id" => set(builder, self.text()?, Builder::container_id),
            "external_data" => set(builder, self.text()?, Builder::external_data),
            "cardinality" => set(builder, self.word(&CARDINALITIES)?, Builder::cardinality),
            "queue_capacity" => set(builder, self.whole(BYTES)?, Builder::queue_capacity),
            "max_datagram_payload" => {
                set(builder, self.whole("1 to 65507 bytes")?, Builder::max_datagram_payload)
            }
            "hold_when_refused" => set(builder, self.flag()?, Builder::hold_when_refused),
            "segmentation_offload" => set(builder, self.flag()?, Builder::segmentation_offload),
            "delivery" => set(builder, self.word(&DELIVERIES)?, Builder::delivery),
            "framing" => set(builder, self.word(&FRAMINGS)?, Builder::framing),
            "when_full" => set(builder, self.word(&WHEN_FULL)?, Builder::when_full),
            "connect_timeout" => set(builder, self.seconds()?, Builder::connect_timeout),
            "peer_timeout" => set(builder, self.seconds()?, Builder::peer_timeout),
            "lookup_interval" => set(builder, self.seconds()?, Builder::lookup_interval),
            "stop_timeout" => set(builder, self.seconds()?, Builder::stop_timeout),
            unknown => return Err(M::Error::unknown_field(unknown, NAMES)),
        })
    }

    /// By serde's own rules, whose errors do not know the name.
    fn read<T: Deserialize<'de>>(self, expected: &str) -> Result<Option<T>, M::Error> {
        let named =
            |error| M::Error::custom(format_args!("{}: expected {expected}: {error}", self.name));
        self.map.next_value().map_err(named)
    }

    fn flag(self) -> Result<Option<bool>, M::Error> {
        self.read("true or false")
    }

    fn text(self) -> Result<Option<String>, M::Error> {
        self.read("a text")
    }

    /// A number that is wider than the setting, so that it is refused here with its name.
    fn whole<T: TryFrom<i64>>(self, expected: &str) -> Result<Option<T>, M::Error> {
        let name = self.name;
        let read = |given| T::try_from(given).map_err(|_| refused(name, given, expected));
        self.read(expected)?.map(read).transpose()
    }

    fn seconds(self) -> Result<Option<Duration>, M::Error> {
        let name = self.name;
        let expected = "seconds, more than 0, at most a day";
        let read = |given: f64| {
            Duration::try_from_secs_f64(given).map_err(|_| refused(name, given, expected))
        };
        self.read(expected)?.map(read).transpose()
    }

    fn word<T: Copy>(self, words: &[(&str, T)]) -> Result<Option<T>, M::Error> {
        let name = self.name;
        let expected = words.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ");
        let expected = format!("one of {expected}");
        let read = |given: String| {
            let known = words.iter().find(|(word, _)| *word == given);
            known.map(|&(_, value)| value).ok_or_else(|| refused(name, quoted(&given), &expected))
        };
        self.read(&expected)?.map(read).transpose()
    }
}

fn set<T>(builder: Builder, given: Option<T>, set: fn(Builder, T) -> Builder) -> Builder {
    match given {
        Some(given) => set(builder, given),
        None => builder,
    }
}

fn refused<E: Error>(name: &str, given: impl Display, expected: &str) -> E {
    E::custom(format_args!("invalid value {given} for {name}: expected {expected}"))
}

const DIALECTS: [(&str, Dialect); 7] = [
    ("statsd", Dialect::StatsD),
    ("extended", Dialect::Extended),
    ("dogstatsd", Dialect::DogStatsD),
    ("graphite", Dialect::Graphite),
    ("influx", Dialect::Influx),
    ("librato", Dialect::Librato),
    ("signalfx", Dialect::SignalFx),
];

const VERSIONS: [(&str, DogStatsDVersion); 7] = [
    ("1.0", DogStatsDVersion::V1_0),
    ("1.1", DogStatsDVersion::V1_1),
    ("1.2", DogStatsDVersion::V1_2),
    ("1.3", DogStatsDVersion::V1_3),
    ("1.4", DogStatsDVersion::V1_4),
    ("1.5", DogStatsDVersion::V1_5),
    ("1.6", DogStatsDVersion::V1_6),
];

const CARDINALITIES: [(&str, Cardinality); 4] = [
    ("none", Cardinality::None),
    ("low", Cardinality::Low),
    ("orchestrator", Cardinality::Orchestrator),
    ("high", Cardinality::High),
];

const DELIVERIES: [(&str, Delivery); 2] =
    [("acknowledged", Delivery::Acknowledged), ("written", Delivery::Written)];

const FRAMINGS: [(&str, Framing); 2] =
    [("newlines", Framing::Newlines), ("length_prefixed", Framing::LengthPrefixed)];

const WHEN_FULL: [(&str, WhenFull); 2] =
    [("drop_newest", WhenFull::DropNewest), ("drop_oldest", WhenFull::DropOldest)];
