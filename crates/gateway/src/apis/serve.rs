use std::time::Duration;

use bytes::Bytes;
use http::header::ACCEPT;
use http::{HeaderName, HeaderValue, Method, Response, StatusCode, request};
use kit::functions::Invoke;

use super::way::Way;
use super::{Format, Integration, Kind, Target, answer, event, matching, streamed};
use crate::Gateway;
use crate::listen::Origin;
use crate::reply::{Body, whole};

/// Takes a request through a user's API: match, event, function, response.
pub(crate) async fn serve(
    gateway: &Gateway,
    origin: &Origin,
    request_id: &str,
    target: Target,
    head: &request::Parts,
    body: Bytes,
) -> Response<Body> {
    let api = &target.api;
    let found = matching::find(api, head.method.as_str(), &target.path);
    let mut response = match (&found, &api.cors) {
        // A browser's preflight is answered before a catch-all route sees it, as on AWS.
        (found, Some(cors)) if is_preflight(head) && !takes_options(found.as_ref()) => {
            return cors.preflight(&head.headers);
        }
        (None, _) => answer::no_route(api.kind),
        (Some(found), _) => match &found.route.integration {
            Integration::Mock { status, headers } => mock(*status, headers),
            Integration::Function { arn, format } => {
                let (now, random) = (gateway.kit.now(), &*gateway.kit.random);
                let way = Way::new(origin, &head.headers, now, random);
                let request = event::Request {
                    target: &target,
                    origin,
                    way: &way,
                    found,
                    head,
                    body: &body,
                    request_id,
                    account: match (api.kind, &target.caller) {
                        (Kind::Url, None) => "anonymous",
                        (Kind::Url, Some(caller)) => &caller.arn.account,
                        _ => gateway.kit.account.as_str(),
                    },
                    now,
                };
                let payload = match format {
                    Format::V1 => event::v1(&request),
                    Format::V2 => event::v2(&request),
                };
                let call = Invoke {
                    function: arn.clone(),
                    payload: payload.into(),
                    request_id: None,
                    client_context: None,
                    trace: Some(way.trace().to_owned()),
                    tail: false,
                };
                let accept = head.headers.get(ACCEPT).and_then(|accept| accept.to_str().ok());
                let accept = accept.unwrap_or_default();
                let asked = answer::Asked { api, format: *format, accept };
                match target.streams {
                    true => streamed::serve(gateway, call).await,
                    false => invoke(gateway, &asked, call).await,
                }
            }
        },
    };
    if let Some(cors) = &api.cors {
        cors.decorate(&head.headers, response.headers_mut());
    }
    let id_header = match api.kind {
        Kind::Http => "apigw-requestid",
        Kind::Rest | Kind::Url => "x-amzn-requestid",
    };
    if let Ok(id) = HeaderValue::from_str(request_id) {
        response.headers_mut().insert(id_header, id);
    }
    response
}

pub(super) fn is_preflight(head: &request::Parts) -> bool {
    head.method == Method::OPTIONS && head.headers.contains_key("access-control-request-method")
}

fn takes_options(found: Option<&matching::Match<'_>>) -> bool {
    found.is_some_and(|found| found.route.method == "OPTIONS")
}

fn mock(status: u16, headers: &[(String, String)]) -> Response<Body> {
    let mut response = Response::new(whole(""));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), value.parse()) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// How long a function may take to answer an HTTP request.
pub(super) const fn integration_timeout(kind: Kind) -> Duration {
    match kind {
        Kind::Rest => Duration::from_secs(29),
        Kind::Http => Duration::from_secs(30),
        // As long as any function may take; its own timeout comes first.
        Kind::Url => Duration::from_secs(901),
    }
}

async fn invoke(gateway: &Gateway, asked: &answer::Asked<'_>, call: Invoke) -> Response<Body> {
    let kind = asked.api.kind;
    let Ok(functions) = gateway.kit.functions() else { return answer::failed(kind) };
    let due = base::sleep(&*gateway.kit.clock, integration_timeout(kind));
    let invoked = tokio::select! {
        invoked = functions.invoke(call) => invoked,
        () = due => return answer::late(kind),
    };
    match invoked {
        Ok(invoked) if invoked.error.is_none() => answer::from_result(asked, &invoked.payload),
        Ok(_) => answer::failed(kind),
        Err(error) if error.status == 429 => answer::throttled(kind),
        Err(error) => {
            tracing::warn!(%error, "the function of a route could not be run");
            answer::failed(kind)
        }
    }
}
