//! Librato's tags, as its backend for Etsy's server and statsd_exporter have them:
//! `name#key=value,key=value:1|c|@0.5`.

use super::tagged::{Syntax, metric};
use super::{Metric, Refused, each_line};

pub(crate) fn parse(datagram: &[u8]) -> Result<Vec<Metric>, Refused> {
    let syntax = Syntax {
        open: '#',
        next: ',',
        close: None,
        codes: &["c", "g", "ms", "s"],
        check: |_, _| Ok(()),
    };
    each_line(datagram, |line| metric(line, &syntax))
}
