//! The Python that installs packages: the one that will run the function, or the nearest.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::diagnostic::{Diagnostic, Place};

/// Where a version may be beside PATH, as the platform looks for it too.
const FOLDERS: &[&str] = &["/usr/local/bin", "/usr/bin", "/opt/homebrew/bin"];
const VERSIONS_IN_HOME: &[(&str, &str)] =
    &[(".pyenv/versions", ""), (".local/share/uv/python", "cpython-")];

const PROBE: &str = "import sys; print('%d.%d' % sys.version_info[:2], sys.executable)";

/// A Python that has been asked for its version.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::package) struct Interpreter {
    pub(super) program: PathBuf,
    /// `3.12`
    pub(super) version: String,
}

/// The interpreter of a runtime, `python3.12`; or the one that the project names.
pub(super) fn find(
    runtime: &str,
    named: Option<&str>,
    at: &Place,
) -> Result<Interpreter, Diagnostic> {
    let asked = runtime.trim_start_matches("python");
    // A runtime's own name, `pythonBin: python3.12`, is looked for like the runtime's version.
    if let Some(named) = named.filter(|named| named.trim_start_matches("python") != asked)
        && let Some(found) = probe(Path::new(named))
    {
        return Ok(found);
    }
    let mut nearest = None;
    for program in candidates(asked) {
        match probe(&program) {
            Some(found) if found.version == asked => return Ok(found),
            found => nearest = nearest.or(found),
        }
    }
    nearest.ok_or_else(|| {
        let message = format!("{runtime} needs packages, and no Python is installed to get them");
        Diagnostic::new(at, message).help("install Python with pip: apt install python3-pip")
    })
}

/// Names for PATH and paths, those of the version first.
fn candidates(version: &str) -> Vec<PathBuf> {
    let name = format!("python{version}");
    let mut all = vec![PathBuf::from(&name)];
    all.extend(FOLDERS.iter().map(|folder| Path::new(folder).join(&name)));
    if let Some(home) = std::env::home_dir() {
        for (folder, prefix) in VERSIONS_IN_HOME {
            all.extend(within(&home.join(folder), &format!("{prefix}{version}.")));
        }
    }
    // A bare name may be in PATH; whether it is, is found out by starting it.
    all.retain(|path| path.components().count() == 1 || path.exists());
    all.push(PathBuf::from("python3"));
    all
}

fn within(folder: &Path, prefix: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = entries
        .filter(|entry| entry.file_name().to_str().is_some_and(|name| name.starts_with(prefix)))
        .map(|entry| entry.path().join("bin/python3"))
        .collect();
    found.sort();
    found.reverse();
    found
}

/// What a program says it is; nothing where it is no Python, or cannot be started.
fn probe(program: &Path) -> Option<Interpreter> {
    let output = Command::new(program).args(["-c", PROBE]).output().ok()?;
    let text = String::from_utf8(output.stdout).ok().filter(|_| output.status.success())?;
    let (version, path) = text.trim().split_once(' ')?;
    Some(Interpreter { program: path.into(), version: version.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_python_is_found_for_any_version() {
        let at = Place::file("serverless.yml");
        let nearest = find("python3.99", None, &at).unwrap();
        assert!(nearest.version.starts_with("3."), "{nearest:?}");
        let runtime = format!("python{}", nearest.version);
        assert_eq!(find(&runtime, Some("no-such-python"), &at).unwrap().version, nearest.version);
        let named = nearest.program.to_str().unwrap();
        assert_eq!(find("python3.99", Some(named), &at).unwrap(), nearest);
    }
}
