//! Links (transport and payload size) and loads (rates of calls) that the measures of delivery
//! share.

use crate::subject::{Info, Transport};

/// Links over which delivery is measured: transport, and payload size in bytes.
pub(super) const LINKS: [(Transport, usize); 4] = [
    (Transport::Udp, 1432),
    (Transport::Udp, 8192),
    (Transport::Tcp, 1432),
    (Transport::UnixDatagram, 8192),
];

/// Loads with which delivery is measured: name in the results, and calls a second, or `None` if
/// unthrottled.
pub const LOADS: [(&str, Option<u64>); 4] = [
    ("unthrottled", None),
    ("100,000/s", Some(100_000)),
    ("1,000,000/s", Some(1_000_000)),
    ("4,000,000/s", Some(4_000_000)),
];

/// Returns true if the subject is measured with this payload size in bytes. Most of the excluded
/// subjects have a fixed size.
pub(super) fn fits(info: &Info, payload: usize) -> bool {
    payload == 1432 || !matches!(info.id, "dipstick" | "libdd" | "statsd" | "one_item_per_line")
}
