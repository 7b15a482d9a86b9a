//! Description of the computer, kernel, compiler and commit with which benchmark results were
//! measured.

use serde::{Deserialize, Serialize};
use std::process::Command;

#[derive(Clone, Debug, Serialize, Deserialize)]
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

/// Returns the output of a command, or an empty string if it cannot be run.
pub(crate) fn command_output(program: &str, arguments: &[&str]) -> String {
    let command =
        Command::new(program).args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output();
    let printed = command.map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&printed).trim().to_owned()
}
