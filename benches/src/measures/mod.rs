//! Measures of the suite. Each runs a workload with its subjects, mostly in several rounds, and
//! returns the figures as samples.

pub mod callers_cost;
pub mod delivered;
pub mod idle;
pub mod instructions;
pub mod latency;
pub mod links;
mod options;
mod outcome;
pub mod scaling;
pub mod small_buffer;
pub mod sustained;

pub use options::SuiteOptions;

use crate::results::Sample;

/// Measure of the suite: its name, and the function that runs it.
pub struct Measure {
    /// Name of the measure on the command line, and of its file of results.
    pub id: &'static str,
    pub run: fn(&SuiteOptions) -> Vec<Sample>,
}

/// All measures, in the order in which the suite runs them.
pub const ALL: [Measure; 8] = [
    Measure { id: "callers_cost", run: callers_cost::run },
    Measure { id: "latency", run: latency::run },
    Measure { id: "scaling", run: scaling::run },
    Measure { id: "delivered", run: delivered::run },
    Measure { id: "sustained", run: sustained::run },
    Measure { id: "small_buffer", run: small_buffer::run },
    Measure { id: "idle", run: idle::run },
    Measure { id: "instructions", run: instructions::run },
];
