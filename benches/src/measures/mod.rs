//! Benchmarks that the suite runs, called measures. Each runs a workload with several clients,
//! usually more than once, and returns the measured values as samples.

pub mod callers_cost;
pub mod delivered;
pub mod idle;
pub mod instructions;
pub mod latency;
pub mod links;
mod options;
mod outcome;
pub mod scaling;
pub mod service;
pub mod small_buffer;
pub mod sustained;
pub mod syscalls;

pub use options::SuiteOptions;

use crate::results::Sample;

/// Benchmark of the suite: its name, and the function that runs it.
pub struct Measure {
    /// Name of the benchmark on the command line, and of its result file.
    pub id: &'static str,
    pub run: fn(&SuiteOptions) -> Vec<Sample>,
}

/// Benchmarks of the suite, in the order in which they run.
pub const ALL: [Measure; 10] = [
    Measure { id: "callers_cost", run: callers_cost::run },
    Measure { id: "latency", run: latency::run },
    Measure { id: "syscalls", run: syscalls::run },
    Measure { id: "scaling", run: scaling::run },
    Measure { id: "service", run: service::run },
    Measure { id: "delivered", run: delivered::run },
    Measure { id: "sustained", run: sustained::run },
    Measure { id: "small_buffer", run: small_buffer::run },
    Measure { id: "idle", run: idle::run },
    Measure { id: "instructions", run: instructions::run },
];
