//! What is answered where no operation is named, and what every answer of AWS's JSON services has
//! for browsers: as the framework does that those services are built on.

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD,
    CONTENT_LENGTH, CONTENT_TYPE, ORIGIN,
};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Uri, request};
use serde_json::{Value, json};

use crate::Gateway;
use crate::reply::{Body, text, whole};
use crate::route::{long_request_id, names_loopback};

const JSON: &str = "application/json";
const JSON_1_0: &str = "application/x-amz-json-1.0";
/// Seconds a browser may remember what it may do.
const PREFLIGHT_SECS: u32 = 172_800;

/// Answers a request to `/` that names no operation.
pub(crate) fn serve(gateway: &Gateway, head: &request::Parts, body: &[u8]) -> Response<Body> {
    let mut response = match json_type(head) {
        _ if head.method == Method::OPTIONS && is_granted(gateway, head) => preflight(head),
        Some(kind) if head.method == Method::POST && (typed(head) || body.is_empty()) => {
            let is_json = body.is_empty() || serde_json::from_slice::<Value>(body).is_ok();
            let code = if is_json { "UnknownOperationException" } else { "SerializationException" };
            let fault = json!({"__type": format!("com.amazon.coral.service#{code}")}).to_string();
            checked(StatusCode::BAD_REQUEST, kind, fault)
        }
        _ => checked(StatusCode::NOT_FOUND, "", "<UnknownOperationException/>\n".to_owned()),
    };
    if let Ok(id) = HeaderValue::from_str(&long_request_id(gateway)) {
        response.headers_mut().insert("x-amzn-requestid", id);
    }
    decorate(gateway, head, response.headers_mut());
    response
}

/// Adds to an answer what browsers want to see, and calls JSON what was asked for as JSON.
pub(crate) fn decorate(gateway: &Gateway, head: &request::Parts, answer: &mut HeaderMap) {
    if head.headers.contains_key(ORIGIN) && is_granted(gateway, head) {
        answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    }
    if json_type(head) == Some(JSON) && answer.contains_key(CONTENT_TYPE) {
        answer.insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
    }
}

/// What type an answer in JSON has: that of the request, and `application/json` where the request
/// has none. `None`: the request is not JSON.
fn json_type(head: &request::Parts) -> Option<&'static str> {
    let Some(value) = head.headers.get(CONTENT_TYPE) else { return Some(JSON) };
    let value = value.to_str().unwrap_or_default();
    let essence = value.split(';').next().unwrap_or_default().trim();
    [JSON, JSON_1_0].into_iter().find(|kind| essence.eq_ignore_ascii_case(kind))
}

fn typed(head: &request::Parts) -> bool {
    head.headers.contains_key(CONTENT_TYPE)
}

fn checked(status: StatusCode, kind: &'static str, body: String) -> Response<Body> {
    let crc32 = crc32fast::hash(body.as_bytes());
    let mut response = text(status, kind, body);
    response.headers_mut().insert("x-amz-crc32", HeaderValue::from(crc32));
    if kind.is_empty() {
        response.headers_mut().remove(CONTENT_TYPE);
    }
    response
}

/// Whether a page of the request's origin may use what the request's credentials may.
fn is_granted(gateway: &Gateway, head: &request::Parts) -> bool {
    head.headers.contains_key(ORIGIN) && !is_foreign(gateway, head)
}

/// Whether a browser has sent the request for a page that may not use what its credentials may.
/// Where signatures are verified every page may, as at AWS; without, credentials prove nothing and
/// only pages of this machine may. Browsers ask nobody before they send forms and fetch images, so
/// it is not enough to keep the answer from the page.
pub(crate) fn is_foreign(gateway: &Gateway, head: &request::Parts) -> bool {
    if gateway.config.auth {
        return false;
    }
    match head.headers.get(ORIGIN) {
        Some(origin) => !is_of_this_machine(origin.to_str().unwrap_or("null")),
        // Images and links have no origin.
        None => head.headers.get("sec-fetch-site").is_some_and(|site| site == "cross-site"),
    }
}

/// What is no origin of the web cannot be a page's.
fn is_of_this_machine(origin: &str) -> bool {
    match origin.contains("://") {
        true => {
            let host = origin.parse::<Uri>().ok().and_then(|uri| uri.host().map(str::to_owned));
            host.is_some_and(|host| names_loopback(&host))
        }
        // Sandboxed frames of any page say `null`.
        false => origin != "null",
    }
}

fn preflight(head: &request::Parts) -> Response<Body> {
    let mut response = Response::new(whole(""));
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from(PREFLIGHT_SECS));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(0));
    for (asked, allowed) in [
        (ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_ALLOW_HEADERS),
        (ACCESS_CONTROL_REQUEST_METHOD, ACCESS_CONTROL_ALLOW_METHODS),
    ] {
        if let Some(value) = head.headers.get(asked) {
            headers.insert(allowed, value.clone());
        }
    }
    response
}
