//! Plots and tables that are drawn from the benchmark results.

mod all_results;
pub mod bar_chart;
pub mod line_chart;
mod overview;
mod plots;
mod subject_style;
mod summary;
mod svg;
mod tables;
mod tails;
mod targets;

pub use all_results::AllResults;

use crate::results::folder;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Writes the plots as files, the tables into `docs/benchmarks.md`, and the summary into `BENCHMARKS.md`.
/// If `scratch` is true (a quick or partial run), writes plots and tables to a separate folder instead.
pub fn show(all: &AllResults, scratch: bool) -> io::Result<()> {
    let plots = if scratch { folder(true) } else { folder(false).join("../../docs/plots") };
    fs::create_dir_all(&plots)?;
    for (name, plot) in plots::all(all) {
        fs::write(plots.join(format!("{name}.svg")), plot)?;
    }
    if scratch {
        let tables = tables::all(all).map(|(name, table)| format!("## {name}\n\n{table}\n"));
        return fs::write(plots.join("tables.md"), tables.collect::<String>());
    }
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    update(&root.join("docs/benchmarks.md"), tables::all(all))?;
    let summary = summary::table(all).map(|table| ("summary", table));
    update(&root.join("BENCHMARKS.md"), summary.into_iter())
}

/// Replaces the sections of these names in a document by these texts.
fn update(
    document: &Path,
    sections: impl Iterator<Item = (&'static str, String)>,
) -> io::Result<()> {
    let mut text = fs::read_to_string(document)?;
    for (name, section) in sections {
        replace_section(&mut text, name, &section);
    }
    fs::write(document, text)
}

/// Replaces the part of `text` between the markers `<!-- name -->` and `<!-- /name -->` by the text
/// `with`.
fn replace_section(text: &mut String, name: &str, with: &str) {
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let Some(from) = text.find(&begin).map(|at| at + begin.len()) else {
        eprintln!("the document lacks the marker <!-- {name} -->");
        return;
    };
    let Some(to) = text[from..].find(&end).map(|at| from + at) else {
        eprintln!("the document lacks the marker <!-- /{name} -->");
        return;
    };
    text.replace_range(from..to, with);
}

#[test]
fn sections_are_replaced_between_their_markers() {
    let mut text = "a\n<!-- b -->\nold\n<!-- /b -->\nc".to_owned();
    replace_section(&mut text, "b", "new\n");
    assert_eq!(text, "a\n<!-- b -->\nnew\n<!-- /b -->\nc");
    replace_section(&mut text, "another", "new\n");
    assert_eq!(text, "a\n<!-- b -->\nnew\n<!-- /b -->\nc");
}
