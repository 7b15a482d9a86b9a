//! Dialects: how servers want to be spoken to, and what they have no word for.

use super::clean::CharacterRule;
use super::line_writer::ShortText;

/// Which of StatsD's dialects the server speaks. Set by
/// [`Builder::dialect`](crate::Builder::dialect).
///
/// | dialect | a line | counter, gauge, timing, set | gauge change | histogram | distribution | meter |
/// |---|---|---|---|---|---|---|
/// | `StatsD` | `a:1\|c` | yes | yes | - | - | - |
/// | `Extended` | `a:1\|c` | yes | yes | `h` | - | `m` |
/// | `DogStatsD` | `a:1\|c\|@0.5\|#k:v,l:w` | yes | - | `h` | `d` | - |
/// | `Graphite` | `a;k=v;l=w:1\|c\|@0.5` | yes | yes | - | - | - |
/// | `Influx` | `a,k=v,l=w:1\|c\|@0.5` | yes | yes | `h` | - | - |
/// | `Librato` | `a#k=v,l=w:1\|c\|@0.5` | yes | yes | - | - | - |
/// | `SignalFx` | `a[k=v,l=w]:1\|c\|@0.5` | yes | yes | - | - | - |
///
/// What a dialect has no word for is never sent in another's: a metric that needs it is refused by
/// [`try_build`](crate::Metric::try_build), or its lines are dropped and counted as
/// [unsupported](crate::Drops::unsupported). So are numbers that its servers do not read as they are meant: in
/// `Influx` counters that are not whole numbers of 64 bits, which Telegraf cuts, and histograms below zero,
/// which it drops. [Sample rates](crate::SampleRate#what-is-sent) have a table of their own.
///
/// # Clean input
///
/// Names, tags and members of sets may hold anything. Each character that the dialect forbids there
/// becomes `_`, as does an empty key, value or member, and the line is counted as
/// [altered](crate::Stats::altered). Lines without a name are dropped. Control characters (C0, DEL
/// and C1) are forbidden everywhere, and beside them:
///
/// | dialect | in names | in keys | in values | in members of sets |
/// |---|---|---|---|---|
/// | `StatsD` | `#` `,` `:` `;` `=` `@` `[` `]` `\|` | | | `:` `\|` `@` `#`, and a sign at the beginning |
/// | `Extended` | the same | | | `:` `\|` `@` `#` |
/// | `DogStatsD` | the same | `:` `\|` `,` | `\|` `,` | `\|` |
/// | `Graphite` | all but ASCII letters, digits, `_` `-` `.` | the same | the same | `:` `\|` |
/// | `Influx` | space `!` `#` `,` `:` `;` `=` `[` `\` `]` `^` `\|` `~` | the same | the same | `:` `\|`, and a sign at the beginning |
/// | `Librato`, `SignalFx` | the same | the same | the same | `:` `\|` |
///
/// So no name is more than a name at any of these servers, whatever the dialect:
///
/// | server | ends a name, or begins a tag in it |
/// |---|---|
/// | statsd | `:`; before Graphite `;` and `=` |
/// | Telegraf | `:` `,` |
/// | statsd_exporter | `:` `,` `#` `[` `]` |
/// | netdata | `:` `=` `\|` |
/// | collectd, Vector, the Datadog Agent | `:` `\|` |
///
/// (`@` is forbidden by the protocol's older text; Graphite's server leaves it out.) Of tags and
/// members this is said of the dialect's own servers alone. What a dialect becomes at other servers:
/// [At other servers](crate::design#at-other-servers).
///
/// In `DogStatsD` a line that would begin with `_sc` or `_e{` loses that `_`, or it would be read
/// as a service check or an event.
///
/// The tags of a line keep their order, those of the connector first. A key may come twice;
/// servers differ in what they make of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Dialect {
    /// What all servers understand: Etsy's StatsD, without tags.
    ///
    /// ```
    /// # use freewheel::{Connector, Dialect};
    /// # mod documented { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/documented.rs")); }
    /// # let server = documented::Server::start();
    /// let statsd = Connector::builder("127.0.0.1")
    /// #     .port(server.port()).protocol(freewheel::Protocol::Udp)
    ///     .dialect(Dialect::StatsD)
    ///     .build()?;
    /// statsd.start_on_thread()?;
    /// statsd.incr("hits"); // counters.hits:1|c
    /// # server.assert(&statsd, &["counters.hits:1|c"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[default]
    StatsD,
    /// StatsD with histograms and meters, as netdata reads them. Etsy's server would take both for
    /// counters.
    ///
    /// ```
    /// # use freewheel::{Connector, Dialect};
    /// # mod documented { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/documented.rs")); }
    /// # let server = documented::Server::start();
    /// let statsd = Connector::builder("127.0.0.1")
    /// #     .port(server.port()).protocol(freewheel::Protocol::Udp)
    ///     .dialect(Dialect::Extended)
    ///     .build()?;
    /// statsd.start_on_thread()?;
    /// statsd.meter("hits", 1); // meters.hits:1|m
    /// # server.assert(&statsd, &["meters.hits:1|m"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    Extended,
    /// The Datadog Agent's, of any [version](DogStatsDVersion). A gauge is always set, never
    /// changed, so there are no gauge changes. Lines above 8192 bytes, which the Agent does not read, are
    /// dropped as [oversize](crate::Drops::oversize), or above the
    /// [payload](crate::Builder::max_datagram_payload) that was set, if that is more. Unless a [protocol](crate::Builder::protocol) is stated,
    /// lines go over UDP. Other servers read some of it
    /// [otherwise](crate::design#at-other-servers), or drop it.
    ///
    /// ```
    /// # use freewheel::{Connector, Dialect};
    /// # mod documented { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/documented.rs")); }
    /// # let server = documented::Server::start();
    /// let statsd = Connector::builder("127.0.0.1")
    /// #     .port(server.port())
    ///     .dialect(Dialect::DogStatsD)
    ///     .build()?;
    /// statsd.start_on_thread()?;
    /// statsd.counter("hits").tag("route", "/").incr(); // hits:1|c|#route:/
    /// # server.assert(&statsd, &["hits:1|c|#route:/"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    DogStatsD,
    /// Etsy's StatsD in front of Graphite 1.1 or later.
    ///
    /// ```
    /// # use freewheel::{Connector, Dialect};
    /// # mod documented { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/documented.rs")); }
    /// # let server = documented::Server::start();
    /// let statsd = Connector::builder("127.0.0.1")
    /// #     .port(server.port()).protocol(freewheel::Protocol::Udp)
    ///     .dialect(Dialect::Graphite)
    ///     .build()?;
    /// statsd.start_on_thread()?;
    /// statsd.counter("hits").tag("route", "home").incr(); // hits;route=home:1|c
    /// # server.assert(&statsd, &["hits;route=home:1|c"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    Graphite,
    /// Telegraf, in front of InfluxDB. Counters are whole numbers, and histograms not below zero.
    ///
    /// ```
    /// # use freewheel::{Connector, Dialect};
    /// # mod documented { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/documented.rs")); }
    /// # let server = documented::Server::start();
    /// let statsd = Connector::builder("127.0.0.1")
    /// #     .port(server.port()).protocol(freewheel::Protocol::Udp)
    ///     .dialect(Dialect::Influx)
    ///     .build()?;
    /// statsd.start_on_thread()?;
    /// statsd.counter("hits").tag("route", "home").incr(); // hits,route=home:1|c
    /// # server.assert(&statsd, &["hits,route=home:1|c"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    Influx,
    /// StatsD with Librato's backend.
    ///
    /// ```
    /// # use freewheel::{Connector, Dialect};
    /// # mod documented { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/documented.rs")); }
    /// # let server = documented::Server::start();
    /// let statsd = Connector::builder("127.0.0.1")
    /// #     .port(server.port()).protocol(freewheel::Protocol::Udp)
    ///     .dialect(Dialect::Librato)
    ///     .build()?;
    /// statsd.start_on_thread()?;
    /// statsd.counter("hits").tag("route", "home").incr(); // hits#route=home:1|c
    /// # server.assert(&statsd, &["hits#route=home:1|c"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    Librato,
    /// SignalFx's agent and gateway.
    ///
    /// ```
    /// # use freewheel::{Connector, Dialect};
    /// # mod documented { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/documented.rs")); }
    /// # let server = documented::Server::start();
    /// let statsd = Connector::builder("127.0.0.1")
    /// #     .port(server.port()).protocol(freewheel::Protocol::Udp)
    ///     .dialect(Dialect::SignalFx)
    ///     .build()?;
    /// statsd.start_on_thread()?;
    /// statsd.counter("hits").tag("route", "home").incr(); // hits[route=home]:1|c
    /// # server.assert(&statsd, &["hits[route=home]:1|c"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    SignalFx,
}

/// The version of the DogStatsD protocol that the server reads: what it adds to the one before.
///
/// Nothing is sent that was not asked for, so a server may be older than this says as long as nobody
/// asks for more than it reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum DogStatsDVersion {
    /// Tags and sample rates.
    V1_0,
    /// [Packed values](crate::Builder::pack_values): Agent 6.25 and 7.25.
    V1_1,
    /// The [container's identity](crate::Builder::container_id): Agent 6.35 and 7.35.
    V1_2,
    /// [Timestamps](crate::Metric::timestamp) of counters and gauges: Agent 6.40 and 7.40.
    V1_3,
    /// `in-` and `ci-` before the container's identity: Agent 7.51.
    V1_4,
    /// [External data](crate::Builder::external_data): Agent 7.57.
    V1_5,
    /// The [cardinality](crate::Builder::cardinality) of tags: Agent 7.64.
    #[default]
    V1_6,
}

/// Of which cardinality the tags are that the Datadog Agent adds to a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cardinality {
    /// None at all.
    None,
    /// Those with few values.
    Low,
    /// Those of an orchestrator too, such as a pod's name.
    Orchestrator,
    /// All, such as a container's identity.
    High,
}

impl Cardinality {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Low => "low",
            Self::Orchestrator => "orchestrator",
            Self::High => "high",
        }
    }
}

/// What a line holds, as its type code says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MetricType {
    Counter,
    Gauge,
    Timing,
    Histogram,
    Distribution,
    Set,
    Meter,
}

impl MetricType {
    pub(crate) const ALL: [Self; 7] = [
        Self::Counter,
        Self::Gauge,
        Self::Timing,
        Self::Histogram,
        Self::Distribution,
        Self::Set,
        Self::Meter,
    ];

    #[inline(always)]
    pub(super) const fn code(self) -> ShortText {
        ShortText::new(match self {
            Self::Counter => "|c",
            Self::Gauge => "|g",
            Self::Timing => "|ms",
            Self::Histogram => "|h",
            Self::Distribution => "|d",
            Self::Set => "|s",
            Self::Meter => "|m",
        })
    }

    /// What stands before names, where types are told by prefixes too.
    pub(crate) const fn prefix(self) -> &'static str {
        match self {
            Self::Counter => "counters",
            Self::Gauge => "gauges",
            Self::Timing => "timers",
            Self::Histogram => "histograms",
            Self::Distribution => "distributions",
            Self::Set => "sets",
            Self::Meter => "meters",
        }
    }
}

/// Which numbers servers read as they are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AcceptedNumbers {
    All,
    /// Whole ones of 64 bits, with a sign or without.
    Integers,
    NonNegative,
}

/// How tags are written.
#[derive(Clone, Copy)]
pub(crate) struct TagSyntax {
    /// Behind the type and the rate, rather than behind the name.
    pub(super) last: bool,
    /// Before the first, and before each further one.
    pub(super) first: ShortText,
    pub(super) next: ShortText,
    /// Between key and value.
    pub(super) is: u8,
    /// After the last.
    pub(super) close: ShortText,
}

impl Dialect {
    pub(crate) fn supports(self, kind: MetricType) -> bool {
        match kind {
            MetricType::Counter | MetricType::Gauge | MetricType::Timing | MetricType::Set => true,
            MetricType::Histogram => {
                matches!(self, Self::Extended | Self::DogStatsD | Self::Influx)
            }
            MetricType::Distribution => self == Self::DogStatsD,
            MetricType::Meter => self == Self::Extended,
        }
    }

    /// Whether its servers weigh a sampled line of this type by a whole number of lines, or its value by a
    /// whole number. The table at [`SampleRate`](crate::SampleRate#what-is-sent) has the reasons.
    pub(crate) fn samples_one_in_n(self, kind: MetricType) -> bool {
        match self {
            Self::Extended | Self::Influx => true,
            Self::Graphite => false,
            Self::StatsD | Self::DogStatsD | Self::Librato | Self::SignalFx => {
                kind != MetricType::Counter
            }
        }
    }

    /// Telegraf cuts a counter to a whole number of 64 bits, and refuses all that begin with a sign but for
    /// counters and gauges.
    pub(crate) fn accepted_numbers(self, kind: MetricType) -> AcceptedNumbers {
        match (self, kind) {
            (Self::Influx, MetricType::Counter) => AcceptedNumbers::Integers,
            (Self::Influx, MetricType::Histogram) => AcceptedNumbers::NonNegative,
            _ => AcceptedNumbers::All,
        }
    }

    /// Whether a gauge's value with a sign changes it.
    pub(crate) fn has_gauge_deltas(self) -> bool {
        self != Self::DogStatsD
    }

    /// Whether the type stands before names by default.
    pub(crate) fn has_type_prefixes(self) -> bool {
        self.tags().is_none()
    }

    pub(crate) fn tags(self) -> Option<TagSyntax> {
        let in_name = |first, next, close| TagSyntax {
            last: false,
            first: ShortText::new(first),
            next: ShortText::new(next),
            is: b'=',
            close: ShortText::new(close),
        };
        match self {
            Self::StatsD | Self::Extended => None,
            Self::DogStatsD => Some(TagSyntax { last: true, is: b':', ..in_name("|#", ",", "") }),
            Self::Graphite => Some(in_name(";", ";", "")),
            Self::Influx => Some(in_name(",", ",", "")),
            Self::Librato => Some(in_name("#", ",", "")),
            Self::SignalFx => Some(in_name("[", ",", "]")),
        }
    }

    pub(crate) fn rules(self) -> CharacterRules {
        let all = |rule| CharacterRules {
            name: rule,
            key: rule,
            value: rule,
            member: CharacterRule::Field,
            is_signed: true,
        };
        match self {
            Self::StatsD => CharacterRules {
                member: CharacterRule::NetdataMember,
                is_signed: false,
                ..all(CharacterRule::PlainName)
            },
            Self::Extended => CharacterRules {
                member: CharacterRule::NetdataMember,
                ..all(CharacterRule::PlainName)
            },
            Self::DogStatsD => CharacterRules {
                name: CharacterRule::PlainName,
                key: CharacterRule::DogStatsDKey,
                value: CharacterRule::DogStatsDValue,
                member: CharacterRule::DogStatsDMember,
                is_signed: true,
            },
            Self::Graphite => all(CharacterRule::Graphite),
            Self::Influx => CharacterRules { is_signed: false, ..all(CharacterRule::TaggedName) },
            Self::Librato | Self::SignalFx => all(CharacterRule::TaggedName),
        }
    }
}

/// What a dialect forbids where.
#[derive(Clone, Copy)]
pub(crate) struct CharacterRules {
    pub(crate) name: CharacterRule,
    pub(crate) key: CharacterRule,
    pub(crate) value: CharacterRule,
    /// In the members of sets.
    pub(crate) member: CharacterRule,
    /// Whether these may begin with a sign.
    pub(crate) is_signed: bool,
}
