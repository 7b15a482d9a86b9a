//! Parser of lines with SignalFx's dimensions, as SignalFx's gateway and statsd_exporter read them:
//! `name[key=value,key=value]:1|c|@0.5`.
//!
//! statsd_exporter truncates `1 / rate` of timings.

use super::tagged::{READER, Syntax, metric};
use super::{Metric, Reader, Refused, each_line};

pub(crate) fn parse(datagram: &[u8]) -> Result<Vec<Metric>, Refused> {
    let syntax = Syntax {
        reader: Reader { rounds_rates: &["ms"], ..READER },
        open: '[',
        next: ',',
        close: Some(']'),
        codes: &["c", "g", "ms", "s"],
        check_tag: |_, _| Ok(()),
    };
    each_line(datagram, |line| metric(line, &syntax))
}
