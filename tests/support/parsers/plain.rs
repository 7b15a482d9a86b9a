//! Parser of plain StatsD, as Etsy's server documents it (`docs/metric_types.md`), and with the
//! additional metric types of netdata and other servers:
//!
//! ```text
//! line   = name ":" value "|" code [ "|@" rate ]
//! code   = "c" | "g" | "ms" | "s"            ; extended: "h", "m"
//! ```
//!
//! A signed value changes a gauge. Gauges and sets are not sampled.
//!
//! All servers read Etsy's dialect. The parser therefore refuses a line that any of them reads
//! differently:
//!
//! - In names, `;` (Etsy's server, for Graphite), `,` (Telegraf, statsd_exporter), `#` and `[]`
//!   (statsd_exporter) begin tags. `=` ends a name (netdata). The protocol's older texts forbid
//!   `@`.
//! - `@` and `#` end a set's member (netdata). A member with a sign is refused (Telegraf).

use super::{Metric, Parts, Reader, Reason, Refused, each_line, require};

const ETSY: Reader = Reader {
    name_separators: &['=', ',', ';', '#', '[', ']', '@'],
    member_separators: &[':', '|', '@', '#'],
    signs_change_gauges: true,
    refuses_signs: false,
    truncates_counters: false,
    sampled: &["c", "ms", "h", "m"],
    rounds_rates: &["ms"],
};

/// Rules for plain StatsD with netdata's additional metric types. Unlike Etsy's server, netdata
/// rounds the counts of sampled counters.
const EXTENDED: Reader = Reader { rounds_rates: &["c", "ms", "h", "m"], ..ETSY };

/// Set of metric types that the parser of plain StatsD accepts: the types of Etsy's server, or also
/// histograms and meters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Types {
    Etsy,
    Extended,
}

/// Parses the lines of a datagram. Returns an error for a line outside the grammar, or with a
/// metric type that `types` does not contain.
pub(crate) fn parse(datagram: &[u8], types: Types) -> Result<Vec<Metric>, Refused> {
    each_line(datagram, |line| metric(line, types))
}

fn metric(line: &str, types: Types) -> Result<Metric, Reason> {
    let parts = Parts::of(line)?;
    let reader = match types {
        Types::Etsy => &ETSY,
        Types::Extended => &EXTENDED,
    };
    let (name, code) = (reader.name(parts.name)?, parts.code.to_owned());
    let is_known = match &*code {
        "c" | "g" | "ms" | "s" => true,
        "h" | "m" => types == Types::Extended,
        _ => false,
    };
    require(is_known, "an unknown type")?;
    let is_signed = code == "s" && parts.value.starts_with(['-', '+']);
    require(types == Types::Extended || !is_signed, "a sign that the server does not accept")?;
    let values = vec![reader.value(parts.value, &code)?];
    let rate = parts.only_rate(reader)?;
    Ok(Metric { name, values, code, rate, ..Metric::default() })
}
