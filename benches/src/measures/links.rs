//! Links and loads that the measures of delivery share.

use crate::subject::{Info, Transport};

/// Transport and payload size in bytes.
pub(super) const LINKS: [(Transport, usize); 4] = [
    (Transport::Udp, 1432),
    (Transport::Udp, 8192),
    (Transport::Tcp, 1432),
    (Transport::UnixDatagram, 8192),
];

/// Name in the results, and calls a second; `None` is unthrottled.
pub const LOADS: [(&str, Option<u64>); 4] = [
    ("unthrottled", None),
    ("100,000/s", Some(100_000)),
    ("1,000,000/s", Some(1_000_000)),
    ("4,000,000/s", Some(4_000_000)),
];

/// Returns true if the subject can send datagrams of this payload size. Some have a fixed size.
pub(super) fn fits(info: &Info, payload: usize) -> bool {
    payload == 1432 || !matches!(info.id, "dipstick" | "libdd" | "statsd" | "one_item_per_line")
}
