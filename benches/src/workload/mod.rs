//! Workloads. Each runs with one subject in a client process, and sends its figures to the suite.

pub mod bursts;
pub mod emission;
pub mod idleness;
pub mod paced;
pub mod profiled;

use crate::subject::{Setup, Subject};
use serde::{Deserialize, Serialize};

/// Workload with its parameters.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Workload {
    Bursts(bursts::Bursts),
    Paced(paced::Paced),
    Emission(emission::Emission),
    Idleness(idleness::Idleness),
    Profiled(profiled::Profiled),
}

impl Workload {
    /// Runs the workload in this process, and sends its figures to the suite.
    pub fn run<S: Subject>(&self, setup: &Setup) {
        match self {
            Self::Bursts(work) => work.run::<S>(setup),
            Self::Paced(work) => work.run::<S>(setup),
            Self::Emission(work) => work.run::<S>(setup),
            Self::Idleness(work) => work.run::<S>(setup),
            Self::Profiled(work) => work.run::<S>(setup),
        }
    }
}
