//! Function URLs: a function behind an address of its own, without an API in between.

use std::sync::Arc;

use bytes::Bytes;
use http::{Response, request};
use kit::Caller;
use kit::functions::UrlCors;
use serde::Serialize;
use wire::sigv4;

use super::{Api, Cors, Format, Integration, Kind, Route, Target, answer, serve};
use crate::listen::Origin;
use crate::reply::Body;
use crate::{Gateway, verify};

/// Where URLs are found by path, for those who cannot resolve names below ours.
const PATH_PREFIX: &str = "/_aws/lambda-url/";

/// A URL that a request is for, be there such a URL or not.
pub(crate) struct Named {
    id: String,
    /// The path within it, as the client escaped it.
    path: String,
    domain: String,
}

impl Named {
    /// By host, `{id}.lambda-url.{region}.…`, or by path, `/_aws/lambda-url/{id}/…`.
    pub(crate) fn find(host: &str, path: &str) -> Option<Named> {
        if let Some(behind) = path.strip_prefix(PATH_PREFIX) {
            let (id, rest) = behind.split_once('/').unwrap_or((behind, ""));
            let (id, path, domain) = (id.to_owned(), format!("/{rest}"), host.to_owned());
            return Some(Named { id, path, domain });
        }
        let (id, domain) = host.split_once('.')?;
        domain.starts_with("lambda-url.").then(|| Named {
            id: id.to_ascii_lowercase(),
            path: path.to_owned(),
            domain: host.to_owned(),
        })
    }
}

/// Takes a request through the function of a URL.
pub(crate) async fn serve_url(
    gateway: &Gateway,
    origin: &Origin,
    request_id: &str,
    named: Named,
    head: &request::Parts,
    body: Bytes,
) -> Response<Body> {
    let Ok(functions) = gateway.kit.functions() else { return answer::failed(Kind::Url) };
    let url = match functions.url(&named.id).await {
        Ok(Some(url)) => url,
        Ok(None) => return answer::forbidden(),
        Err(error) => {
            tracing::warn!(%error, "a function URL could not be looked up");
            return answer::failed(Kind::Url);
        }
    };
    let mut caller = None;
    // A browser cannot sign its preflight.
    if url.signed && !(url.cors.is_some() && serve::is_preflight(head)) {
        let signed = sigv4::parse(&head.uri, &head.headers);
        if !matches!(signed, Ok(Some(_))) {
            return answer::forbidden();
        }
        match verify::caller(gateway, head, &body, None).await {
            Ok(found) if found.arn.account == url.function.account => caller = Some(found),
            _ => return answer::forbidden(),
        }
    }
    let integration = Integration::Function { arn: url.function, format: Format::V2 };
    let route = Route { method: "ANY".into(), path: "$default".into(), integration };
    let api = Arc::new(Api {
        id: named.id.clone(),
        name: String::new(),
        kind: Kind::Url,
        stage: "$default".into(),
        routes: vec![route],
        cors: url.cors.map(Cors::from),
        binary_media_types: Vec::new(),
        created: gateway.kit.now(),
    });
    let Named { path, domain, .. } = named;
    let target = Target { api, path, domain, streams: url.streams, caller };
    serve::serve(gateway, origin, request_id, target, head, body).await
}

/// Who has signed a request to a function URL.
#[derive(Serialize)]
pub(super) struct Authorizer<'a> {
    iam: Iam<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Iam<'a> {
    access_key: &'a str,
    account_id: &'a str,
    caller_id: &'a str,
    cognito_identity: Option<()>,
    principal_org_id: Option<()>,
    user_arn: String,
    user_id: &'a str,
}

impl<'a> From<&'a Caller> for Authorizer<'a> {
    fn from(caller: &'a Caller) -> Authorizer<'a> {
        Authorizer {
            iam: Iam {
                access_key: &caller.access_key,
                account_id: &caller.arn.account,
                caller_id: &caller.user_id,
                cognito_identity: None,
                principal_org_id: None,
                user_arn: caller.arn.to_string(),
                user_id: &caller.user_id,
            },
        }
    }
}

impl From<UrlCors> for Cors {
    fn from(cors: UrlCors) -> Cors {
        Cors {
            allow_origins: cors.allow_origins,
            allow_methods: cors.allow_methods,
            allow_headers: cors.allow_headers,
            expose_headers: cors.expose_headers,
            max_age: cors.max_age,
            allow_credentials: cors.allow_credentials,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_found_by_host_and_by_path() {
        let check = |host: &str, path: &str, expected: Option<(&str, &str)>| {
            let found = Named::find(host, path);
            let found = found.as_ref().map(|named| (named.id.as_str(), named.path.as_str()));
            assert_eq!(found, expected, "{host}{path}");
        };
        check("ab12.lambda-url.us-east-1.localhost", "/a%20b/c", Some(("ab12", "/a%20b/c")));
        check("localhost", "/_aws/lambda-url/ab12/a", Some(("ab12", "/a")));
        check("localhost", "/_aws/lambda-url/ab12", Some(("ab12", "/")));
        check("lambda.us-east-1.localhost", "/", None);
        check("localhost", "/2015-03-31/functions", None);
    }
}
