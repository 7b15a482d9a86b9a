//! What freewheel costs, beside what it could cost at least, and beside the other clients.
//!
//! A *subject* is a client, or a bound. *Work* is done with one, in a process of its own. A *measure*
//! has work done with several subjects in turn, and writes down what came of it. A *report* draws
//! from what was written down. `BENCHMARKS.md` says what is measured and how to run it.

pub mod client_process;
pub mod clock;
pub mod fixtures;
pub mod ipc;
pub mod machine;
pub mod measures;
pub mod receiver;
pub mod report;
pub mod results;
pub mod subject;
pub mod subjects;
pub mod workload;
