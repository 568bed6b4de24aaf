//! The program that runs a function's code, by the version that the name of its runtime asks for.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use crate::Config;

/// Where a runtime's interpreters may be, as `runtime.toml` says it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Lookup {
    /// Those worth looking for, newest first. Anything older than the last will not do.
    versions: Vec<String>,
    /// Names in PATH, or paths, in the order tried. `{version}` stands for a version, `~` for the
    /// home folder, `*` for anything in the name of a folder.
    lookup: Vec<String>,
    /// Arguments that make it print its version and, if what is started may be a script that only
    /// leads to the interpreter, the interpreter's own path.
    probe: Vec<String>,
    /// Folders it reads besides its own: paths as above.
    #[serde(default)]
    reads: Vec<String>,
}

const SHELL: &str = "/bin/sh";

/// See [`crate::Sandbox::hidden`].
pub(crate) type Hidden = &'static [(&'static str, &'static str)];

/// Links from a name to a program.
const LINKS_MAX: usize = 8;

/// A program that was found and asked for its version.
#[derive(Clone)]
pub(crate) struct Interpreter {
    pub(crate) program: PathBuf,
    pub(crate) version: Version,
    /// Folders it reads besides those where it is installed.
    reads: Vec<PathBuf>,
}

/// `3.12`, as far as it is known.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version(Vec<u32>);

impl Interpreter {
    /// The shell, which every machine has.
    pub(crate) fn shell(asked: Version) -> Interpreter {
        Interpreter { program: SHELL.into(), version: asked, reads: Vec::new() }
    }

    /// Where it is installed, by every name it has on the way: `/opt/node22`, for
    /// `/opt/node22/bin/node`. And what else it reads.
    pub(crate) fn folders(&self) -> Vec<PathBuf> {
        let installed = |name: &PathBuf| {
            let folder = name.parent()?;
            // A link may be anywhere: what is in /etc/alternatives is not installed in /etc.
            Some(if folder.ends_with("bin") { folder.parent()? } else { folder }.to_owned())
        };
        let mut folders: Vec<_> = self.names().iter().filter_map(installed).collect();
        folders.retain(|folder| !["/", "/usr"].map(Path::new).contains(&folder.as_path()));
        folders.extend(self.reads.iter().cloned());
        folders.sort();
        folders.dedup();
        folders
    }

    /// Fails with the reason if functions do not find it though it is there.
    fn check_seen(&self, hidden: Hidden) -> Result<(), String> {
        for name in self.names() {
            if let Some((folder, what)) = hidden.iter().find(|(folder, _)| name.starts_with(folder))
            {
                return Err(format!(
                    "it lies below {folder}, where functions find their {what} instead; install \
                     it elsewhere, as below /usr/local, or start with --sandbox none"
                ));
            }
        }
        Ok(())
    }

    /// All names it has: its own, and those that links lead to.
    fn names(&self) -> Vec<PathBuf> {
        let mut names = vec![self.program.clone()];
        // A link to a program elsewhere, such as a virtual environment's.
        while let Some(last) = names.last().filter(|_| names.len() < LINKS_MAX)
            && let Ok(to) = std::fs::read_link(last)
        {
            let next = last.parent().map_or_else(|| to.clone(), |folder| folder.join(&to));
            names.push(next);
        }
        names.extend(std::fs::canonicalize(&self.program));
        names
    }
}

impl Lookup {
    /// The interpreter of the version asked for, else the nearest, of those that functions find.
    /// Starts programs and waits.
    pub(crate) fn find(
        &self,
        runtime: &str,
        asked: &Version,
        config: &Config,
        hidden: Hidden,
    ) -> Result<Interpreter, String> {
        let oldest = self.versions.last().map_or(Version(Vec::new()), |text| Version::of(text));
        let (mut nearest, mut unfit) = (None::<Interpreter>, None);
        for program in self.candidates(asked, config) {
            let found = probe(&program, &self.probe, &config.search_path)
                .and_then(|found| found.check_seen(hidden).map(|()| found));
            match found {
                Ok(found) if found.version >= oldest => {
                    let reads = self.reads.iter();
                    let reads = reads.flat_map(|name| spread(name, "", config)).collect();
                    let found = Interpreter { reads, ..found };
                    if found.version.is(asked) {
                        return Ok(found);
                    }
                    let distance = |one: &Interpreter| one.version.distance(asked);
                    if nearest.as_ref().is_none_or(|best| distance(&found) < distance(best)) {
                        nearest = Some(found);
                    }
                }
                Ok(Interpreter { version, .. }) => {
                    unfit.get_or_insert_with(|| format!("{} is {version}", program.display()));
                }
                Err(why) => {
                    unfit.get_or_insert_with(|| format!("{}: {why}", program.display()));
                }
            }
        }
        nearest.ok_or_else(|| {
            let names = self.lookup.join(", ").replace("{version}", &asked.to_string());
            let why = unfit.unwrap_or_else(|| format!("none of {names} was found"));
            format!("it needs {runtime} {oldest} or newer, and {why}")
        })
    }

    /// Programs that are there, each once: those for the version asked for, then those for others,
    /// nearest first.
    fn candidates(&self, asked: &Version, config: &Config) -> Vec<PathBuf> {
        let mut versions: Vec<Version> = self.versions.iter().map(|v| Version::of(v)).collect();
        versions.sort_by_key(|version| version.distance(asked));
        let mut seen = HashSet::new();
        std::iter::once(asked)
            .chain(&versions)
            .flat_map(|version| self.lookup.iter().map(move |name| (version, name)))
            .flat_map(|(version, name)| locate(name, &version.to_string(), config))
            .filter(|program| seen.insert(program.clone()))
            .collect()
    }
}

/// Where a name of the lookup leads to: a name to the first folder of the search path that has it,
/// a path to all that fit it.
fn locate(name: &str, version: &str, config: &Config) -> Vec<PathBuf> {
    if !name.contains('/') {
        let name = name.replace("{version}", version);
        let folders = std::env::split_paths(&config.search_path);
        let found = folders.map(|folder| folder.join(&name)).find(|path| path.is_file());
        return found.into_iter().collect();
    }
    let mut found = spread(name, version, config);
    found.retain(|path| path.is_file());
    found
}

/// All paths that fit a path of the lookup.
fn spread(name: &str, version: &str, config: &Config) -> Vec<PathBuf> {
    let name = name.replace("{version}", version);
    let mut found = vec![PathBuf::new()];
    for part in Path::new(&name) {
        found = match part.to_str().and_then(|part| part.split_once('*')) {
            Some((start, end)) => found.iter().flat_map(|at| within(at, start, end)).collect(),
            None if part == "~" => config.home.iter().cloned().collect(),
            None => found.iter().map(|at| at.join(part)).collect(),
        };
    }
    found
}

/// The entries of a folder whose names begin and end so, newest version first.
fn within(folder: &Path, start: &str, end: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<String> =
        names.filter(|name| name.starts_with(start) && name.ends_with(end)).collect();
    names.sort_by_key(|name| std::cmp::Reverse(Version::of(name)));
    names.iter().map(|name| folder.join(name)).collect()
}

fn probe(program: &Path, args: &[String], search_path: &OsStr) -> Result<Interpreter, String> {
    let mut command = Command::new(program);
    let output = command.args(args).env_clear().env("PATH", search_path).output();
    let printed = output.map_err(|error| error.to_string())?.stdout;
    let printed = String::from_utf8_lossy(&printed);
    // Some say their name before it, and some their path behind it.
    let is_version =
        |word: &str| word.trim_start_matches('v').starts_with(|c: char| c.is_ascii_digit());
    let Some(from) = printed.split_whitespace().find(|word| is_version(word)) else {
        return Err("it does not say its version".to_owned());
    };
    let rest = printed[printed.find(from).unwrap_or_default()..].trim();
    let (version, path) = rest.split_once(' ').unwrap_or((rest, ""));
    let path = Some(PathBuf::from(path)).filter(|path| path.is_file());
    let program = path.unwrap_or_else(|| program.to_owned());
    Ok(Interpreter { program, version: Version::of(version), reads: Vec::new() })
}

impl Version {
    /// The first number in a text and what follows it behind dots: 3.12 of `python3.12`, 20 of
    /// `nodejs20.x`.
    pub(crate) fn of(text: &str) -> Version {
        let from = text.find(|c: char| c.is_ascii_digit()).unwrap_or(text.len());
        Version(text[from..].split('.').map_while(|part| part.parse().ok()).collect())
    }

    /// Whether it is the version asked for, which may be less precise.
    pub(crate) fn is(&self, asked: &Version) -> bool {
        self.0.starts_with(&asked.0)
    }

    /// How far it is from what was asked for; of two equally far ones the newer is nearer.
    fn distance(&self, asked: &Version) -> (u32, u32, bool) {
        let by = |at: usize| match (self.0.get(at), asked.0.get(at)) {
            (Some(one), Some(other)) => one.abs_diff(*other),
            _ => 0,
        };
        (by(0), by(1), self < asked)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers: Vec<String> = self.0.iter().map(u32::to_string).collect();
        f.write_str(&numbers.join("."))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// A machine with these programs, `path: version`, below its home; the versions that the
    /// lookup finds there for those asked for.
    fn check(programs: &[(&str, &str)], asked: &[(&str, &str)]) {
        let home = tempfile::tempdir().unwrap();
        for (path, version) in programs {
            let path = home.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, format!("#!/bin/sh\necho v{version} $0")).unwrap();
            std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
        }
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let lookup = Lookup {
            versions: texts(&["3.13", "3.12", "3.11"]),
            lookup: texts(&["py{version}", "py", "~/env/{version}.*/py"]),
            probe: Vec::new(),
            reads: Vec::new(),
        };
        let search_path = std::env::join_paths([&home.path().join("bin"), Path::new("/bin")]);
        let config = Config {
            search_path: search_path.unwrap(),
            home: Some(home.path().into()),
            ..Config::default()
        };
        for (asked, expected) in asked {
            let found = lookup.find("py", &Version::of(asked), &config, &[]);
            let found = found.map_or_else(|why| why, |found| found.version.to_string());
            assert_eq!(&found, expected, "{asked} among {programs:?}");
        }
    }

    #[test]
    fn the_version_asked_for_is_found_wherever_it_is() {
        let all = [("bin/py", "3.11.2"), ("bin/py3.13", "3.13.0"), ("env/3.12.1/py", "3.12.1")];
        check(&all, &[("py3.11", "3.11.2"), ("py3.13", "3.13.0"), ("py3.12", "3.12.1")]);
        check(
            &[("env/3.12.9/py", "3.12.9"), ("env/3.12.10/py", "3.12.10")],
            &[("3.12", "3.12.10")],
        );
    }

    #[test]
    fn else_the_nearest_and_of_two_the_newer() {
        let two = [("env/3.11.1/py", "3.11.1"), ("bin/py", "3.13.1")];
        check(&two, &[("py3.14", "3.13.1"), ("py3.9", "3.11.1"), ("py3.12", "3.13.1")]);
        // Newer than all that were known when this was written, and found by its plain name.
        check(&[("bin/py", "3.20.1")], &[("py3.12", "3.20.1")]);
    }

    #[test]
    fn what_functions_do_not_find_is_passed_over_and_it_is_said_why() {
        let folder = tempfile::tempdir().unwrap();
        let hidden = Path::new(folder.path().to_str().unwrap()).join("hidden");
        let hidden: &'static str = String::leak(hidden.to_str().unwrap().to_owned());
        let hidden: Hidden = Vec::leak(vec![(hidden, "layers")]);
        let install = |path: &str, version: &str| {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, format!("#!/bin/sh\necho {version}")).unwrap();
            std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
            path
        };
        let within = install("hidden/py/bin/py", "3.12.1");
        let bin = folder.path().join("bin");
        std::fs::create_dir(&bin).unwrap();
        std::os::unix::fs::symlink(&within, bin.join("py3.12")).unwrap();
        let lookup = Lookup {
            versions: vec!["3.12".into()],
            lookup: vec!["py{version}".into(), "py".into()],
            probe: Vec::new(),
            reads: Vec::new(),
        };
        let search_path = std::env::join_paths([bin.as_path(), Path::new("/bin")]).unwrap();
        let config = Config { search_path, ..Config::default() };
        let find = || lookup.find("py", &Version::of("3.12"), &config, hidden);
        let why = find().err().unwrap();
        let (link, place) = (bin.join("py3.12"), hidden[0].0);
        let expected = format!(
            "it needs py 3.12 or newer, and {}: it lies below {place}, where functions find their \
             layers instead; install it elsewhere, as below /usr/local, or start with --sandbox none",
            link.display()
        );
        assert_eq!(why, expected);
        install("bin/py", "3.13.0");
        assert_eq!(find().unwrap().version.to_string(), "3.13.0");
    }

    #[test]
    fn a_version_is_the_first_number_and_what_follows_behind_dots() {
        for (text, expected) in
            [("nodejs14.x", "14"), ("v20.20.2", "20.20.2"), ("python3.12", "3.12"), ("nodejs", "")]
        {
            assert_eq!(Version::of(text).to_string(), expected);
        }
    }
}
