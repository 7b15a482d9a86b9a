//! SignalFx's dimensions, as its gateway and statsd_exporter have them, which
//! cuts timings' `1 / rate`:
//! `name[key=value,key=value]:1|c|@0.5`.

use super::tagged::{READER, Syntax, metric};
use super::{Metric, Reader, Refused, each_line};

pub(crate) fn parse(datagram: &[u8]) -> Result<Vec<Metric>, Refused> {
    let syntax = Syntax {
        reader: Reader { cut: &["ms"], ..READER },
        open: '[',
        next: ',',
        close: Some(']'),
        codes: &["c", "g", "ms", "s"],
        check: |_, _| Ok(()),
    };
    each_line(datagram, |line| metric(line, &syntax))
}
