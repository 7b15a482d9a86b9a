//! Telegraf's `statsd` input, as its README has it: `name,key=value,key=value:1|c|@0.5`.
//!
//! Its types are counters, gauges, timings, histograms and sets. (Distributions are the business of
//! its DogStatsD option.) A backslash escapes in InfluxDB's line protocol, which nothing here should
//! have to know.
//!
//! It cuts counters to whole numbers, before and after the rate, and timings' and histograms' `1 / rate`; it
//! drops all that begin with a sign but for counters and gauges (`parseStatsdLine`).

use super::tagged::{READER, Syntax, metric};
use super::{Metric, Reader, Refused, each_line, require};

pub(crate) fn parse(datagram: &[u8]) -> Result<Vec<Metric>, Refused> {
    let syntax = Syntax {
        reader: Reader {
            refuses_signs: true,
            cuts_counters: true,
            cut: &["c", "ms", "h"],
            ..READER
        },
        open: ',',
        next: ',',
        close: None,
        codes: &["c", "g", "ms", "h", "s"],
        check: |key, value| require(!key.contains('\\') && !value.contains('\\'), "a backslash"),
    };
    each_line(datagram, |line| {
        let metric = metric(line, &syntax)?;
        require(!metric.name.contains('\\'), "a backslash")?;
        Ok(metric)
    })
}
