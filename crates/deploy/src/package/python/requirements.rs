//! `requirements.txt` as one list of lines, each with the place it was written at, and all that
//! decides which packages it comes to.

use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::super::{failed, files};
use crate::diagnostic::{Diagnostic, Place};

/// Files that include one another.
const DEPTH_MAX: usize = 16;
/// Lines of all files together.
const LINES_MAX: usize = 10_000;

/// One line for pip.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Line {
    pub(super) text: String,
    pub(super) at: Place,
}

/// Everything a file asks for.
#[derive(Debug, Default)]
pub(super) struct Requirements {
    pub(super) lines: Vec<Line>,
    /// Files and folders whose content counts: constraints, wheels, sources.
    inputs: Vec<PathBuf>,
}

/// Reads a file, named from the project's folder, without the packages that are not to be brought.
pub(super) fn read(dir: &Path, file: &str, without: &[String]) -> Result<Requirements, Diagnostic> {
    let mut found = Requirements::default();
    include(dir, file, &Place::file(file), 0, &mut found)?;
    let without: Vec<String> = without.iter().map(|name| normal(name)).collect();
    found.lines.retain(|line| name(&line.text).is_none_or(|name| !without.contains(&name)));
    Ok(found)
}

impl Requirements {
    /// Whether there is nothing to install: options alone ask for nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.lines.iter().all(|line| line.text.starts_with('-'))
    }

    /// As pip reads it: the lines with their numbers.
    pub(super) fn text(&self) -> String {
        self.lines.iter().map(|line| format!("{}\n", line.text)).collect()
    }

    /// Hexadecimal; another one where the packages may be others.
    pub(super) fn digest(&self, version: &str, arguments: &[String]) -> Result<String, Diagnostic> {
        let mut hash = Sha256::new();
        // Changes where what is kept of an installation changes.
        hash.update(format!("1\n{version}\n{arguments:?}\n{}", self.text()));
        for input in &self.inputs {
            hash.update(format!("{}\n", input.display()));
            let at = Place::file(&input.to_string_lossy());
            if input.is_dir() {
                for (path, content) in files::matching(input, &[], &at)? {
                    hash.update(format!("{path}\n"));
                    hash.update(Sha256::digest(content));
                }
            } else if let Ok(content) = std::fs::read(input) {
                hash.update(Sha256::digest(content));
            }
        }
        Ok(hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect())
    }
}

fn include(
    dir: &Path,
    file: &str,
    from: &Place,
    depth: usize,
    found: &mut Requirements,
) -> Result<(), Diagnostic> {
    let text = match std::fs::read_to_string(dir.join(file)) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(Diagnostic::new(from, format!("the file {file} does not exist"))
                .help("create it, or correct its name"));
        }
        Err(error) => return Err(failed(from, &format!("reading {file}"), &error)),
    };
    if depth > DEPTH_MAX || found.lines.len() > LINES_MAX {
        return Err(Diagnostic::new(from, "requirements include one another without end")
            .help("remove one of the -r lines"));
    }
    for (number, text) in logical(&text) {
        let at = Place { file: file.into(), line: number, col: 1 };
        line(dir, file, &text, at, depth, found)?;
    }
    Ok(())
}

fn line(
    dir: &Path,
    file: &str,
    text: &str,
    at: Place,
    depth: usize,
    found: &mut Requirements,
) -> Result<(), Diagnostic> {
    let beside = |path: &str| match file.rsplit_once('/') {
        Some((folder, _)) => format!("{folder}/{path}"),
        None => path.to_owned(),
    };
    if let Some(path) = option(text, "-r", "--requirement") {
        return include(dir, &beside(path), &at, depth + 1, found);
    }
    for (short, long) in [("-c", "--constraint"), ("-f", "--find-links")] {
        let Some(path) = option(text, short, long) else { continue };
        let path = dir.join(beside(path));
        if path.exists() {
            // Pip reads a file of ours in another folder.
            let path = path.canonicalize().unwrap_or(path);
            found.lines.push(Line { text: format!("{long} {}", path.display()), at });
            found.inputs.push(path);
            return Ok(());
        }
    }
    // A link to a folder here would lead nowhere in a package, so it is installed.
    let text = option(text, "-e", "--editable").unwrap_or(text);
    if text.contains('/') && !text.starts_with('-') {
        let path = dir.join(text.split(';').next().unwrap_or(text).trim());
        found.inputs.extend(Some(path).filter(|path| path.exists()));
    }
    found.lines.push(Line { text: text.to_owned(), at });
    Ok(())
}

/// Lines without comments and continuations, each with the number of its first.
fn logical(text: &str) -> Vec<(u32, String)> {
    let mut lines: Vec<(u32, String)> = Vec::new();
    let mut open = false;
    for (number, line) in (1..).zip(text.lines()) {
        let comment = line
            .match_indices('#')
            .find(|(index, _)| line[..*index].chars().next_back().is_none_or(char::is_whitespace));
        let line = comment.map_or(line, |(index, _)| &line[..index]);
        let goes_on = line.ends_with('\\');
        let part = line.trim_end_matches('\\').trim();
        match lines.last_mut().filter(|_| open) {
            Some((_, before)) => *before += &format!(" {part}"),
            None => lines.push((number, part.to_owned())),
        }
        open = goes_on;
    }
    lines.retain(|(_, line)| !line.is_empty());
    lines
}

/// The value of an option in any of its forms: `-r x`, `-rx`, `--requirement x`,
/// `--requirement=x`.
fn option<'t>(text: &'t str, short: &str, long: &str) -> Option<&'t str> {
    let rest = match text.strip_prefix(long) {
        Some(rest) => rest.strip_prefix([' ', '=']),
        None if text.starts_with("--") => None,
        None => text.strip_prefix(short),
    };
    rest.map(str::trim).filter(|value| !value.is_empty())
}

/// The name of the package a line asks for, in its normal form.
pub(super) fn name(text: &str) -> Option<String> {
    if text.starts_with(['-', '.', '/']) {
        return None;
    }
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c)));
    Some(normal(&text[..end.unwrap_or(text.len())])).filter(|name| !name.is_empty())
}

/// `Python_Dateutil` → `python-dateutil`
fn normal(name: &str) -> String {
    name.to_ascii_lowercase().replace(['_', '.'], "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(files: &[(&str, &str)], without: &[&str], expected: &str) {
        let dir = tempfile::TempDir::new().unwrap();
        for (path, text) in files {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let without: Vec<String> = without.iter().map(|name| (*name).to_owned()).collect();
        let found = match read(dir.path(), files[0].0, &without) {
            Ok(found) => found.lines.iter().map(|l| format!("{} {}\n", l.at, l.text)).collect(),
            Err(diagnostic) => format!("{diagnostic}\n"),
        };
        let root = dir.path().canonicalize().unwrap().display().to_string();
        assert_eq!(found.replace(&root, "ROOT"), expected);
    }

    #[test]
    fn lines_keep_their_places() {
        check(
            &[
                (
                    "src/requirements.txt",
                    "# what we need\nsix==1.0 # pinned\n\n-r more/base.txt\na \\\n  >=2\n\
                     -e ../lib\n--find-links=wheels\nu @ https://x/y#egg=u\nBoto_3.x\n",
                ),
                ("src/more/base.txt", "b;python_version>'3'\n-c limits.txt\n"),
                ("src/more/limits.txt", "b<2\n"),
                ("src/wheels/x.whl", ""),
            ],
            &["boto-3.X"],
            "src/requirements.txt:2:1 six==1.0\n\
             src/more/base.txt:1:1 b;python_version>'3'\n\
             src/more/base.txt:2:1 --constraint ROOT/src/more/limits.txt\n\
             src/requirements.txt:5:1 a >=2\n\
             src/requirements.txt:7:1 ../lib\n\
             src/requirements.txt:8:1 --find-links ROOT/src/wheels\n\
             src/requirements.txt:9:1 u @ https://x/y#egg=u\n",
        );
    }

    #[test]
    fn files_that_are_not_there_or_include_themselves() {
        check(
            &[("r.txt", "six\n-r none.txt\n")],
            &[],
            "r.txt:2:1: the file none.txt does not exist\nhelp: create it, or correct its name\n",
        );
        check(
            &[("r.txt", "-r r.txt\n")],
            &[],
            "r.txt:1:1: requirements include one another without end\n\
             help: remove one of the -r lines\n",
        );
    }

    #[test]
    fn the_digest_is_of_all_that_counts() {
        let dir = tempfile::TempDir::new().unwrap();
        let write = |path: &str, text: &str| std::fs::write(dir.path().join(path), text).unwrap();
        let digest =
            |version: &str| read(dir.path(), "r.txt", &[]).unwrap().digest(version, &[]).unwrap();
        std::fs::create_dir(dir.path().join("lib")).unwrap();
        write("r.txt", "six\n-c c.txt\n./lib\n");
        write("c.txt", "six<2");
        write("lib/a.py", "1");
        let first = digest("3.12");
        write("r.txt", "six # a comment\n-c c.txt\n./lib\n");
        assert_eq!(digest("3.12"), first);
        assert_ne!(digest("3.11"), first);
        write("lib/a.py", "2");
        let second = digest("3.12");
        assert_ne!(second, first);
        write("c.txt", "six<3");
        assert_ne!(digest("3.12"), second);
    }
}
