//! Datagrams: what goes into each, and many of them by one call.

#![allow(clippy::unwrap_used)]

#[path = "../support/mod.rs"]
mod support;

mod filling;
mod offload;
