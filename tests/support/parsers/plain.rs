//! StatsD as Etsy's server documents it (`docs/metric_types.md`), and with the types that netdata and
//! others have beside:
//!
//! ```text
//! line   = name ":" value "|" code [ "|@" rate ]
//! code   = "c" | "g" | "ms" | "s"            ; extended: "h", "m"
//! ```
//!
//! A gauge's value with a sign changes it. Gauges and sets are not sampled.
//!
//! Etsy's dialect is what all servers read, so what one of them takes for something else is refused: in names `;`
//! (Etsy's own, for Graphite), `,` (Telegraf, statsd_exporter), `#` and `[]` (statsd_exporter) begin tags,
//! `=` ends it (netdata), and the protocol's older texts forbid `@`; in members `@` and `#` end it
//! (netdata), and a sign is refused (Telegraf).

use super::{Metric, Parts, Reader, Reason, Refused, each_line, require};

const ETSY: Reader = Reader {
    in_names: &['=', ',', ';', '#', '[', ']', '@'],
    in_members: &[':', '|', '@', '#'],
    has_changes: true,
    refuses_signs: false,
    cuts_counters: false,
    sampled: &["c", "ms", "h", "m"],
    cut: &["ms"],
};

/// As netdata reads it, which makes whole numbers of counters' values too.
const EXTENDED: Reader = Reader { cut: &["c", "ms", "h", "m"], ..ETSY };

/// Which types there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Types {
    Etsy,
    Extended,
}

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
    require(types == Types::Extended || !is_signed, "a sign that is not read")?;
    let values = vec![reader.value(parts.value, &code)?];
    let rate = parts.rate_alone(reader)?;
    Ok(Metric { name, values, code, rate, ..Metric::default() })
}
