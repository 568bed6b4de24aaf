//! `- http:` → one AWS::ApiGateway::RestApi with an OpenAPI body for all functions.

use std::collections::BTreeMap;

use serde_json::json;

use crate::diagnostic::{Diagnostic, Place};
use crate::yaml::{Map, Node, Value};

use super::super::compile::Compile;
use super::super::keys::Keys;
use super::super::naming::{self, REST_API, REST_DEPLOYMENT};
use super::super::openapi;
use super::Event;

const KEYS: Keys = Keys {
    honoured: &["method", "path", "cors", "integration"],
    unhonoured: &[
        "authorizer",
        "private",
        "request",
        "response",
        "async",
        "timeoutInMillis",
        "operationId",
        "documentation",
        "throttling",
    ],
};

const PROVIDER_KEYS: Keys = Keys {
    honoured: &["shouldStartNameWithService", "binaryMediaTypes", "description"],
    unhonoured: &[
        "apiKeys",
        "apiKeySourceType",
        "disableDefaultEndpoint",
        "metrics",
        "minimumCompressionSize",
        "resourcePolicy",
        "usagePlan",
        "throttle",
        "request",
        "websocketApiId",
        "timeoutInMillis",
        "resource",
    ],
};

const CORS_KEYS: Keys = Keys {
    honoured: &[
        "origin",
        "origins",
        "headers",
        "methods",
        "allowCredentials",
        "maxAge",
        "cacheControl",
    ],
    unhonoured: &[],
};

/// A method of the REST API.
pub(in super::super) struct RestRoute {
    at: Place,
    function: String,
    method: String,
    path: String,
    cors: Option<Node>,
}

pub(super) fn compile(compile: &mut Compile<'_>, event: &Event<'_>) -> Result<(), Diagnostic> {
    let (method, path, cors) = match event.node.as_str() {
        Some(text) => match text.split_once(' ') {
            Some((method, path)) => (method.to_owned(), path.trim().to_owned(), None),
            None => {
                let message = format!("'{text}' is not a method and a path");
                return Err(event.mistake(message).help("write get path/{id}"));
            }
        },
        None => {
            KEYS.check(event.node, &event.path, compile.report)?;
            refuse_other_integrations(event)?;
            let part = |key: &str| match event.node.get(key) {
                Some(node) => node.expect_str(&format!("{}.{key}", event.path)),
                None => Err(event
                    .mistake(format!("there is no {key}"))
                    .help("an http event has a method and a path")),
            };
            let cors = event.node.get("cors").filter(|cors| cors.as_bool() != Some(false));
            (part("method")?.to_owned(), part("path")?.to_owned(), cors.cloned())
        }
    };
    let method = openapi::method(event.at, &method)?;
    let path = format!("/{}", path.trim_matches('/'));
    let function = event.function.to_owned();
    compile.rest_routes.push(RestRoute { at: event.at.clone(), function, method, path, cors });
    Ok(())
}

fn refuse_other_integrations(event: &Event<'_>) -> Result<(), Diagnostic> {
    let Some(kind) = event.node.get("integration") else { return Ok(()) };
    let name = kind.expect_str(&format!("{}.integration", event.path))?;
    match name.to_ascii_lowercase().as_str() {
        "lambda-proxy" | "aws-proxy" | "aws_proxy" => Ok(()),
        _ => Err(Diagnostic::new(&kind.at, format!("the integration '{name}' is not served"))
            .help("use lambda-proxy, which is also the default")),
    }
}

/// Adds the API once all functions are read.
pub(in super::super) fn finish(compile: &mut Compile<'_>) -> Result<(), Diagnostic> {
    let routes = std::mem::take(&mut compile.rest_routes);
    let Some(first) = routes.first() else { return Ok(()) };
    let at = first.at.clone();
    let provider = compile.provider.get("apiGateway").cloned();
    if let Some(provider) = &provider {
        if let Some(id) = provider.as_map().and_then(|map| map.pair("restApiId")) {
            let message = "provider.apiGateway.restApiId names an API outside this service";
            return Err(Diagnostic::new(&id.at, message).help("remove it: the API is made here"));
        }
        PROVIDER_KEYS.check(provider, "provider.apiGateway", compile.report)?;
    }
    let option = |key: &str| provider.as_ref().and_then(|node| node.get(key));
    let mut paths = openapi::Paths::default();
    let mut preflights: BTreeMap<&str, Vec<&RestRoute>> = BTreeMap::new();
    for route in &routes {
        let mut operation = Map::default();
        operation
            .set(openapi::INTEGRATION, openapi::lambda(compile, &route.at, &route.function, "1.0"));
        paths.add(&route.at, &route.path, &route.method, Value::Map(operation))?;
        if route.cors.is_some() {
            preflights.entry(&route.path).or_default().push(route);
        }
        let source = compile.execute_api_arn(&route.at, REST_API, "/*/*");
        let event = Event {
            function: &route.function,
            arn: compile.function_arn(&route.at, &route.function),
            at: &route.at,
            node: &route.at.node(Value::Null),
            path: String::new(),
        };
        let id = format!("{}LambdaPermissionApiGateway", naming::function(&route.function));
        compile.resource_once(&id, event.permission("apigateway.amazonaws.com", source));
    }
    for (path, routes) in preflights {
        let preflight = preflight(compile, &routes)?;
        paths.add(&routes[0].at, path, "OPTIONS", preflight)?;
    }
    let name =
        compile.api_name(compile.provider.get("apiName"), option("shouldStartNameWithService"));
    let mut body = openapi::document(&at, &name, paths);
    body.set_some("x-amazon-apigateway-binary-media-types", option("binaryMediaTypes"));
    let mut properties = Map::default();
    properties.set("Name", name);
    properties.set_some("Description", option("description"));
    properties.set("Body", at.node(Value::Map(body)));
    add_resources(compile, &at, properties)
}

fn add_resources(compile: &mut Compile<'_>, at: &Place, properties: Map) -> Result<(), Diagnostic> {
    compile.resource(
        REST_API,
        at.map([
            ("Type", at.string("AWS::ApiGateway::RestApi")),
            ("Properties", at.node(Value::Map(properties))),
        ]),
    )?;
    let stage = compile.stage.clone();
    compile.resource(
        REST_DEPLOYMENT,
        at.map([
            ("Type", at.string("AWS::ApiGateway::Deployment")),
            (
                "Properties",
                at.map([("RestApiId", at.reference(REST_API)), ("StageName", at.string(&stage))]),
            ),
        ]),
    )?;
    let url = format!("${{Cumulet::Endpoint}}/_aws/execute-api/${{{REST_API}}}/{stage}");
    compile.output("ServiceEndpoint", "URL of the service endpoint", at.sub(url));
    Ok(())
}

/// The OPTIONS method of a path: a mock integration that answers with the CORS headers, merged
/// over all methods of the path that ask for CORS.
fn preflight(compile: &mut Compile<'_>, routes: &[&RestRoute]) -> Result<Value, Diagnostic> {
    let at = &routes[0].at;
    let mut headers = BTreeMap::new();
    let mut methods: Vec<String> = Vec::new();
    let mut allowed: Vec<String> =
        openapi::CORS_HEADERS.iter().map(|text| (*text).to_owned()).collect();
    headers.insert("Access-Control-Allow-Origin", "'*'".to_owned());
    for route in routes {
        methods.push(route.method.clone());
        let Some(cors) = route.cors.as_ref().filter(|cors| cors.as_map().is_some()) else {
            continue;
        };
        let path = format!("functions.{}.events.http.cors", route.function);
        CORS_KEYS.check(cors, &path, compile.report)?;
        if let Some(origins) = cors.get("origins").or_else(|| cors.get("origin")) {
            let origins = texts(origins, &path)?;
            if origins.len() > 1 {
                compile.report.unhonoured(
                    &cors.at,
                    &path,
                    "lists several origins; the first is sent",
                );
            }
            headers.insert("Access-Control-Allow-Origin", format!("'{}'", origins[0]));
        }
        if let Some(list) = cors.get("headers") {
            allowed = texts(list, &path)?;
        }
        if let Some(list) = cors.get("methods") {
            methods.extend(texts(list, &path)?);
        }
        if cors.get("allowCredentials").and_then(Node::as_bool) == Some(true) {
            headers.insert("Access-Control-Allow-Credentials", "'true'".to_owned());
        }
        let scalar = |key: &str| cors.get(key).and_then(Node::scalar_text);
        if let Some(age) = scalar("maxAge") {
            headers.insert("Access-Control-Max-Age", format!("'{age}'"));
        }
        if let Some(control) = scalar("cacheControl") {
            headers.insert("Cache-Control", format!("'{control}'"));
        }
    }
    headers.insert("Access-Control-Allow-Headers", format!("'{}'", allowed.join(",")));
    let methods = openapi::cors_methods(methods.iter().map(String::as_str));
    headers.insert("Access-Control-Allow-Methods", format!("'{}'", methods.join(",")));
    let response: serde_json::Map<_, _> = headers
        .keys()
        .map(|name| ((*name).to_owned(), json!({ "schema": { "type": "string" } })))
        .collect();
    let parameters: serde_json::Map<_, _> = headers
        .iter()
        .map(|(name, value)| (format!("method.response.header.{name}"), json!(value)))
        .collect();
    Ok(at
        .json(json!({
            "responses": { "200": { "description": "preflight", "headers": response } },
            openapi::INTEGRATION: {
                "type": "mock",
                "requestTemplates": { "application/json": "{\"statusCode\": 200}" },
                "responses": {
                    "default": { "statusCode": "200", "responseParameters": parameters },
                },
            },
        }))
        .value)
}

/// One string or a list of them, never empty.
fn texts(node: &Node, path: &str) -> Result<Vec<String>, Diagnostic> {
    let list = node.one_or_many();
    let texts: Vec<String> = list
        .iter()
        .map(|item| item.expect_str(path).map(str::to_owned))
        .collect::<Result<_, _>>()?;
    if texts.is_empty() {
        return Err(Diagnostic::new(&node.at, format!("{path} has an empty list")));
    }
    Ok(texts)
}
