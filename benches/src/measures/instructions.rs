//! How many instructions a call takes, counted by valgrind: exact, and the same each time. What waits,
//! and what the processor makes of them, is not in it; nor is the work of other threads.

use super::{PAYLOAD, Plan, callers, job, subjects};
use crate::lines::Length;
use crate::process::Process;
use crate::receiver::{Receiver, SocketBuffer};
use crate::results::Sample;
use crate::subject::{Info, Transport};
use crate::work::Work;
use crate::work::counted::Counted;
use std::fs;

const REPEAT: usize = 1_000;

pub fn run(_: &Plan) -> Vec<Sample> {
    if crate::machine::run("valgrind", &["--version"]).is_empty() {
        eprintln!("instructions: SKIPPED: no valgrind");
        return Vec::new();
    }
    let mut samples = Vec::new();
    for subject in subjects(callers) {
        for (call, count) in count(&subject) {
            let figures = [("instructions", count)];
            samples.push(Sample::new(subject.id, [("call", call)], 0, figures));
        }
    }
    samples
}

/// Instructions of each of its calls.
///
/// # Panics
/// Where valgrind does not do what is asked of it.
#[must_use]
pub fn count(subject: &Info) -> Vec<(&'static str, f64)> {
    let receiver = Receiver::start(Transport::Udp, SocketBuffer::Large);
    let work = Work::Counted(Counted { calls: subject.calls.to_vec(), repeat: REPEAT });
    let job = job(subject, &receiver, PAYLOAD, Length::Long, work);
    let folder = std::env::temp_dir().join(format!("freewheel-counts-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder");
    let out = format!("--callgrind-out-file={}/out", folder.display());
    let command = [
        "valgrind",
        "--quiet",
        "--tool=callgrind",
        "--toggle-collect=*suite_counted_calls*",
        "--dump-after=*suite_counted_calls*",
        &out,
    ];
    let mut process = Process::start_under(&command, &job);
    process.hear::<()>();
    process.go_on();
    process.end();
    // A file for each time that the function was left, numbered from 1.
    let counts = (1..=subject.calls.len()).map(|number| {
        let text = fs::read_to_string(folder.join(format!("out.{number}"))).expect("a dump");
        let totals = text.lines().find_map(|line| line.strip_prefix("totals: "));
        let totals: f64 = totals.and_then(|text| text.parse().ok()).expect("a total");
        totals / REPEAT as f64
    });
    let counts = subject.calls.iter().map(|call| call.id()).zip(counts).collect();
    fs::remove_dir_all(&folder).expect("its own folder");
    counts
}
