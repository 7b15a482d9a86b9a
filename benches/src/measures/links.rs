//! Transports, payload sizes and call rates that the benchmarks of delivery share.

use crate::subject::{Info, Transport};

/// Transports over which delivery is measured, each with a payload size in bytes.
pub(super) const LINKS: [(Transport, usize); 4] = [
    (Transport::Udp, 1432),
    (Transport::Udp, 8192),
    (Transport::Tcp, 1432),
    (Transport::UnixDatagram, 8192),
];

/// Call rates at which delivery is measured: name in the results, and calls per second, or `None`
/// for full speed.
pub const LOADS: [(&str, Option<u64>); 4] = [
    ("unthrottled", None),
    ("100,000/s", Some(100_000)),
    ("1,000,000/s", Some(1_000_000)),
    ("4,000,000/s", Some(4_000_000)),
];

/// Returns true if the client is benchmarked with this payload size in bytes. Most excluded clients
/// have a fixed payload size.
pub(super) fn fits(info: &Info, payload: usize) -> bool {
    payload == 1432 || !matches!(info.id, "dipstick" | "libdd" | "statsd" | "one_item_per_line")
}
