//! The fault rig: servers, networks and programs that fail, and what becomes of the lines.
//!
//! Lines are numbered. Each test holds a arrivals of what arrived against the account, so that
//! lost, duplicated, torn and reordered ones show. Faults that a whole network is needed for
//! have one of their own, in namespaces, and say SKIPPED where the machine has none to give.

// In a test, that is an assertion. Unsafe are only calls of the operating system.
#![allow(clippy::unwrap_used, unsafe_code)]

#[path = "../support/mod.rs"]
mod support;

#[cfg(target_os = "linux")]
mod acknowledged;
#[cfg(target_os = "linux")]
mod killed;
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
