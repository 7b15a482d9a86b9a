//! Colours of the benchmarked clients and reference programs in plots, and emphasis of freewheel.

use super::svg;
use crate::subject::{Info, Kind};

/// Returns true if `info` describes freewheel or one of its variants, rather than another client.
pub(super) fn is_ours(info: &Info) -> bool {
    info.id.starts_with("freewheel")
}

pub(super) fn colour(info: &Info) -> &'static str {
    match info.kind {
        _ if is_ours(info) => svg::OURS,
        Kind::Bound | Kind::FormatsOnly => svg::BOUND,
        Kind::LinePerCall => svg::PEER,
        Kind::Aggregates => svg::AGGREGATE,
    }
}
