//! Tests of the contents of UDP datagrams, and of batches of datagrams in one system call.

#![allow(clippy::unwrap_used)]

#[path = "../support/mod.rs"]
mod support;

mod filling;
mod offload;
