//! Runs pip, once for the same requirements, into a folder of the cache.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::super::failed;
use super::interpreter::Interpreter;
use super::requirements::{self, Requirements};
use crate::diagnostic::{Diagnostic, Place};

/// Names of packages shown while they are installed; a long list says no more.
const PROGRESS_CHARS_MAX: usize = 100;

/// The folder with the packages of these requirements.
pub(super) fn install(
    cache: &Path,
    dir: &Path,
    file: &str,
    requirements: &Requirements,
    python: &Interpreter,
    arguments: &[String],
    say: &dyn Fn(&str),
) -> Result<PathBuf, Diagnostic> {
    let python_cache = cache.join("python");
    let folder = python_cache.join(requirements.digest(&python.version, arguments)?);
    if folder.exists() {
        return Ok(folder);
    }
    say(&format!("installing the packages of {file} (pip of Python {}, once)", python.version));
    // Installed beside its place and then moved, so that a broken one is not taken for a whole.
    static INSTALLS: AtomicUsize = AtomicUsize::new(0);
    let (process, install) = (std::process::id(), INSTALLS.fetch_add(1, Ordering::Relaxed));
    let scratch = Scratch(python_cache.join(format!("new-{process}-{install}")));
    let at = Place::file(file);
    let broken = |error: std::io::Error| failed(&at, "installing packages", &error);
    std::fs::create_dir_all(&scratch.0).map_err(broken)?;
    let list = scratch.0.join("requirements.txt");
    std::fs::write(&list, requirements.text()).map_err(broken)?;
    let errors = scratch.0.join("errors");
    let site = scratch.0.join("site");
    std::fs::create_dir(&site).map_err(broken)?;
    let mut command = Command::new(&python.program);
    command.args(["-m", "pip", "install", "--no-compile", "--target"]).arg(&site);
    command.arg("--requirement").arg(&list).args(arguments);
    // What a user sets for pip is for environments, and would be in the way of a folder.
    for (name, value) in [
        ("PIP_USER", "0"),
        ("PIP_REQUIRE_VIRTUALENV", "0"),
        ("PIP_DISABLE_PIP_VERSION_CHECK", "1"),
        ("PIP_NO_INPUT", "1"),
        ("PIP_ROOT_USER_ACTION", "ignore"),
        ("PIP_NO_WARN_SCRIPT_LOCATION", "1"),
    ] {
        command.env(name, value);
    }
    let output = File::create(&errors).map_err(broken)?;
    command.current_dir(dir).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(output);
    if !run(command, say).map_err(broken)? {
        let text = std::fs::read_to_string(&errors).unwrap_or_default();
        return Err(complaint(&text, file, requirements, python));
    }
    match std::fs::rename(&site, &folder) {
        // Someone else was quicker.
        Err(_) if folder.exists() => Ok(folder),
        moved => moved.map(|()| folder).map_err(broken),
    }
}

/// Runs pip to its end and tells its progress on the way; whether it succeeded.
fn run(mut command: Command, say: &dyn Fn(&str)) -> std::io::Result<bool> {
    let mut child = command.spawn()?;
    for line in child.stdout.take().into_iter().flat_map(|out| BufReader::new(out).lines()) {
        if let Some(step) = progress(&line?) {
            say(&format!("pip: {step}"));
        }
    }
    Ok(child.wait()?.success())
}

/// What of pip's output tells how far it is.
fn progress(line: &str) -> Option<String> {
    let line = line.trim();
    let told = ["Collecting ", "Downloading ", "Building wheel", "Installing collected"];
    if !told.iter().any(|start| line.starts_with(start)) {
        return None;
    }
    let line = line.split(" (from ").next().unwrap_or(line);
    let mut text: String = line.chars().take(PROGRESS_CHARS_MAX).collect();
    if text.len() < line.len() {
        text.push('…');
    }
    Some(text)
}

/// Pip's first error at the line it is about:
///
/// ```text
/// ERROR: Invalid requirement: 'foo=1' (from line 2 of r.txt)
/// Hint: = is not a valid operator. Did you mean == ?
/// ```
fn complaint(
    text: &str,
    file: &str,
    requirements: &Requirements,
    python: &Interpreter,
) -> Diagnostic {
    let Interpreter { program, version } = python;
    let errors: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("ERROR: ")).collect();
    let last = text.lines().map(str::trim).rfind(|line| !line.is_empty());
    let error = errors.first().copied().or(last).unwrap_or("it did not say why").trim();
    let at = place(error, requirements).unwrap_or_else(|| Place::file(file));
    let mut message = error.split(" (from line ").next().unwrap_or(error).to_owned();
    if let Some(hint) = text.lines().find_map(|line| line.strip_prefix("Hint: ")) {
        message += &format!(": {hint}");
    }
    let offline = ["name resolution", "Failed to establish a new connection", "getaddrinfo"];
    let help = if text.contains("No module named pip") {
        format!("install it: {} -m ensurepip", program.display())
    } else if offline.iter().any(|sign| text.contains(sign)) {
        "connect to the network once; the packages are kept".to_owned()
    } else if error.contains("(from versions: none)") {
        "correct its name, or name the index that has it: --index-url https://…".to_owned()
    } else if error.contains("(from versions: ") {
        format!("take one of these versions: they are those for Python {version}")
    } else if error.starts_with("Invalid requirement") {
        "correct the line".to_owned()
    } else if text.contains("subprocess-exited-with-error") || text.contains("building wheel") {
        format!("take a version that has a wheel for Python {version}, or install its build tools")
    } else {
        format!("run it yourself to see more: {} -m pip install -r {file}", program.display())
    };
    Diagnostic::new(&at, format!("pip failed: {message}")).help(help)
}

/// The line an error is about: by its number, else by the package it names.
fn place(error: &str, requirements: &Requirements) -> Option<Place> {
    let number = error.split_once("(from line ").and_then(|(_, rest)| rest.split_once(' '));
    if let Some(number) = number.and_then(|(number, _)| number.parse::<usize>().ok()) {
        return requirements.lines.get(number.checked_sub(1)?).map(|line| line.at.clone());
    }
    let mut words = error.split([' ', '\'', '"', ',']).filter_map(requirements::name);
    let named = |word: &String| {
        let mut lines = requirements.lines.iter();
        lines.find(|line| requirements::name(&line.text).as_ref() == Some(word))
    };
    // An option that pip does not know is repeated as it stands.
    let repeated = || requirements.lines.iter().find(|line| error.ends_with(&line.text));
    words.find_map(|word| named(&word)).or_else(repeated).map(|line| line.at.clone())
}

struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _leftover = std::fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let dir = tempfile::TempDir::new().unwrap();
        std::fs::write(dir.path().join("r.txt"), "# x\nsix\nfoo=1\nNo_Such>=9\n--wat x\n").unwrap();
        let requirements = requirements::read(dir.path(), "r.txt", &[]).unwrap();
        let python = Interpreter { program: "python3".into(), version: "3.12".to_owned() };
        assert_eq!(complaint(text, "r.txt", &requirements, &python).to_string(), expected);
    }

    #[test]
    fn complaints_of_pip() {
        check(
            "ERROR: Invalid requirement: 'foo=1' (from line 2 of /x/requirements.txt)\n\
             Hint: = is not a valid operator. Did you mean == ?\n",
            "r.txt:3:1: pip failed: Invalid requirement: 'foo=1': = is not a valid operator. Did \
             you mean == ?\nhelp: correct the line",
        );
        check(
            "ERROR: Could not find a version that satisfies the requirement no-such>=9 (from \
             versions: 1.0, 2.0)\nERROR: No matching distribution found for no-such>=9\n",
            "r.txt:4:1: pip failed: Could not find a version that satisfies the requirement \
             no-such>=9 (from versions: 1.0, 2.0)\n\
             help: take one of these versions: they are those for Python 3.12",
        );
        check(
            "WARNING: Retrying after connection broken by '…: Temporary failure in name \
             resolution'\nERROR: Could not find a version that satisfies the requirement six \
             (from versions: none)\n",
            "r.txt:2:1: pip failed: Could not find a version that satisfies the requirement six \
             (from versions: none)\nhelp: connect to the network once; the packages are kept",
        );
        check(
            "Usage: pip\n\nERROR: Invalid requirement: --wat x\npip: error: no such option: \
             --wat\n",
            "r.txt:5:1: pip failed: Invalid requirement: --wat x\nhelp: correct the line",
        );
        check(
            "/usr/bin/python3: No module named pip\n",
            "r.txt: pip failed: /usr/bin/python3: No module named pip\n\
             help: install it: python3 -m ensurepip",
        );
        check(
            "",
            "r.txt: pip failed: it did not say why\n\
             help: run it yourself to see more: python3 -m pip install -r r.txt",
        );
    }

    #[test]
    fn progress_is_told_in_short() {
        let check = |line: &str, expected: Option<&str>| {
            assert_eq!(progress(line).as_deref(), expected);
        };
        check("Collecting six (from -r r.txt (line 1))", Some("Collecting six"));
        check("  Downloading six-1-py3.whl (11 kB)", Some("Downloading six-1-py3.whl (11 kB)"));
        check("Looking in links: /x", None);
    }
}
