//! What is done with a subject, in a process of its own.

pub mod bursts;
pub mod counted;
pub mod emission;
pub mod idleness;
pub mod paced;

use crate::subject::{Setup, Subject};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Work {
    Bursts(bursts::Bursts),
    Paced(paced::Paced),
    Emission(emission::Emission),
    Idleness(idleness::Idleness),
    Counted(counted::Counted),
}

impl Work {
    pub fn carry_out<S: Subject>(&self, setup: &Setup) {
        match self {
            Self::Bursts(work) => work.carry_out::<S>(setup),
            Self::Paced(work) => work.carry_out::<S>(setup),
            Self::Emission(work) => work.carry_out::<S>(setup),
            Self::Idleness(work) => work.carry_out::<S>(setup),
            Self::Counted(work) => work.carry_out::<S>(setup),
        }
    }
}
