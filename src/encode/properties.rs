//! Properties of the dialects: their syntax, and the features that each of them lacks.

use super::accepted_numbers::AcceptedNumbers;
use super::metric_type::{MetricType, TypeSet};
use super::sanitize::CharacterRule;
use super::short_text::ShortText;
use crate::options::{Dialect, Framing, Protocol};

/// Maximum length in bytes of a DogStatsD line: the default of the Datadog Agent's setting
/// `dogstatsd_buffer_size`.
const AGENT_BUFFER_SIZE: usize = 8192;

/// Maximum length in bytes of a line in a datagram to netdata: `STATSD_UDP_BUFFER_SIZE` of 9000,
/// less one byte for the zero that netdata appends.
const NETDATA_BUFFER_SIZE: usize = 8999;

/// Maximum length in bytes of a line that statsd_exporter reads over TCP: the default size of a
/// buffer in Go's package `bufio`.
const EXPORTER_BUFFER_SIZE: usize = 4096;

/// Binary logarithm of the maximum weight of a line of a thinned metric, in any dialect.
pub(crate) const MAX_THINNING_LEVEL: u32 = 16;

/// Properties of a dialect: one row of the table in [`Dialect::properties`].
///
/// A new dialect needs a row there, an arm in [`Dialect::accepted_numbers`],
/// [`Dialect::has_gauge_deltas`] and [`Dialect::max_line`], and a name in its list. The compiler asks
/// for each of them.
pub(super) struct Properties {
    /// Metric types that servers of the dialect support.
    pub(super) types: TypeSet,
    /// Metric types for which the sample rate must be 1/n, for an integer n.
    ///
    /// The servers weigh such a line, or its value, by an integer. The table at
    /// [`SampleRate`](crate::SampleRate#what-is-sent) gives the reasons.
    pub(super) one_in_n: TypeSet,
    /// True for DogStatsD, whose servers also read events and service checks.
    pub(super) has_events: bool,
    /// True if metric names begin with the metric type by default, such as `counters.hits`.
    pub(super) has_type_prefixes: bool,
    /// Syntax of tags, or `None` if the dialect has no tags.
    pub(super) tags: Option<TagSyntax>,
    pub(super) rules: CharacterRules,
}

/// Syntax of tags in a dialect: their position in the line, and the text before, between and after
/// them.
#[derive(Clone, Copy)]
pub(crate) struct TagSyntax {
    /// True if tags are at the end of a line, after the type and the sample rate. False if tags
    /// directly follow the metric name.
    pub(super) at_end: bool,
    /// Text before the first tag.
    pub(super) opening: ShortText,
    /// Text before each further tag.
    pub(super) separator: ShortText,
    /// Byte between key and value.
    pub(super) assignment: u8,
    /// Text after the last tag.
    pub(super) closing: ShortText,
}

impl TagSyntax {
    /// Returns the syntax of tags that directly follow the metric name.
    const fn in_name(opening: &str, separator: &str, closing: &str) -> Self {
        Self {
            at_end: false,
            opening: ShortText::new(opening),
            separator: ShortText::new(separator),
            assignment: b'=',
            closing: ShortText::new(closing),
        }
    }

    /// Returns the syntax of tags at the end of a line, after the metric type and the sample rate.
    const fn at_end(opening: &str, separator: &str, assignment: u8) -> Self {
        Self { at_end: true, assignment, ..Self::in_name(opening, separator, "") }
    }
}

/// Character rules of a dialect: one rule for each kind of text that callers put into a line, such
/// as names and values of tags.
#[derive(Clone, Copy)]
pub(crate) struct CharacterRules {
    pub(crate) name: CharacterRule,
    pub(crate) key: CharacterRule,
    pub(crate) value: CharacterRule,
    /// Rule for members of sets.
    pub(crate) member: CharacterRule,
    /// True if members of sets may begin with a sign.
    pub(crate) allows_signed_members: bool,
}

impl CharacterRules {
    /// Returns rules that apply `text` to metric names and to keys and values of tags, and `member`
    /// to members of sets.
    const fn uniform(text: CharacterRule, member: CharacterRule) -> Self {
        Self { name: text, key: text, value: text, member, allows_signed_members: true }
    }

    const fn without_signed_members(self) -> Self {
        Self { allows_signed_members: false, ..self }
    }
}

impl Dialect {
    /// Returns the properties of this dialect.
    pub(super) const fn properties(self) -> Properties {
        use CharacterRule as Rule;
        use MetricType::{Counter, Distribution, Gauge, Histogram, Meter, Set, Timing};

        const COUNTERS: TypeSet = TypeSet::of(&[Counter]);

        match self {
            Self::StatsD => Properties {
                types: TypeSet::of(&[Counter, Gauge, Timing, Set]),
                one_in_n: TypeSet::ALL.without(COUNTERS),
                has_events: false,
                has_type_prefixes: true,
                tags: None,
                rules: CharacterRules::uniform(Rule::PlainName, Rule::NetdataMember)
                    .without_signed_members(),
            },
            Self::Extended => Properties {
                types: TypeSet::of(&[Counter, Gauge, Timing, Set, Histogram, Meter]),
                one_in_n: TypeSet::ALL,
                has_events: false,
                has_type_prefixes: true,
                tags: None,
                rules: CharacterRules::uniform(Rule::PlainName, Rule::NetdataMember),
            },
            Self::DogStatsD => Properties {
                types: TypeSet::of(&[Counter, Gauge, Timing, Set, Histogram, Distribution]),
                one_in_n: TypeSet::ALL.without(COUNTERS),
                has_events: true,
                has_type_prefixes: false,
                tags: Some(TagSyntax::at_end("|#", ",", b':')),
                rules: CharacterRules {
                    name: Rule::PlainName,
                    key: Rule::DogStatsDKey,
                    value: Rule::DogStatsDValue,
                    member: Rule::DogStatsDMember,
                    allows_signed_members: true,
                },
            },
            Self::Graphite => Properties {
                types: TypeSet::of(&[Counter, Gauge, Timing, Set]),
                one_in_n: TypeSet::NONE,
                has_events: false,
                has_type_prefixes: false,
                tags: Some(TagSyntax::in_name(";", ";", "")),
                rules: CharacterRules::uniform(Rule::Graphite, Rule::Field),
            },
            Self::Influx => Properties {
                types: TypeSet::of(&[Counter, Gauge, Timing, Set, Histogram]),
                one_in_n: TypeSet::ALL,
                has_events: false,
                has_type_prefixes: false,
                tags: Some(TagSyntax::in_name(",", ",", "")),
                rules: CharacterRules::uniform(Rule::TaggedName, Rule::Field)
                    .without_signed_members(),
            },
            Self::Librato => Properties {
                types: TypeSet::of(&[Counter, Gauge, Timing, Set]),
                one_in_n: TypeSet::ALL.without(COUNTERS),
                has_events: false,
                has_type_prefixes: false,
                tags: Some(TagSyntax::in_name("#", ",", "")),
                rules: CharacterRules::uniform(Rule::TaggedName, Rule::Field),
            },
            Self::SignalFx => Properties {
                types: TypeSet::of(&[Counter, Gauge, Timing, Set]),
                one_in_n: TypeSet::ALL.without(COUNTERS),
                has_events: false,
                has_type_prefixes: false,
                tags: Some(TagSyntax::in_name("[", ",", "]")),
                rules: CharacterRules::uniform(Rule::TaggedName, Rule::Field),
            },
        }
    }

    /// Returns the set of numbers that servers of the dialect read correctly as values of the
    /// metric type.
    ///
    /// Telegraf truncates a counter to an integer of 64 bits. It rejects values that begin with a
    /// sign, except for counters and gauges.
    // A match and not a property: with a constant type it compiles to one comparison at most.
    pub(super) fn accepted_numbers(self, metric_type: MetricType) -> AcceptedNumbers {
        match (self, metric_type) {
            (Self::Influx, MetricType::Counter) => AcceptedNumbers::Integers,
            (Self::Influx, MetricType::Histogram) => AcceptedNumbers::NonNegative,
            (
                Self::StatsD
                | Self::Extended
                | Self::DogStatsD
                | Self::Graphite
                | Self::Influx
                | Self::Librato
                | Self::SignalFx,
                _,
            ) => AcceptedNumbers::All,
        }
    }

    /// Returns the binary logarithm of the maximum weight of a line of a thinned metric.
    ///
    /// Netdata, which reads `StatsD` and `Extended`, takes a lower rate of a timing or a histogram than
    /// 0.01 for 0.01. Other servers count a million exactly.
    pub(super) fn max_thinning_level(self) -> u32 {
        match self {
            Self::StatsD | Self::Extended => 6,
            Self::DogStatsD | Self::Graphite | Self::Influx | Self::Librato | Self::SignalFx => {
                MAX_THINNING_LEVEL
            }
        }
    }

    /// Returns true if servers of the dialect add a signed value, such as `+1`, to a gauge instead
    /// of setting the gauge.
    // A match and not a property: it compiles to one comparison.
    pub(super) fn has_gauge_deltas(self) -> bool {
        match self {
            Self::DogStatsD => false,
            Self::StatsD
            | Self::Extended
            | Self::Graphite
            | Self::Influx
            | Self::Librato
            | Self::SignalFx => true,
        }
    }

    /// Returns the maximum length in bytes of a line that servers of the dialect read, or `None` if
    /// only the size of a datagram limits the length. `payload` is the configured size of
    /// datagrams, which can raise the maximum.
    pub(crate) fn max_line(self, is_stream: bool, payload: usize) -> Option<usize> {
        match (self, is_stream) {
            // The Agent truncates a longer datagram, and closes a stream at a longer frame
            // (comp/dogstatsd/listeners).
            (Self::DogStatsD, _) => Some(AGENT_BUFFER_SIZE.max(payload)),
            // netdata truncates a longer datagram, and reads its beginning as a meter.
            (Self::Extended, false) => Some(NETDATA_BUFFER_SIZE.max(payload)),
            // statsd_exporter closes the connection on a longer line.
            (Self::Librato | Self::SignalFx, true) => Some(EXPORTER_BUFFER_SIZE),
            (
                Self::StatsD
                | Self::Extended
                | Self::Graphite
                | Self::Influx
                | Self::Librato
                | Self::SignalFx,
                _,
            ) => None,
        }
    }

    /// Returns the default transport protocol: UDP for DogStatsD, since the Datadog Agent does not
    /// listen on TCP, and TCP for other dialects.
    pub(crate) fn default_protocol(self) -> Protocol {
        if self.has_events() { Protocol::Udp } else { Protocol::Tcp }
    }

    /// Returns the default framing, which separates messages: length prefixes for DogStatsD over a
    /// Unix stream socket, and newlines otherwise.
    pub(crate) fn default_framing(self, protocol: Protocol) -> Framing {
        match protocol {
            #[cfg(unix)]
            Protocol::UnixStream if self.has_events() => Framing::LengthPrefixed,
            #[cfg(unix)]
            Protocol::UnixStream | Protocol::UnixDatagram => Framing::Newlines,
            Protocol::Tcp | Protocol::Udp => Framing::Newlines,
        }
    }

    /// Returns true if the dialect is DogStatsD, which has events and service checks.
    pub(crate) fn has_events(self) -> bool {
        self.properties().has_events
    }

    /// Returns true if the dialect allows tags without a value.
    pub(crate) fn has_bare_tags(self) -> bool {
        self.has_events()
    }

    /// Returns true if the sample rate for this metric type must be 1/n, for an integer n, since
    /// servers misread other rates.
    pub(crate) fn samples_one_in_n(self, metric_type: MetricType) -> bool {
        self.properties().one_in_n.contains(metric_type)
    }

    /// Returns true if metric names begin with the metric type by default, such as `counters.hits`.
    pub(crate) fn has_type_prefixes(self) -> bool {
        self.properties().has_type_prefixes
    }

    pub(crate) fn rules(self) -> CharacterRules {
        self.properties().rules
    }
}
