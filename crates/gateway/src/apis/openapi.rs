//! An API's definition: an OpenAPI 3 document with API Gateway's extensions. Only what we can
//! honour is taken; everything else that would change behaviour is refused by name.

use base::Arn;
use serde_json::Value;

use super::{Cors, Format, Integration, Kind, Route};

/// A definition that cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidDefinition(String);

fn invalid<T>(what: impl Into<String>) -> Result<T, InvalidDefinition> {
    Err(InvalidDefinition(what.into()))
}

/// What a definition says.
#[derive(Debug, Clone, PartialEq)]
pub struct Definition {
    pub name: String,
    pub routes: Vec<Route>,
    pub cors: Option<Cors>,
}

const METHODS: [(&str, &str); 8] = [
    ("get", "GET"),
    ("put", "PUT"),
    ("post", "POST"),
    ("delete", "DELETE"),
    ("options", "OPTIONS"),
    ("head", "HEAD"),
    ("patch", "PATCH"),
    ("x-amazon-apigateway-any-method", "ANY"),
];

/// Routes of an API; AWS allows 300.
const ROUTES_MAX: usize = 300;

/// Reads a definition, JSON text.
pub fn parse(body: &str, kind: Kind) -> Result<Definition, InvalidDefinition> {
    let document: Value = match serde_json::from_str(body) {
        Ok(document) => document,
        Err(error) => return invalid(format!("Unable to parse the API definition: {error}")),
    };
    let name = document["info"]["title"].as_str().unwrap_or_default().to_owned();
    if name.is_empty() {
        return invalid("The API definition has no info.title");
    }
    let Some(paths) = document["paths"].as_object() else {
        return invalid("The API definition has no paths");
    };
    let mut routes = Vec::new();
    for (path, methods) in paths {
        for (method, operation) in methods.as_object().into_iter().flatten() {
            let Some((_, method)) = METHODS.iter().find(|(name, _)| name == method) else {
                return invalid(format!("'{method}' of path {path} is not served"));
            };
            let integration = &operation["x-amazon-apigateway-integration"];
            let integration = parse_integration(path, integration, kind)?;
            let path = path.strip_prefix('/').filter(|p| *p == "$default").unwrap_or(path);
            routes.push(Route { method: (*method).into(), path: path.into(), integration });
        }
    }
    if routes.len() > ROUTES_MAX {
        return invalid(format!("An API has at most {ROUTES_MAX} routes"));
    }
    let cors = match &document["x-amazon-apigateway-cors"] {
        Value::Null => None,
        cors => match serde_json::from_value(cors.clone()) {
            Ok(cors) => Some(cors),
            Err(error) => return invalid(format!("x-amazon-apigateway-cors: {error}")),
        },
    };
    Ok(Definition { name, routes, cors })
}

fn parse_integration(
    path: &str,
    integration: &Value,
    kind: Kind,
) -> Result<Integration, InvalidDefinition> {
    match integration["type"].as_str().unwrap_or_default().to_ascii_lowercase().as_str() {
        "aws_proxy" => {
            let uri = integration["uri"].as_str().unwrap_or_default();
            let Some(arn) = function_of(uri) else {
                return invalid(format!(
                    "Integration URI '{uri}' of path {path} names no function"
                ));
            };
            let format = match (integration["payloadFormatVersion"].as_str(), kind) {
                (Some("2.0"), Kind::Http) => Format::V2,
                (Some("1.0"), _) | (None, _) => Format::V1,
                (Some(other), _) => {
                    return invalid(format!("payloadFormatVersion '{other}' is not served"));
                }
            };
            Ok(Integration::Function { arn, format })
        }
        "mock" => mock(integration),
        other => invalid(format!("Integration type '{other}' of path {path} is not served")),
    }
}

/// The function of `arn:aws:apigateway:…:path/2015-03-31/functions/{arn}/invocations`, or of a
/// bare function ARN.
fn function_of(uri: &str) -> Option<Arn> {
    let inner = match uri.split_once("/functions/") {
        Some((_, rest)) => rest.strip_suffix("/invocations")?,
        None => uri,
    };
    inner.parse().ok().filter(|arn: &Arn| arn.service == "lambda")
}

/// The default response of a mock integration: its status and its literal headers.
fn mock(integration: &Value) -> Result<Integration, InvalidDefinition> {
    let default = &integration["responses"]["default"];
    let status = match default["statusCode"].as_str().unwrap_or("200").parse() {
        Ok(status) => status,
        Err(_) => return invalid("The status code of a mock integration is not a number"),
    };
    let mut headers = Vec::new();
    for (name, value) in default["responseParameters"].as_object().into_iter().flatten() {
        let header = name.strip_prefix("method.response.header.");
        let literal = value.as_str().and_then(|v| v.strip_prefix('\'')?.strip_suffix('\''));
        match (header, literal) {
            (Some(header), Some(literal)) => headers.push((header.into(), literal.into())),
            _ => return invalid(format!("Response parameter '{name}' is not served")),
        }
    }
    Ok(Integration::Mock { status, headers })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FUNCTION: &str = "arn:aws:lambda:us-east-1:000000000000:function:create";

    fn check(paths: &str, expected: &str) {
        let body = format!(r#"{{"openapi":"3.0.1","info":{{"title":"t"}},"paths":{paths}}}"#);
        let found = match parse(&body, Kind::Http) {
            Ok(definition) => definition
                .routes
                .iter()
                .map(|route| format!("{} {}", route.method, route.path))
                .collect::<Vec<_>>()
                .join(", "),
            Err(error) => error.to_string(),
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn a_definition_gives_routes_or_says_what_is_wrong() {
        let uri = format!(
            "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{FUNCTION}/invocations"
        );
        let proxy = format!(
            r#"{{"x-amazon-apigateway-integration":{{"type":"aws_proxy","uri":"{uri}","payloadFormatVersion":"2.0"}}}}"#
        );
        check(
            &format!(r#"{{"/a":{{"get":{proxy},"x-amazon-apigateway-any-method":{proxy}}}}}"#),
            "GET /a, ANY /a",
        );
        check(r#"{"/a":{"trace":{}}}"#, "'trace' of path /a is not served");
        check(
            r#"{"/a":{"get":{"x-amazon-apigateway-integration":{"type":"http"}}}}"#,
            "Integration type 'http' of path /a is not served",
        );
        check(
            r#"{"/a":{"get":{"x-amazon-apigateway-integration":{"type":"aws_proxy","uri":"x"}}}}"#,
            "Integration URI 'x' of path /a names no function",
        );
    }
}
