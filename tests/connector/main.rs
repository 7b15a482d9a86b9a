//! Tests of the connector's public interface against test servers, each with its own connectors. They
//! share one program, so that its support and its dependencies are compiled and linked once.

// An `unwrap` in a test is an assertion.
#![allow(clippy::unwrap_used)]

#[path = "../support/parsers/mod.rs"]
mod parsers;
#[path = "../support/mod.rs"]
mod support;

mod aggregated;
mod anywhere;
mod builder;
mod capacity;
mod coalesced;
mod datagrams;
mod delivery;
mod dialects;
mod endpoints;
mod environments;
mod faults;
mod flusher_thread;
mod hostile;
mod lifecycle;
mod order;
mod parsing;
mod poison;
mod properties;
mod races;
mod settings;
mod stops;
mod thinned;
mod threads;
mod warnings;
mod wire;
