//! Atomics, locks, queues and thread-local state: the real types in the normal build, and loom's
//! types in the build for models.
//!
//! The modelled code imports these types from here, except where a comment says otherwise, so this
//! is the only module that imports loom. A cfg of the crate's own opens loom's build: a user's
//! `--cfg loom` never swaps the types of this crate.

mod id_set;
#[cfg(freewheel_loom)]
mod loom;
#[cfg(not(freewheel_loom))]
mod native;
mod thread_guard;

#[cfg(freewheel_loom)]
pub(crate) use self::loom::*;
#[cfg(freewheel_loom)]
pub use self::loom::{Barrier, Wake};
pub(crate) use id_set::IdSet;
#[cfg(not(freewheel_loom))]
pub(crate) use native::*;
#[cfg(not(freewheel_loom))]
pub use native::{Barrier, Wake};
pub(crate) use thread_guard::{GuardError, ThreadGuard};
