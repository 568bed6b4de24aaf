//! From source files to the packages of functions.
//!
//! TypeScript is bundled, and so is JavaScript that brings dependencies: a bundle is one file
//! that loads fast, where `node_modules` is thousands. Everything else is packed as it stands.

mod archive;
mod closure;
mod esbuild;
mod files;
mod glob;
mod handler;
mod layers;
mod npm;
mod python;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::assets::{Asset, Assets};
use crate::diagnostic::{Diagnostic, Place};
use crate::project::{Function, Project};

pub use files::{is_data, is_environment};
pub(crate) use python::OF_THE_RUNTIME;

use handler::Handler;

/// Files of one package before they are packed, by their path in it.
type Files = BTreeMap<String, Vec<u8>>;

/// AWS's limit for a package unpacked.
const PACKAGE_BYTES_MAX: usize = 250 << 20;

/// Packages the functions of a project, and remembers what it did: a function none of whose files
/// has changed is not packaged again.
pub struct Packager {
    /// Where tools are kept, `~/.cache/cumulet`.
    cache: PathBuf,
    /// Functions that will be debugged: their bundles name their sources themselves.
    debugged: BTreeSet<String>,
    built: HashMap<String, Built>,
    interpreters: python::Interpreters,
}

/// A package and the files it was made from, as they were then.
struct Built {
    /// The function and the bundler's settings: other ones make another package.
    settings: String,
    inputs: Vec<(PathBuf, Stamp)>,
    asset: Asset,
}

/// Enough of a file to notice that it has changed.
type Stamp = Option<(u64, SystemTime)>;

fn stamp(path: &Path) -> Stamp {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.len(), metadata.modified().ok()?))
}

impl Packager {
    /// A packager that keeps its tools in this folder.
    pub fn new(cache: &Path) -> Packager {
        Packager {
            cache: cache.to_owned(),
            debugged: BTreeSet::new(),
            built: HashMap::new(),
            interpreters: BTreeMap::new(),
        }
    }

    /// Bundles these functions, by their names in the template, so that they can be debugged: a
    /// debugger elsewhere finds in the bundle itself what it was made of, and it is not minified.
    #[must_use]
    pub fn for_debugging(self, functions: BTreeSet<String>) -> Packager {
        Packager { debugged: functions, ..self }
    }

    /// Packages all functions and layers. Blocks on the file system and on the bundler; `say` is told of
    /// what takes long.
    pub fn package(&mut self, project: &Project, say: &dyn Fn(&str)) -> Result<Assets, Diagnostic> {
        let mut assets = Assets::new();
        let mut to_bundle = Vec::new();
        let mut interpreters = std::mem::take(&mut self.interpreters);
        for function in &project.functions {
            let settings = format!("{function:?} {:?}", project.bundling);
            if let Some(asset) = self.unchanged(&function.name, &settings) {
                assets.insert(function.name.clone(), asset);
                continue;
            }
            if let Some(artifact) = &function.artifact {
                assets.insert(
                    function.name.clone(),
                    read_artifact(project, artifact, &function.handler_at)?,
                );
                continue;
            }
            let handler = handler::find(&project.dir, function)?;
            if handler.as_ref().is_some_and(|handler| npm::needs_bundle(project, handler)) {
                to_bundle.extend(handler.map(|handler| (function, handler, settings)));
                continue;
            }
            let mut files = own(project, function)?;
            if function.runtime.starts_with("python") {
                let source = self.python(project, say);
                python::add(&source, function, &mut interpreters, &mut files)?;
            }
            let asset = pack_function(function, files)?;
            assets.insert(function.name.clone(), asset);
        }
        for layer in &project.layers {
            let source = self.python(project, say);
            let asset = layers::package(project, layer, &source, &mut interpreters)?;
            assets.insert(layer.name.clone(), asset);
        }
        self.interpreters = interpreters;
        if !to_bundle.is_empty() {
            npm::install(&project.dir, say)?;
            self.bundle(project, to_bundle, say, &mut assets)?;
        }
        Ok(assets)
    }

    fn python<'a>(&'a self, project: &'a Project, say: &'a dyn Fn(&str)) -> python::Source<'a> {
        python::Source { dir: &project.dir, cache: &self.cache, settings: &project.python, say }
    }

    fn unchanged(&self, name: &str, settings: &str) -> Option<Asset> {
        let built = self.built.get(name).filter(|built| built.settings == settings)?;
        let same = built.inputs.iter().all(|(path, then)| then.is_some() && stamp(path) == *then);
        same.then(|| built.asset.clone())
    }

    fn bundle(
        &mut self,
        project: &Project,
        functions: Vec<(&Function, Handler, String)>,
        say: &dyn Fn(&str),
        assets: &mut Assets,
    ) -> Result<(), Diagnostic> {
        let tool = esbuild::locate(&project.dir, &self.cache, say)?;
        // Functions that are bundled alike share a run of the bundler; mostly that is one run.
        let mut groups: BTreeMap<esbuild::Settings, Vec<(&Function, Handler, String)>> =
            BTreeMap::new();
        for (function, handler, settings) in functions {
            let debugged = self.debugged.contains(&function.name);
            let key = esbuild::settings(project, function, &handler, debugged);
            groups.entry(key).or_default().push((function, handler, settings));
        }
        for (settings, members) in groups {
            let entries: Vec<(&Function, &Handler)> =
                members.iter().map(|(function, handler, _)| (*function, handler)).collect();
            let bundles = esbuild::run(&tool, project, &settings, &entries)?;
            for ((function, handler, settings), bundle) in members.iter().zip(bundles) {
                let mut files = around(project, function, handler)?;
                let is_alone = files.is_empty();
                files.extend(bundle.files);
                let asset = pack_function(function, files)?;
                assets.insert(function.name.clone(), asset.clone());
                // A file that came to stand beside the bundle is no change of one that was there,
                // so only what is a bundle and nothing else is known to be unchanged.
                if !is_alone {
                    continue;
                }
                let inputs =
                    bundle.inputs.into_iter().map(|path| (path.clone(), stamp(&path))).collect();
                let built = Built { settings: settings.clone(), inputs, asset };
                self.built.insert(function.name.clone(), built);
            }
        }
        Ok(())
    }
}

/// What goes into a package beside its bundle: files that patterns ask for, or all of them where
/// nobody asked for a bundle and the code may well read its neighbours; and packages that stay
/// apart.
fn around(project: &Project, function: &Function, handler: &Handler) -> Result<Files, Diagnostic> {
    let at = &function.handler_at;
    let asked_for = project.bundling.requested || handler.is_typescript();
    let mut files = match asked_for {
        true => files::asked_for(&project.dir, &function.patterns, at)?,
        false => files::matching(&project.dir, &function.patterns, at)?,
    };
    // The bundle may have another extension, and must be the only module of its name.
    files.remove(&handler.file());
    closure::add(&project.dir, &project.bundling.external, at, &mut files)?;
    Ok(files)
}

/// The project's files for a function that is not bundled; those of its module, where it has one,
/// stand at the top of the package.
fn own(project: &Project, function: &Function) -> Result<Files, Diagnostic> {
    let at = &function.handler_at;
    let files = files::matching(&project.dir, &function.patterns, at)?;
    let Some(module) = &function.module else { return Ok(files) };
    let moved = layers::below(module, files);
    if moved.is_empty() {
        let message =
            format!("the module of function '{}' is {module}, which has no files", function.name);
        return Err(
            Diagnostic::new(at, message).help("name a folder of the project, or remove module:")
        );
    }
    Ok(moved)
}

fn read_artifact(project: &Project, artifact: &str, at: &Place) -> Result<Asset, Diagnostic> {
    match std::fs::read(project.dir.join(artifact)) {
        Ok(bytes) => Ok(Asset::new(bytes)),
        Err(error) => {
            let message = format!("the artifact {artifact} cannot be read: {error}");
            Err(Diagnostic::new(at, message).help("build it first, or remove package.artifact"))
        }
    }
}

fn pack_function(function: &Function, files: Files) -> Result<Asset, Diagnostic> {
    pack(&format!("function '{}'", function.name), &function.handler_at, files)
}

fn pack(whose: &str, at: &Place, files: Files) -> Result<Asset, Diagnostic> {
    let bytes: usize = files.values().map(Vec::len).sum();
    if bytes > PACKAGE_BYTES_MAX {
        let message = format!(
            "the package of {whose} has {} MB, more than {}",
            bytes >> 20,
            PACKAGE_BYTES_MAX >> 20
        );
        return Err(Diagnostic::new(at, message)
            .help("leave files out with package.patterns: ['!folder/**']"));
    }
    archive::zip(&files).map(Asset::new).map_err(|error| failed(at, "packing", &error))
}

/// An error of the file system, at the function it stands in the way of.
fn failed(at: &Place, doing: &str, error: &dyn std::fmt::Display) -> Diagnostic {
    Diagnostic::new(at, format!("{doing} failed: {error}"))
}
