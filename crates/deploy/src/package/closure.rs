//! Packages that stay outside a bundle, with all that they need.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use super::{Files, failed, npm};
use crate::diagnostic::{Diagnostic, Place};

/// Packages brought along with one bundle.
const PACKAGES_MAX: usize = 1_000;
const DEPTH_MAX: usize = 32;

/// Adds the packages with these names and their dependencies.
pub(super) fn add(
    dir: &Path,
    names: &[String],
    at: &Place,
    files: &mut Files,
) -> Result<(), Diagnostic> {
    let mut seen: BTreeSet<String> = BTreeSet::new();
    // Of a pattern such as `sharp/*`, the package.
    let mut open: Vec<(String, bool)> =
        names.iter().map(|name| (name.trim_end_matches("/*").to_owned(), true)).collect();
    while let Some((name, required)) = open.pop() {
        if !seen.insert(name.clone()) {
            continue;
        }
        if seen.len() > PACKAGES_MAX {
            let message = format!("external packages need more than {PACKAGES_MAX} others");
            return Err(Diagnostic::new(at, message).help("bundle them: remove them from external"));
        }
        let Some(folder) = npm::module_file(dir, &name) else {
            if required {
                let message = format!("the external package {name} is not installed");
                return Err(Diagnostic::new(at, message).help(format!("npm install {name}")));
            }
            continue;
        };
        copy(&folder, &format!("node_modules/{name}"), 0, at, files)?;
        let manifest = std::fs::read_to_string(folder.join("package.json")).unwrap_or_default();
        let manifest: Value = serde_json::from_str(&manifest).unwrap_or_default();
        // Optional ones may well be missing: they are for other systems.
        for (section, required) in
            [("dependencies", true), ("optionalDependencies", false), ("peerDependencies", false)]
        {
            let needed = manifest[section].as_object().into_iter().flatten();
            open.extend(needed.map(|(name, _)| (name.clone(), required)));
        }
    }
    Ok(())
}

fn copy(
    from: &Path,
    to: &str,
    depth: usize,
    at: &Place,
    files: &mut Files,
) -> Result<(), Diagnostic> {
    let broken = |error: std::io::Error| failed(at, &format!("packing {to}"), &error);
    if depth > DEPTH_MAX {
        return Ok(());
    }
    for entry in std::fs::read_dir(from).map_err(broken)? {
        let path = entry.map_err(broken)?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        let target = format!("{to}/{name}");
        if path.is_dir() {
            copy(&path, &target, depth + 1, at, files)?;
        } else {
            files.insert(target, std::fs::read(&path).map_err(broken)?);
        }
    }
    Ok(())
}
