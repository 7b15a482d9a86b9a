//! Check of the links of all documents: each relative link of a Markdown file leads to a file, and its
//! fragment to a heading of that file. Each relative link of the rendered documentation leads to a file.

use crate::{Error, Findings, Verdict, output, verdict};
use regex::Regex;
use std::fs;
use std::path::Path;
use std::process::Command;
use walkdir::WalkDir;

pub(crate) fn check(root: &Path) -> Result<Verdict, Error> {
    let (mut findings, mut count) = (Findings::new(), 0);
    let tracked = ["ls-files", "--cached", "--others", "--exclude-standard", "*.md"];
    for document in output(Command::new("git").args(tracked).current_dir(root))?.lines() {
        let path = root.join(document);
        // The guide's links are those of rustdoc.
        if document == "src/guide.md" || !path.exists() {
            continue;
        }
        let folder = path.parent().unwrap_or(root);
        for (target, fragment) in links(&fs::read_to_string(&path)?)? {
            count += 1;
            let target = if target.is_empty() { path.clone() } else { folder.join(target) };
            let shown = target.strip_prefix(root).unwrap_or(&target).display();
            if !target.exists() {
                findings.push(format!("{document} links to {shown}, which is missing"));
            } else if let Some(fragment) = fragment
                && !headings(&fs::read_to_string(&target)?).contains(&fragment)
            {
                findings
                    .push(format!("{document} links to {shown}#{fragment}, which is no heading"));
            }
        }
    }

    let mut doc = Command::new("cargo");
    doc.args(["doc", "--no-deps", "--quiet", "--features", "axum,serde"]);
    output(doc.arg("--target-dir").arg(root.join("target/links")).current_dir(root))?;
    let link = Regex::new(r##"<a[^>]* href="([^"#:]+)(?:#[^"]*)?""##)?;
    for entry in WalkDir::new(root.join("target/links/doc/freewheel")) {
        let path = entry?.into_path();
        if path.extension().is_some_and(|extension| extension == "html") {
            let text = fs::read_to_string(&path)?;
            for found in link.captures_iter(&text) {
                // The methods of other crates' traits are shown with the links of their own pages.
                if !found[1].contains('.') {
                    continue;
                }
                count += 1;
                if !path.parent().unwrap_or(root).join(&found[1]).exists() {
                    let page = path.strip_prefix(root).unwrap_or(&path).display();
                    findings.push(format!("{page} links to {}, which is missing", &found[1]));
                }
            }
        }
    }
    Ok(verdict(findings, || format!("{count} links lead somewhere")))
}

/// Returns the relative links of a Markdown text: path and fragment.
pub(crate) fn links(document: &str) -> Result<Vec<(String, Option<String>)>, Error> {
    let link = Regex::new(r"\]\(([^)#:\s]*)(?:#([^)\s]*))?\)")?;
    let mut links = Vec::new();
    let mut in_code = false;
    for line in document.lines() {
        in_code ^= line.starts_with("```");
        if !in_code {
            links.extend(link.captures_iter(line).map(|found| {
                let fragment = found.get(2).map(|fragment| fragment.as_str().to_owned());
                (found[1].to_owned(), fragment)
            }));
        }
    }
    Ok(links)
}

/// Returns the fragments of a Markdown text's headings, as hosting sites make them.
fn headings(document: &str) -> Vec<String> {
    let mut in_code = false;
    let mut headings = Vec::new();
    for line in document.lines() {
        in_code ^= line.starts_with("```");
        if !in_code && line.starts_with('#') {
            let text = line.trim_start_matches('#').trim().to_lowercase();
            let kept = text.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
            headings.push(kept.map(|c| if c == ' ' { '-' } else { c }).collect());
        }
    }
    headings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_and_headings_are_found() {
        let text = "# One: `two`\n[a](b.md) [c](#one-two) [d](e.md#f)\n```\n[x](y)\n# no\n```\n[h](https://x)";
        let found = links(text).expect("a valid pattern");
        let found: Vec<_> = found.iter().map(|(path, part)| (&**path, part.as_deref())).collect();
        assert_eq!(found, [("b.md", None), ("", Some("one-two")), ("e.md", Some("f"))]);
        assert_eq!(headings(text), ["one-two"]);
    }
}
