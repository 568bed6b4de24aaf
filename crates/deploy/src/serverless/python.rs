//! `custom.pythonRequirements`: the settings of the plugin serverless-python-requirements, whose
//! work is done by packaging.

use crate::diagnostic::Diagnostic;
use crate::package::OF_THE_RUNTIME;
use crate::project::{Layer, LayerContent, PythonPackages};
use crate::report::Report;
use crate::yaml::{Map, Node};

use super::compile::Compile;
use super::keys::Keys;
use super::plugins::{strings, text};
use super::{layers, naming};

pub(super) const PLUGIN: &str = "serverless-python-requirements";
const PATH: &str = "custom.pythonRequirements";

const KEYS: Keys = Keys {
    honoured: &[
        "fileName",
        "invalidateCaches",
        "layer",
        "noDeploy",
        "pipCmdExtraArgs",
        "pythonBin",
        "slim",
        "slimPatterns",
        "slimPatternsAppendDefaults",
        "usePipenv",
        "usePoetry",
        "vendor",
        "zip",
        // They say where the plugin keeps what it fetched; that is kept here once for all projects.
        "cacheLocation",
        "cleanupZipHelper",
        "staticCacheMaxVersions",
        "useDownloadCache",
        "useStaticCache",
        // Nothing is stripped, which changes a package's size and nothing else.
        "strip",
        // They are said to be covered below.
        "dockerizePip",
        "dockerBuildCmdExtraArgs",
        "dockerEnv",
        "dockerExtraFiles",
        "dockerFile",
        "dockerImage",
        "dockerPrivateKey",
        "dockerRunCmdExtraArgs",
        "dockerSsh",
        "dockerRootless",
    ],
    unhonoured: &[
        "pipenvRequirementsFile",
        "poetryWithGroups",
        "poetryWithoutGroups",
        "poetryOnlyGroups",
        "requirePoetryLockFile",
        "useUv",
    ],
};

const LAYER_KEYS: Keys = Keys {
    honoured: &["name", "description", "compatibleRuntimes", "licenseInfo"],
    unhonoured: &["allowedAccounts", "retain"],
};

/// What the plugin calls slim.
const SLIM: &[&str] = &["**/*.py[co]", "**/__pycache__/**", "**/*.dist-info/**"];

/// Reads the settings. They are read without the plugin too, as packages come without it.
pub(super) fn read(root: &Node, report: &mut Report) -> Result<PythonPackages, Diagnostic> {
    let plugins = root.get("plugins").map(|plugins| plugins.get("modules").unwrap_or(plugins));
    let mut names = plugins.and_then(Node::as_list).into_iter().flatten();
    let requested = names.any(|plugin| plugin.as_str() == Some(PLUGIN));
    let mut packages = PythonPackages { requested, ..PythonPackages::default() };
    let settings = root.get("custom").and_then(|custom| custom.get("pythonRequirements"));
    let Some(settings) = settings.filter(|settings| !settings.is_null()) else {
        return Ok(packages);
    };
    let map = KEYS.check(settings, PATH, report)?;
    for pair in map.0.iter().filter(|pair| pair.key.starts_with("docker")) {
        let wanted = pair.node.as_bool() != Some(false);
        if wanted {
            let what = "is not needed: packages are installed for this machine, which runs them";
            report.note(&pair.at, &format!("{PATH}.{}", pair.key), what);
        }
    }
    packages.file_name = text(settings, "fileName")?;
    packages.vendor = text(settings, "vendor")?;
    packages.interpreter = text(settings, "pythonBin")?;
    packages.pip_arguments = strings(settings, "pipCmdExtraArgs")?
        .iter()
        .flat_map(|argument| argument.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
        .collect();
    packages.zip = flag(settings, "zip")?.unwrap_or(false);
    packages.slim = slim(settings)?;
    packages.layer = settings.get("layer").is_some_and(asks);
    for tool in ["usePipenv", "usePoetry"] {
        packages.tools_off.extend(flag(settings, tool)?.filter(|on| !on).map(|_| tool.to_owned()));
    }
    packages.no_deploy = no_deploy(settings, report)?;
    Ok(packages)
}

/// `layer`: the packages are in a layer, which functions name as `!Ref
/// PythonRequirementsLambdaLayer`.
pub(super) fn layer(compile: &mut Compile<'_>, root: &Node) -> Result<(), Diagnostic> {
    let settings = root.get("custom").and_then(|custom| custom.get("pythonRequirements"));
    let Some(layer) = settings.and_then(|settings| settings.get("layer")).filter(|l| asks(l))
    else {
        return Ok(());
    };
    if layer.as_map().is_some() {
        LAYER_KEYS.check(layer, &format!("{PATH}.layer"), compile.report)?;
    }
    let at = &layer.at;
    let runtime = compile.provider.get("runtime").cloned();
    let runtime = runtime.filter(|node| node.as_str().is_some_and(|r| r.starts_with("python")));
    let name = format!("{}-{}-python-requirements", compile.service, compile.stage);
    let mut properties = Map::default();
    properties.set("LayerName", at.string(name));
    if let Some(runtime) = &runtime {
        properties.set("CompatibleRuntimes", at.list([runtime.clone()]));
    }
    for (property, key) in [
        ("LayerName", "name"),
        ("Description", "description"),
        ("CompatibleRuntimes", "compatibleRuntimes"),
        ("LicenseInfo", "licenseInfo"),
    ] {
        properties.set_some(property, layer.get(key));
    }
    let compatible = properties.get("CompatibleRuntimes").and_then(Node::as_list);
    let runtime = runtime.as_ref().or_else(|| compatible.and_then(|list| list.first()));
    let Some(runtime) = runtime.and_then(Node::as_str).map(str::to_owned) else {
        return Err(Diagnostic::new(at, format!("{PATH}.layer is for no version of Python"))
            .help("add compatibleRuntimes: [python3.13], or provider.runtime"));
    };
    let content = LayerContent::Packages { runtime };
    let made = Layer { name: "layer:pythonRequirements".to_owned(), at: at.clone(), content };
    let id = naming::layer("pythonRequirements");
    layers::add(compile, &id, made, properties, None)
}

/// Whether a switch that may also be a map is on.
fn asks(node: &Node) -> bool {
    !node.is_null() && node.as_bool() != Some(false)
}

fn flag(settings: &Node, key: &str) -> Result<Option<bool>, Diagnostic> {
    settings.get(key).map(|node| node.expect_bool(&format!("{PATH}.{key}"))).transpose()
}

fn slim(settings: &Node) -> Result<Vec<String>, Diagnostic> {
    if !flag(settings, "slim")?.unwrap_or(false) {
        return Ok(Vec::new());
    }
    let mut patterns = strings(settings, "slimPatterns")?;
    if flag(settings, "slimPatternsAppendDefaults")?.unwrap_or(true) {
        patterns.extend(SLIM.iter().map(|pattern| (*pattern).to_owned()));
    }
    Ok(patterns)
}

/// On AWS the runtime has an SDK, so projects leave theirs out. Here it has none, and whatever
/// version the project asks for is the one it was written for.
fn no_deploy(settings: &Node, report: &mut Report) -> Result<Vec<String>, Diagnostic> {
    let (of_the_runtime, others): (Vec<String>, Vec<String>) = strings(settings, "noDeploy")?
        .into_iter()
        .partition(|name| OF_THE_RUNTIME.contains(&name.to_ascii_lowercase().as_str()));
    if let (Some(node), false) = (settings.get("noDeploy"), of_the_runtime.is_empty()) {
        let names = of_the_runtime.join(", ");
        let what = format!("does not take away {names}, which the runtime has on AWS only");
        report.note(&node.at, &format!("{PATH}.noDeploy"), &what);
    }
    Ok(others)
}
