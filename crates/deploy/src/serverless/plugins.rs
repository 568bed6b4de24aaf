//! Plugins do not run here. What the common ones do is built in; the others are named.

use crate::diagnostic::Diagnostic;
use crate::project::Bundling;
use crate::report::Report;
use crate::yaml::Node;

use super::keys::Keys;

/// Plugins that bundle; esbuild is built in.
const BUNDLERS: &[&str] = &[
    "serverless-esbuild",
    "serverless-plugin-typescript",
    "serverless-webpack",
    "serverless-bundle",
    "serverless-jetpack",
];

/// Plugins whose whole purpose is what the platform is.
const NATIVE: &[&str] = &[
    "serverless-offline",
    "serverless-offline-sns",
    "serverless-offline-sqs",
    "serverless-offline-scheduler",
    "serverless-dynamodb-local",
    "serverless-dynamodb",
    "serverless-localstack",
    "serverless-dotenv-plugin",
    "serverless-prune-plugin",
    "serverless-plugin-common-excludes",
    "serverless-plugin-include-dependencies",
];

/// Settings of `custom.esbuild`.
const ESBUILD_KEYS: Keys = Keys {
    honoured: &[
        "bundle",
        "minify",
        "external",
        "exclude",
        "target",
        "format",
        "define",
        "loader",
        "sourcemap",
        "platform",
        "packager",
        "watch",
        "concurrency",
        "zipConcurrency",
        "keepNames",
        "config",
        "packagePath",
        "packagerOptions",
    ],
    unhonoured: &[
        "plugins",
        "banner",
        "footer",
        "inject",
        "mainFields",
        "conditions",
        "treeShaking",
        "splitting",
        "nativeZip",
        "outputFileExtension",
        "outputBuildFolder",
        "outputWorkFolder",
        "installExtraArgs",
        "keepOutputDirectory",
        "skipBuild",
        "skipRebuild",
        "skipBuildExcludeFns",
        "stripEntryResolveExtensions",
        "resolveExtensions",
        "sourcesContent",
        "jsx",
        "drop",
        "logLevel",
        "tsconfig",
        "preserveSymlinks",
        "legalComments",
        "charset",
        "external-only",
    ],
};

/// Reads `plugins` and the settings of the bundler.
pub(super) fn read(root: &Node, report: &mut Report) -> Result<Bundling, Diagnostic> {
    let mut bundling = Bundling::default();
    if let Some(plugins) = root.get("plugins") {
        let list = plugins.get("modules").unwrap_or(plugins);
        for plugin in list.expect_list("plugins")? {
            let name = plugin.expect_str("a plugin")?;
            let path = format!("plugins.{name}");
            if BUNDLERS.contains(&name) {
                bundling.requested = true;
                report.note(&plugin.at, &path, "is covered: functions are bundled with esbuild");
            } else if NATIVE.contains(&name) {
                report.note(&plugin.at, &path, "is covered by the platform itself");
            } else if name == super::python::PLUGIN {
                report.note(&plugin.at, &path, "is covered: packages are installed with pip");
            } else {
                report.unhonoured(&plugin.at, &path, "is not known here and does not run");
            }
        }
    }
    let settings = root.get("custom").and_then(|custom| custom.get("esbuild"));
    if let Some(settings) = settings.filter(|settings| settings.as_map().is_some()) {
        esbuild(&mut bundling, settings, report)?;
    }
    Ok(bundling)
}

fn esbuild(
    bundling: &mut Bundling,
    settings: &Node,
    report: &mut Report,
) -> Result<(), Diagnostic> {
    ESBUILD_KEYS.check(settings, "custom.esbuild", report)?;
    if let Some(config) = settings.as_map().and_then(|map| map.pair("config")) {
        let path = "custom.esbuild.config";
        report.unhonoured(&config.at, path, "is a program, and none is run");
    }
    let flag = |key: &str| settings.get(key).map(|node| node.expect_bool(key)).transpose();
    bundling.minify = flag("minify")?.unwrap_or(false);
    bundling.external = strings(settings, "external")?;
    bundling.exclude = strings(settings, "exclude")?;
    bundling.target = text(settings, "target")?;
    bundling.format = text(settings, "format")?;
    bundling.define = pairs(settings, "define")?;
    bundling.loader = pairs(settings, "loader")?;
    Ok(())
}

pub(super) fn text(settings: &Node, key: &str) -> Result<Option<String>, Diagnostic> {
    settings.get(key).map(|node| node.expect_str(key).map(str::to_owned)).transpose()
}

pub(super) fn strings(settings: &Node, key: &str) -> Result<Vec<String>, Diagnostic> {
    let Some(node) = settings.get(key) else { return Ok(Vec::new()) };
    let list = node.one_or_many();
    list.iter().map(|item| item.expect_str(key).map(str::to_owned)).collect()
}

fn pairs(settings: &Node, key: &str) -> Result<Vec<(String, String)>, Diagnostic> {
    let Some(node) = settings.get(key) else { return Ok(Vec::new()) };
    let pair = |pair: &crate::yaml::Pair| {
        let text = pair.node.scalar_text().ok_or_else(|| pair.node.unexpected(key, "a string"))?;
        Ok((pair.key.clone(), text))
    };
    node.expect_map(key)?.0.iter().map(pair).collect()
}
