//! The packages that Python functions import, brought along as serverless-python-requirements
//! does it.

mod interpreter;
mod pip;
mod requirements;

use std::collections::BTreeMap;
use std::path::Path;

use super::{Files, files, glob};
use crate::diagnostic::{Diagnostic, Place};
use crate::project::{Function, PythonPackages};

use interpreter::Interpreter;

/// What AWS's runtime has and ours has not: it is brought along although projects leave it out.
pub(crate) const OF_THE_RUNTIME: &[&str] =
    &["boto3", "botocore", "jmespath", "python-dateutil", "s3transfer", "six", "urllib3"];

/// Handlers of the framework's zipped packages import this; here nothing is left to unzip.
const UNZIP: (&str, &[u8]) = ("unzip_requirements.py", b"# The packages are here already.\n");

/// Files that another tool makes packages of, which is not run here.
const TOOLS: &[(&str, &str, &str, &str)] = &[
    ("Pipfile", "", "usePipenv", "pipenv requirements > requirements.txt"),
    ("pyproject.toml", "[tool.poetry", "usePoetry", "poetry export -o requirements.txt"),
];

/// The interpreters found, by the name of the runtime.
pub(super) type Interpreters = BTreeMap<String, Interpreter>;

/// Whose packages they are, and where they come from.
pub(super) struct Source<'a> {
    pub(super) dir: &'a Path,
    pub(super) cache: &'a Path,
    pub(super) settings: &'a PythonPackages,
    pub(super) say: &'a dyn Fn(&str),
}

/// Brings a function's packages into its own files, which come first where both have one.
pub(super) fn add(
    source: &Source<'_>,
    function: &Function,
    interpreters: &mut Interpreters,
    own: &mut Files,
) -> Result<(), Diagnostic> {
    let Source { dir, settings, .. } = source;
    let mut packages = Files::new();
    // With a layer of packages, functions have none of their own.
    if !settings.layer
        && let Some(file) = file(dir, settings, function)
    {
        let (runtime, at) = (&function.runtime, &function.handler_at);
        packages = installed(source, &file, runtime, at, interpreters)?;
    }
    if let Some(vendor) = &settings.vendor {
        let at = &function.handler_at;
        if !dir.join(vendor).is_dir() {
            let message = format!("custom.pythonRequirements.vendor: there is no folder {vendor}");
            return Err(Diagnostic::new(at, message).help("create it, or remove vendor"));
        }
        packages.extend(files::made(&dir.join(vendor), &[], at)?);
    }
    if settings.zip && !settings.layer {
        packages.insert(UNZIP.0.to_owned(), UNZIP.1.to_vec());
    }
    for (path, content) in packages {
        own.entry(path).or_insert(content);
    }
    Ok(())
}

/// The packages of one file of requirements.
fn installed(
    source: &Source<'_>,
    file: &str,
    runtime: &str,
    at: &Place,
    interpreters: &mut Interpreters,
) -> Result<Files, Diagnostic> {
    let Source { dir, cache, settings, say } = source;
    refuse_tools(dir, settings)?;
    let requirements = requirements::read(dir, file, &settings.no_deploy)?;
    if requirements.is_empty() {
        return Ok(Files::new());
    }
    let python = match interpreters.get(runtime) {
        Some(known) => known.clone(),
        None => interpreter::find(runtime, settings.interpreter.as_deref(), at)?,
    };
    interpreters.insert(runtime.to_owned(), python.clone());
    let arguments = &settings.pip_arguments;
    let folder = pip::install(cache, dir, file, &requirements, &python, arguments, *say)?;
    let mut packages = files::made(&folder, &[], at)?;
    let unwanted = |path: &str| settings.slim.iter().any(|pattern| glob::matches(pattern, path));
    packages.retain(|path, _| !unwanted(path));
    Ok(packages)
}

/// The content of a layer with the packages of the whole project.
pub(super) fn layer(
    source: &Source<'_>,
    runtime: &str,
    at: &Place,
    interpreters: &mut Interpreters,
) -> Result<Files, Diagnostic> {
    let file = source.settings.file_name.as_deref().unwrap_or("requirements.txt");
    let packages = installed(source, file, runtime, at, interpreters)?;
    Ok(packages.into_iter().map(|(path, content)| (format!("python/{path}"), content)).collect())
}

/// The nearest requirements: of the function's module, beside its code, of the project.
fn file(dir: &Path, settings: &PythonPackages, function: &Function) -> Option<String> {
    let name = settings.file_name.as_deref().unwrap_or("requirements.txt");
    let beside = function.handler.rsplit_once('/').map(|(folder, _)| folder);
    let folders = [function.module.as_deref(), beside, Some("")];
    let mut files = folders.into_iter().flatten().map(|folder| {
        let folder = folder.trim_start_matches("./").trim_end_matches('/');
        if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
    });
    // A name that the project gives must be there, so it is read, and what is wrong is said.
    let given = settings.file_name.is_some().then(|| name.to_owned());
    files.find(|file| dir.join(file).is_file()).or(given)
}

fn refuse_tools(dir: &Path, settings: &PythonPackages) -> Result<(), Diagnostic> {
    for (file, sign, setting, command) in TOOLS {
        let off = settings.tools_off.iter().any(|name| name == setting);
        let text = std::fs::read_to_string(dir.join(file)).ok();
        if settings.requested && !off && text.is_some_and(|text| text.contains(sign)) {
            let message = format!("packages are to come from {file}, whose tool is not run here");
            return Err(Diagnostic::new(&Place::file(file), message)
                .help(format!("{command}, and set custom.pythonRequirements.{setting}: false")));
        }
    }
    Ok(())
}
