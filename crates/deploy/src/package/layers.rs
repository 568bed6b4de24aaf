//! The packages of layers.

use super::{Files, files, pack, python, read_artifact};
use crate::assets::Asset;
use crate::diagnostic::Diagnostic;
use crate::project::{Layer, LayerContent, Project};

/// The package of one layer.
pub(super) fn package(
    project: &Project,
    layer: &Layer,
    source: &python::Source<'_>,
    interpreters: &mut python::Interpreters,
) -> Result<Asset, Diagnostic> {
    let Layer { name, at, content } = layer;
    let files = match content {
        LayerContent::Artifact(path) => return read_artifact(project, path, at),
        LayerContent::Packages { runtime } => python::layer(source, runtime, at, interpreters)?,
        LayerContent::Folder { path, patterns } => {
            let folder = project.dir.join(path);
            if !folder.is_dir() {
                return Err(Diagnostic::new(
                    at,
                    format!("there is no folder {path} for the layer"),
                )
                .help("create it, or correct path:"));
            }
            files::made(&folder, patterns, at)?
        }
    };
    if files.is_empty() {
        let name = name.trim_start_matches("layer:");
        return Err(Diagnostic::new(at, format!("the layer {name} has no files"))
            .help("put something in its folder, or remove it"));
    }
    pack(&name.replacen(':', " ", 1), at, files)
}

/// The files of a folder, by their path in it.
pub(super) fn below(folder: &str, files: Files) -> Files {
    let folder = folder.trim_start_matches("./").trim_end_matches('/');
    if folder.is_empty() || folder == "." {
        return files;
    }
    let prefix = format!("{folder}/");
    let moved = files.into_iter();
    moved.filter_map(|(path, file)| Some((path.strip_prefix(&prefix)?.to_owned(), file))).collect()
}
