//! The template under construction.

use std::collections::{BTreeMap, BTreeSet};

use crate::diagnostic::{Diagnostic, Place};
use crate::project::{Function, Layer, Patterns};
use crate::report::Report;
use crate::yaml::{Map, Node, Value};

use super::events::{HttpRoute, RestRoute};
use super::naming;

/// Everything the sections of a service add to.
pub(super) struct Compile<'a> {
    pub(super) service: String,
    pub(super) stage: String,
    pub(super) provider: Node,
    /// `package.patterns` of the whole service.
    pub(super) patterns: Patterns,
    pub(super) resources: Map,
    pub(super) outputs: Map,
    pub(super) functions: Vec<Function>,
    pub(super) layers: Vec<Layer>,
    /// The keys of all functions, also of those that are yet to be read.
    pub(super) function_names: Vec<String>,
    /// Those that are called by an alias.
    pub(super) aliased: BTreeSet<String>,
    pub(super) http_routes: Vec<HttpRoute>,
    /// The payload version that a function asks of HTTP APIs, against the provider's.
    pub(super) payloads: BTreeMap<String, String>,
    pub(super) rest_routes: Vec<RestRoute>,
    pub(super) report: &'a mut Report,
    /// Schedules met per function: their logical ids count from one.
    pub(super) schedules: BTreeMap<String, usize>,
}

impl Compile<'_> {
    /// Adds a resource; two of one name would hide one another.
    pub(super) fn resource(&mut self, id: &str, node: Node) -> Result<(), Diagnostic> {
        if let Some(other) = self.resources.pair(id) {
            let message = format!("two events make the same resource {id}");
            return Err(Diagnostic::new(&node.at, message)
                .help(format!("remove one: the other is at line {}", other.at.line)));
        }
        self.resources.set(id, node);
        Ok(())
    }

    /// Adds a resource that several events share.
    pub(super) fn resource_once(&mut self, id: &str, node: Node) {
        if self.resources.get(id).is_none() {
            self.resources.set(id, node);
        }
    }

    pub(super) fn output(&mut self, name: &str, description: &str, value: Node) {
        let at = value.at.clone();
        let output = at.map([("Description", at.string(description)), ("Value", value)]);
        self.outputs.set(name, output);
    }

    pub(super) fn next_schedule(&mut self, function: &str) -> usize {
        let number = self.schedules.entry(function.to_owned()).or_default();
        *number += 1;
        *number
    }

    /// The ARN that events are sent to.
    pub(super) fn function_arn(&self, at: &Place, name: &str) -> Node {
        match self.aliased.contains(name) {
            true => at.reference(&naming::alias(name)),
            false => at.get_att(&naming::lambda(name), "Arn"),
        }
    }

    /// The same, as it stands within `Fn::Sub`.
    pub(super) fn function_arn_within(&self, name: &str) -> String {
        match self.aliased.contains(name) {
            true => format!("${{{}}}", naming::alias(name)),
            false => format!("${{{}.Arn}}", naming::lambda(name)),
        }
    }

    /// The ARN of an API's methods, as a permission names them.
    pub(super) fn execute_api_arn(&self, at: &Place, api: &str, rest: &str) -> Node {
        at.sub(format!(
            "arn:${{AWS::Partition}}:execute-api:${{AWS::Region}}:${{AWS::AccountId}}:\
             ${{{api}}}{rest}"
        ))
    }

    /// `stage-service`, unless the file says otherwise.
    pub(super) fn api_name(&self, given: Option<&Node>, service_first: Option<&Node>) -> Node {
        if let Some(name) = given {
            return name.clone();
        }
        let text = match service_first.and_then(Node::as_bool) {
            Some(true) => format!("{}-{}", self.service, self.stage),
            _ => format!("{}-{}", self.stage, self.service),
        };
        self.provider.at.string(text)
    }

    /// A role given for all functions: `iam.role`, where it is not a map of settings.
    pub(super) fn provider_role(&self) -> Option<&Node> {
        let role = self.provider.get("iam").and_then(|iam| iam.get("role"));
        role.filter(|role| role.as_map().is_none() || role.intrinsic().is_some())
            .or_else(|| self.provider.get("role"))
    }

    /// The provider's tags and the resource's own, as a list of Key and Value.
    pub(super) fn tags(&self, own: Option<&Node>) -> Result<Option<Node>, Diagnostic> {
        let mut tags = Map::default();
        for section in [self.provider.get("tags"), own].into_iter().flatten() {
            for pair in &section.expect_map("tags")?.0 {
                tags.set(&pair.key, pair.node.clone());
            }
        }
        let Some(first) = tags.0.first() else { return Ok(None) };
        let at = first.node.at.clone();
        let tag = |pair: &crate::yaml::Pair| {
            at.map([("Key", at.string(&pair.key)), ("Value", pair.node.clone())])
        };
        Ok(Some(at.list(tags.0.iter().map(tag))))
    }

    /// The role all functions share, unless each brings its own.
    pub(super) fn role(&mut self) -> Result<(), Diagnostic> {
        if self.provider_role().is_some() || self.functions.is_empty() {
            return Ok(());
        }
        let at = self.provider.at.clone();
        let role = self.provider.get("iam").and_then(|iam| iam.get("role")).cloned();
        let statements = role
            .as_ref()
            .and_then(|role| role.get("statements"))
            .or_else(|| self.provider.get("iamRoleStatements"))
            .cloned();
        let mut properties = Map::default();
        properties.set("AssumeRolePolicyDocument", at.json(assume_role()));
        if let Some(statements) = statements {
            let at = &statements.at;
            let document =
                at.map([("Version", at.string("2012-10-17")), ("Statement", statements.clone())]);
            let policy = at.map([
                ("PolicyName", at.string(format!("{}-{}-lambda", self.service, self.stage))),
                ("PolicyDocument", document),
            ]);
            properties.set("Policies", at.list([policy]));
        }
        if let Some(name) = role.as_ref().and_then(|role| role.get("name")) {
            properties.set("RoleName", name.clone());
        }
        let managed = role.as_ref().and_then(|role| role.get("managedPolicies"));
        properties.set_some("ManagedPolicyArns", managed);
        self.resource(
            naming::ROLE,
            at.map([
                ("Type", at.string("AWS::IAM::Role")),
                ("Properties", at.node(Value::Map(properties))),
            ]),
        )
    }
}

fn assume_role() -> serde_json::Value {
    serde_json::json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": { "Service": ["lambda.amazonaws.com"] },
            "Action": ["sts:AssumeRole"],
        }],
    })
}
