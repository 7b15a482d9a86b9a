//! StatsD as Etsy's server documents it (`docs/metric_types.md`), and with the types that netdata and
//! others have beside:
//!
//! ```text
//! line   = name ":" value "|" code [ "|@" rate ]
//! code   = "c" | "g" | "ms" | "s"            ; extended: "h", "m"
//! ```
//!
//! A gauge's value with a sign changes it. Gauges and sets are not sampled.

use super::{Metric, Parts, Reason, Refused, each_line, require, value};

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
    let (name, code) = (parts.name.to_owned(), parts.code.to_owned());
    let is_known = match &*code {
        "c" | "g" | "ms" | "s" => true,
        "h" | "m" => types == Types::Extended,
        _ => false,
    };
    require(is_known, "an unknown type")?;
    let values = vec![value(parts.value, &code, true)?];
    let rate = parts.rate_alone(&["c", "ms", "h", "m"])?;
    Ok(Metric { name, values, code, rate, ..Metric::default() })
}
