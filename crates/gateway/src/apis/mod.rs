//! Users' own HTTP APIs: which there are ([`Api`]), where a request goes ([`Target`]), the event a
//! function gets ([`event`]) and the response made of its answer ([`answer`]).

mod answer;
mod cors;
pub(crate) mod download;
mod event;
mod matching;
mod media;
mod openapi;
mod serve;
mod store;
mod streamed;
pub(crate) mod url;
mod way;

pub use cors::Cors;
pub use openapi::{Definition, InvalidDefinition, parse};
pub(crate) use serve::serve;
pub use store::{Apis, Page};

use std::sync::Arc;

use ::store::Record;
use base::{Arn, Time};
use kit::Caller;
use serde::{Deserialize, Serialize};

/// An API with its routes. Stored as one record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Api {
    /// Ten lower-case letters and digits: the first part of the API's host name.
    pub id: String,
    pub name: String,
    pub kind: Kind,
    /// `$default` for HTTP APIs; empty for a REST API that is not deployed yet.
    pub stage: String,
    pub routes: Vec<Route>,
    pub cors: Option<Cors>,
    /// Types of bodies a function gets in base64, and answers are decoded to; `*/*` is all.
    #[serde(default)]
    pub binary_media_types: Vec<String>,
    pub created: Time,
}

impl Record for Api {
    const VERSION: u8 = 1;
}

impl Api {
    /// The same API with another definition.
    #[must_use]
    pub fn redefined(&self, definition: Definition) -> Api {
        let Definition { name, routes, cors, binary_media_types } = definition;
        Api { name, routes, cors, binary_media_types, ..self.clone() }
    }

    /// Where the API is reached below our own address, whatever names a machine resolves.
    pub fn url(&self, base_url: &str) -> String {
        let base = format!("{base_url}{PATH_PREFIX}{}", self.id);
        match self.kind {
            Kind::Http | Kind::Url => base,
            Kind::Rest => format!("{base}/{}", self.stage),
        }
    }
}

/// The two kinds of APIs differ in events, errors and URLs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// API Gateway's HTTP API (apigatewayv2).
    Http,
    /// API Gateway's REST API (apigateway).
    Rest,
    /// A function's own URL (lambda). Never stored: it is made for each request.
    Url,
}

/// A method and path with what answers them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Route {
    /// `GET`, or `ANY`.
    pub method: String,
    /// `/orders/{id}`, `/files/{path+}`, or `$default`.
    pub path: String,
    pub integration: Integration,
}

/// What answers a route.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Integration {
    /// A function gets the request as an event of the payload format given.
    Function { arn: Arn, format: Format },
    /// Fixed headers and no body: the answer to a browser's CORS preflight.
    Mock { status: u16, headers: Vec<(String, String)> },
}

/// The two forms of the event a function gets for an HTTP request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Format {
    /// `1.0`: REST APIs.
    V1,
    /// `2.0`: HTTP APIs.
    V2,
}

/// An API a request is for, and the path within it.
pub(crate) struct Target {
    pub(crate) api: Arc<Api>,
    /// The path behind host and stage, as the client escaped it.
    pub(crate) path: String,
    /// The host the API sees as its own.
    pub(crate) domain: String,
    /// Whether responses of functions are passed on as they are produced.
    pub(crate) streams: bool,
    /// Who has signed the request, where somebody asks.
    pub(crate) caller: Option<Caller>,
}

/// Where APIs are found by path, the habit of the field.
const PATH_PREFIX: &str = "/_aws/execute-api/";

impl Target {
    /// Whether a request is for somebody's API, be there such an API or not.
    pub(crate) fn is_meant(host: &str, path: &str) -> bool {
        let domain = host.split_once('.').map_or("", |(_, domain)| domain);
        path.starts_with(PATH_PREFIX) || domain.starts_with("execute-api.")
    }

    /// By host, `{id}.execute-api.…/{stage}/…`, or by path, `/_aws/execute-api/{id}/{stage}/…`.
    pub(crate) fn find(apis: &Apis, host: &str, path: &str) -> Option<Target> {
        if let Some(behind) = path.strip_prefix(PATH_PREFIX) {
            let (id, rest) = behind.split_once('/').unwrap_or((behind, ""));
            let api = apis.get(id)?;
            let path = behind_stage(&api, &format!("/{rest}"));
            let domain = host.to_owned();
            return Some(Target { api, path, domain, streams: false, caller: None });
        }
        let (id, domain) = host.split_once('.')?;
        if !domain.starts_with("execute-api.") {
            return None;
        }
        let api = apis.get(id)?;
        let path = behind_stage(&api, path);
        Some(Target { api, path, domain: host.to_owned(), streams: false, caller: None })
    }
}

/// The path without its stage; an HTTP API's `$default` need not stand in a URL.
fn behind_stage(api: &Api, path: &str) -> String {
    let rest = path.strip_prefix('/').unwrap_or(path);
    match rest.strip_prefix(api.stage.as_str()) {
        Some("") if !api.stage.is_empty() => "/".to_owned(),
        Some(rest) if rest.starts_with('/') && !api.stage.is_empty() => rest.to_owned(),
        _ if api.kind != Kind::Rest => path.to_owned(),
        // A wrong stage matches no route; the answer says so as AWS does.
        _ => format!("//{rest}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An API without routes.
    pub(super) fn api(kind: Kind) -> Api {
        let stage = if kind == Kind::Http { "$default" } else { "dev" };
        Api {
            id: "abc".into(),
            name: "a".into(),
            kind,
            stage: stage.into(),
            routes: Vec::new(),
            cors: None,
            binary_media_types: Vec::new(),
            created: Time::default(),
        }
    }

    #[test]
    fn the_stage_is_part_of_the_url_where_aws_has_it() {
        let rest = api(Kind::Rest);
        assert_eq!(behind_stage(&rest, "/dev/orders/1"), "/orders/1");
        assert_eq!(behind_stage(&rest, "/dev"), "/");
        assert_eq!(behind_stage(&rest, "/developer"), "//developer");
        let http = api(Kind::Http);
        assert_eq!(behind_stage(&http, "/orders"), "/orders");
        assert_eq!(behind_stage(&http, "/$default/orders"), "/orders");
    }
}
