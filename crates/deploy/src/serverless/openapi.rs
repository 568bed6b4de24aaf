//! An API as one OpenAPI document with AWS's extensions: what both kinds of API are imported from.

use std::collections::BTreeSet;

use crate::diagnostic::{Diagnostic, Place};
use crate::yaml::{Map, Node, Value};

use super::compile::Compile;

pub(super) const INTEGRATION: &str = "x-amazon-apigateway-integration";
const ANY_METHOD: &str = "x-amazon-apigateway-any-method";

/// What the framework allows where `cors: true`.
pub(super) const CORS_HEADERS: &[&str] = &[
    "Content-Type",
    "X-Amz-Date",
    "Authorization",
    "X-Api-Key",
    "X-Amz-Security-Token",
    "X-Amz-User-Agent",
    "X-Amzn-Trace-Id",
];

const METHODS: &[&str] = &["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];

/// A method in capitals, `ANY` for `*`.
pub(super) fn method(at: &Place, text: &str) -> Result<String, Diagnostic> {
    let upper = text.to_ascii_uppercase();
    if upper == "*" || upper == "ANY" {
        return Ok("ANY".to_owned());
    }
    if METHODS.contains(&upper.as_str()) {
        return Ok(upper);
    }
    Err(Diagnostic::new(at, format!("'{text}' is not an HTTP method"))
        .help(format!("use one of {} or ANY", METHODS.join(", "))))
}

/// The methods a preflight allows for routes with these.
pub(super) fn cors_methods<'a>(methods: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut all = BTreeSet::from(["OPTIONS"]);
    for method in methods {
        match method {
            "ANY" => all.extend(["DELETE", "GET", "HEAD", "PATCH", "POST", "PUT"]),
            one => _ = all.insert(one),
        }
    }
    all.into_iter().map(str::to_owned).collect()
}

/// The integration that hands a request to a function as it is.
pub(super) fn lambda(compile: &Compile<'_>, at: &Place, function: &str, payload: &str) -> Node {
    let arn = compile.function_arn_within(function);
    let uri = format!(
        "arn:${{AWS::Partition}}:apigateway:${{AWS::Region}}:lambda:path/2015-03-31/functions/\
         {arn}/invocations"
    );
    at.map([
        ("type", at.string("aws_proxy")),
        ("httpMethod", at.string("POST")),
        ("payloadFormatVersion", at.string(payload)),
        ("uri", at.sub(uri)),
    ])
}

/// `paths` of a document: path → method → operation.
#[derive(Default)]
pub(super) struct Paths(Map);

impl Paths {
    /// Adds an operation; a route that exists already is a mistake.
    pub(super) fn add(
        &mut self,
        at: &Place,
        path: &str,
        method: &str,
        operation: Value,
    ) -> Result<(), Diagnostic> {
        let key = match method {
            "ANY" => ANY_METHOD.to_owned(),
            other => other.to_ascii_lowercase(),
        };
        let mut item = match self.0.get(path) {
            Some(node) => node.as_map().cloned().unwrap_or_default(),
            None => Map::default(),
        };
        if let Some(other) = item.pair(&key) {
            let message = format!("{method} {path} is routed twice");
            return Err(Diagnostic::new(at, message)
                .help(format!("remove one: the other is at line {}", other.at.line)));
        }
        item.set(&key, at.node(operation));
        self.0.set(path, at.node(Value::Map(item)));
        Ok(())
    }
}

pub(super) fn document(at: &Place, title: &Node, paths: Paths) -> Map {
    let mut body = Map::default();
    body.set("openapi", at.string("3.0.1"));
    body.set("info", at.map([("title", title.clone()), ("version", at.string("1"))]));
    body.set("paths", at.node(Value::Map(paths.0)));
    body
}
