//! Tests with injected faults: servers, networks and processes fail, and each test accounts for
//! every line.
//!
//! Lines are numbered. Each test compares the arrivals with the connector's statistics, which
//! reveals lost, duplicated, torn and reordered lines. Tests that need a network run in network
//! namespaces. They print SKIPPED on a machine that does not permit namespaces.

// `unwrap` is an assertion in a test. The only unsafe code is system calls.
#![allow(clippy::unwrap_used, unsafe_code)]

#[path = "../support/mod.rs"]
mod support;

#[cfg(target_os = "linux")]
mod acknowledged;
#[cfg(target_os = "linux")]
mod killed;
#[cfg(target_os = "linux")]
mod names;
#[cfg(target_os = "linux")]
mod namespace;
#[cfg(target_os = "linux")]
mod network;
#[cfg(target_os = "linux")]
mod operating_system;
#[cfg(target_os = "linux")]
mod pressure;
#[cfg(target_os = "linux")]
mod process;
#[cfg(target_os = "linux")]
mod refusals;
#[cfg(target_os = "linux")]
mod remote_host;
#[cfg(target_os = "linux")]
mod signals;
#[cfg(unix)]
mod soak;
#[cfg(target_os = "linux")]
mod soak_network;
#[cfg(unix)]
mod stopping;
mod tcp;
mod udp;
#[cfg(unix)]
mod unix;
