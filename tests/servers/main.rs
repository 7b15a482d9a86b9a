//! Tests of freewheel with real StatsD servers. The servers' reports must contain every line
//! exactly once, except lines that a killed server had received.
//!
//! A plain `cargo test` ignores these tests, which need installed servers. Install the servers with
//! `.ci/servers`, and run the tests with
//!
//! ```text
//! cargo test --test servers -- --ignored
//! ```
//!
//! A missing server fails its tests. There are two exceptions, which skip the tests with a message:
//! netdata, which not every system provides, and datadog-serverless-compat on systems without
//! network namespaces.
//!
//! The speed of the machine does not affect the results. Each test waits for the server's own
//! report, up to [`server::DEADLINE`], and checks only that report.

#[path = "../rig/process.rs"]
#[allow(dead_code)]
mod process;

mod collectd;
#[cfg(target_os = "linux")]
mod datadog;
mod deaths;
mod netdata;
mod sampling_and_sets;
mod server;
mod statsd;
mod workload;
