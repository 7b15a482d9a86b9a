//! Check that the public interface without the feature `client` is that of the client, item by item.
//!
//! rustdoc describes both in JSON. The check compares the paths and signatures of all public functions,
//! types, variants, fields and traits, and which traits each type implements. It ignores supertraits
//! that seal a trait.

use crate::{Error, Verdict, output, verdict};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

/// Public items by their paths, with a text of each signature.
type Interface = BTreeMap<String, String>;

pub(crate) fn check(root: &Path) -> Result<Verdict, Error> {
    let client = interface(root, &[])?;
    let off = interface(root, &["--no-default-features"])?;
    let mut findings = Vec::new();
    for (path, signature) in &client {
        match off.get(path) {
            None => findings.push(format!("missing without the client: {path}")),
            Some(other) if other != signature => {
                findings
                    .push(format!("differs: {path}\n  client:  {signature}\n  without: {other}"));
            }
            Some(_) => {}
        }
    }
    let more = off.keys().filter(|path| !client.contains_key(*path));
    findings.extend(more.map(|path| format!("only without the client: {path}")));
    if client.len() < 100 {
        findings.push(format!("only {} public items were found", client.len()));
    }
    Ok(verdict(findings, || format!("{} public items, the same without the client", client.len())))
}

fn interface(root: &Path, features: &[&str]) -> Result<Interface, Error> {
    // The variable lets a stable compiler accept -Z options.
    let mut command = Command::new("cargo");
    command.current_dir(root).env("RUSTC_BOOTSTRAP", "1");
    let target = root.join("target/interface");
    command.args(["rustdoc", "--quiet", "--lib"]).args(features).arg("--target-dir").arg(&target);
    output(command.args([
        "--",
        "-Zunstable-options",
        "--output-format=json",
        "--cap-lints=allow",
    ]))?;
    let text = std::fs::read_to_string(target.join("doc/freewheel.json"))?;
    let description: Value = serde_json::from_str(&text)?;
    let mut reader = Reader { index: &description["index"], items: Interface::new() };
    let root = reader.item(&description["root"]);
    reader.read_children("freewheel", &root["inner"]["module"]["items"]);
    Ok(reader.items)
}

struct Reader<'a> {
    index: &'a Value,
    items: Interface,
}

impl<'a> Reader<'a> {
    fn item(&self, id: &Value) -> &'a Value {
        &self.index[id.to_string()]
    }

    fn read_children(&mut self, path: &str, ids: &'a Value) {
        for id in ids.as_array().into_iter().flatten() {
            let item = self.item(id);
            self.read(path, item["name"].as_str().unwrap_or_default(), item);
        }
    }

    /// Reads an item of the module or type with the path `parent`.
    fn read(&mut self, parent: &str, name: &str, item: &'a Value) {
        let inner = item["inner"].as_object().and_then(|inner| inner.iter().next());
        let Some((kind, inner)) = inner else { return };
        let path = format!("{parent}::{name}");
        match &**kind {
            // What the crate takes over from private modules.
            "use" => {
                let used = self.item(&inner["id"]);
                self.read(parent, inner["name"].as_str().unwrap_or_default(), used);
            }
            "module" => self.read_children(&path, &inner["items"]),
            "impl" => self.read_impl(parent, inner),
            "struct" | "enum" | "trait" => {
                let generics = signature(&inner["generics"]);
                self.items.insert(path.clone(), format!("{kind} {generics} {}", attributes(item)));
                for children in [
                    &inner["impls"],
                    &inner["variants"],
                    &inner["kind"]["plain"]["fields"],
                    &inner["items"],
                ] {
                    self.read_children(&path, children);
                }
            }
            "variant" => {
                let fields = self.types_of_fields(&inner["kind"]);
                self.items.insert(path, format!("{kind} {fields} {}", attributes(item)));
            }
            _ => {
                self.items
                    .insert(path, format!("{kind} {} {}", signature(inner), attributes(item)));
            }
        }
    }

    /// Returns a text with the types of a variant's fields.
    fn types_of_fields(&self, kind: &Value) -> String {
        let named = kind["struct"]["fields"].as_array();
        let ids = kind["tuple"].as_array().or(named).into_iter().flatten();
        let fields = ids.map(|id| self.item(id));
        fields.map(|field| format!("{} {}, ", field["name"], signature(&field["inner"]))).collect()
    }

    /// Reads the methods of a type, or notes a trait that it implements.
    fn read_impl(&mut self, path: &str, inner: &'a Value) {
        if !inner["blanket_impl"].is_null() {
            return;
        }
        let Some(name) = inner["trait"]["path"].as_str() else {
            // Methods of the same name may be for different arguments of the type.
            let arguments = &inner["for"]["resolved_path"]["args"]["angle_bracketed"]["args"];
            let types = arguments
                .as_array()
                .into_iter()
                .flatten()
                .filter(|argument| argument["lifetime"].is_null());
            let arguments: String = types.map(signature).collect();
            return self.read_children(&format!("{path}{arguments}"), &inner["items"]);
        };
        let name = name.rsplit("::").next().unwrap_or_default();
        // Traits that seal others are no part of the interface.
        if !matches!(name, "Sealed") {
            let arguments = signature(&inner["trait"]["args"]);
            let negative = if inner["is_negative"] == true { "not " } else { "" };
            let generics = signature(&inner["generics"]);
            self.items.insert(format!("{path}: {negative}{name} {arguments}"), generics);
        }
    }
}

/// Returns a text that is the same for the same types, whatever module defines them.
fn signature(description: &Value) -> String {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(fields) => {
                // Numbers of items, and whether there is a body, differ between builds.
                fields.remove("id");
                fields.remove("has_body");
                if let Some(Value::String(path)) = fields.get_mut("path") {
                    *path = path.rsplit("::").next().unwrap_or_default().to_owned();
                }
                fields.values_mut().for_each(strip);
            }
            Value::Array(values) => values.iter_mut().for_each(strip),
            _ => {}
        }
    }
    let mut description = description.clone();
    strip(&mut description);
    description.to_string()
}

/// Returns the attributes of an item that its users notice.
fn attributes(item: &Value) -> String {
    let attributes = item["attrs"].as_array().into_iter().flatten().map(Value::to_string);
    attributes.filter(|text| text.contains("must_use") || text.contains("non_exhaustive")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_do_not_depend_on_modules() {
        let one = serde_json::json!({ "inputs": [{ "path": "a::Value", "id": 1 }] });
        let other = serde_json::json!({ "inputs": [{ "path": "b::c::Value", "id": 2 }] });
        assert_eq!(signature(&one), signature(&other));
        let third = serde_json::json!({ "inputs": [{ "path": "a::Tags", "id": 1 }] });
        assert_ne!(signature(&one), signature(&third));
    }
}
