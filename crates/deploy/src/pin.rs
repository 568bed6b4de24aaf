//! What a resource depends on beside its own properties, put among them, so that a change of it is
//! a change of the resource.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use sha2::{Digest as _, Sha256};

use crate::assets::Assets;
use crate::diagnostic::Diagnostic;
use crate::template::Resource;
use crate::types::{OF, Properties};

/// Properties that hold a package, and where such a package is declared.
const PACKAGES: &[(&str, &str)] = &[
    ("Code", "declare the function below functions:, with its handler"),
    ("Content", "declare the layer below layers:, with its path"),
];

/// Properties of a function that its versions do not have.
const UNVERSIONED: &[&str] = &["RecursiveLoop", "ReservedConcurrentExecutions", "Tags"];

/// Puts the hash beside the name of a package, and the state of a function in place of its name.
pub(crate) fn pin(
    resource: &Resource,
    assets: &Assets,
    wanted: &BTreeMap<String, Properties>,
    properties: &mut Properties,
) -> Result<(), Diagnostic> {
    for (property, help) in PACKAGES {
        let Some(Json::Object(package)) = properties.get_mut(*property) else { continue };
        let name = package.get("Asset").and_then(Json::as_str);
        let Some(asset) = name.and_then(|name| assets.get(name)) else {
            let message = format!("{}.{property} names no package of this project", resource.id);
            return Err(Diagnostic::new(&resource.at, message).help(*help));
        };
        package.insert("Sha256".to_owned(), asset.sha256.clone().into());
    }
    if let Some(Json::String(function)) = properties.get(OF)
        && let Some(function) = wanted.get(function)
    {
        let mut versioned = function.clone();
        versioned.retain(|name, _| !UNVERSIONED.contains(&name.as_str()));
        let digest = Sha256::digest(Json::Object(versioned).to_string());
        let text: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        properties.insert(OF.to_owned(), text.into());
    }
    Ok(())
}
