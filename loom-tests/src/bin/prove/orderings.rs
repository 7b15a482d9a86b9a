//! The orderings of the source, and what is weaker than each.

use super::Mutation;
use std::fs;
use std::path::{Path, PathBuf};

/// Every ordering that can be weaker, each with everything next weaker and with Relaxed.
pub fn all(root: &Path) -> Vec<Mutation> {
    let mut files = Vec::new();
    find(&root.join("src"), &mut files);
    files.sort();
    files.iter().flat_map(|file| in_file(root, file)).collect()
}

/// The stand-ins, what they stand for, tests, and what is no part of the hand-off.
const NOT_PROVEN: &[&str] =
    &["loom.rs", "native.rs", "thread_guard.rs", "stress.rs", "in_flight.rs"];

fn find(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("the source") {
        let path = entry.expect("the source").path();
        if path.is_dir() {
            find(&path, files);
        } else if !NOT_PROVEN.iter().any(|name| path.ends_with(name)) {
            files.push(path);
        }
    }
}

fn weaker(ordering: &str) -> &'static [&'static str] {
    match ordering {
        "Acquire" | "Release" => &["Relaxed"],
        "AcqRel" => &["Acquire", "Release", "Relaxed"],
        "SeqCst" => panic!("SeqCst: say what is next weaker for this access"),
        _ => &[],
    }
}

fn in_file(root: &Path, file: &Path) -> Vec<Mutation> {
    let text = fs::read_to_string(file).expect("the source");
    let lines: Vec<&str> = text.lines().collect();
    let name = file.strip_prefix(root).expect("below it").display().to_string();
    let mut mutations = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let code = line.split("//").next().unwrap_or_default();
        if code.trim_start().starts_with("use ") {
            continue;
        }
        for (at, word) in words(code) {
            for &weaker in weaker(word) {
                let mut changed = line.to_string();
                changed.replace_range(at..at + word.len(), weaker);
                // The whole file is the piece: a line may occur twice.
                let mut after = lines.clone();
                after[index] = &changed;
                mutations.push(Mutation {
                    row: format!("`{name}`: `{}` | {word} | {weaker}", code.trim()),
                    file: name.clone(),
                    edits: vec![(text.clone(), after.join("\n") + "\n")],
                    model: model(&lines[..index]),
                });
            }
        }
    }
    mutations
}

/// The words of a line of code, and where they begin.
fn words(code: &str) -> impl Iterator<Item = (usize, &str)> {
    let is_part = |character: char| character.is_alphanumeric() || character == '_';
    let starts = code
        .char_indices()
        .filter(move |&(at, character)| is_part(character) && !code[..at].ends_with(is_part));
    starts.map(move |(at, _)| {
        let rest = &code[at..];
        (at, &rest[..rest.find(|character| !is_part(character)).unwrap_or(rest.len())])
    })
}

/// The model that the comment above names.
fn model(above: &[&str]) -> String {
    for line in above.iter().rev().take(10) {
        if let Some((_, rest)) = line.split_once("Model: ") {
            return rest.trim_end_matches('.').to_owned();
        }
        if line.contains("ORDERING:") {
            break;
        }
    }
    panic!("an ordering without a model, after {:#?}", above.last());
}
