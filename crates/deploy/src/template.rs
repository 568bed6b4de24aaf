//! A CloudFormation template, checked for its form; the values stay trees with places.

use serde::{Deserialize, Serialize};

use crate::diagnostic::{Diagnostic, Place};
use crate::report::Report;
use crate::yaml::{Map, Node, Value};

/// CloudFormation's own limits.
const RESOURCES_MAX: usize = 500;
const OUTPUTS_MAX: usize = 200;

/// A template.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Template {
    pub resources: Vec<Resource>,
    pub outputs: Vec<Output>,
    /// Name → expression.
    pub conditions: Map,
    /// Name → first key → second key → value.
    pub mappings: Map,
    /// Name → declaration; its `Default` is its value.
    pub parameters: Map,
}

/// One resource as it was written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Resource {
    pub id: String,
    pub at: Place,
    /// `AWS::SQS::Queue`
    pub kind: String,
    pub kind_at: Place,
    pub properties: Map,
    pub depends_on: Vec<String>,
    pub condition: Option<String>,
    /// `DeletionPolicy: Retain`: removal leaves it in place.
    pub retain: bool,
}

/// One output as it was written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Output {
    pub name: String,
    pub value: Node,
    pub condition: Option<String>,
}

impl Template {
    /// Reads a template.
    pub fn read(node: &Node, report: &mut Report) -> Result<Template, Diagnostic> {
        let mut template = Template::default();
        for pair in &node.expect_map("a template")?.0 {
            let section = &pair.node;
            if section.is_null() {
                continue;
            }
            match pair.key.as_str() {
                "Resources" => {
                    template.resources = resources(section, report)?;
                }
                "Outputs" => template.outputs = outputs(section, report)?,
                "Conditions" => template.conditions = section.expect_map("Conditions")?.clone(),
                "Mappings" => template.mappings = section.expect_map("Mappings")?.clone(),
                "Parameters" => template.parameters = section.expect_map("Parameters")?.clone(),
                "AWSTemplateFormatVersion" | "Description" | "Metadata" => {}
                "Transform" | "Rules" | "Hooks" => {
                    let message = format!("the section {} is not served", pair.key);
                    return Err(Diagnostic::new(&pair.at, message).help("remove it"));
                }
                other => {
                    return Err(Diagnostic::new(
                        &pair.at,
                        format!("'{other}' is not a section of a template"),
                    )
                    .help(
                        "the sections are Resources, Outputs, Conditions, Mappings, Parameters",
                    ));
                }
            }
        }
        Ok(template)
    }

    /// The resource with this logical id.
    pub fn resource(&self, id: &str) -> Option<&Resource> {
        self.resources.iter().find(|resource| resource.id == id)
    }
}

fn resources(node: &Node, report: &mut Report) -> Result<Vec<Resource>, Diagnostic> {
    let map = node.expect_map("Resources")?;
    if map.0.len() > RESOURCES_MAX {
        let message = format!("{} resources are more than {RESOURCES_MAX}", map.0.len());
        return Err(Diagnostic::new(&node.at, message).help("split the service"));
    }
    map.0.iter().map(|pair| resource(&pair.key, &pair.at, &pair.node, report)).collect()
}

fn resource(
    id: &str,
    at: &Place,
    node: &Node,
    report: &mut Report,
) -> Result<Resource, Diagnostic> {
    if id.is_empty() || !id.chars().all(|c| c.is_ascii_alphanumeric()) {
        return Err(Diagnostic::new(at, format!("'{id}' is not a logical id"))
            .help("use letters and digits only"));
    }
    let map = node.expect_map(id)?;
    let Some(kind) = node.get("Type") else {
        return Err(
            Diagnostic::new(at, format!("the resource {id} has no Type")).help("add Type: AWS::…")
        );
    };
    let mut resource = Resource {
        id: id.to_owned(),
        at: at.clone(),
        kind: kind.expect_str(&format!("{id}.Type"))?.to_owned(),
        kind_at: kind.at.clone(),
        properties: Map::default(),
        depends_on: Vec::new(),
        condition: None,
        retain: false,
    };
    for pair in map.0.iter().filter(|pair| !pair.node.is_null()) {
        let path = format!("{id}.{}", pair.key);
        match pair.key.as_str() {
            "Type" | "Metadata" => {}
            "Properties" => resource.properties = pair.node.expect_map(&path)?.clone(),
            "DependsOn" => {
                let list = pair.node.one_or_many();
                let ids = list.iter().map(|item| item.expect_str(&path).map(str::to_owned));
                resource.depends_on = ids.collect::<Result<_, _>>()?;
            }
            "Condition" => resource.condition = Some(pair.node.expect_str(&path)?.to_owned()),
            "DeletionPolicy" => resource.retain = retain(&pair.node, &path)?,
            "UpdateReplacePolicy" | "UpdatePolicy" | "CreationPolicy" => {
                report.unhonoured(&pair.at, &path, "is not honoured");
            }
            other => {
                let message = format!("'{other}' is not an attribute of the resource {id}");
                return Err(Diagnostic::new(&pair.at, message)
                    .help("did you mean to indent it below Properties?"));
            }
        }
    }
    Ok(resource)
}

fn retain(node: &Node, path: &str) -> Result<bool, Diagnostic> {
    match node.expect_str(path)? {
        "Delete" => Ok(false),
        "Retain" | "RetainExceptOnCreate" => Ok(true),
        other => Err(Diagnostic::new(&node.at, format!("{path}: {other} is not served"))
            .help("use Delete or Retain")),
    }
}

fn outputs(node: &Node, report: &mut Report) -> Result<Vec<Output>, Diagnostic> {
    let map = node.expect_map("Outputs")?;
    if map.0.len() > OUTPUTS_MAX {
        let message = format!("{} outputs are more than {OUTPUTS_MAX}", map.0.len());
        return Err(Diagnostic::new(&node.at, message));
    }
    let read = |pair: &crate::yaml::Pair| {
        let path = format!("Outputs.{}", pair.key);
        let Some(value) = pair.node.get("Value") else {
            return Err(
                Diagnostic::new(&pair.at, format!("{path} has no Value")).help("add Value: !Ref …")
            );
        };
        if let Some(export) = pair.node.as_map().and_then(|map| map.pair("Export")) {
            let path = format!("{path}.Export");
            report.unhonoured(&export.at, &path, "is not honoured: nothing imports it");
        }
        let condition = match pair.node.get("Condition") {
            Some(node) => Some(node.expect_str(&format!("{path}.Condition"))?.to_owned()),
            None => None,
        };
        Ok(Output { name: pair.key.clone(), value: value.clone(), condition })
    };
    map.0.iter().map(read).collect()
}

/// Lays `over` upon `under`: maps are merged key by key, anything else is replaced.
pub(crate) fn merge(under: &mut Node, over: Node) {
    match (&mut under.value, over.value) {
        (Value::Map(under), Value::Map(over)) => {
            for pair in over.0 {
                match under.0.iter_mut().find(|known| known.key == pair.key) {
                    Some(known) => merge(&mut known.node, pair.node),
                    None => under.0.push(pair),
                }
            }
        }
        (_, value) => *under = over.at.node(value),
    }
}
