//! Dialects of StatsD.

use crate::names::names;

/// Dialect of StatsD that the server speaks. Set by
/// [`Builder::dialect`](crate::Builder::dialect).
///
/// | dialect | a line | counter, gauge, timing, set | gauge delta | histogram | distribution | meter |
/// |---|---|---|---|---|---|---|
/// | `StatsD` | `a:1\|c` | yes | yes | - | - | - |
/// | `Extended` | `a:1\|c` | yes | yes | `h` | - | `m` |
/// | `DogStatsD` | `a:1\|c\|@0.5\|#k:v,l:w` | yes | - | `h` | `d` | - |
/// | `Graphite` | `a;k=v;l=w:1\|c\|@0.5` | yes | yes | - | - | - |
/// | `Influx` | `a,k=v,l=w:1\|c\|@0.5` | yes | yes | `h` | - | - |
/// | `Librato` | `a#k=v,l=w:1\|c\|@0.5` | yes | yes | - | - | - |
/// | `SignalFx` | `a[k=v,l=w]:1\|c\|@0.5` | yes | yes | - | - | - |
///
/// A feature that the dialect lacks is never sent in another dialect's syntax. A metric that needs
/// the feature is refused by [`try_build`](crate::Metric::try_build); otherwise its lines are dropped
/// and counted as [unsupported](crate::Drops::unsupported).
///
/// Numbers that the servers of a dialect misread are unsupported too. In `Influx` these are counters
/// that are not integers of 64 bits, which Telegraf truncates, and negative values of histograms,
/// which Telegraf drops. [Sample rates](crate::SampleRate#what-is-sent) have a table of their own.
///
/// # Names
///
/// [`Display`](std::fmt::Display) and [`FromStr`](std::str::FromStr) write and read the names that
/// files with [`Settings`](crate::Settings) use: `statsd`, `extended`, `dogstatsd`, `graphite`,
/// `influx`, `librato` and `signalfx`.
///
/// ```
/// use freewheel::Dialect;
///
/// assert_eq!("dogstatsd".parse(), Ok(Dialect::DogStatsD));
/// assert_eq!(Dialect::SignalFx.to_string(), "signalfx");
/// ```
///
/// # Clean input
///
/// Names, tags and members of sets may contain any text. Each character that the dialect forbids
/// becomes `_`, and so does an empty key, value or member. The line is then counted as
/// [altered](crate::Stats::altered). Lines without a name are dropped. Control characters (C0, DEL
/// and C1) are forbidden everywhere. These characters are forbidden as well:
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
/// A name can therefore inject neither a value nor a tag at any of these servers, in any dialect:
///
/// | server | characters that end a name, or begin a tag in it |
/// |---|---|
/// | statsd | `:`; before Graphite `;` and `=` |
/// | Telegraf | `:` `,` |
/// | statsd_exporter | `:` `,` `#` `[` `]` |
/// | netdata | `:` `=` `\|` |
/// | collectd, Vector, the Datadog Agent | `:` `\|` |
///
/// The older text of the protocol forbids `@`, and Graphite's server removes it. For tags and members,
/// the guarantee covers only the dialect's own servers. How other servers read a dialect:
/// [At other servers](crate::servers#at-other-servers).
///
/// In `DogStatsD`, a line that would begin with `_sc` or `_e{` loses its `_`. Otherwise the server
/// would read it as a service check or an event.
///
/// # Long lines
///
/// A line that is longer than the dialect's server reads is dropped and counted as
/// [oversize](crate::Drops::oversize). The server would cut it, or close the connection on it.
///
/// | dialect | transport | maximum in bytes | source |
/// |---|---|---|---|
/// | `DogStatsD` | all | 8,192 | the Agent's `dogstatsd_buffer_size` |
/// | `Extended` | UDP | 8,999 | netdata's `STATSD_UDP_BUFFER_SIZE` |
/// | `Librato`, `SignalFx` | TCP | 4,096 | statsd_exporter's buffer, Go's `bufio` |
///
/// A larger [`max_datagram_payload`](crate::Builder::max_datagram_payload) raises the first two limits. In
/// every dialect, a line must fit into a block: 16 KiB, or less with a small
/// [capacity](crate::Builder::queue_capacity).
///
/// # Order of tags
///
/// The tags of a line keep their order; tags of the connector come first. A key may occur twice:
/// servers differ in how they treat the second occurrence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Dialect {
    /// Etsy's StatsD, without tags. All servers understand it.
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
    /// StatsD with histograms and meters, as netdata reads them. Etsy's server reads both as counters.
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
    /// DogStatsD of any [version](crate::DogStatsDVersion), as the Datadog Agent reads it.
    ///
    /// * Gauges can be set but not changed: there are no gauge deltas.
    /// * Lines above 8,192 bytes are [too long](Dialect#long-lines) for the Agent.
    /// * The default [protocol](crate::Builder::protocol) is UDP.
    /// * Other servers drop some of it or read it [differently](crate::servers#at-other-servers).
    ///
    /// ```
    /// # use freewheel::{Connector, Counter, Dialect};
    /// # mod documented { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/documented.rs")); }
    /// # let server = documented::Server::start();
    /// let statsd = Connector::builder("127.0.0.1")
    /// #     .port(server.port())
    ///     .dialect(Dialect::DogStatsD)
    ///     .build()?;
    /// statsd.start_on_thread()?;
    /// statsd.metric::<Counter>("hits").tag("route", "/").incr(); // hits:1|c|#route:/
    /// # server.assert(&statsd, &["hits:1|c|#route:/"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    DogStatsD,
    /// StatsD for Etsy's server with Graphite 1.1 or later as its backend. Tags follow the name,
    /// each after a `;`.
    ///
    /// ```
    /// # use freewheel::{Connector, Counter, Dialect};
    /// # mod documented { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/documented.rs")); }
    /// # let server = documented::Server::start();
    /// let statsd = Connector::builder("127.0.0.1")
    /// #     .port(server.port()).protocol(freewheel::Protocol::Udp)
    ///     .dialect(Dialect::Graphite)
    ///     .build()?;
    /// statsd.start_on_thread()?;
    /// statsd.metric::<Counter>("hits").tag("route", "home").incr(); // hits;route=home:1|c
    /// # server.assert(&statsd, &["hits;route=home:1|c"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    Graphite,
    /// StatsD for Telegraf with InfluxDB as its backend. Counters must be integers, and values of
    /// histograms must not be negative.
    ///
    /// ```
    /// # use freewheel::{Connector, Counter, Dialect};
    /// # mod documented { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/documented.rs")); }
    /// # let server = documented::Server::start();
    /// let statsd = Connector::builder("127.0.0.1")
    /// #     .port(server.port()).protocol(freewheel::Protocol::Udp)
    ///     .dialect(Dialect::Influx)
    ///     .build()?;
    /// statsd.start_on_thread()?;
    /// statsd.metric::<Counter>("hits").tag("route", "home").incr(); // hits,route=home:1|c
    /// # server.assert(&statsd, &["hits,route=home:1|c"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    Influx,
    /// StatsD with tags after a `#` that follows the name, as Librato's backend and statsd_exporter
    /// read them.
    ///
    /// ```
    /// # use freewheel::{Connector, Counter, Dialect};
    /// # mod documented { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/documented.rs")); }
    /// # let server = documented::Server::start();
    /// let statsd = Connector::builder("127.0.0.1")
    /// #     .port(server.port()).protocol(freewheel::Protocol::Udp)
    ///     .dialect(Dialect::Librato)
    ///     .build()?;
    /// statsd.start_on_thread()?;
    /// statsd.metric::<Counter>("hits").tag("route", "home").incr(); // hits#route=home:1|c
    /// # server.assert(&statsd, &["hits#route=home:1|c"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    Librato,
    /// StatsD with dimensions in brackets, as SignalFx defined it and statsd_exporter reads it.
    ///
    /// The `statsd` monitor of SignalFx's Smart Agent reads tags of DogStatsD instead.
    ///
    /// ```
    /// # use freewheel::{Connector, Counter, Dialect};
    /// # mod documented { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/documented.rs")); }
    /// # let server = documented::Server::start();
    /// let statsd = Connector::builder("127.0.0.1")
    /// #     .port(server.port()).protocol(freewheel::Protocol::Udp)
    ///     .dialect(Dialect::SignalFx)
    ///     .build()?;
    /// statsd.start_on_thread()?;
    /// statsd.metric::<Counter>("hits").tag("route", "home").incr(); // hits[route=home]:1|c
    /// # server.assert(&statsd, &["hits[route=home]:1|c"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    SignalFx,
}

names! { Dialect, setting: "dialect";
    StatsD => "statsd",
    Extended => "extended",
    DogStatsD => "dogstatsd",
    Graphite => "graphite",
    Influx => "influx",
    Librato => "librato",
    SignalFx => "signalfx",
}
