//! The project's dependencies: whether there are any, and that they are installed.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::handler::Handler;
use crate::diagnostic::{Diagnostic, Place};
use crate::project::Project;

/// Whether a function's code must be bundled to run.
pub(super) fn needs_bundle(project: &Project, handler: &Handler) -> bool {
    project.bundling.requested || handler.is_typescript() || has(&project.dir, &["dependencies"])
}

/// Whether the project's modules are ES modules unless their names say otherwise.
pub(super) fn is_module(dir: &Path) -> bool {
    manifest(dir).is_some_and(|manifest| manifest["type"] == "module")
}

fn manifest(dir: &Path) -> Option<Value> {
    let text = std::fs::read_to_string(dir.join("package.json")).ok()?;
    serde_json::from_str(&text).ok()
}

fn has(dir: &Path, sections: &[&str]) -> bool {
    let Some(manifest) = manifest(dir) else { return false };
    sections
        .iter()
        .any(|section| manifest[section].as_object().is_some_and(|packages| !packages.is_empty()))
}

/// A file below `node_modules` of the project or of a folder above it.
pub(super) fn module_file(dir: &Path, name: &str) -> Option<PathBuf> {
    let dir = dir.canonicalize().ok()?;
    dir.ancestors().map(|folder| folder.join("node_modules").join(name)).find(|path| path.exists())
}

/// Installs the dependencies where that has not been done.
pub(super) fn install(dir: &Path, say: &dyn Fn(&str)) -> Result<(), Diagnostic> {
    let at = Place::file("package.json");
    let path = dir.join("package.json");
    if let Ok(text) = std::fs::read_to_string(&path)
        && let Err(error) = serde_json::from_str::<Value>(&text)
    {
        return Err(Diagnostic::new(&at, format!("is not JSON: {error}")));
    }
    if !has(dir, &["dependencies", "devDependencies"]) || is_installed(dir) {
        return Ok(());
    }
    let locked = dir.join("package-lock.json").exists();
    let verb = if locked { "ci" } else { "install" };
    say(&format!("installing the dependencies of {} (npm {verb})", dir.display()));
    run(Command::new("npm").args([verb, "--no-audit", "--no-fund"]).current_dir(dir), &at)
}

/// Whether there are modules of the project, or of the workspace it is a part of: npm installs
/// those of all parts at its root.
fn is_installed(dir: &Path) -> bool {
    if dir.join("node_modules").exists() {
        return true;
    }
    let Ok(dir) = dir.canonicalize() else { return false };
    let workspace = |folder: &&Path| manifest(folder).is_some_and(|it| !it["workspaces"].is_null());
    let root = dir.ancestors().skip(1).find(workspace);
    root.is_some_and(|root| root.join("node_modules").exists())
}

/// Runs npm to its end.
pub(super) fn run(command: &mut Command, at: &Place) -> Result<(), Diagnostic> {
    let output = command.output().map_err(|error| {
        Diagnostic::new(at, format!("npm could not be started: {error}"))
            .help("install Node.js, which brings npm: apt install nodejs npm")
    })?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    let reason: Vec<&str> =
        text.lines().filter(|line| line.contains("npm error") || line.contains("ERR!")).collect();
    let reason = if reason.is_empty() { text.trim().to_owned() } else { reason.join("\n") };
    Err(Diagnostic::new(at, format!("npm failed: {reason}"))
        .help("run it yourself in that folder to see more"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_workspace_is_installed_with_it() {
        let root = tempfile::tempdir().unwrap();
        let part = root.path().join("parts/one");
        std::fs::create_dir_all(&part).unwrap();
        std::fs::create_dir(root.path().join("node_modules")).unwrap();
        assert!(!is_installed(&part), "modules above that are another's");
        let manifest = root.path().join("package.json");
        std::fs::write(&manifest, r#"{ "workspaces": ["parts/*"] }"#).unwrap();
        assert!(is_installed(&part));
        std::fs::remove_dir(root.path().join("node_modules")).unwrap();
        assert!(!is_installed(&part), "nothing is installed yet");
        std::fs::create_dir(part.join("node_modules")).unwrap();
        assert!(is_installed(&part));
    }
}
