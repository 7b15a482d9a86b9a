//! Servers that go away and come back, break lines, talk back, or are not there at all.

// In a test, that is an assertion.
#![allow(clippy::unwrap_used)]

#[path = "../support/mod.rs"]
mod support;

mod addresses;
mod deaths;
mod refusals;
mod talking_back;
