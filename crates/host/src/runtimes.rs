//! The runtimes that were found: each a folder with a `runtime.toml` and no Rust.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base::Region;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use crate::debug::Language;
use crate::interpreter::{Hidden, Interpreter, Lookup, Version};
use crate::{Config, FunctionSpec, Launch, Limits, Sandbox, Shown};

/// The runtimes found in a folder.
pub struct Runtimes(Vec<Arc<Runtime>>);

/// One runtime.
pub(crate) struct Runtime {
    /// The folder's name: `nodejs`.
    pub(crate) id: String,
    folder: PathBuf,
    about: About,
    /// What was found, by the version asked for.
    found: Mutex<BTreeMap<Version, Interpreter>>,
}

/// `runtime.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct About {
    /// Names it answers to; `*` at the end stands for any rest.
    names: Vec<String>,
    /// Without one it is a shell script that is started.
    interpreter: Option<Lookup>,
    boot: Boot,
    /// Without it functions cannot be debugged.
    debug: Option<Debug>,
}

/// How its functions are debugged.
#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields)]
pub(crate) struct Debug {
    pub(crate) language: Language,
    /// Where debuggers expect it.
    pub(crate) port: u16,
    /// What its interpreter is started with, too.
    #[serde(default)]
    args: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Boot {
    /// What is started, if not the interpreter itself.
    program: Option<PathBuf>,
    /// `{runtime}` stands for the folder, `{interpreter}` for the program that was found.
    args: Vec<String>,
    /// Variables the interpreter reads at its start only.
    #[serde(default)]
    env: Vec<String>,
    /// Whether it speaks the Runtime API instead of frames. What is booted then is `boot.sh`, which
    /// becomes the function's own program.
    #[serde(default)]
    runtime_api: bool,
    /// Whether a worker can be a template.
    #[serde(default)]
    forks: bool,
    /// Whether a worker makes and reads code packs.
    #[serde(default)]
    packs: bool,
    /// What the interpreter keeps for itself and may write to, without ever doing so: the last one
    /// that fits its version. Where there are no cgroups that cannot be told from memory it uses.
    #[serde(default)]
    reserved: Vec<Reserved>,
}

/// What an interpreter keeps for itself, from a version on.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Reserved {
    from: String,
    mb: u32,
}

/// What one keeps that says nothing else.
const RESERVED_MB: u32 = 512;

/// What functions run on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    pub path: PathBuf,
    pub version: String,
    /// Whether the version is the one that the runtime's name asks for.
    pub asked_for: bool,
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
            found.push(Arc::new(Runtime { id, folder, about, found: Mutex::default() }));
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

/// The variable that says where libraries are.
const LIBRARIES: &str = "LD_LIBRARY_PATH";

fn at(path: &Path, error: &dyn std::fmt::Display) -> io::Error {
    io::Error::other(format!("{}: {error}", path.display()))
}

impl Runtime {
    /// The interpreter for a name like `nodejs20.x`, if it was found already.
    pub(crate) fn known(&self, name: &str) -> Option<Interpreter> {
        self.lock().get(&Version::of(name)).cloned()
    }

    /// Looks for the interpreter, and warns where it is not of the version asked for. Starts
    /// programs and waits for them: to be called where blocking is allowed. A failure is not
    /// remembered; somebody may install what is missing.
    pub(crate) fn look_up(
        &self,
        name: &str,
        config: &Config,
        hidden: Hidden,
    ) -> Result<Interpreter, String> {
        let asked = Version::of(name);
        let Some(lookup) = &self.about.interpreter else {
            return Ok(Interpreter::shell(asked));
        };
        let found = lookup.find(&self.id, &asked, config, hidden)?;
        let entry = self.lock().insert(asked.clone(), found.clone());
        if entry.is_none() && !found.version.is(&asked) {
            let version = found.version.to_string();
            tracing::warn!(runtime = name, version, "runs on the version installed");
        }
        Ok(found)
    }

    /// What functions of this name run on, once it was looked for.
    pub(crate) fn program(&self, name: &str) -> Option<Program> {
        self.about.interpreter.as_ref()?;
        let found = self.known(name)?;
        let asked_for = found.version.is(&Version::of(name));
        Some(Program { path: found.program, version: found.version.to_string(), asked_for })
    }

    /// The version that a function of this name runs on, in the words of Lambda's logs:
    /// `nodejs:18.v20.20.2` for a `nodejs18.x` that runs on 20.20.2, and an ARN that changes with it.
    pub(crate) fn version_line(&self, name: &str, region: &Region) -> (String, String) {
        let asked = name.trim_start_matches(&self.id).trim_end_matches(".x").trim_matches('.');
        let mut text = format!("{}:{asked}", self.id);
        if self.about.interpreter.is_some()
            && let Some(found) = self.known(name)
        {
            text = format!("{text}.v{}", found.version);
        }
        let digest = Sha256::digest(text.as_bytes());
        let digits: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        (text, format!("arn:aws:lambda:{region}::runtime:{digits}"))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Version, Interpreter>> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How a worker is booted. `env` are the function's variables that must be there from the
    /// start; empty for a worker that may become any function's.
    pub(crate) fn launch(
        &self,
        interpreter: &Interpreter,
        search_path: &OsStr,
        env: Vec<(String, String)>,
        sandbox: &dyn Sandbox,
    ) -> Launch {
        let folder = self.shown(sandbox);
        let folder = folder.to_string_lossy();
        let program = interpreter.program.to_string_lossy();
        let expand = |arg: &String| {
            let arg = arg.replace("{runtime}", &folder).replace("{interpreter}", &program);
            OsString::from(arg)
        };
        let (mut env, runtime_api) = (env, self.about.boot.runtime_api);
        if !runtime_api {
            env.push(("PATH".to_owned(), search_path.to_string_lossy().into_owned()));
            // As every function will have it, if its user does not wish otherwise.
            env.push(("TZ".to_owned(), ":UTC".to_owned()));
        }
        let version = |reserved: &&Reserved| interpreter.version >= Version::of(&reserved.from);
        let reserved = self.about.boot.reserved.iter().rfind(version);
        let reserved_mb = reserved.map_or(RESERVED_MB, |reserved| reserved.mb);
        Launch {
            program: self.about.boot.program.as_ref().unwrap_or(&interpreter.program).clone(),
            args: self.about.boot.args.iter().map(expand).collect(),
            env,
            folders: interpreter.folders(),
            runtimes: self.all().to_owned(),
            code: None,
            layers: Vec::new(),
            pack: None,
            template: false,
            runtime_api,
            limits: Limits::default(),
            reserved_bytes: u64::from(reserved_mb) << 20,
        }
    }

    /// The folder of all runtimes.
    fn all(&self) -> &Path {
        self.folder.parent().unwrap_or(&self.folder)
    }

    /// How its functions are debugged.
    pub(crate) fn debug(&self) -> Option<&Debug> {
        self.about.debug.as_ref()
    }

    /// What a program is started with that is to be debugged.
    pub(crate) fn debug_args(&self) -> impl Iterator<Item = OsString> {
        self.about.debug.iter().flat_map(|debug| debug.args.iter().map(OsString::from))
    }

    /// Whether its workers can be templates.
    pub(crate) fn forks(&self) -> bool {
        self.about.boot.forks
    }

    /// Whether its workers make and read code packs.
    pub(crate) fn packs(&self) -> bool {
        self.about.boot.packs
    }

    /// Where a function finds our folder: `LAMBDA_RUNTIME_DIR`.
    pub(crate) fn shown(&self, sandbox: &dyn Sandbox) -> PathBuf {
        sandbox.shown(Shown::Runtimes, self.all()).join(&self.id)
    }

    /// The variables of a function that only a fresh process can obey, out of its whole
    /// environment.
    pub(crate) fn boot_env(
        &self,
        spec: &FunctionSpec,
        env: &BTreeMap<String, String>,
    ) -> Vec<(String, String)> {
        let given = |name: &String| spec.env.get(name).map(|value| (name.clone(), value.clone()));
        let mut boot: Vec<_> = self.about.boot.env.iter().filter_map(given).collect();
        // Where libraries are is read when a program starts: one that speaks the Runtime API does
        // later.
        if !self.about.boot.runtime_api
            && spec.layers.iter().any(|layer| layer.join("lib").is_dir())
            && let Some(path) = env.get(LIBRARIES)
        {
            boot.push((LIBRARIES.to_owned(), path.clone()));
        }
        boot
    }

    /// What a process is started with that is this function's from its start, out of the function's
    /// whole environment.
    pub(crate) fn fresh_env(
        &self,
        spec: &FunctionSpec,
        env: &BTreeMap<String, String>,
    ) -> Vec<(String, String)> {
        match self.about.boot.runtime_api {
            true => env.clone().into_iter().collect(),
            false => self.boot_env(spec, env),
        }
    }
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
                 versions = ['18']\nprobe = ['3.1']\n[boot]\nargs = []\nenv = []\n"
            )
        };
        write("none/runtime.toml", &about("cumulet-none"));
        write("old/runtime.toml", &about("echo"));
        let runtimes = Runtimes::load(folder.path()).unwrap();
        let config = Config { search_path: "/usr/bin:/bin".into(), ..Config::default() };
        let why = |name| runtimes.find(name).unwrap().look_up(name, &config, &[]).err().unwrap();
        assert_eq!(
            why("cumulet-none1"),
            "it needs none 18 or newer, and none of cumulet-none was found"
        );
        assert_eq!(why("echo"), "it needs old 18 or newer, and /usr/bin/echo is 3.1");
        assert!(runtimes.find("python3.12").is_none());
    }
}
