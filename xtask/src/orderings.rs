//! Check of the comments about orderings, and of the texts about their models:
//!
//! - Each use of an ordering has an ORDERING comment above the statement.
//! - For an ordering that is not Relaxed, the comment is directly above the statement. It names a
//!   model, or states why there is none ("No model: ...").
//! - Each row of the table of happens-before edges in handoff/MEMORY_MODEL.md names at least one model.
//! - Each model that the source or the table names is a test in loom-tests/.
//! - Each test that the text of handoff/MEMORY_MODEL.md or loom-tests/README.md names exists.
//! - PROOF.md has a row for each model, ordering and fault, and no other row.

use crate::source::rust_files;
use crate::{Error, Findings, Verdict, verdict};
use regex::Regex;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Files whose orderings are those of tests, or of the test doubles of atomics.
const EXCLUDED: [&str; 3] = ["loom.rs", "stress.rs", "handlers.rs"];

pub(crate) fn check(root: &Path) -> Result<Verdict, Error> {
    let (mut findings, mut source) = (Findings::new(), String::new());
    for folder in ["src", "handoff/src"] {
        for file in rust_files(&root.join(folder))? {
            let text = fs::read_to_string(&file)?;
            source.push_str(&text);
            let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if !EXCLUDED.contains(&&*name) && !name.ends_with("_tests.rs") {
                let file = file.strip_prefix(root)?.display().to_string();
                let found = uncommented(&text)?.into_iter();
                findings.extend(found.map(|(line, what)| format!("{file}:{line}: {what}")));
            }
        }
    }

    let models = texts(root, &["loom-tests/tests"])?;
    let tests = texts(root, &["src", "handoff/src", "tests", "loom-tests/tests"])?;
    let memory_model = fs::read_to_string(root.join("handoff/MEMORY_MODEL.md"))?;
    let quoted = Regex::new("`([^`]*)`")?;
    let rows = last_cells(&memory_model);
    if rows.is_empty() {
        findings.push("handoff/MEMORY_MODEL.md: no table of happens-before edges".to_owned());
    }
    let mut named = BTreeSet::new();
    for row in &rows {
        let models: Vec<&str> =
            quoted.captures_iter(row).filter_map(|found| Some(found.get(1)?.as_str())).collect();
        if models.is_empty() {
            findings.push(format!("handoff/MEMORY_MODEL.md: a row without a model: {row}"));
        }
        named.extend(models);
    }
    let model = Regex::new("Model: ([a-z_]+)")?;
    named.extend(model.captures_iter(&source).filter_map(|found| Some(found.get(1)?.as_str())));
    for name in &named {
        if !models.contains(&format!("#[test]\nfn {name}()")) {
            findings.push(format!("no such model: {name}"));
        }
    }

    // A name of three words or more is the name of a model or of another test.
    let name = Regex::new("`([a-z]+(?:_[a-z]+){2,})`")?;
    let mut in_text = BTreeSet::new();
    for document in ["handoff/MEMORY_MODEL.md", "docs/architecture.md", "loom-tests/README.md"] {
        let text = fs::read_to_string(root.join(document))?;
        in_text.extend(name.captures_iter(&text).map(|found| found[1].to_owned()));
    }
    for name in in_text {
        if !tests.contains(&format!("fn {name}(")) {
            findings.push(format!("no such test: {name}"));
        }
    }

    let mut prove = Command::new("cargo");
    prove.args(["run", "--release", "--quiet", "--bin", "prove", "--", "--check"]);
    if !prove.current_dir(root.join("loom-tests")).status()?.success() {
        findings.push("loom-tests/PROOF.md is not up to date".to_owned());
    }
    Ok(verdict(findings, || format!("{} models are named, and all exist", named.len())))
}

/// Returns the text of all Rust files in these folders.
fn texts(root: &Path, folders: &[&str]) -> Result<String, Error> {
    let mut all = String::new();
    for folder in folders {
        for file in rust_files(&root.join(folder))? {
            all += &fs::read_to_string(file)?;
        }
    }
    Ok(all)
}

/// Returns the last column of the table of happens-before edges.
fn last_cells(memory_model: &str) -> Vec<&str> {
    let lines = memory_model.lines().skip_while(|line| !line.starts_with("## Happens-before"));
    let section = lines.skip(1).take_while(|line| !line.starts_with("## "));
    let rows = section.filter(|line| {
        line.starts_with('|') && !line.starts_with("|---") && !line.starts_with("| edge ")
    });
    rows.filter_map(|row| row.strip_suffix('|')?.rsplit_once('|').map(|(_, cell)| cell)).collect()
}

/// Returns the numbers of the lines with orderings that have no suitable comment, and what is wrong
/// there.
///
/// An ORDERING comment applies to the next statement, or to the next two if it contains ", both". For
/// an ordering that is not Relaxed, no statement without an ordering may come in between.
fn uncommented(source: &str) -> Result<Vec<(usize, &'static str)>, Error> {
    let import = Regex::new(r"^ *(pub(\([a-z]+\))? )?use ")?;
    let ordering =
        Regex::new("(?:^|[^A-Za-z_])(Relaxed|Acquire|Release|AcqRel|SeqCst)(?:[^A-Za-z_]|$)")?;
    let strong = Regex::new("(?:^|[^A-Za-z_])(Acquire|Release|AcqRel|SeqCst)(?:[^A-Za-z_]|$)")?;
    let names_model = Regex::new("(Model|No model): [a-z]")?;
    let end_of_statement = Regex::new(r"[;{}] *$")?;
    let end_of_function = Regex::new(r"^ {0,4}\}")?;

    let mut findings = Vec::new();
    let mut comment = String::new();
    // Number of statements that the last comment still applies to.
    let mut reach = 0;
    let (mut in_use, mut in_comment) = (false, false);
    // Whether this statement has an ordering, and whether one without has come since the comment.
    let (mut used, mut passed) = (false, false);
    for (index, line) in source.lines().enumerate() {
        in_use |= import.is_match(line);
        if in_use {
            in_use = !line.contains(';');
            continue;
        }
        if line.trim_start_matches(' ').starts_with("//") {
            if line.contains("ORDERING:") {
                comment = line.to_owned();
                (reach, in_comment, passed) = (1, true, false);
            } else if in_comment {
                comment += line;
            }
            continue;
        }
        if in_comment && comment.contains(", both") {
            reach = 2;
        }
        in_comment = false;
        let code = line.split_once(" //").map_or(line, |(code, _)| code);
        if ordering.is_match(code) {
            let is_strong = strong.is_match(code);
            let wrong = if reach == 0 {
                Some("an ordering without an ORDERING comment")
            } else if is_strong && passed {
                Some("an ordering without an ORDERING comment directly above it")
            } else if is_strong && !names_model.is_match(&comment) {
                Some("an ordering without a model")
            } else {
                None
            };
            findings.extend(wrong.map(|what| (index + 1, what)));
            used = true;
        }
        if end_of_statement.is_match(code) {
            if used && reach > 0 {
                reach -= 1;
            }
            passed |= !used;
            used = false;
            if end_of_function.is_match(code) {
                reach = 0;
            }
        }
    }
    Ok(findings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn assert_found(source: &str, expected: &[(usize, &str)]) {
        assert_eq!(uncommented(source).expect("valid patterns"), expected, "{source}");
    }

    #[test]
    fn an_ordering_needs_a_comment() {
        assert_found("let a = b.load(Relaxed);", &[(1, "an ordering without an ORDERING comment")]);
        assert_found("// ORDERING: Relaxed.\nlet a = b.load(Relaxed);", &[]);
        assert_found("use std::sync::atomic::Ordering::{\n    Relaxed,\n};", &[]);
        assert_found("let a = NotRelaxed;", &[]);
    }

    #[test]
    fn a_comment_applies_to_one_statement_or_to_both() {
        let two = "let a = b.load(Relaxed);\nlet c = d.load(Relaxed);\n";
        let wrong = [(3, "an ordering without an ORDERING comment")];
        assert_found(&format!("// ORDERING: Relaxed.\n{two}"), &wrong);
        assert_found(&format!("// ORDERING: Relaxed, both.\n{two}"), &[]);
        let next = format!("// ORDERING: Relaxed, both.\nx;\n    }}\n{two}");
        assert_eq!(uncommented(&next).expect("valid patterns").len(), 2);
    }

    #[test]
    fn a_strong_ordering_needs_a_model_directly_above() {
        let load = "let a = b.load(Acquire);";
        assert_found(&format!("// ORDERING: Acquire. Model: one.\n{load}"), &[]);
        assert_found(&format!("// ORDERING: Acquire.\n// No model: a test.\n{load}"), &[]);
        let wrong = [(2, "an ordering without a model")];
        assert_found(&format!("// ORDERING: Acquire.\n{load}"), &wrong);
        let wrong = [(3, "an ordering without an ORDERING comment directly above it")];
        assert_found(&format!("// ORDERING: Acquire. Model: one.\nx();\n{load}"), &wrong);
    }

    #[test]
    fn the_last_cells_of_the_table_are_read() {
        let text =
            "## Happens-before\n\n| edge | model |\n|---|---|\n| a | `b` |\n## Next\n| c | d |";
        assert_eq!(last_cells(text), [" `b` "]);
    }
}
