//! What readers see: pictures and tables, from the results.

pub mod bar_chart;
pub mod line_chart;
mod plots;
mod svg;
mod tables;
mod targets;

use crate::measures;
use crate::results::{Results, folder};
use crate::subject::{Info, Kind};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::PathBuf;

/// All results that there are, by their measure.
pub struct Report(BTreeMap<&'static str, Results>);

/// A picture or a table: what it is called, and how it is made where there are results for it.
type Named = (&'static str, fn(&Report) -> Option<String>);

impl Report {
    pub fn read(quick: bool) -> io::Result<Self> {
        let mut all = BTreeMap::new();
        for measure in &measures::ALL {
            if let Some(results) = Results::read(measure.id, quick)? {
                all.insert(measure.id, results);
            }
        }
        Ok(Self(all))
    }

    fn results(&self, measure: &str) -> Option<&Results> {
        self.0.get(measure)
    }

    /// Draws the pictures, and writes the tables into `BENCHMARKS.md` between their marks.
    pub fn show(&self, quick: bool) -> io::Result<()> {
        let plots = if quick { folder(true) } else { folder(false).join("../plots") };
        fs::create_dir_all(&plots)?;
        for (name, picture) in plots::all(self) {
            fs::write(plots.join(format!("{name}.svg")), picture)?;
        }
        if quick {
            let tables = tables::all(self).map(|(name, table)| format!("## {name}\n\n{table}\n"));
            return fs::write(plots.join("tables.md"), tables.collect::<String>());
        }
        let document = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../BENCHMARKS.md");
        let mut text = fs::read_to_string(&document)?;
        for (name, table) in tables::all(self) {
            replace(&mut text, name, &table);
        }
        fs::write(document, text)
    }
}

/// What stands between the marks of this name.
fn replace(text: &mut String, name: &str, with: &str) {
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let Some(from) = text.find(&begin).map(|at| at + begin.len()) else {
        eprintln!("BENCHMARKS.md has no mark for {name}");
        return;
    };
    let Some(to) = text[from..].find(&end).map(|at| from + at) else {
        eprintln!("BENCHMARKS.md: the mark for {name} has no end");
        return;
    };
    text.replace_range(from..to, with);
}

fn is_ours(info: &Info) -> bool {
    info.id.starts_with("freewheel")
}

fn colour(info: &Info) -> &'static str {
    match info.kind {
        _ if is_ours(info) => svg::OURS,
        Kind::Bound | Kind::FormatsOnly => svg::BOUND,
        Kind::LinePerCall => svg::PEER,
        Kind::Aggregates => svg::AGGREGATE,
    }
}

#[test]
fn tables_stand_between_their_marks() {
    let mut text = "a\n<!-- b -->\nold\n<!-- /b -->\nc".to_owned();
    replace(&mut text, "b", "new\n");
    assert_eq!(text, "a\n<!-- b -->\nnew\n<!-- /b -->\nc");
    replace(&mut text, "another", "new\n");
    assert_eq!(text, "a\n<!-- b -->\nnew\n<!-- /b -->\nc");
}
