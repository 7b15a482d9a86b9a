//! Subjects (the benchmarked clients and reference programs), with one client crate or reference
//! program in each file, and their lookup by identifier.

mod addition;
pub mod floor;
mod floor_handed;
mod freewheel;
mod nothing;
mod one_item_per_line;
mod raw;

#[cfg(feature = "peers")]
mod cadence;
#[cfg(feature = "peers")]
mod dipstick;
#[cfg(feature = "peers")]
mod dogstatsd;
#[cfg(feature = "peers")]
mod libdd;
#[cfg(feature = "peers")]
mod metrics_exporter_dogstatsd;
#[cfg(feature = "peers")]
mod rylv;
#[cfg(feature = "peers")]
mod statsd;

use crate::subject::{Info, Subject};

/// Operation that is run with one benchmarked client, generic over the client's type.
pub trait Visitor {
    type Output;
    fn visit<S: Subject>(self) -> Self::Output;
}

macro_rules! subjects {
    ($($(#[$condition:meta])* $subject:path,)*) => {
        /// Returns the descriptions of all benchmarked clients and reference programs, in the order
        /// of the table rows.
        #[must_use]
        pub fn all() -> Vec<Info> {
            vec![$($(#[$condition])* <$subject>::INFO,)*]
        }

        /// Runs the operation `visitor` with the benchmarked client or reference program that has
        /// the identifier `id`.
        ///
        /// # Panics
        /// If there is no such subject.
        pub fn visit<V: Visitor>(id: &str, visitor: V) -> V::Output {
            $($(#[$condition])* if id == <$subject>::INFO.id {
                return visitor.visit::<$subject>();
            })*
            panic!("no such subject: {id}");
        }
    };
}

subjects! {
    nothing::Nothing,
    floor::Floor,
    floor_handed::FloorHanded,
    addition::Addition,
    raw::Raw,
    raw::Segmented,
    freewheel::Plain,
    freewheel::Tagged,
    freewheel::Prepared,
    freewheel::LowLatency,
    freewheel::Aggregated,
    one_item_per_line::OneItemPerLine,
    #[cfg(feature = "peers")]
    cadence::FormatsOnly,
    #[cfg(feature = "peers")]
    cadence::Buffered,
    #[cfg(feature = "peers")]
    cadence::Queued,
    #[cfg(feature = "peers")]
    dipstick::Buffered,
    #[cfg(feature = "peers")]
    statsd::Pipelined,
    #[cfg(feature = "peers")]
    statsd::SendPerCall,
    #[cfg(feature = "peers")]
    dogstatsd::Batching,
    #[cfg(feature = "peers")]
    libdd::Libdd,
    #[cfg(feature = "peers")]
    metrics_exporter_dogstatsd::Macro,
    #[cfg(feature = "peers")]
    metrics_exporter_dogstatsd::Handle,
    #[cfg(feature = "peers")]
    rylv::ThreadLocal,
    #[cfg(feature = "peers")]
    rylv::Prepared,
}

/// Returns the description of the benchmarked client or reference program with the identifier `id`.
///
/// # Panics
/// If there is no such subject.
#[must_use]
pub fn info(id: &str) -> Info {
    all().into_iter().find(|info| info.id == id).unwrap_or_else(|| panic!("no such subject: {id}"))
}
