//! The only module that knows that loom exists.
//!
//! Two keys open the loom build, the cfg and a private feature, so that a user's
//! own `--cfg loom` never swaps freewheel's types.

#[cfg(all(loom, feature = "__loom"))]
mod loom;
#[cfg(not(all(loom, feature = "__loom")))]
mod native;
mod thread_guard;
mod thread_ids;

#[cfg(all(loom, feature = "__loom"))]
pub(crate) use self::loom::*;
#[cfg(not(all(loom, feature = "__loom")))]
pub(crate) use native::*;
pub(crate) use thread_guard::{GuardError, ThreadGuard};
