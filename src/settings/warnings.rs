//! Warnings about what an environment says.

use std::cell::Cell;
use std::fmt::Display;

thread_local! {
    static WARNING: Cell<bool> = const { Cell::new(false) };
}

/// Warns, but of nothing that who is warned does: they may read the environment for a connector of
/// their own, and would be warned for ever.
pub(crate) fn warn(text: impl Display) {
    struct Ended;
    impl Drop for Ended {
        fn drop(&mut self) {
            let _ = WARNING.try_with(|warning| warning.set(false));
        }
    }
    if WARNING.try_with(|warning| warning.replace(true)) == Ok(false) {
        // Even by a panic.
        let _ended = Ended;
        tracing::warn!("{text}");
    }
}
