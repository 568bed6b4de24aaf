//! What a reader gives: a template, and what packaging and watching must know beside it.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::diagnostic::Place;
use crate::report::Report;
use crate::template::Template;

/// Glob patterns in the order they are applied; `!` takes files away.
pub type Patterns = Vec<String>;

/// An application as it was read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Project {
    /// The folder of the template.
    pub dir: PathBuf,
    pub service: String,
    pub stage: String,
    pub region: String,
    /// The name its state is kept under.
    pub stack: String,
    pub template: Template,
    pub functions: Vec<Function>,
    pub layers: Vec<Layer>,
    pub bundling: Bundling,
    pub python: PythonPackages,
    pub report: Report,
}

/// A function as packaging sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Function {
    /// Its key in the template, and the name of its asset.
    pub name: String,
    /// What it is called once it is deployed, `shop-dev-pay`.
    pub full_name: String,
    /// `src/pay.handler`
    pub handler: String,
    pub handler_at: Place,
    pub runtime: String,
    pub patterns: Patterns,
    /// A zip made by somebody else, taken as it is.
    pub artifact: Option<String>,
    /// The folder whose content the package is, where it is not the project's.
    pub module: Option<String>,
}

/// A layer as packaging sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Layer {
    /// The name of its asset, `layer:common`, which no function can have.
    pub name: String,
    pub at: Place,
    pub content: LayerContent,
}

/// Where the files of a layer come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum LayerContent {
    /// What is in a folder of the project; patterns begin there.
    Folder { path: String, patterns: Patterns },
    /// A zip made by somebody else, taken as it is.
    Artifact(String),
    /// The project's Python packages, for this runtime.
    Packages { runtime: String },
}

/// How sources are bundled: the settings of the plugin serverless-esbuild.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Bundling {
    /// The project names a bundler as plugin, so plain JavaScript is bundled too.
    pub requested: bool,
    pub minify: bool,
    /// Packages that stay imports and are brought along.
    pub external: Vec<String>,
    /// Packages that stay imports and are not brought along.
    pub exclude: Vec<String>,
    /// `--target`; by default the runtime's version of Node.
    pub target: Option<String>,
    /// `esm` or `cjs`; by default what the project's package.json says.
    pub format: Option<String>,
    pub define: Vec<(String, String)>,
    pub loader: Vec<(String, String)>,
}

/// How packages come to Python functions: the settings of the plugin
/// serverless-python-requirements.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PythonPackages {
    /// The project names the plugin.
    pub requested: bool,
    /// `requirements.txt`, unless it says otherwise.
    pub file_name: Option<String>,
    /// Packages that are not brought along.
    pub no_deploy: Vec<String>,
    /// Patterns of files that packages are relieved of.
    pub slim: Vec<String>,
    /// Handlers unzip their packages, so they find something that says there is nothing to unzip.
    pub zip: bool,
    /// All packages are in a layer, none in functions.
    pub layer: bool,
    /// A folder with packages of the project's own.
    pub vendor: Option<String>,
    pub pip_arguments: Vec<String>,
    /// `pythonBin`
    pub interpreter: Option<String>,
    /// Settings of other tools that are set to false: `usePoetry`.
    pub tools_off: Vec<String>,
}
