//! Parser of lines with tags in InfluxDB's style, as the README of Telegraf's `statsd` input
//! documents them: `name,key=value,key=value:1|c|@0.5`.
//!
//! Its types are counters, gauges, timings, histograms and sets. (Distributions belong to its
//! DogStatsD option.) The parser refuses backslashes, which escape in InfluxDB's line protocol.
//!
//! Telegraf truncates counters to integers, before and after it applies the rate. It truncates
//! `1 / rate` of timings and histograms. It drops values that begin with a sign, unless they belong
//! to counters or gauges (`parseStatsdLine`).

use super::tagged::{READER, Syntax, metric};
use super::{Metric, Reader, Refused, each_line, require};

pub(crate) fn parse(datagram: &[u8]) -> Result<Vec<Metric>, Refused> {
    let syntax = Syntax {
        reader: Reader {
            refuses_signs: true,
            truncates_counters: true,
            rounds_rates: &["c", "ms", "h"],
            ..READER
        },
        open: ',',
        next: ',',
        close: None,
        codes: &["c", "g", "ms", "h", "s"],
        check_tag: |key, value| {
            require(!key.contains('\\') && !value.contains('\\'), "a backslash")
        },
    };
    each_line(datagram, |line| {
        let metric = metric(line, &syntax)?;
        require(!metric.name.contains('\\'), "a backslash")?;
        Ok(metric)
    })
}
