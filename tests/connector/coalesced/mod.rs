//! Tests of lines that are merged before they are sent.

mod merging;
mod outages;

use crate::support::{Line, TcpReceiver, UdpReceiver, assert_balanced, flush, tcp, udp};
use freewheel::{Builder, Connector, Protocol, Stats, Tally};

/// Returns the lines that arrive of those that `emit` emits before the flusher starts, and which it
/// therefore takes at once.
#[track_caller]
fn arrived(
    protocol: Protocol,
    configure: impl FnOnce(Builder) -> Builder,
    emit: impl FnOnce(&Connector),
) -> (Vec<String>, Stats) {
    let (tcp_server, udp_server) = (TcpReceiver::start(), UdpReceiver::start());
    let settings = match protocol {
        Protocol::Tcp => tcp(tcp_server.port()).protocol(Protocol::Tcp),
        _ => udp(udp_server.port()),
    };
    let statsd = configure(settings).build().unwrap();
    emit(&statsd);
    statsd.start_on_thread().unwrap();
    flush(&statsd);
    let stats = statsd.blocking_stop().stats;
    let lines = match protocol {
        Protocol::Tcp => {
            tcp_server.wait_for_lines(stats.sent.lines);
            tcp_server.lines()
        }
        _ => udp_server.lines_so_far(),
    };
    assert_eq!((stats.sent, stats.buffered), (crate::support::tally(&lines), Tally::default()));
    assert_balanced(&stats);
    (lines, stats)
}

/// Returns the total of the values of all lines of this counter.
fn total<'a>(lines: impl IntoIterator<Item = &'a String>, name: &str) -> i64 {
    let parsed =
        lines.into_iter().map(|line| Line::split(line).unwrap_or_else(|| panic!("{line}")));
    let values = parsed.filter(|line| line.path == name && line.code == "c");
    values.map(|line| line.value.parse::<i64>().unwrap()).sum()
}
