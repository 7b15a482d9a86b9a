//! Properties of the dialects: their syntax, and the features that each of them lacks.

use super::accepted_numbers::AcceptedNumbers;
use super::dialect::Dialect;
use super::metric_type::{MetricType, TypeSet};
use super::sanitize::CharacterRule;
use super::short_text::ShortText;
use crate::options::{Framing, Protocol};

/// Default of the Datadog Agent's `dogstatsd_buffer_size`.
const AGENT_BUFFER_SIZE: usize = 8192;

/// netdata's `STATSD_UDP_BUFFER_SIZE` of 9000, less the zero that it appends.
const NETDATA_BUFFER_SIZE: usize = 8999;

/// Size of the buffer from which statsd_exporter reads lines over TCP: the default of Go's `bufio`.
const EXPORTER_BUFFER_SIZE: usize = 4096;

/// Properties of a dialect: one row of the table in [`Dialect::properties`].
///
/// A new dialect needs a row there, an arm in [`Dialect::accepted_numbers`],
/// [`Dialect::has_gauge_deltas`] and [`Dialect::max_line`], and a name in its list. The compiler asks
/// for each of them.
pub(super) struct Properties {
    /// Metric types that the servers read.
    pub(super) types: TypeSet,
    /// Metric types whose sample rate must be 1/n for an integer n.
    ///
    /// The servers weigh such a line, or its value, by an integer. The table at
    /// [`SampleRate`](crate::SampleRate#what-is-sent) gives the reasons.
    pub(super) one_in_n: TypeSet,
    /// True for DogStatsD, whose servers also read events and service checks.
    pub(super) has_events: bool,
    /// True if names begin with the metric type by default.
    pub(super) has_type_prefixes: bool,
    /// Syntax of tags, or `None` if the dialect has no tags.
    pub(super) tags: Option<TagSyntax>,
    pub(super) rules: CharacterRules,
}

/// Syntax of tags.
#[derive(Clone, Copy)]
pub(crate) struct TagSyntax {
    /// True if tags follow the type and the rate, false if they follow the name.
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
    /// Returns the syntax of tags that follow the name.
    const fn in_name(opening: &str, separator: &str, closing: &str) -> Self {
        Self {
            at_end: false,
            opening: ShortText::new(opening),
            separator: ShortText::new(separator),
            assignment: b'=',
            closing: ShortText::new(closing),
        }
    }

    /// Returns the syntax of tags that follow the type and the rate.
    const fn at_end(opening: &str, separator: &str, assignment: u8) -> Self {
        Self { at_end: true, assignment, ..Self::in_name(opening, separator, "") }
    }
}

/// Rules for the texts that callers put into a line.
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
    /// Returns the rules of a dialect that treats keys and values as it treats names.
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

    /// Returns the numbers that the servers read correctly, as values of this type.
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

    /// Returns true if a signed value changes a gauge instead of setting it.
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

    /// Returns the maximum length of a line in bytes that the servers read, or `None` if it is not less
    /// than a datagram can carry. `payload` is the configured size of datagrams.
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

    /// Returns the default protocol. The Datadog Agent does not listen on TCP.
    pub(crate) fn default_protocol(self) -> Protocol {
        if self.has_events() { Protocol::Udp } else { Protocol::Tcp }
    }

    /// Returns the default framing. The Datadog Agent reads frames from a Unix stream.
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

    /// Returns true if a tag may lack a value.
    pub(crate) fn has_bare_tags(self) -> bool {
        self.has_events()
    }

    /// Returns true if sampled lines of this type are sent as one in n, for an integer n.
    pub(crate) fn samples_one_in_n(self, metric_type: MetricType) -> bool {
        self.properties().one_in_n.contains(metric_type)
    }

    /// Returns true if names begin with the metric type by default.
    pub(crate) fn has_type_prefixes(self) -> bool {
        self.properties().has_type_prefixes
    }

    pub(crate) fn rules(self) -> CharacterRules {
        self.properties().rules
    }
}
