//! Inputs of the fuzz targets, and oracles that check their results. Each target in `fuzz_targets/`
//! makes one call to this crate.
//!
//! The oracles share no code with freewheel. Expected results come from README.md and the standard
//! library.

pub mod clean;
pub mod dialects;
pub mod encoder;
pub mod line;
pub mod meaning;
pub mod packer;
pub mod stream;

/// Formats bytes as text for the message of a failed check.
fn lossy(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}
