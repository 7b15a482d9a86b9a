//! The models, what each proves, and how much of it they explored.

use crate::copy::Copy;
use std::fs;

/// Runs all models. None if one of them fails.
pub fn table(copy: &Copy) -> Option<String> {
    let output = copy.run_all()?;
    let mut tests = String::new();
    for entry in fs::read_dir(copy.root().join("loom-tests/tests")).expect("the models") {
        tests += &fs::read_to_string(entry.expect("the models").path()).expect("the models");
    }
    // As `explore` prints it: `model {name}: {number} interleavings ({bound})`.
    let lines = output.lines().filter_map(|line| line.split_once("model ")?.1.split_once(": "));
    let mut rows: Vec<String> = lines
        .filter_map(|(name, explored)| {
            let claim = claim(&tests, name)?;
            let (number, bound) = explored.strip_suffix(')')?.split_once(" interleavings (")?;
            Some(format!("| `{name}` | {claim} | {number} | {bound} |\n"))
        })
        .collect();
    rows.sort();
    let head = "| model | what it proves | interleavings | bound |\n|---|---|---|---|\n";
    Some(head.to_owned() + &rows.concat())
}

/// The first paragraph of the model's documentation. None for what is not a test by itself.
fn claim(tests: &str, name: &str) -> Option<String> {
    let (above, _) = tests.split_once(&format!("fn {name}()"))?;
    let comment = above.lines().rev().skip_while(|line| !line.starts_with("///"));
    let comment: Vec<&str> = comment.map_while(|line| line.strip_prefix("///")).collect();
    let paragraph = comment.iter().rev().take_while(|line| !line.is_empty());
    Some(paragraph.map(|line| line.trim()).collect::<Vec<_>>().join(" "))
}
