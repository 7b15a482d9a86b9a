//! Check of FAULTS.md: each test that it names exists, and it names each test of the rig.

use crate::source::Test;
use crate::{Error, Verdict, verdict};
use regex::Regex;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

pub(crate) fn check(root: &Path) -> Result<Verdict, Error> {
    let mut tests = Vec::new();
    for folder in ["src", "handoff/src", "tests"] {
        tests.extend(Test::all(&root.join(folder))?);
    }
    let rig = Test::all(&root.join("tests/rig"))?;
    let text = fs::read_to_string(root.join("tests/FAULTS.md"))?;
    let path = Regex::new("`([a-z_]+(?:::[a-z0-9_]+)+)`")?;
    let named: BTreeSet<&str> =
        path.captures_iter(&text).filter_map(|found| Some(found.get(1)?.as_str())).collect();

    let mut findings = Vec::new();
    for name in &named {
        if !tests.iter().any(|test| test.is_named(name)) {
            findings.push(format!("FAULTS.md names a test that does not exist: {name}"));
        }
    }
    for test in &rig {
        if !named.iter().any(|name| test.is_named(name)) {
            findings.push(format!("FAULTS.md does not name this test of the rig: {test}"));
        }
    }
    if rig.is_empty() || named.is_empty() {
        findings.push("no tests were found".to_owned());
    }
    Ok(verdict(findings, || format!("FAULTS.md names {} tests, which all exist", named.len())))
}
