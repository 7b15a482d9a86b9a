//! Check of the package that would be published: it contains every file that its documents link to, and
//! its examples compile.

use crate::links::links;
use crate::{Error, Findings, Verdict, output, verdict};
use std::fs;
use std::path::Path;
use std::process::Command;
use walkdir::WalkDir;

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
        for entry in WalkDir::new(&unpacked) {
            let document = entry?.into_path();
            // The guide's links are those of rustdoc.
            let is_document = document.extension().is_some_and(|extension| extension == "md");
            if !is_document || document.ends_with("src/guide.md") {
                continue;
            }
            let text = fs::read_to_string(&document)?;
            let folder = document.parent().unwrap_or(&unpacked);
            for (link, _) in links(&text)? {
                count += 1;
                if !folder.join(&link).exists() {
                    let name = document.strip_prefix(&unpacked)?.display();
                    findings.push(format!("{package}: {name} links to {link}, which is missing"));
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
