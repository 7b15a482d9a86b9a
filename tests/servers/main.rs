//! Freewheel against real StatsD servers: what they counted, to the last line.
//!
//! A plain `cargo test` ignores every test here, and says so: they need servers that no cargo
//! dependency brings. Install those with `.ci/servers`, then
//!
//! ```text
//! cargo test --test servers -- --ignored
//! ```
//!
//! runs them all, and a server that is missing fails its tests. (netdata's are skipped, and say so:
//! not every system has it. So is datadog-serverless-compat's where there are no network namespaces.)
//!
//! How fast the machine is decides nothing: a test waits for a server's own report, up to
//! [`server::DEADLINE`], and judges only what that says.

#[path = "../rig/process.rs"]
#[allow(dead_code)]
mod process;

mod collectd;
#[cfg(target_os = "linux")]
mod datadog;
mod deaths;
mod netdata;
mod server;
mod statsd;
mod vocabulary;
mod workload;
