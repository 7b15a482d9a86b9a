//! Tests of aggregated metrics, whose calls change a number of which the flusher emits lines.

mod gauges;
mod handles;
mod outages;
mod random;
mod totals;

use crate::support::{Line, UdpReceiver, started, udp};
use freewheel::{Builder, Connector};
use std::time::Duration;

/// Aggregate interval of connectors that should emit only when they are flushed.
const NEVER: Duration = Duration::from_secs(3_600);

/// Aggregate interval of connectors that should emit soon.
const OFTEN: Duration = Duration::from_millis(10);

/// Returns a connector that sends to the server, with this aggregate interval.
fn connector(receiver: &UdpReceiver, interval: Duration) -> Connector {
    started(settings(receiver.port(), interval))
}

fn settings(port: u16, interval: Duration) -> Builder {
    udp(port).aggregate_interval(interval)
}

/// Returns the total of the values of all lines of this counter.
fn total(lines: &[String], name: &str) -> i64 {
    let parsed = lines.iter().map(|line| Line::split(line).unwrap_or_else(|| panic!("{line}")));
    let values = parsed.filter(|line| line.path == name && line.code == "c");
    values.map(|line| line.value.parse::<i64>().unwrap()).sum()
}
