//! Deserialization of settings, such as from a file. An error names the setting, its value and the
//! accepted values.

use super::{Prefix, Settings};
use crate::config::builder::Builder;
use crate::encode::SampleRate;
use crate::error::quoted;
use crate::options::{
    Cardinality, Delivery, Dialect, DogStatsDVersion, Framing, PORTS, Protocol, WhenFull,
};
use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::str::FromStr;
use std::time::Duration;

impl<'de> Deserialize<'de> for Settings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        File::deserialize(MapOnly(deserializer)).map(Self::from)
    }
}

/// Settings in the form in which a file holds them. A setting that is null counts as absent, except
/// that a null prefix means no prefix.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename = "Settings")]
struct File {
    #[serde(deserialize_with = "enabled")]
    enabled: Option<bool>,
    #[serde(deserialize_with = "host")]
    host: Option<String>,
    #[serde(deserialize_with = "port")]
    port: Option<u16>,
    #[serde(deserialize_with = "prefix")]
    prefix: Prefix,
    #[serde(deserialize_with = "protocol")]
    protocol: Option<Protocol>,
    #[serde(deserialize_with = "reconnect_timeout")]
    reconnect_timeout: Option<Duration>,
    #[serde(deserialize_with = "wait_timeout")]
    wait_timeout: Option<Duration>,
    #[serde(deserialize_with = "service")]
    service: Option<String>,
    #[serde(deserialize_with = "environment")]
    environment: Option<String>,
    #[serde(deserialize_with = "shutdown_timeout")]
    shutdown_timeout: Option<Duration>,
    #[serde(deserialize_with = "type_prefixes")]
    type_prefixes: Option<bool>,
    #[serde(deserialize_with = "dialect")]
    dialect: Option<Dialect>,
    #[serde(deserialize_with = "dogstatsd_version")]
    dogstatsd_version: Option<DogStatsDVersion>,
    #[serde(deserialize_with = "tags")]
    tags: Option<BTreeMap<String, String>>,
    #[serde(deserialize_with = "sample")]
    sample: Option<Vec<(String, SampleRate)>>,
    #[serde(deserialize_with = "pack_values")]
    pack_values: Option<bool>,
    #[serde(deserialize_with = "container_id")]
    container_id: Option<String>,
    #[serde(deserialize_with = "external_data")]
    external_data: Option<String>,
    #[serde(deserialize_with = "cardinality")]
    cardinality: Option<Cardinality>,
    #[serde(deserialize_with = "queue_capacity")]
    queue_capacity: Option<usize>,
    #[serde(deserialize_with = "max_datagram_payload")]
    max_datagram_payload: Option<usize>,
    #[serde(deserialize_with = "hold_when_refused")]
    hold_when_refused: Option<bool>,
    #[serde(deserialize_with = "segmentation_offload")]
    segmentation_offload: Option<bool>,
    #[serde(deserialize_with = "delivery")]
    delivery: Option<Delivery>,
    #[serde(deserialize_with = "framing")]
    framing: Option<Framing>,
    #[serde(deserialize_with = "when_full")]
    when_full: Option<WhenFull>,
    #[serde(deserialize_with = "connect_timeout")]
    connect_timeout: Option<Duration>,
    #[serde(deserialize_with = "peer_timeout")]
    peer_timeout: Option<Duration>,
    #[serde(deserialize_with = "lookup_interval")]
    lookup_interval: Option<Duration>,
    #[serde(deserialize_with = "stop_timeout")]
    stop_timeout: Option<Duration>,
    #[serde(deserialize_with = "aggregate_interval")]
    aggregate_interval: Option<Duration>,
    #[serde(deserialize_with = "gauge_repeat")]
    gauge_repeat: Option<(Duration, Duration)>,
    #[serde(deserialize_with = "coalesce")]
    coalesce: Option<usize>,
    #[serde(deserialize_with = "block_size")]
    block_size: Option<usize>,
    #[serde(deserialize_with = "never_wake")]
    never_wake: Option<bool>,
    #[serde(deserialize_with = "prefault")]
    prefault: Option<usize>,
    #[serde(deserialize_with = "thread_name")]
    thread_name: Option<String>,
}

/// Defines a deserialization function for each setting, which adds the setting's name to errors.
/// The errors of serde do not name the setting.
macro_rules! readers {
    ($($type:ty = $reader:ident($expected:expr) => $($setting:ident)+;)+) => {$($(
        fn $setting<'de, D: Deserializer<'de>>(file: D) -> Result<$type, D::Error> {
            $reader(stringify!($setting), $expected, file)
        }
    )+)+};
}

readers! {
    Option<bool> = read("true or false") =>
        enabled type_prefixes pack_values hold_when_refused segmentation_offload never_wake;
    Option<String> = read("a text") =>
        host service environment container_id external_data thread_name;
    Prefix = prefix_or_none("a text") => prefix;
    Option<BTreeMap<String, String>> = read("texts by their keys") => tags;
    Option<Vec<(String, SampleRate)>> = rates("pairs of a pattern and a rate") => sample;
    Option<u16> = integer(PORTS) => port;
    Option<usize> = integer("1024 to 1073741824 bytes") => queue_capacity;
    Option<usize> = integer("1 to 65507 bytes") => max_datagram_payload;
    Option<usize> = integer("1024 to 1048576 bytes") => block_size;
    Option<usize> = integer("0 to 65535 threads") => prefault;
    Option<usize> = integer("a number of contexts") => coalesce;
    Option<Duration> = seconds("seconds, more than 0, at most a day") =>
        reconnect_timeout wait_timeout shutdown_timeout connect_timeout peer_timeout
        lookup_interval stop_timeout aggregate_interval;
    Option<(Duration, Duration)> = pair_of_seconds("a pair of seconds, more than 0, at most a day") =>
        gauge_repeat;
    Option<Protocol> = named(Protocol::EXPECTED) => protocol;
    Option<Delivery> = named(Delivery::EXPECTED) => delivery;
    Option<Framing> = named(Framing::EXPECTED) => framing;
    Option<WhenFull> = named(WhenFull::EXPECTED) => when_full;
    Option<Dialect> = named(Dialect::EXPECTED) => dialect;
    Option<DogStatsDVersion> = named(DogStatsDVersion::EXPECTED) => dogstatsd_version;
    Option<Cardinality> = named(Cardinality::EXPECTED) => cardinality;
}

/// Deserializes the value of a setting, or returns `None` for null. An error names the setting.
fn read<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    setting: &str,
    expected: &str,
    file: D,
) -> Result<Option<T>, D::Error> {
    Option::deserialize(file)
        .map_err(|error| D::Error::custom(format_args!("{setting}: expected {expected}: {error}")))
}

/// Deserializes an integer as an `i64` and converts it to the type of the setting. An error for a
/// number out of range therefore names the setting.
fn integer<'de, T: TryFrom<i64>, D: Deserializer<'de>>(
    setting: &str,
    expected: &str,
    file: D,
) -> Result<Option<T>, D::Error> {
    let convert = |given| T::try_from(given).map_err(|_| invalid(setting, given, expected));
    read(setting, expected, file)?.map(convert).transpose()
}

fn seconds<'de, D: Deserializer<'de>>(
    setting: &str,
    expected: &str,
    file: D,
) -> Result<Option<Duration>, D::Error> {
    let convert =
        |given| Duration::try_from_secs_f64(given).map_err(|_| invalid(setting, given, expected));
    read(setting, expected, file)?.map(convert).transpose()
}

fn pair_of_seconds<'de, D: Deserializer<'de>>(
    setting: &str,
    expected: &str,
    file: D,
) -> Result<Option<(Duration, Duration)>, D::Error> {
    let convert =
        |given| Duration::try_from_secs_f64(given).map_err(|_| invalid(setting, given, expected));
    let Some((first, second)) = read(setting, expected, file)? else { return Ok(None) };
    Ok(Some((convert(first)?, convert(second)?)))
}

/// Deserializes a setting from the name of its value, such as `udp`.
fn named<'de, T: FromStr, D: Deserializer<'de>>(
    setting: &str,
    expected: &str,
    file: D,
) -> Result<Option<T>, D::Error> {
    let convert =
        |given: String| given.parse().map_err(|_| invalid(setting, quoted(&given), expected));
    read(setting, expected, file)?.map(convert).transpose()
}

fn rates<'de, D: Deserializer<'de>>(
    setting: &str,
    expected: &str,
    file: D,
) -> Result<Option<Vec<(String, SampleRate)>>, D::Error> {
    let convert = |(pattern, rate)| {
        let rate = SampleRate::new(rate);
        let rate = rate.map_err(|error| D::Error::custom(format_args!("{setting}: {error}")))?;
        Ok((pattern, rate))
    };
    let pairs: Option<Vec<(String, f64)>> = read(setting, expected, file)?;
    pairs.map(|pairs| pairs.into_iter().map(convert).collect()).transpose()
}

/// Deserializes the prefix of metric names. Null means explicitly no prefix.
fn prefix_or_none<'de, D: Deserializer<'de>>(
    setting: &str,
    expected: &str,
    file: D,
) -> Result<Prefix, D::Error> {
    Ok(read(setting, expected, file)?.map_or(Prefix::None, Prefix::Given))
}

fn invalid<E: Error>(setting: &str, given: impl Display, expected: &str) -> E {
    E::custom(format_args!("invalid value {given} for {setting}: expected {expected}"))
}

impl From<File> for Settings {
    fn from(file: File) -> Self {
        let settings = Self::new();
        let builder = settings.builder;
        let builder = set(builder, file.protocol, Builder::protocol);
        let builder = set(builder, file.reconnect_timeout, Builder::reconnect_sleep);
        let builder = set(builder, file.wait_timeout, Builder::flush_interval);
        let builder = set(builder, file.type_prefixes, Builder::type_prefixes);
        let builder = set(builder, file.dialect, Builder::dialect);
        let builder = set(builder, file.dogstatsd_version, Builder::dogstatsd_version);
        let tags = file.tags.into_iter().flatten();
        let builder = tags.fold(builder, |builder, (key, value)| builder.tag(key, value));
        let rates = file.sample.into_iter().flatten();
        let builder = rates.fold(builder, |builder, (pattern, rate)| builder.sample(pattern, rate));
        let builder = set(builder, file.pack_values, Builder::pack_values);
        let builder = set(builder, file.container_id, Builder::container_id);
        let builder = set(builder, file.external_data, Builder::external_data);
        let builder = set(builder, file.cardinality, Builder::cardinality);
        let builder = set(builder, file.queue_capacity, Builder::queue_capacity);
        let builder = set(builder, file.max_datagram_payload, Builder::max_datagram_payload);
        let builder = set(builder, file.hold_when_refused, Builder::hold_when_refused);
        let builder = set(builder, file.segmentation_offload, Builder::segmentation_offload);
        let builder = set(builder, file.delivery, Builder::delivery);
        let builder = set(builder, file.framing, Builder::framing);
        let builder = set(builder, file.when_full, Builder::when_full);
        let builder = set(builder, file.connect_timeout, Builder::connect_timeout);
        let builder = set(builder, file.peer_timeout, Builder::peer_timeout);
        let builder = set(builder, file.lookup_interval, Builder::lookup_interval);
        let builder = set(builder, file.stop_timeout, Builder::stop_timeout);
        let builder = set(builder, file.aggregate_interval, Builder::aggregate_interval);
        let builder = set(builder, file.gauge_repeat, |builder, (every, at_most_for)| {
            builder.gauge_repeat(every, at_most_for)
        });
        let builder = set(builder, file.coalesce, Builder::coalesce);
        let builder = set(builder, file.block_size, Builder::block_size);
        let builder = set(builder, file.never_wake, Builder::never_wake);
        let builder = set(builder, file.prefault, Builder::prefault);
        let builder = set(builder, file.thread_name, Builder::thread_name);
        Self {
            enabled: file.enabled,
            host: file.host,
            port: file.port,
            prefix: file.prefix,
            service: file.service,
            environment: file.environment,
            shutdown_timeout: file.shutdown_timeout.unwrap_or(settings.shutdown_timeout),
            builder,
        }
    }
}

fn set<T>(builder: Builder, value: Option<T>, setter: fn(Builder, T) -> Builder) -> Builder {
    match value {
        Some(value) => setter(builder, value),
        None => builder,
    }
}

/// Deserializer that reads a struct only from a map. Derived code would also read a struct from a
/// sequence of values, and accept `[]` as settings.
struct MapOnly<D>(D);

impl<'de, D: Deserializer<'de>> Deserializer<'de> for MapOnly<D> {
    type Error = D::Error;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_struct(name, fields, MapVisitor(visitor))
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_any(visitor)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

struct MapVisitor<V>(V);

impl<'de, V: Visitor<'de>> Visitor<'de> for MapVisitor<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("settings by their names")
    }

    fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<V::Value, M::Error> {
        self.0.visit_map(map)
    }
}
