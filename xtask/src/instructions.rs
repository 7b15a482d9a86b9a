//! Check that no call takes more instructions than the baseline allows.
//!
//! Callgrind counts the instructions of each of freewheel's calls exactly and repeatably. Counts depend
//! on the compiler: with another version than the baseline's, the check is skipped.

use crate::{Error, Findings, Verdict, is_installed, output, verdict};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

const BASELINE: &str = "benches/instructions.baseline";

/// Fraction of the baseline by which a count may differ.
const TOLERANCE: f64 = 0.03;

pub(crate) fn check(root: &Path) -> Result<Verdict, Error> {
    let baseline = fs::read_to_string(root.join(BASELINE))?;
    let (head, counts) = baseline.split_once('\n').unwrap_or_default();
    if head != compiler()? {
        let known = head.trim_start_matches("# ");
        return Ok(Ok(format!(
            "instructions: SKIPPED: the baseline has another compiler: {known}"
        )));
    }
    if !has_valgrind()? {
        return Ok(Ok("instructions: SKIPPED: needs valgrind".to_owned()));
    }
    Ok(compare(&parse(counts)?, &parse(&count(root)?)?))
}

pub(crate) fn update(root: &Path) -> Result<Verdict, Error> {
    if !has_valgrind()? {
        return Err("valgrind is needed".into());
    }
    let counts = count(root)?;
    fs::write(root.join(BASELINE), format!("{}\n{counts}", compiler()?))?;
    Ok(Ok(format!("instructions: the baseline has {} calls", counts.lines().count())))
}

/// Returns the first line of a baseline that this compiler makes.
fn compiler() -> Result<String, Error> {
    let version = output(Command::new("rustc").arg("--version"))?;
    Ok(format!("# {}, {}", version.trim_end(), std::env::consts::ARCH))
}

/// Returns true if valgrind is there, after an attempt to install it on Debian.
fn has_valgrind() -> Result<bool, Error> {
    if !is_installed("valgrind") && is_installed("apt-get") {
        let install = ["install", "--yes", "--quiet", "valgrind"];
        // Without the right to install, the check is skipped.
        let _ = Command::new("apt-get").args(install).output()?;
    }
    Ok(is_installed("valgrind"))
}

/// Builds the program that makes each call as the suite does, but without the other clients, and
/// counts.
fn count(root: &Path) -> Result<String, Error> {
    let program = ["--package", "freewheel-benches", "--no-default-features", "--bin"];
    let mut command = Command::new("cargo");
    command.args(["run", "--quiet", "--profile", "bench"]).args(program).arg("instructions");
    output(command.current_dir(root))
}

fn parse(counts: &str) -> Result<BTreeMap<&str, f64>, Error> {
    let mut parsed = BTreeMap::new();
    for line in counts.lines() {
        let (call, count) = line.split_once(' ').ok_or("a line without a count")?;
        parsed.insert(call, count.trim().parse()?);
    }
    Ok(parsed)
}

fn compare(baseline: &BTreeMap<&str, f64>, counts: &BTreeMap<&str, f64>) -> Verdict {
    let mut findings = Findings::new();
    for (call, &count) in counts {
        let Some(&allowed) = baseline.get(call) else {
            findings.push(format!("instructions: {call} is not in the baseline: {count:.1}"));
            continue;
        };
        let state = if count > allowed * (1.0 + TOLERANCE) {
            "MORE than 3 % above the baseline"
        } else if count < allowed * (1.0 - TOLERANCE) {
            "over 3 % below: update the baseline"
        } else {
            "unchanged"
        };
        let line = format!("instructions: {call:<22} {count:8.1}, baseline {allowed:8.1}: {state}");
        println!("{line}");
        if state.starts_with("MORE") {
            findings.push(line);
        }
    }
    if counts.is_empty() {
        findings.push("instructions: nothing was counted".to_owned());
    }
    verdict(findings, || format!("instructions: {} calls counted", counts.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_instructions_are_found() {
        let baseline = BTreeMap::from([("incr", 100.0), ("gauge", 200.0)]);
        let verdict = |incr| compare(&baseline, &BTreeMap::from([("incr", incr)]));
        assert!(verdict(103.0).is_ok() && verdict(50.0).is_ok());
        assert!(verdict(103.1).is_err());
        assert!(compare(&baseline, &BTreeMap::from([("new", 1.0)])).is_err());
        assert!(compare(&baseline, &BTreeMap::new()).is_err());
    }
}
