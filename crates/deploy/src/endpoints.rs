//! The URLs of the APIs and functions a stack has.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::template::Template;
use crate::types::{Made, Properties};

/// A route and where it is reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// `GET`, or `ANY`.
    pub method: String,
    pub url: String,
    /// The name of the function behind it.
    pub function: String,
}

/// All routes, in the order of the template.
pub(crate) fn of(
    template: &Template,
    made: &BTreeMap<String, Made>,
    wanted: &BTreeMap<String, Properties>,
    endpoint: &str,
) -> Vec<Endpoint> {
    let mut all = Vec::new();
    for resource in &template.resources {
        let (Some(made), Some(properties)) = (made.get(&resource.id), wanted.get(&resource.id))
        else {
            continue;
        };
        let base = match resource.kind.as_str() {
            "AWS::ApiGatewayV2::Api" => made.attributes["ApiEndpoint"].clone(),
            "AWS::ApiGateway::RestApi" => match stage(template, wanted, &made.id) {
                Some(stage) => format!("{endpoint}/_aws/execute-api/{}/{stage}", made.id),
                None => continue,
            },
            "AWS::Lambda::Url" => {
                let url = made.attributes["FunctionUrl"].clone();
                let function = made.id.rsplit_once(":function:").map_or("", |(_, name)| name);
                all.push(Endpoint { method: "ANY".to_owned(), url, function: function.to_owned() });
                continue;
            }
            _ => continue,
        };
        let paths = properties.get("Body").and_then(|body| body["paths"].as_object());
        for (path, methods) in paths.into_iter().flatten() {
            for (method, operation) in methods.as_object().into_iter().flatten() {
                let Some(function) = function(operation) else { continue };
                let path = if path == "/$default" { "/*" } else { path };
                let method = match method.as_str() {
                    "x-amazon-apigateway-any-method" => "ANY".to_owned(),
                    other => other.to_ascii_uppercase(),
                };
                all.push(Endpoint { method, url: format!("{base}{path}"), function });
            }
        }
    }
    all
}

/// The stage a REST API is deployed to.
fn stage<'w>(
    template: &Template,
    wanted: &'w BTreeMap<String, Properties>,
    api: &str,
) -> Option<&'w str> {
    let deployments = template.resources.iter().filter(|r| r.kind == "AWS::ApiGateway::Deployment");
    deployments
        .filter_map(|deployment| wanted.get(&deployment.id))
        .find(|properties| properties.get("RestApiId").and_then(Value::as_str) == Some(api))
        .and_then(|properties| properties.get("StageName")?.as_str())
}

/// The name in `…:function:name/invocations`.
fn function(operation: &Value) -> Option<String> {
    let uri = operation["x-amazon-apigateway-integration"]["uri"].as_str()?;
    let name = uri.rsplit_once(":function:")?.1;
    Some(name.trim_end_matches("/invocations").to_owned())
}
