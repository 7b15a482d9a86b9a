//! Check of the package that would be published: it contains every file that its documents link to, and
//! its examples compile.

use crate::{Error, Findings, Verdict, output, verdict};
use regex::Regex;
use std::fs;
use std::path::Path;
use std::process::Command;

pub(crate) fn check(root: &Path) -> Result<Verdict, Error> {
    let target = root.join("target");
    let mut cargo = Command::new("cargo");
    cargo.args(["package", "--quiet", "--allow-dirty", "--no-verify", "--package", "freewheel"]);
    output(cargo.args(["--package", "freewheel-handoff", "--target-dir"]).arg(&target))?;

    let mut findings = Findings::new();
    let mut count = 0;
    let folder = target.join("package/unpacked");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    for package in ["freewheel", "freewheel-handoff"] {
        let archive = target.join(format!("package/{package}-0.1.0.crate"));
        output(Command::new("tar").arg("-xzf").arg(&archive).arg("-C").arg(&folder))?;
        let unpacked = folder.join(format!("{package}-0.1.0"));
        for entry in fs::read_dir(&unpacked)? {
            let document = entry?.path();
            if document.extension().is_some_and(|extension| extension == "md") {
                let text = fs::read_to_string(&document)?;
                let name = document.file_name().unwrap_or_default().to_string_lossy();
                for link in links(&text)? {
                    count += 1;
                    if !unpacked.join(&link).exists() {
                        findings
                            .push(format!("{package}: {name} links to {link}, which is missing"));
                    }
                }
            }
        }
    }

    // The package is no member of the workspace, and its dependency is not published yet.
    let unpacked = folder.join("freewheel-0.1.0");
    let manifest = unpacked.join("Cargo.toml");
    let patch = format!(
        "\n[workspace]\n[patch.crates-io]\nfreewheel-handoff = {{ path = \"{}\" }}\n",
        folder.join("freewheel-handoff-0.1.0").display()
    );
    fs::write(&manifest, fs::read_to_string(&manifest)? + &patch)?;
    let mut build = Command::new("cargo");
    build.args(["check", "--quiet", "--examples", "--all-features", "--target-dir"]);
    let built = build.arg(target.join("unpacked")).current_dir(&unpacked).status()?;
    if !built.success() {
        findings.push("the examples of the package do not compile".to_owned());
    }
    Ok(verdict(findings, || format!("the packages have the files of {count} links, and examples")))
}

/// Returns the relative links of a document, without their fragments.
fn links(document: &str) -> Result<Vec<String>, Error> {
    let link = Regex::new(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)")?;
    Ok(link.captures_iter(document).map(|found| found[1].to_owned()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_links_are_found() {
        let text =
            "[a](one.md), [b](two/three.md#part) [c](#here) [d](https://d.example/x) [e](f::g)";
        assert_eq!(links(text).expect("a valid pattern"), ["one.md", "two/three.md"]);
    }
}
