//! `layers:` → AWS::Lambda::LayerVersion.

use crate::diagnostic::Diagnostic;
use crate::project::{Layer, LayerContent};
use crate::yaml::{Map, Node, Pair, Value};

use super::compile::Compile;
use super::functions::package_patterns;
use super::keys::Keys;
use super::naming;

const KEYS: Keys = Keys {
    honoured: &[
        "path",
        "name",
        "description",
        "compatibleRuntimes",
        "compatibleArchitectures",
        "licenseInfo",
        "allowedAccounts",
        "retain",
        "package",
    ],
    unhonoured: &[],
};

const PACKAGE_KEYS: Keys =
    Keys { honoured: &["patterns", "include", "exclude", "artifact"], unhonoured: &[] };

/// Reads the section.
pub(super) fn compile(compile: &mut Compile<'_>, root: &Node) -> Result<(), Diagnostic> {
    let Some(section) = root.get("layers").filter(|section| !section.is_null()) else {
        return Ok(());
    };
    for part in section.one_or_many() {
        for pair in &part.expect_map("layers")?.0 {
            layer(compile, pair)?;
        }
    }
    Ok(())
}

fn layer(compile: &mut Compile<'_>, pair: &Pair) -> Result<(), Diagnostic> {
    let Pair { key, at, node } = pair;
    let path = format!("layers.{key}");
    KEYS.check(node, &path, compile.report)?;
    let content = content(compile, pair, &path)?;
    let mut properties = Map::default();
    let name = node.get("name").cloned().unwrap_or_else(|| at.string(key));
    properties.set("LayerName", name);
    for (property, key) in [
        ("Description", "description"),
        ("CompatibleRuntimes", "compatibleRuntimes"),
        ("CompatibleArchitectures", "compatibleArchitectures"),
        ("LicenseInfo", "licenseInfo"),
    ] {
        properties.set_some(property, node.get(key));
    }
    let id = naming::layer(key);
    let layer = Layer { name: format!("layer:{key}"), at: at.clone(), content };
    add(compile, &id, layer, properties, node.get("retain"))?;
    let accounts = node.get("allowedAccounts").map(Node::one_or_many).unwrap_or_default();
    for account in accounts {
        permission(compile, key, account, &format!("{path}.allowedAccounts"))?;
    }
    Ok(())
}

fn content(compile: &mut Compile<'_>, pair: &Pair, path: &str) -> Result<LayerContent, Diagnostic> {
    let Pair { key, at, node } = pair;
    let mut patterns = compile.patterns.clone();
    if let Some(package) = node.get("package") {
        let path = format!("{path}.package");
        PACKAGE_KEYS.check(package, &path, compile.report)?;
        if let Some(artifact) = package.get("artifact") {
            let artifact = artifact.expect_str(&format!("{path}.artifact"))?;
            return Ok(LayerContent::Artifact(artifact.to_owned()));
        }
        patterns.extend(package_patterns(package, &path)?);
    }
    let Some(folder) = node.get("path") else {
        return Err(Diagnostic::new(at, format!("the layer {key} has no path"))
            .help("add path: the folder whose content it is"));
    };
    let folder = folder.expect_str(&format!("{path}.path"))?;
    let path = folder.trim_start_matches("./").trim_end_matches('/').to_owned();
    Ok(LayerContent::Folder { path, patterns })
}

/// Adds the resource of a layer, and its ARN to the outputs.
pub(super) fn add(
    compile: &mut Compile<'_>,
    id: &str,
    layer: Layer,
    mut properties: Map,
    retain: Option<&Node>,
) -> Result<(), Diagnostic> {
    let at = layer.at.clone();
    properties.set("Content", at.map([("Asset", at.string(&layer.name))]));
    let mut resource = Map::default();
    resource.set("Type", at.string("AWS::Lambda::LayerVersion"));
    if let Some(retain) = retain
        && retain.expect_bool("retain")?
    {
        resource.set("DeletionPolicy", retain.at.string("Retain"));
    }
    resource.set("Properties", at.node(Value::Map(properties)));
    compile.resource(id, at.node(Value::Map(resource)))?;
    let output = format!("{id}QualifiedArn");
    compile.output(&output, "Current Lambda layer version", at.reference(id));
    compile.layers.push(layer);
    Ok(())
}

fn permission(
    compile: &mut Compile<'_>,
    layer: &str,
    account: &Node,
    path: &str,
) -> Result<(), Diagnostic> {
    let at = &account.at;
    let Some(text) = account.scalar_text() else {
        return Err(account.unexpected(path, "a list of accounts"));
    };
    let named = if text == "*" { "Wild".to_owned() } else { naming::resource(&text) };
    let id = format!("{}{named}LambdaLayerPermission", naming::function(layer));
    let resource = at.map([
        ("Type", at.string("AWS::Lambda::LayerVersionPermission")),
        (
            "Properties",
            at.map([
                ("LayerVersionArn", at.reference(&naming::layer(layer))),
                ("Action", at.string("lambda:GetLayerVersion")),
                ("Principal", at.string(text)),
            ]),
        ),
    ]);
    compile.resource(&id, resource)
}
