//! Benchmark of the number of CPU instructions that a call executes in the calling thread. Valgrind
//! counts them exactly and repeatably.
//!
//! Waiting, the time that each instruction takes, and the work of other threads are not included.

use super::options::{SuiteOptions, formats_lines};
use super::outcome::{PAYLOAD, job};
use crate::client_process::ClientProcess;
use crate::fixtures::LineLength;
use crate::receiver::{Receiver, SocketBuffer};
use crate::results::Sample;
use crate::subject::{Call, Info, Transport};
use crate::workload::Workload;
use crate::workload::profiled::Profiled;
use std::fs;

/// Number of calls in one run under valgrind, over which the instruction count is averaged.
const REPEAT: usize = 1_000;

/// Counts the instructions of every kind of call of every client. Returns one sample per client and
/// kind of call, or no sample if valgrind is not installed.
pub fn run(options: &SuiteOptions) -> Vec<Sample> {
    if crate::machine::command_output("valgrind", &["--version"]).is_empty() {
        eprintln!("instructions: SKIPPED: no valgrind");
        return Vec::new();
    }
    let mut samples = Vec::new();
    for subject in options.subjects(formats_lines) {
        for &call in subject.calls {
            let figures = [("instructions", count(&subject, call))];
            samples.push(Sample::new(subject.id, [("call", call.id())], 0, figures));
        }
    }
    samples
}

/// Makes one kind of call of a client repeatedly under valgrind. Returns the mean number of
/// instructions that a call executes.
///
/// # Panics
/// If valgrind fails.
#[must_use]
pub fn count(subject: &Info, call: Call) -> f64 {
    let receiver = Receiver::start(Transport::Udp, SocketBuffer::Large);
    let workload = Workload::Profiled(Profiled { call, repeat: REPEAT });
    let job = job(subject, &receiver, PAYLOAD, LineLength::Long, workload);
    let file = format!("freewheel-counts-{}-{}-{}", std::process::id(), subject.id, call.id());
    let file = std::env::temp_dir().join(file);
    let out = format!("--callgrind-out-file={}", file.display());
    let collect = "--toggle-collect=*suite_profiled_calls*";
    let command = ["valgrind", "--quiet", "--tool=callgrind", collect, &out];
    let mut process = ClientProcess::start_under(&command, &job);
    process.receive::<()>();
    process.resume();
    process.wait_for_exit();
    let text = fs::read_to_string(&file).expect("valgrind wrote the file");
    let totals = text.lines().find_map(|line| line.strip_prefix("summary: "));
    let totals: f64 = totals.and_then(|text| text.parse().ok()).expect("valgrind wrote a total");
    assert!(totals > 0.0, "valgrind did not find the function by its name");
    fs::remove_file(&file).expect("the file was just read");
    totals / REPEAT as f64
}
