//! Benchmarks that compare freewheel with other StatsD clients, and with reference programs that
//! only format or only send. They measure the cost of a call and the delivery of lines.
//!
//! - A [`subject`] is a client or a reference program. [`subjects`] has one file for each.
//! - A [`workload`] is run with one subject, in a separate [process](client_process), which
//!   exchanges messages with the suite through [`ipc`].
//! - A measure ([`measures`]) runs workloads with several subjects in turn, and writes [`results`].
//! - The [`report`] draws plots and tables from the results.
//!
//! # Running a part
//!
//! The suite, whose results `docs/benchmarks.md` shows, takes measures and subjects as arguments:
//!
//! ```sh
//! cargo suite                           # everything: about an hour on two cores
//! cargo suite latency                   # one measure
//! cargo suite latency freewheel floor   # one measure with two subjects
//! cargo suite --list                    # prints the names of the measures and subjects
//! ```
//!
//! The criterion benchmarks compare with an earlier state. Their argument filters by name:
//!
//! ```sh
//! cargo bench -p freewheel-benches --bench callers_cost -- incr/freewheel   # each client's calls
//! cargo bench -p freewheel-benches --bench hot_path -- incr   # freewheel's calls and their floor
//! cargo bench -p freewheel-benches --bench prepared           # tags and prepared metrics
//! cargo bench -p freewheel-benches --bench web                # the middleware's cost per request
//! ```
//!
//! `--no-default-features` excludes the other clients, which shortens the build.
//! `cargo xtask instructions` compares the instruction counts of freewheel's calls with
//! `instructions.baseline`.

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
pub mod tracer;
pub mod workload;
