//! How many instructions a call takes, counted by valgrind: exact, and the same each time. What waits,
//! and what the processor makes of them, is not in it; nor is the work of other threads.

use super::{PAYLOAD, Plan, callers, job, subjects};
use crate::lines::Length;
use crate::process::Process;
use crate::receiver::{Receiver, SocketBuffer};
use crate::results::Sample;
use crate::subject::{Call, Info, Transport};
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
        for &call in subject.calls {
            let figures = [("instructions", count(&subject, call))];
            samples.push(Sample::new(subject.id, [("call", call.id())], 0, figures));
        }
    }
    samples
}

/// Instructions of a call.
///
/// # Panics
/// Where valgrind does not do what is asked of it.
#[must_use]
pub fn count(subject: &Info, call: Call) -> f64 {
    let receiver = Receiver::start(Transport::Udp, SocketBuffer::Large);
    let work = Work::Counted(Counted { call, repeat: REPEAT });
    let job = job(subject, &receiver, PAYLOAD, Length::Long, work);
    let file = format!("freewheel-counts-{}-{}-{}", std::process::id(), subject.id, call.id());
    let file = std::env::temp_dir().join(file);
    let out = format!("--callgrind-out-file={}", file.display());
    let collect = "--toggle-collect=*suite_counted_calls*";
    let command = ["valgrind", "--quiet", "--tool=callgrind", collect, &out];
    let mut process = Process::start_under(&command, &job);
    process.hear::<()>();
    process.go_on();
    process.end();
    let text = fs::read_to_string(&file).expect("valgrind wrote it");
    let totals = text.lines().find_map(|line| line.strip_prefix("summary: "));
    let totals: f64 = totals.and_then(|text| text.parse().ok()).expect("a total");
    assert!(totals > 0.0, "valgrind knows the function by its name");
    fs::remove_file(&file).expect("its own file");
    totals / REPEAT as f64
}
