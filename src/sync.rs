//! The only module that knows that loom exists.
//!
//! Two keys open the loom build, the cfg and a private feature, so that a user's
//! own `--cfg loom` never swaps freewheel's types.

#[cfg(all(loom, feature = "__loom"))]
mod modelled;
mod numbers;
#[cfg(not(all(loom, feature = "__loom")))]
mod real;
mod turn;

#[cfg(all(loom, feature = "__loom"))]
pub(crate) use modelled::*;
#[cfg(not(all(loom, feature = "__loom")))]
pub(crate) use real::*;
pub(crate) use turn::{Refused, Turn};
