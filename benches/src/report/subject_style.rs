//! Appearance of each subject in plots and tables.

use super::svg;
use crate::subject::{Info, Kind};

/// Returns true if the subject is freewheel, in any of its variants.
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
