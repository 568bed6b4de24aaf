//! The event a function gets for an HTTP request, in API Gateway's two payload formats.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::net::IpAddr;

use base::Time;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, COOKIE, USER_AGENT};
use http::{HeaderMap, HeaderName, request};
use serde::Serialize;

use super::matching::{self, Match};
use super::url::Authorizer;
use super::way::{self, Way};
use super::{Api, Kind, Target, media};
use crate::listen::Origin;

/// A request with everything an event is made of.
pub(super) struct Request<'a> {
    pub(super) target: &'a Target,
    pub(super) origin: &'a Origin,
    pub(super) way: &'a Way,
    pub(super) found: &'a Match<'a>,
    pub(super) head: &'a request::Parts,
    pub(super) body: &'a Bytes,
    pub(super) request_id: &'a str,
    pub(super) account: &'a str,
    pub(super) now: Time,
}

impl Request<'_> {
    fn api(&self) -> &Api {
        &self.target.api
    }

    /// The client's headers without those that we say ourselves.
    fn headers(&self) -> impl Iterator<Item = (&HeaderName, Cow<'_, str>)> {
        let all = self.head.headers.iter().filter(|(name, _)| !way::replaces(name.as_str()));
        all.map(|(name, value)| (name, String::from_utf8_lossy(value.as_bytes())))
    }

    fn user_agent(&self) -> &str {
        text(self.head.headers.get(USER_AGENT).map(http::HeaderValue::as_bytes).unwrap_or_default())
    }

    /// The path as the client wrote it, with the stage where the URL has one.
    fn full_path(&self) -> String {
        match self.api().stage.as_str() {
            "$default" => self.target.path.clone(),
            stage => format!("/{stage}{}", self.target.path),
        }
    }

    fn variables(&self) -> Option<BTreeMap<&str, &str>> {
        let all = &self.found.variables;
        let pairs = all.iter().map(|(name, value)| (*name, value.as_str()));
        (!all.is_empty()).then(|| pairs.collect())
    }

    /// The body as text, or in base64 where its type or the API says that it is not text. AWS
    /// spoils what is taken as text and is not UTF-8; base64 is of more use then.
    fn body(&self) -> (Option<Cow<'_, str>>, bool) {
        if self.body.is_empty() {
            return (None, false);
        }
        let content_type = self.head.headers.get(CONTENT_TYPE);
        let kind = content_type.map_or("", |value| text(value.as_bytes()));
        match std::str::from_utf8(self.body) {
            Ok(body) if !media::is_binary(self.api(), kind) => (Some(body.into()), false),
            _ => (Some(STANDARD.encode(self.body).into()), true),
        }
    }

    fn domain_prefix(&self) -> &str {
        self.target.domain.split('.').next().unwrap_or_default()
    }
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}

/// A usual event without its body.
const EVENT_BYTES: usize = 2048;

/// `12/Mar/2020:19:03:58 +0000`, as access logs have it.
fn common_log_time(now: Time) -> String {
    let millis = i64::try_from(now.as_millis()).unwrap_or(i64::MAX);
    jiff::Timestamp::from_millisecond(millis)
        .map(|time| time.strftime("%d/%b/%Y:%H:%M:%S +0000").to_string())
        .unwrap_or_default()
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct V2<'a> {
    version: &'static str,
    route_key: &'a str,
    raw_path: &'a str,
    raw_query_string: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cookies: Vec<&'a str>,
    headers: BTreeMap<&'a str, Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    query_string_parameters: Option<BTreeMap<String, String>>,
    request_context: V2Context<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_parameters: Option<BTreeMap<&'a str, &'a str>>,
    is_base64_encoded: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct V2Context<'a> {
    account_id: &'a str,
    api_id: &'a str,
    domain_name: &'a str,
    domain_prefix: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    authorizer: Option<Authorizer<'a>>,
    http: V2Http<'a>,
    request_id: &'a str,
    route_key: &'a str,
    stage: &'a str,
    time: String,
    time_epoch: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct V2Http<'a> {
    method: &'a str,
    path: &'a str,
    protocol: &'static str,
    source_ip: IpAddr,
    user_agent: &'a str,
}

/// Payload format 2.0.
pub(super) fn v2(request: &Request<'_>) -> Vec<u8> {
    let route = request.found.route;
    let route_key = match route.path.as_str() {
        "$default" => "$default".to_owned(),
        path => format!("{} {path}", route.method),
    };
    let raw_query_string = request.head.uri.query().unwrap_or_default();
    // Whatever its name says, AWS decodes this one.
    let path = matching::unescape(&request.full_path());
    let (body, is_base64_encoded) = request.body();
    let event = V2 {
        version: "2.0",
        route_key: &route_key,
        raw_path: &path,
        raw_query_string,
        cookies: cookies(&request.head.headers),
        headers: joined_headers(request),
        query_string_parameters: joined_query(raw_query_string),
        request_context: V2Context {
            account_id: request.account,
            api_id: &request.api().id,
            domain_name: &request.target.domain,
            domain_prefix: request.domain_prefix(),
            authorizer: request.target.caller.as_ref().map(Authorizer::from),
            http: V2Http {
                method: request.head.method.as_str(),
                path: &path,
                protocol: "HTTP/1.1",
                source_ip: request.origin.peer,
                user_agent: request.user_agent(),
            },
            request_id: request.request_id,
            route_key: &route_key,
            stage: &request.api().stage,
            time: common_log_time(request.now),
            time_epoch: request.now.as_millis(),
        },
        path_parameters: request.variables(),
        is_base64_encoded,
    };
    let body = body.as_deref();
    let mut bytes = write(&event, body);
    // Format 2.0 leaves out what is not there.
    if body.is_some() {
        add_body(&mut bytes, body);
    }
    bytes
}

fn cookies(headers: &HeaderMap) -> Vec<&str> {
    let all = headers.get_all(COOKIE).iter();
    all.flat_map(|value| text(value.as_bytes()).split("; ")).filter(|c| !c.is_empty()).collect()
}

/// Values of a repeated header are joined with commas; cookies have a list of their own.
fn joined_headers<'a>(request: &'a Request<'_>) -> BTreeMap<&'a str, Cow<'a, str>> {
    let ours = request.way.named(false).map(|(name, value)| (name, value.into()));
    let mut joined: BTreeMap<&str, Cow<'_, str>> = ours.collect();
    for (name, value) in request.headers().filter(|(name, _)| *name != COOKIE) {
        match joined.entry(name.as_str()) {
            Entry::Vacant(place) => {
                place.insert(value);
            }
            Entry::Occupied(mut before) => {
                let before = before.get_mut().to_mut();
                before.push(',');
                before.push_str(&value);
            }
        }
    }
    joined
}

fn joined_query(query: &str) -> Option<BTreeMap<String, String>> {
    let mut joined: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match joined.get_mut(name.as_ref()) {
            Some(before) => {
                before.push(',');
                before.push_str(&value);
            }
            None => {
                joined.insert(name.into_owned(), value.into_owned());
            }
        }
    }
    (!joined.is_empty()).then_some(joined)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct V1<'a> {
    /// HTTP APIs only.
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'static str>,
    resource: &'a str,
    path: &'a str,
    http_method: &'a str,
    headers: BTreeMap<String, String>,
    multi_value_headers: BTreeMap<String, Vec<String>>,
    query_string_parameters: Option<BTreeMap<String, String>>,
    multi_value_query_string_parameters: Option<BTreeMap<String, Vec<String>>>,
    path_parameters: Option<BTreeMap<&'a str, &'a str>>,
    stage_variables: Option<()>,
    request_context: V1Context<'a>,
    is_base64_encoded: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct V1Context<'a> {
    account_id: &'a str,
    api_id: &'a str,
    /// REST APIs only.
    #[serde(skip_serializing_if = "Option::is_none")]
    deployment_id: Option<String>,
    domain_name: &'a str,
    domain_prefix: &'a str,
    extended_request_id: &'a str,
    http_method: &'a str,
    identity: V1Identity<'a>,
    path: String,
    protocol: &'static str,
    request_id: &'a str,
    request_time: String,
    request_time_epoch: u64,
    resource_id: Option<String>,
    resource_path: &'a str,
    stage: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct V1Identity<'a> {
    access_key: Null,
    account_id: Null,
    /// REST APIs only.
    #[serde(skip_serializing_if = "Option::is_none")]
    api_key: Option<Null>,
    caller: Null,
    /// HTTP APIs only.
    #[serde(skip_serializing_if = "Option::is_none")]
    cognito_amr: Option<Null>,
    cognito_authentication_provider: Null,
    cognito_authentication_type: Null,
    cognito_identity_id: Null,
    cognito_identity_pool_id: Null,
    principal_org_id: Null,
    source_ip: IpAddr,
    user: Null,
    user_agent: &'a str,
    user_arn: Null,
}

/// What only a caller who is known has.
type Null = Option<()>;

impl<'a> V1Identity<'a> {
    fn unknown(request: &'a Request<'_>) -> V1Identity<'a> {
        let is_rest = request.api().kind == Kind::Rest;
        V1Identity {
            access_key: None,
            account_id: None,
            api_key: is_rest.then_some(None),
            caller: None,
            cognito_amr: (!is_rest).then_some(None),
            cognito_authentication_provider: None,
            cognito_authentication_type: None,
            cognito_identity_id: None,
            cognito_identity_pool_id: None,
            principal_org_id: None,
            source_ip: request.origin.peer,
            user: None,
            user_agent: request.user_agent(),
            user_arn: None,
        }
    }
}

/// Payload format 1.0.
pub(super) fn v1(request: &Request<'_>) -> Vec<u8> {
    let route = request.found.route;
    let multi_headers = header_groups(request);
    let query = form_urlencoded::parse(request.head.uri.query().unwrap_or_default().as_bytes());
    let multi_query = grouped(query.into_owned());
    let multi_query = (!multi_query.is_empty()).then_some(multi_query);
    let (body, is_base64_encoded) = request.body();
    let is_rest = request.api().kind == Kind::Rest;
    let event = V1 {
        version: (!is_rest).then_some("1.0"),
        resource: &route.path,
        path: &request.target.path,
        http_method: request.head.method.as_str(),
        headers: last_of_each(&multi_headers),
        multi_value_headers: multi_headers,
        query_string_parameters: multi_query.as_ref().map(last_of_each),
        multi_value_query_string_parameters: multi_query,
        path_parameters: request.variables(),
        stage_variables: None,
        request_context: V1Context {
            account_id: request.account,
            api_id: &request.api().id,
            domain_name: &request.target.domain,
            domain_prefix: request.domain_prefix(),
            deployment_id: is_rest.then(|| short_id(&[&request.api().id])),
            extended_request_id: request.request_id,
            http_method: request.head.method.as_str(),
            identity: V1Identity::unknown(request),
            path: request.full_path(),
            protocol: "HTTP/1.1",
            request_id: request.request_id,
            request_time: common_log_time(request.now),
            request_time_epoch: request.now.as_millis(),
            resource_id: is_rest.then(|| short_id(&[&request.api().id, &route.path])),
            resource_path: &route.path,
            stage: &request.api().stage,
        },
        is_base64_encoded,
    };
    let body = body.as_deref();
    let mut bytes = write(&event, body);
    add_body(&mut bytes, body);
    bytes
}

/// A REST API passes names on as they were sent, but writes two of them itself; an HTTP API
/// makes all lower-case.
fn header_groups(request: &Request<'_>) -> BTreeMap<String, Vec<String>> {
    let is_rest = request.api().kind == Kind::Rest;
    let spelled = |name: &HeaderName| match name.as_str() {
        name if !is_rest => name.to_owned(),
        "host" => "Host".to_owned(),
        "user-agent" => "User-Agent".to_owned(),
        name => request.origin.spelling.of(name).to_owned(),
    };
    let theirs = request.headers().map(|(name, value)| (spelled(name), value.into_owned()));
    let ours = request.way.named(is_rest);
    grouped(theirs.chain(ours.map(|(name, value)| (name.to_owned(), value.to_owned()))))
}

/// Six lower-case letters and digits, as resources and deployments of REST APIs are called; the
/// same for the same names (FNV-1a).
fn short_id(names: &[&str]) -> String {
    const DIGITS: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    let bytes = names.iter().flat_map(|name| name.bytes().chain([0]));
    let mut rest = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    // The upper bits are mixed best.
    rest >>= 16;
    let digits = (0..6).map(|_| {
        let digit = DIGITS[(rest % 36) as usize];
        rest /= 36;
        char::from(digit)
    });
    digits.collect()
}

fn grouped(pairs: impl Iterator<Item = (String, String)>) -> BTreeMap<String, Vec<String>> {
    let mut groups: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in pairs {
        groups.entry(name).or_default().push(value);
    }
    groups
}

fn last_of_each(groups: &BTreeMap<String, Vec<String>>) -> BTreeMap<String, String> {
    let last = |(name, values): (&String, &Vec<String>)| {
        (name.clone(), values.last().cloned().unwrap_or_default())
    };
    groups.iter().map(last).collect()
}

/// An event without its body, and room for that one.
fn write(event: &impl Serialize, body: Option<&str>) -> Vec<u8> {
    // For what escaping adds, too, so that the bytes are not moved while they are written.
    let mut bytes = Vec::with_capacity(EVENT_BYTES + body.map_or(0, str::len) * 5 / 4);
    serde_json::to_writer(&mut bytes, event).expect("events are maps with text keys");
    bytes
}

/// Adds the body to an event that is written, as its last member.
fn add_body(event: &mut Vec<u8>, body: Option<&str>) {
    event.pop(); // the brace
    event.extend_from_slice(br#","body":"#);
    match body {
        Some(body) => quote(event, body),
        None => event.extend_from_slice(b"null"),
    }
    event.push(b'}');
}

/// What a byte is escaped by: `u` for its number, 0 for not at all.
const ESCAPES: [u8; 256] = {
    let mut table = [0; 256];
    let mut control = 0;
    while control < 0x20 {
        table[control] = b'u';
        control += 1;
    }
    table[0x08] = b'b';
    table[0x09] = b't';
    table[0x0a] = b'n';
    table[0x0c] = b'f';
    table[0x0d] = b'r';
    table[b'"' as usize] = b'"';
    table[b'\\' as usize] = b'\\';
    table
};

/// A text in JSON. Bodies are JSON themselves, full of quotes, and most of an event: copied piece
/// by piece between them, as the library does, texts took a seventh of a request's instructions.
fn quote(bytes: &mut Vec<u8>, text: &str) {
    bytes.push(b'"');
    for byte in text.bytes() {
        match ESCAPES[usize::from(byte)] {
            0 => bytes.push(byte),
            b'u' => bytes.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            escape => bytes.extend_from_slice(&[b'\\', escape]),
        }
    }
    bytes.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_quoted_as_the_library_does_it() {
        let all: String = (0..=0x2000_u32).filter_map(char::from_u32).collect();
        for text in ["", "{\"a\":\"b\\\\c\"}", &all] {
            let mut quoted = Vec::new();
            quote(&mut quoted, text);
            assert_eq!(quoted, serde_json::to_vec(text).unwrap());
        }
    }

    #[test]
    fn a_resource_keeps_its_short_name() {
        assert_eq!(short_id(&["abc", "/orders"]), short_id(&["abc", "/orders"]));
        let paths = (0..1000).map(|n| short_id(&["abc", &format!("/orders/{n}")]));
        let ids: std::collections::BTreeSet<String> = paths.collect();
        assert_eq!(ids.len(), 1000);
        let is_digit = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        assert!(ids.iter().all(|id| id.len() == 6 && id.bytes().all(is_digit)));
    }
}
