//! Description of the computer, kernel, compiler and commit with which benchmark results were
//! measured, and of the load by others.

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use serde::{Deserialize, Serialize};
use std::process::Command;
use std::time::Instant;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    pub processor: String,
    pub cores: usize,
    pub kernel: String,
    pub rustc: String,
    /// Commit of freewheel, followed by `+` if there were uncommitted changes.
    pub commit: String,
    pub date: String,
}

impl Machine {
    #[must_use]
    pub fn detect() -> Self {
        let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = info.lines().find_map(|line| line.strip_prefix("model name"));
        let model = model.map_or("unknown", |line| line.trim_start_matches([' ', '\t', ':']));
        let changed =
            !command_output("git", &["status", "--porcelain", "--", "../src", "src"]).is_empty();
        let commit = command_output("git", &["rev-parse", "--short", "HEAD"]);
        Self {
            processor: model.to_owned(),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            kernel: command_output("uname", &["-sr"]),
            rustc: command_output("rustc", &["--version"]),
            commit: commit + if changed { "+" } else { "" },
            date: command_output("date", &["--utc", "+%Y-%m-%d"]),
        }
    }
}

/// Shares of the time of all cores that others took while a benchmark ran, from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Disturbance {
    /// Share that other processes and the kernel's own threads took.
    pub others: f64,
    /// Share that the hypervisor gave to other virtual machines.
    pub stolen: f64,
}

/// Observation of the load by others, from its start on.
pub struct Observation {
    start: Instant,
    before: CpuTimes,
}

/// Times of all cores together since the boot in ticks, and the processor time of this suite.
#[derive(Clone, Copy, Debug, Default)]
struct CpuTimes {
    busy: f64,
    stolen: f64,
    total: f64,
    own_seconds: f64,
}

impl Observation {
    #[must_use]
    pub fn start() -> Self {
        Self { start: Instant::now(), before: CpuTimes::now() }
    }

    /// Returns the load by others since the start, or `None` if the kernel does not tell.
    #[must_use]
    pub fn finish(self) -> Option<Disturbance> {
        let (before, now) = (self.before, CpuTimes::now());
        let total = now.total - before.total;
        let cores = std::thread::available_parallelism().ok()?.get() as f64;
        let own = now.own_seconds - before.own_seconds;
        let own = own / (self.start.elapsed().as_secs_f64() * cores);
        let others = ((now.busy - before.busy) / total - own).max(0.0);
        (total > 0.0).then(|| Disturbance { others, stolen: (now.stolen - before.stolen) / total })
    }
}

impl CpuTimes {
    fn now() -> Self {
        let seconds = |who| {
            let usage = getrusage(who).expect("a process can query its own usage");
            let time = usage.user_time() + usage.system_time();
            time.num_microseconds() as f64 / 1e6
        };
        // Client processes count once they have ended.
        let own_seconds = seconds(UsageWho::RUSAGE_SELF) + seconds(UsageWho::RUSAGE_CHILDREN);
        let text = std::fs::read_to_string("/proc/stat").unwrap_or_default();
        let line = text.lines().next().unwrap_or_default();
        let fields: Vec<f64> =
            line.split_whitespace().skip(1).filter_map(|field| field.parse().ok()).collect();
        let [user, nice, system, idle, wait, interrupts, soft, stolen, ..] = fields[..] else {
            return Self::default();
        };
        let busy = user + nice + system + interrupts + soft;
        Self { busy, stolen, total: busy + idle + wait + stolen, own_seconds }
    }
}

/// Returns the output of a command, or an empty string if it cannot be run.
pub(crate) fn command_output(program: &str, arguments: &[&str]) -> String {
    let command =
        Command::new(program).args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output();
    let printed = command.map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&printed).trim().to_owned()
}

#[test]
fn load_by_others_is_a_share() {
    let observation = Observation::start();
    std::thread::sleep(std::time::Duration::from_millis(50));
    if let Some(Disturbance { others, stolen }) = observation.finish() {
        assert!((0.0..=1.1).contains(&others), "{others}");
        assert!((0.0..=1.0).contains(&stolen), "{stolen}");
    }
}
