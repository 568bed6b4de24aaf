//! Which resource needs which: the order in which they are made.

use std::collections::{BTreeMap, BTreeSet};

use crate::diagnostic::{Diagnostic, Place};
use crate::intrinsics::{Reference, references};
use crate::template::{Resource, Template};
use crate::types;
use crate::yaml::Node;

/// Parameters that every template has.
pub(crate) const PSEUDO: &[&str] = &[
    "AWS::AccountId",
    "AWS::NoValue",
    "AWS::NotificationARNs",
    "AWS::Partition",
    "AWS::Region",
    "AWS::StackId",
    "AWS::StackName",
    "AWS::URLSuffix",
    // Ours: where the platform is reached, `http://localhost:4566`.
    "Cumulet::Endpoint",
];

/// Checks all that a template refers to: resources, attributes, parameters and conditions exist.
pub(crate) fn check(template: &Template) -> Result<(), Diagnostic> {
    let mut found = Vec::new();
    for resource in &template.resources {
        of_map(&resource.properties.0, &mut found)?;
        if let Some(condition) = &resource.condition {
            found.push((Reference::Condition(condition), &resource.at));
        }
        for id in &resource.depends_on {
            if template.resource(id).is_none() {
                return Err(unknown(template, id, &resource.at, "DependsOn names"));
            }
        }
    }
    for output in &template.outputs {
        references(&output.value, &mut found)?;
        if let Some(condition) = &output.condition {
            found.push((Reference::Condition(condition), &output.value.at));
        }
    }
    of_map(&template.conditions.0, &mut found)?;
    for (reference, at) in found {
        exists(template, &reference, at)?;
    }
    order(template, |_| true).map(|_| ())
}

fn of_map<'t>(
    pairs: &'t [crate::yaml::Pair],
    found: &mut Vec<(Reference<'t>, &'t Place)>,
) -> Result<(), Diagnostic> {
    pairs.iter().try_for_each(|pair| references(&pair.node, found))
}

fn exists(template: &Template, reference: &Reference<'_>, at: &Place) -> Result<(), Diagnostic> {
    match *reference {
        Reference::Name(name) => {
            let known = PSEUDO.contains(&name)
                || template.parameters.get(name).is_some()
                || template.resource(name).is_some();
            if known { Ok(()) } else { Err(unknown(template, name, at, "this refers to")) }
        }
        Reference::Attribute(id, attribute) => {
            let Some(resource) = template.resource(id) else {
                return Err(unknown(template, id, at, "this refers to"));
            };
            let attributes = types::of(resource)?.attributes;
            if attributes.contains(&attribute) {
                return Ok(());
            }
            let message = format!("{id} ({}) has no attribute {attribute}", resource.kind);
            Err(Diagnostic::new(at, message)
                .help(format!("its attributes are {}", attributes.join(", "))))
        }
        Reference::Condition(name) => match template.conditions.get(name) {
            Some(_) => Ok(()),
            None => Err(Diagnostic::new(at, format!("there is no condition {name}"))
                .help("add it to Conditions")),
        },
    }
}

fn unknown(template: &Template, name: &str, at: &Place, what: &str) -> Diagnostic {
    let message = format!("{what} {name}, and there is no such resource or parameter");
    let mut ids = template.resources.iter().map(|resource| resource.id.as_str());
    let near = ids.find(|id| id.eq_ignore_ascii_case(name) || id.contains(name));
    match near {
        Some(id) => Diagnostic::new(at, message).help(format!("did you mean {id}?")),
        None => Diagnostic::new(at, message).help("check its spelling"),
    }
}

/// The active resources, each after all that it needs; otherwise in the order written.
pub(crate) fn order(
    template: &Template,
    is_active: impl Fn(&Resource) -> bool,
) -> Result<Vec<&Resource>, Diagnostic> {
    let active: BTreeMap<&str, &Resource> = template
        .resources
        .iter()
        .filter(|resource| is_active(resource))
        .map(|resource| (resource.id.as_str(), resource))
        .collect();
    let mut walk = Walk { active: &active, done: BTreeSet::new(), path: Vec::new(), order: vec![] };
    for resource in template.resources.iter().filter(|r| active.contains_key(r.id.as_str())) {
        walk.visit(resource)?;
    }
    Ok(walk.order)
}

struct Walk<'w, 't> {
    active: &'w BTreeMap<&'t str, &'t Resource>,
    done: BTreeSet<&'t str>,
    path: Vec<&'t str>,
    order: Vec<&'t Resource>,
}

impl<'t> Walk<'_, 't> {
    // Recursion is as deep as the longest chain, and a template has at most 500 resources.
    fn visit(&mut self, resource: &'t Resource) -> Result<(), Diagnostic> {
        if self.done.contains(resource.id.as_str()) {
            return Ok(());
        }
        if let Some(start) = self.path.iter().position(|id| *id == resource.id) {
            let mut circle = self.path[start..].to_vec();
            circle.push(&resource.id);
            let message = format!("resources need each other in a circle: {}", circle.join(" → "));
            return Err(Diagnostic::new(&resource.at, message)
                .help("break it: give one of them a name of its own and write that name instead"));
        }
        self.path.push(&resource.id);
        for id in needs(resource)? {
            if let Some(needed) = self.active.get(id) {
                self.visit(needed)?;
            }
        }
        self.path.pop();
        self.done.insert(&resource.id);
        self.order.push(resource);
        Ok(())
    }
}

/// The names a resource refers to; some may be parameters.
fn needs(resource: &Resource) -> Result<Vec<&str>, Diagnostic> {
    let mut found = Vec::new();
    of_map(&resource.properties.0, &mut found)?;
    let names = found.into_iter().filter_map(|(reference, _)| match reference {
        Reference::Name(name) | Reference::Attribute(name, _) => Some(name),
        Reference::Condition(_) => None,
    });
    Ok(resource.depends_on.iter().map(String::as_str).chain(names).collect())
}

/// The value a parameter has: its default.
pub(crate) fn parameter(name: &str, declaration: &Node) -> Result<Node, Diagnostic> {
    declaration.get("Default").cloned().ok_or_else(|| {
        Diagnostic::new(&declaration.at, format!("the parameter {name} has no Default"))
            .help("add Default: the platform asks for no parameters")
    })
}
