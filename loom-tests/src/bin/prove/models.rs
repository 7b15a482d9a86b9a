//! The models, what each proves, and how much of it they explored.

use crate::copy::Copy;
use freewheel_loom_tests::Explored;
use std::fs;
use std::path::Path;

/// The files with models, and what is in them.
pub struct Sources(Vec<(String, String)>);

impl Sources {
    pub fn read(root: &Path) -> Self {
        let entries = fs::read_dir(root.join("loom-tests/tests")).expect("the models");
        let read = |path: &Path| {
            let file = path.file_stem().expect("a file").to_str().expect("text").to_owned();
            (file, fs::read_to_string(path).expect("the models"))
        };
        Self(entries.map(|entry| read(&entry.expect("the models").path())).collect())
    }

    /// The file that has the model.
    pub fn file_of(&self, model: &str) -> Option<&str> {
        let has = |text: &str| text.contains(&format!("#[test]\nfn {model}()"));
        self.0.iter().find(|(_, text)| has(text)).map(|(file, _)| &file[..])
    }

    /// Each model, and what it proves.
    pub fn models(&self) -> impl Iterator<Item = (&str, String)> {
        let texts = self.0.iter().flat_map(|(_, text)| text.split("explore(").skip(1));
        let names =
            texts.filter_map(|after| after.trim_start().strip_prefix('"')?.split('"').next());
        names.filter_map(|name| Some((name, self.claim(name)?)))
    }

    /// The first paragraph of the model's documentation. None for what is not a test by itself.
    fn claim(&self, model: &str) -> Option<String> {
        let function = format!("fn {model}()");
        let (above, _) = self.0.iter().find_map(|(_, text)| text.split_once(&function))?;
        let comment = above.lines().rev().skip_while(|line| !line.starts_with("///"));
        let comment: Vec<&str> = comment.map_while(|line| line.strip_prefix("///")).collect();
        let paragraph = comment.iter().rev().take_while(|line| !line.is_empty());
        Some(paragraph.map(|line| line.trim()).collect::<Vec<_>>().join(" "))
    }
}

/// Runs all models. None if one of them fails.
pub fn table(copy: &Copy, sources: &Sources) -> Option<String> {
    let output = copy.run_all()?;
    let row = |Explored { name, interleavings, floor, bound, .. }: Explored| {
        let claim = sources.claim(&name)?;
        let bound = bound.map_or("none".to_owned(), |most| format!("{most} preemptions"));
        Some(format!("| `{name}` | {claim} | {interleavings} | {floor} | {bound} |\n"))
    };
    let mut rows: Vec<_> = output.lines().filter_map(Explored::parse).filter_map(row).collect();
    rows.sort();
    let head =
        "| model | what it proves | interleavings | floor | bound |\n|---|---|---|---|---|\n";
    Some(head.to_owned() + &rows.concat())
}
