//! Tests of faulty servers: they stop and restart, close a connection within a line, send replies,
//! or do not listen.

// An `unwrap` in a test is an assertion.
#![allow(clippy::unwrap_used)]

#[path = "../support/mod.rs"]
mod support;

mod addresses;
mod deaths;
mod refusals;
mod replying;
