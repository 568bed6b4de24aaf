//! The project's own files, as patterns choose them.

use std::path::Path;

use super::{Files, failed, glob};
use crate::diagnostic::{Diagnostic, Place};

/// Never part of a package, whatever patterns say: the framework's own list and ours.
const NEVER: &[&str] = &[
    ".git/**",
    ".gitignore",
    ".DS_Store",
    "npm-debug.log",
    "serverless.yml",
    "serverless.yaml",
    "serverless.json",
    ".serverless/**",
    ".serverless_plugins/**",
    ".cumulet/**",
];

/// Whether a folder holds the platform's data, under whatever name: then nothing below it is source.
pub fn is_data(folder: &Path) -> bool {
    folder.join(store::DATA_MARKER).exists()
}

/// Part of a package only where a pattern asks for it. What Python compiles for itself is of no use
/// to another version, nor to this one at another date.
const UNLESS_ASKED: &[&str] =
    &["node_modules/**", ".env", ".env.*", "**/__pycache__/**", "**/*.py[co]"];

/// Whether a folder is a virtual environment: its packages are linked to where it stands.
pub fn is_environment(folder: &Path) -> bool {
    folder.join("pyvenv.cfg").exists()
}

/// Files of one package.
const FILES_MAX: usize = 50_000;
/// How deep folders may nest.
const DEPTH_MAX: usize = 64;

/// All files but those that a pattern takes away.
pub(super) fn matching(dir: &Path, patterns: &[String], at: &Place) -> Result<Files, Diagnostic> {
    collect(dir, patterns, at, |path| !is_any(UNLESS_ASKED, path))
}

/// The files of a folder that was made to be packed, `node_modules` among them.
pub(super) fn made(dir: &Path, patterns: &[String], at: &Place) -> Result<Files, Diagnostic> {
    let mut all = vec!["node_modules/**".to_owned()];
    all.extend_from_slice(patterns);
    collect(dir, &all, at, |path| !is_any(UNLESS_ASKED, path))
}

/// Only the files that a pattern asks for.
pub(super) fn asked_for(dir: &Path, patterns: &[String], at: &Place) -> Result<Files, Diagnostic> {
    if patterns.iter().all(|pattern| pattern.starts_with('!')) {
        return Ok(Files::new());
    }
    collect(dir, patterns, at, |_| false)
}

fn is_any(patterns: &[&str], path: &str) -> bool {
    patterns.iter().any(|pattern| glob::matches(pattern, path))
}

fn collect(
    dir: &Path,
    patterns: &[String],
    at: &Place,
    at_first: fn(&str) -> bool,
) -> Result<Files, Diagnostic> {
    // `node_modules` is large: it is looked into only where a pattern asks for something in it.
    let wants_modules = patterns
        .iter()
        .any(|pattern| !pattern.starts_with('!') && pattern.contains("node_modules"));
    let mut files = Files::new();
    let mut folders = vec![(dir.to_owned(), String::new(), 0)];
    while let Some((folder, prefix, depth)) = folders.pop() {
        let entries = std::fs::read_dir(&folder).map_err(|error| failed(at, "packing", &error))?;
        for entry in entries {
            let entry = entry.map_err(|error| failed(at, "packing", &error))?;
            let Some(name) = entry.file_name().to_str().map(str::to_owned) else { continue };
            let path = format!("{prefix}{name}");
            if is_any(NEVER, &path) || (name == "node_modules" && !wants_modules) {
                continue;
            }
            // Links are followed, as the framework does; a circle of them ends at the depth limit.
            let full = entry.path();
            if full.is_dir() {
                if depth < DEPTH_MAX && !is_data(&full) && !is_environment(&full) {
                    folders.push((full, format!("{path}/"), depth + 1));
                }
            } else if is_chosen(patterns, &path, at_first(&path)) {
                let content = std::fs::read(&full)
                    .map_err(|error| failed(at, &format!("packing {path}"), &error))?;
                files.insert(path, content);
            }
            if files.len() > FILES_MAX {
                let message = format!("a package has more than {FILES_MAX} files");
                return Err(Diagnostic::new(at, message)
                    .help("leave files out with package.patterns: ['!folder/**']"));
            }
        }
    }
    Ok(files)
}

/// The last pattern that matches decides.
fn is_chosen(patterns: &[String], path: &str, at_first: bool) -> bool {
    patterns.iter().fold(at_first, |chosen, pattern| match pattern.strip_prefix('!') {
        Some(pattern) => chosen && !glob::matches(pattern, path),
        None => chosen || glob::matches(pattern, path),
    })
}
