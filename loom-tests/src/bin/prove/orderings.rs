//! Changes that each weaken one memory ordering in the source, to check that a model (loom test)
//! then fails.

use super::Mutation;
use std::fs;
use std::path::{Path, PathBuf};

/// Returns one change for each memory ordering in the source and each weaker ordering that can
/// replace it.
pub fn all(root: &Path) -> Vec<Mutation> {
    let mut files = Vec::new();
    find(&root.join("handoff/src"), &mut files);
    files.sort();
    files.iter().flat_map(|file| in_file(root, file)).collect()
}

/// Names of source files in which no ordering is weakened, because no model covers them: the types
/// of loom's build, the types that they replace, tests, and code outside the crate `handoff`.
const NOT_PROVEN: &[&str] =
    &["loom.rs", "native.rs", "thread_guard.rs", "stress.rs", "handlers.rs", "in_flight.rs"];

fn find(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("the source is readable") {
        let path = entry.expect("the source is readable").path();
        if path.is_dir() {
            find(&path, files);
        } else if !NOT_PROVEN.iter().any(|name| path.ends_with(name)) {
            files.push(path);
        }
    }
}

/// Returns the memory orderings that are weaker than `ordering`.
fn weaker(ordering: &str) -> &'static [&'static str] {
    match ordering {
        "Acquire" | "Release" => &["Relaxed"],
        "AcqRel" => &["Acquire", "Release", "Relaxed"],
        "SeqCst" => panic!("SeqCst has no weaker orderings defined here"),
        _ => &[],
    }
}

fn in_file(root: &Path, file: &Path) -> Vec<Mutation> {
    let text = fs::read_to_string(file).expect("the source is readable");
    let lines: Vec<&str> = text.lines().collect();
    let name = file.strip_prefix(root).expect("the file is below the root").display().to_string();
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
                // The edit replaces the whole file, because a line may occur twice.
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

/// Returns the words (identifiers) of a line of code, each with its byte offset.
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

/// Returns the name of the model (loom test) that the comment of a memory ordering contains.
/// `above` holds the source lines before the ordering.
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
