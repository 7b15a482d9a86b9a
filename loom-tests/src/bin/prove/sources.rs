//! Source files of the models (loom tests), and what they tell about each model.

use std::fs;
use std::path::Path;

/// Names and texts of the files in `loom-tests/tests/`, which contain the models (loom tests).
pub struct Sources(Vec<(String, String)>);

impl Sources {
    pub fn read(root: &Path) -> Self {
        let entries = fs::read_dir(root.join("loom-tests/tests")).expect("tests/ is readable");
        let read = |path: &Path| {
            let file = path
                .file_stem()
                .expect("a file has a name")
                .to_str()
                .expect("the name is UTF-8")
                .to_owned();
            (file, fs::read_to_string(path).expect("the file is readable"))
        };
        Self(entries.map(|entry| read(&entry.expect("tests/ is readable").path())).collect())
    }

    /// Returns the name of the file that contains the model (loom test) with the given name.
    pub fn file_of(&self, model: &str) -> Option<&str> {
        let has = |text: &str| text.contains(&format!("#[test]\nfn {model}()"));
        self.0.iter().find(|(_, text)| has(text)).map(|(file, _)| &file[..])
    }

    /// Returns the name of each model (loom test) and its claim, which is the first paragraph of
    /// its documentation.
    pub fn models(&self) -> impl Iterator<Item = (&str, String)> {
        let texts = self.0.iter().flat_map(|(_, text)| text.split("explore(").skip(1));
        let names =
            texts.filter_map(|after| after.trim_start().strip_prefix('"')?.split('"').next());
        names.filter_map(|name| Some((name, self.claim(name)?)))
    }

    /// Returns the claim of a model: the first paragraph of its documentation. Returns `None` if no
    /// test has this name.
    pub fn claim(&self, model: &str) -> Option<String> {
        let function = format!("fn {model}()");
        let (above, _) = self.0.iter().find_map(|(_, text)| text.split_once(&function))?;
        let comment = above.lines().rev().skip_while(|line| !line.starts_with("///"));
        let comment: Vec<&str> = comment.map_while(|line| line.strip_prefix("///")).collect();
        let paragraph = comment.iter().rev().take_while(|line| !line.is_empty());
        Some(paragraph.map(|line| line.trim()).collect::<Vec<_>>().join(" "))
    }
}
