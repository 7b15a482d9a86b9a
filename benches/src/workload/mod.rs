//! Workloads of the benchmarks: patterns of calls that a client process makes through one client.
//! Each workload sends its results to the suite.

pub mod bursts;
pub mod emission;
pub mod idleness;
pub mod paced;
pub mod profiled;
pub mod service;
pub mod traced;

use crate::subject::{Setup, Subject};
use serde::{Deserialize, Serialize};

/// Pattern of calls that a client process makes, with its parameters.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Workload {
    Bursts(bursts::Bursts),
    Paced(paced::Paced),
    Emission(emission::Emission),
    Idleness(idleness::Idleness),
    Profiled(profiled::Profiled),
    Service(service::Service),
    Traced(traced::Traced),
}

impl Workload {
    /// Runs the workload in this process with the client `S`, and sends the results to the
    /// benchmark suite.
    pub fn run<S: Subject>(&self, setup: &Setup) {
        match self {
            Self::Bursts(work) => work.run::<S>(setup),
            Self::Paced(work) => work.run::<S>(setup),
            Self::Emission(work) => work.run::<S>(setup),
            Self::Idleness(work) => work.run::<S>(setup),
            Self::Profiled(work) => work.run::<S>(setup),
            Self::Service(work) => work.run::<S>(setup),
            Self::Traced(work) => work.run::<S>(setup),
        }
    }
}
