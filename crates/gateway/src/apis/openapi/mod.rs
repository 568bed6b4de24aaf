//! An API's definition: an OpenAPI document with API Gateway's extensions. What it says is read, or
//! refused by its place; nothing that would change behaviour is left over.

mod integration;
mod place;
#[cfg(test)]
mod tests;

use kit::{Ctx, unserved};
use serde_json::Value;

use super::{Cors, Kind, Route};
use place::{Keys, Place};

/// A definition that cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDefinition {
    /// What AWS does not take either.
    #[error("{0}")]
    Wrong(String),
    /// The place of what AWS has and we do not serve.
    #[error("{0} is not served")]
    Unserved(String),
}

impl InvalidDefinition {
    fn wrong(what: impl Into<String>) -> InvalidDefinition {
        InvalidDefinition::Wrong(what.into())
    }

    /// As the operation that was given the definition answers it.
    pub fn refusal(self, ctx: &Ctx) -> kit::Error {
        match self {
            InvalidDefinition::Wrong(why) => kit::Error::sender("BadRequestException", why),
            InvalidDefinition::Unserved(place) => unserved::refusal(ctx, &place),
        }
    }
}

type Result<T> = std::result::Result<T, InvalidDefinition>;

/// What a definition says.
#[derive(Debug, Clone, PartialEq)]
pub struct Definition {
    pub name: String,
    pub routes: Vec<Route>,
    pub cors: Option<Cors>,
    pub binary_media_types: Vec<String>,
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

const INTEGRATION: &str = "x-amazon-apigateway-integration";
const CORS: &str = "x-amazon-apigateway-cors";
const BINARY_MEDIA_TYPES: &str = "x-amazon-apigateway-binary-media-types";

const DOCUMENT: Keys = Keys {
    read: &["openapi", "info", "paths", "components"],
    // AWS takes the path of a server only where the import says so, which is not served.
    inert: &["servers", "tags", "externalDocs", "x-amazon-apigateway-importexport-version"],
    unserved: &["security"],
};

const HTTP_DOCUMENT: Keys = Keys { read: &[CORS], inert: &[], unserved: &["securityDefinitions"] };

/// With what version 2 of OpenAPI had, which REST APIs take.
const REST_DOCUMENT: Keys = Keys {
    read: &["swagger", BINARY_MEDIA_TYPES],
    inert: &[
        "host",
        "basePath",
        "schemes",
        "consumes",
        "produces",
        "definitions",
        "parameters",
        "responses",
        "x-amazon-apigateway-documentation",
    ],
    unserved: &["securityDefinitions"],
};

const INFO: Keys = Keys {
    read: &["title"],
    inert: &["version", "description", "termsOfService", "contact", "license", "summary"],
    unserved: &[],
};

/// Schemas change nothing without a validator, which is refused where it stands.
const COMPONENTS: Keys = Keys {
    read: &[],
    inert: &[
        "schemas",
        "responses",
        "parameters",
        "examples",
        "requestBodies",
        "headers",
        "links",
        "callbacks",
    ],
    unserved: &["securitySchemes"],
};

const PATH: Keys = Keys {
    read: &[
        "get",
        "put",
        "post",
        "delete",
        "options",
        "head",
        "patch",
        "x-amazon-apigateway-any-method",
    ],
    inert: &["summary", "description", "parameters", "servers"],
    unserved: &["$ref"],
};

const OPERATION: Keys = Keys {
    read: &[INTEGRATION],
    inert: &[
        "tags",
        "summary",
        "description",
        "externalDocs",
        "operationId",
        "parameters",
        "requestBody",
        "responses",
        "callbacks",
        "deprecated",
        "servers",
    ],
    unserved: &["security"],
};

const HTTP_OPERATION: Keys = Keys { read: &["isDefaultRoute"], inert: &[], unserved: &[] };
const REST_OPERATION: Keys =
    Keys { read: &[], inert: &["schemes", "consumes", "produces"], unserved: &[] };
/// Reads a definition, JSON text.
pub fn parse(body: &str, kind: Kind) -> Result<Definition> {
    let document: Value = serde_json::from_str(body).map_err(|error| {
        InvalidDefinition::wrong(format!("Unable to parse the API definition: {error}"))
    })?;
    let root = Place::root(&document)?;
    check_version(&root, kind)?;
    root.check(&[&DOCUMENT, if kind == Kind::Http { &HTTP_DOCUMENT } else { &REST_DOCUMENT }])?;
    if let Some(components) = root.object("components")? {
        components.check(&[&COMPONENTS])?;
    }
    Ok(Definition {
        name: name(&root)?,
        routes: routes(&root, kind)?,
        cors: read(&root, CORS)?,
        binary_media_types: read(&root, BINARY_MEDIA_TYPES)?.unwrap_or_default(),
    })
}

/// HTTP APIs take OpenAPI 3.0, REST APIs version 2 as well.
fn check_version(root: &Place, kind: Kind) -> Result<()> {
    match (root.text("openapi")?, root.text("swagger")?) {
        (Some(version), None) if version == "3.0" || version.starts_with("3.0.") => Ok(()),
        (None, Some("2.0")) if kind == Kind::Rest => Ok(()),
        (Some(other), _) => Err(root.wrong("openapi", &format!("'{other}' is no version 3.0"))),
        (None, Some(other)) => {
            Err(root.wrong("swagger", &format!("'{other}' is no version of this kind of API")))
        }
        (None, None) => Err(InvalidDefinition::wrong("The API definition has no openapi")),
    }
}

fn name(root: &Place) -> Result<String> {
    if let Some(info) = root.object("info")? {
        info.check(&[&INFO])?;
        if let Some(title) = info.text("title")?.filter(|title| !title.is_empty()) {
            return Ok(title.to_owned());
        }
    }
    Err(InvalidDefinition::wrong("The API definition has no info.title"))
}

/// An extension at the root that is read as it is.
fn read<T: serde::de::DeserializeOwned>(root: &Place, name: &str) -> Result<Option<T>> {
    let wrong = |error| InvalidDefinition::wrong(format!("{}: {error}", root.at(name)));
    root.get(name).map(|value| serde_json::from_value(value.clone()).map_err(wrong)).transpose()
}

fn routes(root: &Place, kind: Kind) -> Result<Vec<Route>> {
    let Some(paths) = root.object("paths")? else {
        return Err(InvalidDefinition::wrong("The API definition has no paths"));
    };
    let mut routes = Vec::new();
    for path in paths.names() {
        let Some(item) = paths.object(path)? else { continue };
        if !path.starts_with('/') && path != "$default" {
            return Err(paths.wrong(path, "does not begin with a slash"));
        }
        item.check(&[&PATH])?;
        let path = path.strip_prefix('/').filter(|path| *path == "$default").unwrap_or(path);
        for name in item.names() {
            let Some((_, method)) = METHODS.iter().find(|(known, _)| *known == name) else {
                continue;
            };
            let Some(operation) = item.object(name)? else { continue };
            let integration = operation_of(&operation, path, kind)?;
            routes.push(Route { method: (*method).into(), path: path.into(), integration });
        }
    }
    if routes.len() > ROUTES_MAX {
        return Err(InvalidDefinition::wrong(format!("An API has at most {ROUTES_MAX} routes")));
    }
    Ok(routes)
}

fn operation_of(operation: &Place, path: &str, kind: Kind) -> Result<super::Integration> {
    let more = if kind == Kind::Http { &HTTP_OPERATION } else { &REST_OPERATION };
    operation.check(&[&OPERATION, more])?;
    let default = path == "$default";
    operation.only("isDefaultRoute", &[if default { "true" } else { "false" }])?;
    match operation.object(INTEGRATION)? {
        Some(integration) => integration::parse(&integration, kind),
        None => Err(operation.wrong(INTEGRATION, "is missing")),
    }
}
