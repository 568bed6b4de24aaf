//! The HTTP response made of a function's answer.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, SET_COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use serde_json::{Map, Value};

use super::{Api, Format, Kind, media};
use crate::reply::{Body, text, whole};

/// Whom a result is answered to.
pub(super) struct Asked<'a> {
    pub(super) api: &'a Api,
    pub(super) format: Format,
    /// The client's `Accept`.
    pub(super) accept: &'a str,
}

/// Turns a function's result into a response, or says that it is malformed.
pub(super) fn from_result(asked: &Asked<'_>, result: &Bytes) -> Response<Body> {
    let format = asked.format;
    let answer = match serde_json::from_slice::<Value>(result) {
        Ok(Value::Object(answer)) if answer.contains_key("statusCode") => {
            structured(asked, &answer)
        }
        // Format 2.0 takes any JSON value as the body of a 200.
        Ok(Value::String(body)) if format == Format::V2 => Some(bare(body.into())),
        Ok(Value::Null) if format == Format::V2 => Some(bare(Bytes::new())),
        Ok(_) if format == Format::V2 => Some(bare(result.clone())),
        // Of a function that streams and is not asked to: it may write what it likes.
        Err(_no_json) if asked.api.kind == Kind::Url => Some(bare(result.clone())),
        _ => None,
    };
    answer.unwrap_or_else(|| failed(asked.api.kind))
}

fn bare(body: Bytes) -> Response<Body> {
    text(StatusCode::OK, "application/json", body)
}

/// The answer where the function failed or what it answered is malformed.
pub(super) fn failed(kind: Kind) -> Response<Body> {
    match kind {
        Kind::Rest => message(StatusCode::BAD_GATEWAY, "Internal server error"),
        Kind::Url => text(StatusCode::BAD_GATEWAY, "text/plain", "Internal Server Error"),
        Kind::Http => message(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error"),
    }
}

/// The answer where no route takes the request.
pub(super) fn no_route(kind: Kind) -> Response<Body> {
    match kind {
        Kind::Rest => message(StatusCode::FORBIDDEN, "Missing Authentication Token"),
        Kind::Http | Kind::Url => message(StatusCode::NOT_FOUND, "Not Found"),
    }
}

/// The answer where the function took longer than an integration may.
pub(super) fn late(kind: Kind) -> Response<Body> {
    match kind {
        Kind::Rest => message(StatusCode::GATEWAY_TIMEOUT, "Endpoint request timed out"),
        Kind::Url => failed(kind),
        Kind::Http => message(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable"),
    }
}

/// The answer where no place was free to run the function.
pub(super) fn throttled(kind: Kind) -> Response<Body> {
    match kind {
        Kind::Rest => message(StatusCode::INTERNAL_SERVER_ERROR, "Internal server error"),
        Kind::Url => message(StatusCode::TOO_MANY_REQUESTS, "Rate Exceeded."),
        Kind::Http => message(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable"),
    }
}

/// The answer to a request that is not let in.
pub(super) fn forbidden() -> Response<Body> {
    text(StatusCode::FORBIDDEN, "application/json", r#"{"Message":"Forbidden"}"#)
}

fn message(status: StatusCode, sentence: &str) -> Response<Body> {
    text(status, "application/json", format!(r#"{{"message":"{sentence}"}}"#))
}

/// What a REST API takes; with anything else in it an answer is malformed.
const REST_MEMBERS: [&str; 5] =
    ["statusCode", "headers", "multiValueHeaders", "body", "isBase64Encoded"];

/// `{statusCode, headers, body, isBase64Encoded}`, with `multiValueHeaders` in format 1.0 and
/// `cookies` in format 2.0.
fn structured(asked: &Asked<'_>, answer: &Map<String, Value>) -> Option<Response<Body>> {
    let is_known = |name: &String| REST_MEMBERS.contains(&name.as_str());
    if asked.api.kind == Kind::Rest && !answer.keys().all(is_known) {
        return None;
    }
    let status = match answer.get("statusCode")? {
        Value::Number(status) => u16::try_from(status.as_u64()?).ok()?,
        Value::String(status) => status.parse().ok()?,
        _ => return None,
    };
    let is_encoded = answer.get("isBase64Encoded") == Some(&Value::Bool(true));
    let body = match answer.get("body") {
        None | Some(Value::Null) => Bytes::new(),
        Some(Value::String(body)) if is_encoded && media::is_decoded(asked.api, asked.accept) => {
            STANDARD.decode(body).ok()?.into()
        }
        Some(Value::String(body)) => body.clone().into(),
        Some(_) => return None,
    };
    let mut response = Response::new(whole(body));
    *response.status_mut() = StatusCode::from_u16(status).ok()?;
    let headers = response.headers_mut();
    for (name, value) in object(answer.get("headers"))? {
        headers.insert(header_name(name)?, header_value(value)?);
    }
    match asked.format {
        Format::V1 => add_many(headers, answer.get("multiValueHeaders"))?,
        Format::V2 => add_cookies(headers, answer)?,
    }
    without_framing(headers);
    if !headers.contains_key(CONTENT_TYPE) {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(usual_type(asked.api.kind)));
    }
    Some(response)
}

/// The head of a response whose body is streamed: `{statusCode, headers, multiValueHeaders,
/// cookies}`.
pub(super) fn head(head: &Map<String, Value>, body: Body) -> Option<Response<Body>> {
    let mut response = Response::new(body);
    if let Some(status) = head.get("statusCode") {
        let status = u16::try_from(status.as_u64()?).ok()?;
        *response.status_mut() = StatusCode::from_u16(status).ok()?;
    }
    let headers = response.headers_mut();
    for (name, value) in object(head.get("headers"))? {
        headers.insert(header_name(name)?, header_value(value)?);
    }
    add_many(headers, head.get("multiValueHeaders"))?;
    add_cookies(headers, head)?;
    without_framing(headers);
    Some(response)
}

fn add_cookies(headers: &mut HeaderMap, answer: &Map<String, Value>) -> Option<()> {
    for cookie in answer.get("cookies").and_then(Value::as_array).into_iter().flatten() {
        headers.append(SET_COOKIE, header_value(cookie)?);
    }
    Some(())
}

/// What an answer is that does not say it.
fn usual_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Rest | Kind::Url => "application/json",
        Kind::Http => "text/plain; charset=utf-8",
    }
}

fn add_many(headers: &mut HeaderMap, many: Option<&Value>) -> Option<()> {
    for (name, values) in object(many)? {
        headers.remove(name.as_str());
        for value in values.as_array()? {
            headers.append(header_name(name)?, header_value(value)?);
        }
    }
    Some(())
}

/// How the body is framed is between us and the client.
fn without_framing(headers: &mut HeaderMap) {
    for name in ["content-length", "transfer-encoding", "connection", "keep-alive", "upgrade"] {
        headers.remove(name);
    }
}

fn object(value: Option<&Value>) -> Option<impl Iterator<Item = (&String, &Value)>> {
    match value {
        None | Some(Value::Null) => Some(None.into_iter().flatten()),
        Some(Value::Object(map)) => Some(Some(map).into_iter().flatten()),
        Some(_) => None,
    }
}

fn header_name(name: &str) -> Option<HeaderName> {
    name.parse().ok()
}

fn header_value(value: &Value) -> Option<HeaderValue> {
    match value {
        Value::String(text) => HeaderValue::from_str(text).ok(),
        Value::Number(_) | Value::Bool(_) => HeaderValue::from_str(&value.to_string()).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use http_body_util::BodyExt as _;

    use super::*;
    use crate::apis::tests::api;

    fn answered(kind: Kind, binary: &[&str], accept: &str, result: &str) -> Response<Body> {
        let format = if kind == Kind::Http { Format::V2 } else { Format::V1 };
        let binary_media_types = binary.iter().map(|kind| (*kind).to_owned()).collect();
        let api = Api { binary_media_types, ..api(kind) };
        let asked = Asked { api: &api, format, accept };
        from_result(&asked, &Bytes::from(result.to_owned()))
    }

    fn check(kind: Kind, result: &str, status: u16, headers: &[(&str, &str)]) {
        let response = answered(kind, &[], "", result);
        assert_eq!(response.status().as_u16(), status, "{result}");
        for (name, value) in headers {
            assert_eq!(response.headers()[*name], *value, "{result}");
        }
    }

    fn check_body(kind: Kind, binary: &[&str], accept: &str, expected: &str) {
        let result = r#"{"statusCode":200,"body":"aGVsbG8=","isBase64Encoded":true}"#;
        let body = answered(kind, binary, accept, result).into_body();
        let body = body.collect().now_or_never().unwrap().unwrap().to_bytes();
        assert_eq!(body, expected, "{kind:?} {binary:?} {accept}");
    }

    #[test]
    fn base64_is_decoded_where_aws_decodes_it() {
        check_body(Kind::Http, &[], "", "hello");
        check_body(Kind::Rest, &[], "image/png", "aGVsbG8=");
        check_body(Kind::Rest, &["image/png"], "image/png", "hello");
        check_body(Kind::Rest, &["image/png"], "*/*", "aGVsbG8=");
        check_body(Kind::Rest, &["*/*"], "", "hello");
        check(Kind::Http, r#"{"statusCode":200,"body":"e","isBase64Encoded":true}"#, 500, &[]);
    }

    #[test]
    fn a_result_becomes_a_response_or_the_error_aws_answers() {
        let json = [("content-type", "application/json")];
        check(Kind::Http, r#"{"statusCode":201,"headers":{"X-A":1}}"#, 201, &[("x-a", "1")]);
        check(Kind::Http, r#"{"hello":1}"#, 200, &json);
        check(Kind::Http, r#""text""#, 200, &json);
        check(Kind::Http, r#"{"statusCode":"abc"}"#, 500, &json);
        check(Kind::Rest, r#"{"hello":1}"#, 502, &json);
        check(Kind::Rest, r#"{"statusCode":200,"body":{}}"#, 502, &json);
        check(
            Kind::Http,
            r#"{"statusCode":200,"cookies":["a=1"],"headers":{"content-length":"9"}}"#,
            200,
            &[("set-cookie", "a=1")],
        );
        let text = [("content-type", "text/plain; charset=utf-8")];
        check(Kind::Http, r#"{"statusCode":200,"body":"a"}"#, 200, &text);
        check(Kind::Rest, r#"{"statusCode":200,"body":"a"}"#, 200, &json);
        check(Kind::Rest, r#"{"statusCode":200,"cookies":["a=1"]}"#, 502, &json);
        check(Kind::Http, r#"{"statusCode":200,"more":1}"#, 200, &text);
        let many = r#"{"statusCode":200,"multiValueHeaders":{"X-A":["1"]}}"#;
        check(Kind::Rest, many, 200, &[("x-a", "1")]);
        assert!(!answered(Kind::Http, &[], "", many).headers().contains_key("x-a"));
        check(Kind::Rest, r#"{"statusCode":200,"headers":{"bad\nname":"x"}}"#, 502, &json);
    }
}
