//! `resources:` is CloudFormation already; it is laid over what the functions made.

use crate::diagnostic::Diagnostic;
use crate::template::merge;
use crate::yaml::{Map, Node, Pair, Value};

const SECTIONS: &[&str] = &[
    "Resources",
    "Outputs",
    "Conditions",
    "Mappings",
    "Parameters",
    "Description",
    "Metadata",
    "AWSTemplateFormatVersion",
    "Transform",
    "Rules",
    "Hooks",
];

/// Merges the section, one map or a list of them, into the template.
pub(super) fn add(template: &mut Node, root: &Node) -> Result<(), Diagnostic> {
    let Some(section) = root.get("resources") else { return Ok(()) };
    for part in section.one_or_many() {
        for pair in &part.expect_map("resources")?.0 {
            match pair.key.as_str() {
                "extensions" => extend(template, &pair.node)?,
                key if SECTIONS.contains(&key) => {
                    if !pair.node.is_null() {
                        let section = Value::Map(Map(vec![pair.clone()]));
                        merge(template, part.at.node(section));
                    }
                }
                other => {
                    let message = format!("'{other}' stands directly below resources");
                    return Err(Diagnostic::new(&pair.at, message)
                        .help("indent resources below resources.Resources"));
                }
            }
        }
    }
    Ok(())
}

/// `extensions` adds to resources that the framework made.
fn extend(template: &mut Node, extensions: &Node) -> Result<(), Diagnostic> {
    for Pair { key, at, node } in &extensions.expect_map("resources.extensions")?.0 {
        let known = template.get("Resources").is_some_and(|map| map.get(key).is_some());
        if !known {
            return Err(Diagnostic::new(at, format!("there is no resource {key} to extend"))
                .help("extensions are for resources made from functions and events"));
        }
        let patch = at.map([("Resources", at.map([(key.as_str(), node.clone())]))]);
        merge(template, patch);
    }
    Ok(())
}
