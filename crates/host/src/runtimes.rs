//! The runtimes that were found: each a folder with a `runtime.toml` and no Rust.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use serde::Deserialize;

use crate::FunctionSpec;
use crate::sandbox::Launch;

/// The runtimes found in a folder.
pub struct Runtimes(Vec<Arc<Runtime>>);

/// One runtime.
pub(crate) struct Runtime {
    /// The folder's name: `nodejs`.
    pub(crate) id: String,
    folder: PathBuf,
    about: About,
    interpreter: OnceLock<Interpreter>,
    /// Names that were warned about.
    warned: Mutex<HashSet<String>>,
}

/// `runtime.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct About {
    /// Names it answers to; `*` at the end stands for any rest.
    names: Vec<String>,
    interpreter: Lookup,
    boot: Boot,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Lookup {
    /// Names in PATH, or paths, in the order tried.
    lookup: Vec<String>,
    /// Arguments that make it print its version.
    version: Vec<String>,
    major_min: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Boot {
    /// `{runtime}` stands for the folder.
    args: Vec<String>,
    /// Variables the interpreter reads at its start only.
    env: Vec<String>,
}

/// A program that was found and asked for its version.
#[derive(Clone)]
pub(crate) struct Interpreter {
    program: PathBuf,
    /// As printed: `v20.20.2`.
    pub(crate) version: String,
}

impl Runtimes {
    /// Reads `<folder>/<id>/runtime.toml` of every runtime in it.
    ///
    /// # Errors
    /// If the folder or one of the files cannot be read or is not what it should be.
    pub fn load(folder: &Path) -> io::Result<Runtimes> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(|error| at(folder, &error))? {
            let folder = std::path::absolute(entry?.path())?;
            let file = folder.join("runtime.toml");
            let text = match std::fs::read_to_string(&file) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                read => read.map_err(|error| at(&file, &error))?,
            };
            let about: About = toml::from_str(&text).map_err(|error| at(&file, &error))?;
            let id = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let (interpreter, warned) = (OnceLock::new(), Mutex::default());
            found.push(Arc::new(Runtime { id, folder, about, interpreter, warned }));
        }
        Ok(Runtimes(found))
    }

    /// The runtime that answers to a function's `Runtime`.
    pub(crate) fn find(&self, name: &str) -> Option<&Arc<Runtime>> {
        let answers = |pattern: &String| match pattern.strip_suffix('*') {
            Some(start) => name.starts_with(start),
            None => name == pattern,
        };
        self.0.iter().find(|runtime| runtime.about.names.iter().any(answers))
    }
}

fn at(path: &Path, error: &dyn std::fmt::Display) -> io::Error {
    io::Error::other(format!("{}: {error}", path.display()))
}

impl Runtime {
    /// The interpreter, if it was found already.
    pub(crate) fn known(&self) -> Option<&Interpreter> {
        self.interpreter.get()
    }

    /// Looks for the interpreter. Starts a program and waits for it: to be called where blocking
    /// is allowed. A failure is not remembered; somebody may install what is missing.
    pub(crate) fn look_up(&self, search_path: &OsStr) -> Result<Interpreter, String> {
        let found = self.search(search_path)?;
        Ok(self.interpreter.get_or_init(|| found).clone())
    }

    /// Warns, once per name, where a function asks for another version than there is.
    pub(crate) fn compare(&self, name: &str, interpreter: &Interpreter) {
        let (asked, found) = (first_number(name), first_number(&interpreter.version));
        if asked.is_some_and(|asked| found != Some(asked)) {
            let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
            if warned.insert(name.to_owned()) {
                let version = interpreter.version.as_str();
                tracing::warn!(runtime = name, version, "runs on the version installed");
            }
        }
    }

    fn search(&self, search_path: &OsStr) -> Result<Interpreter, String> {
        let About { interpreter: Lookup { lookup, version, major_min }, .. } = &self.about;
        let mut unfit = None;
        for program in lookup.iter().filter_map(|name| locate(name, search_path)) {
            let printed = std::process::Command::new(&program).args(version).env_clear().output();
            let printed = match printed {
                Ok(output) => String::from_utf8_lossy(&output.stdout).trim().to_owned(),
                Err(error) => error.to_string(),
            };
            if first_number(&printed).is_some_and(|major| major >= *major_min) {
                return Ok(Interpreter { program, version: printed });
            }
            unfit.get_or_insert_with(|| format!("{} is {printed}", program.display()));
        }
        let name = lookup.first().map_or("", String::as_str);
        let found = unfit.unwrap_or_else(|| format!("none of {} was found", lookup.join(", ")));
        Err(format!("it needs {name} {major_min} or newer in PATH, and {found}"))
    }

    /// How a worker is booted. `env` are the function's variables that must be there from the
    /// start; empty for a worker that may become any function's.
    pub(crate) fn launch(
        &self,
        interpreter: &Interpreter,
        search_path: &OsStr,
        env: Vec<(String, String)>,
    ) -> Launch {
        let folder = self.folder.to_string_lossy();
        let expand = |arg: &String| OsString::from(arg.replace("{runtime}", &folder));
        let mut env = env;
        env.push(("PATH".to_owned(), search_path.to_string_lossy().into_owned()));
        // As every function will have it, if its user does not wish otherwise.
        env.push(("TZ".to_owned(), ":UTC".to_owned()));
        Launch {
            program: interpreter.program.clone(),
            args: self.about.boot.args.iter().map(expand).collect(),
            env,
        }
    }

    /// The folder, as `LAMBDA_RUNTIME_DIR`.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The variables of a function that only a fresh process can obey.
    pub(crate) fn boot_env(&self, spec: &FunctionSpec) -> Vec<(String, String)> {
        let given = |name: &String| spec.env.get(name).map(|value| (name.clone(), value.clone()));
        self.about.boot.env.iter().filter_map(given).collect()
    }
}

/// A path as it is, a name in the first folder of the search path that has it.
fn locate(name: &str, search_path: &OsStr) -> Option<PathBuf> {
    if name.contains('/') {
        return Some(PathBuf::from(name)).filter(|path| path.is_file());
    }
    std::env::split_paths(search_path).map(|folder| folder.join(name)).find(|path| path.is_file())
}

fn first_number(text: &str) -> Option<u32> {
    let from = text.find(|c: char| c.is_ascii_digit())?;
    let digits = text[from..].split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_or_old_interpreter_is_named_with_the_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        let about = |program: &str| {
            format!(
                "names = ['{program}*']\n[interpreter]\nlookup = ['{program}']\n\
                 version = ['3.1']\nmajor_min = 18\n[boot]\nargs = []\nenv = []\n"
            )
        };
        write("none/runtime.toml", &about("cumulet-none"));
        write("old/runtime.toml", &about("echo"));
        let runtimes = Runtimes::load(folder.path()).unwrap();
        let why = |name| {
            let found = runtimes.find(name).unwrap().look_up(OsStr::new("/usr/bin:/bin"));
            found.err().unwrap()
        };
        assert_eq!(
            why("cumulet-none1"),
            "it needs cumulet-none 18 or newer in PATH, and none of cumulet-none was found"
        );
        assert!(why("echo").ends_with("18 or newer in PATH, and /usr/bin/echo is 3.1"));
        assert!(runtimes.find("python3.12").is_none());
    }

    #[test]
    fn the_first_number_of_a_name_is_its_version() {
        assert_eq!(first_number("nodejs14.x"), Some(14));
        assert_eq!(first_number("v20.20.2"), Some(20));
        assert_eq!(first_number("nodejs"), None);
    }
}
