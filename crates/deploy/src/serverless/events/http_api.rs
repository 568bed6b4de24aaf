//! `- httpApi:` → one AWS::ApiGatewayV2::Api with an OpenAPI body for all functions.

use crate::diagnostic::{Diagnostic, Place};
use crate::yaml::{Map, Node, Value};

use super::super::compile::Compile;
use super::super::keys::Keys;
use super::super::naming::{self, HTTP_API};
use super::super::openapi;
use super::Event;

const KEYS: Keys = Keys { honoured: &["method", "path"], unhonoured: &["authorizer", "timeout"] };

const PROVIDER_KEYS: Keys = Keys {
    honoured: &["cors", "payload", "name", "shouldStartNameWithService", "useProviderTags"],
    unhonoured: &["authorizers", "metrics", "timeout", "disableDefaultEndpoint"],
};

const CORS_KEYS: Keys = Keys {
    honoured: &[
        "allowedOrigins",
        "allowedHeaders",
        "allowedMethods",
        "allowCredentials",
        "exposedResponseHeaders",
        "maxAge",
    ],
    unhonoured: &[],
};

/// A route of the HTTP API; method and path are `*` for the one that takes the rest.
pub(in super::super) struct HttpRoute {
    pub(in super::super) at: Place,
    pub(in super::super) function: String,
    method: String,
    path: String,
}

pub(super) fn compile(compile: &mut Compile<'_>, event: &Event<'_>) -> Result<(), Diagnostic> {
    let (method, path) = match event.node.as_str() {
        Some("*") => ("*".to_owned(), "*".to_owned()),
        Some(text) => match text.split_once(' ') {
            Some((method, path)) => (method.to_owned(), path.trim().to_owned()),
            None => {
                let message = format!("'{text}' is not a method and a path");
                return Err(event.mistake(message).help("write GET /path, or '*' for all"));
            }
        },
        None => {
            KEYS.check(event.node, &event.path, compile.report)?;
            let part = |key: &str| {
                event.node.get(key).map(|node| node.expect_str(&format!("{}.{key}", event.path)))
            };
            let Some(path) = part("path").transpose()? else {
                return Err(event.mistake("there is no path").help("add path: /things/{id}"));
            };
            (part("method").transpose()?.unwrap_or("*").to_owned(), path.to_owned())
        }
    };
    let method = openapi::method(event.at, &method)?;
    if path != "*" && !path.starts_with('/') {
        let message = format!("the path '{path}' does not begin with /");
        return Err(event.mistake(message).help(format!("write /{path}")));
    }
    let function = event.function.to_owned();
    compile.http_routes.push(HttpRoute { at: event.at.clone(), function, method, path });
    Ok(())
}

/// Adds the API once all functions are read.
pub(in super::super) fn finish(compile: &mut Compile<'_>) -> Result<(), Diagnostic> {
    let routes = std::mem::take(&mut compile.http_routes);
    let Some(first) = routes.first() else { return Ok(()) };
    let at = first.at.clone();
    let provider = compile.provider.get("httpApi").cloned();
    if let Some(provider) = &provider {
        if let Some(id) = provider.as_map().and_then(|map| map.pair("id")) {
            let message = "provider.httpApi.id names an API outside this service";
            return Err(Diagnostic::new(&id.at, message).help("remove it: the API is made here"));
        }
        PROVIDER_KEYS.check(provider, "provider.httpApi", compile.report)?;
    }
    let option = |key: &str| provider.as_ref().and_then(|node| node.get(key));
    let payload = option("payload").and_then(Node::scalar_text).unwrap_or_else(|| "2.0".into());
    let mut paths = openapi::Paths::default();
    for route in &routes {
        let payload = compile.payloads.get(&route.function).unwrap_or(&payload);
        let integration = openapi::lambda(compile, &route.at, &route.function, payload);
        let mut operation = Map::default();
        if route.path == "*" {
            operation.set("isDefaultRoute", route.at.node(Value::Bool(true)));
        }
        operation.set(openapi::INTEGRATION, integration);
        let path = if route.path == "*" { "/$default" } else { &route.path };
        paths.add(&route.at, path, &route.method, Value::Map(operation))?;
        let source = compile.execute_api_arn(&route.at, HTTP_API, "/*");
        let event = Event {
            function: &route.function,
            arn: compile.function_arn(&route.at, &route.function),
            at: &route.at,
            node: &route.at.node(Value::Null),
            path: String::new(),
        };
        let id = format!("{}LambdaPermissionHttpApi", naming::function(&route.function));
        compile.resource_once(&id, event.permission("apigateway.amazonaws.com", source));
    }
    let name = compile.api_name(option("name"), option("shouldStartNameWithService"));
    let mut body = openapi::document(&at, &name, paths);
    if let Some(cors) = option("cors").filter(|cors| cors.as_bool() != Some(false)) {
        body.set("x-amazon-apigateway-cors", cors_of(compile, cors, &routes)?);
    }
    let mut properties = Map::default();
    properties.set("Body", at.node(Value::Map(body)));
    if let Some(tags) = compile.provider.get("tags") {
        properties.set("Tags", tags.clone());
    }
    compile.resource(
        HTTP_API,
        at.map([
            ("Type", at.string("AWS::ApiGatewayV2::Api")),
            ("Properties", at.node(Value::Map(properties))),
        ]),
    )?;
    compile.output("HttpApiId", "Id of the HTTP API", at.reference(HTTP_API));
    compile.output("HttpApiUrl", "URL of the HTTP API", at.get_att(HTTP_API, "ApiEndpoint"));
    Ok(())
}

fn cors_of(
    compile: &mut Compile<'_>,
    cors: &Node,
    routes: &[HttpRoute],
) -> Result<Node, Diagnostic> {
    let at = &cors.at;
    let strings = |list: Vec<String>| at.list(list.into_iter().map(|text| at.string(text)));
    let as_list = |node: &Node| match node.as_list() {
        Some(_) => node.clone(),
        None => node.at.list([node.clone()]),
    };
    let is_map = cors.as_map().is_some();
    if is_map {
        CORS_KEYS.check(cors, "provider.httpApi.cors", compile.report)?;
    } else {
        cors.expect_bool("provider.httpApi.cors")?;
    }
    let option = |key: &str| is_map.then(|| cors.get(key)).flatten();
    let mut map = Map::default();
    let origins = option("allowedOrigins").map_or_else(|| strings(vec!["*".into()]), as_list);
    map.set("allowOrigins", origins);
    let headers = option("allowedHeaders").map_or_else(
        || strings(openapi::CORS_HEADERS.iter().map(|text| (*text).to_owned()).collect()),
        as_list,
    );
    map.set("allowHeaders", headers);
    let methods = option("allowedMethods")
        .map_or_else(|| strings(openapi::cors_methods(routes.iter().map(|r| &*r.method))), as_list);
    map.set("allowMethods", methods);
    map.set_some("allowCredentials", option("allowCredentials"));
    map.set_some("exposeHeaders", option("exposedResponseHeaders").map(as_list).as_ref());
    map.set_some("maxAge", option("maxAge"));
    Ok(at.node(Value::Map(map)))
}
