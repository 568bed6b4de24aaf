use std::net::IpAddr;

use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{Method, StatusCode, request};
use kit::Service;
use wire::Protocol;

use crate::Gateway;
use crate::apis::{Target, download, url};
use crate::reply::Refusal;

/// Where a request goes.
pub(crate) enum Destination {
    /// Our own `/_cumulet/…`.
    Control,
    /// A user's HTTP API.
    Api(Target),
    /// The URL of a user's function.
    Url(url::Named),
    /// The package behind a token.
    Download(String),
    /// An AWS operation, as far as the head tells.
    Aws(Found),
    /// What would be one, if it said which.
    Unknown,
}

/// An AWS request as its head describes it.
pub(crate) struct Found {
    /// The service's id; empty where only the body can tell (an unsigned Query request).
    pub(crate) service: String,
    pub(crate) protocol: Protocol,
    /// The operation; empty where it stands in the body.
    pub(crate) operation: String,
    pub(crate) labels: Vec<(String, String)>,
}

/// How long the ids of requests are that are no UUIDs.
const LONG_REQUEST_ID_CHARS: usize = 52;
/// A user's API takes what API Gateway takes.
const API_BODY_BYTES_MAX: usize = 10 * 1024 * 1024;
/// What a function can be given.
const URL_BODY_BYTES_MAX: usize = 6 * 1024 * 1024;
/// DynamoDB's batch is the largest JSON body: 16 MB.
const AWS_BODY_BYTES_MAX: usize = 16 * 1024 * 1024;
/// 50 MB of zipped code in base64, and the rest of the request.
const CODE_BODY_BYTES_MAX: usize = 70 * 1024 * 1024;
/// A template and the zipped code of all its functions.
const CONTROL_BODY_BYTES_MAX: usize = 256 * 1024 * 1024;

impl Destination {
    pub(crate) fn body_bytes_max(&self) -> usize {
        match self {
            Destination::Control => CONTROL_BODY_BYTES_MAX,
            Destination::Api(_) => API_BODY_BYTES_MAX,
            Destination::Url(_) => URL_BODY_BYTES_MAX,
            Destination::Download(_) => 0,
            Destination::Aws(found) if found.service == "lambda" => match &*found.operation {
                "CreateFunction" | "UpdateFunctionCode" | "PublishLayerVersion" => {
                    CODE_BODY_BYTES_MAX
                }
                _ => AWS_BODY_BYTES_MAX,
            },
            Destination::Aws(_) | Destination::Unknown => AWS_BODY_BYTES_MAX,
        }
    }
}

/// Decides from the head alone.
pub(crate) fn find(gateway: &Gateway, head: &request::Parts) -> Result<Destination, Refusal> {
    let host = host_of(head);
    if !answers_to(gateway, host) {
        return Err(Refusal::new(
            StatusCode::MISDIRECTED_REQUEST,
            "MisdirectedRequest",
            format!(
                "This server does not answer to the host '{host}': start it with --answer-to \
                 {host} if it is to."
            ),
        ));
    }
    let path = head.uri.path();
    if let Some(target) = Target::find(&gateway.apis, host, path) {
        return Ok(Destination::Api(target));
    }
    if let Some(token) = download::token(path) {
        return Ok(Destination::Download(token.to_owned()));
    }
    if let Some(named) = url::Named::find(host, path) {
        return Ok(Destination::Url(named));
    }
    if Target::is_meant(host, path) {
        return Err(Refusal::new(StatusCode::NOT_FOUND, "NotFoundException", "Not Found"));
    }
    if path.starts_with("/_cumulet/") || path == "/_localstack/health" {
        return Ok(Destination::Control);
    }
    aws(gateway, head)
}

/// The host without its port, in the form the client wrote it.
fn host_of(head: &request::Parts) -> &str {
    let host = head.headers.get(HOST).and_then(|host| host.to_str().ok());
    let host = host.or_else(|| head.uri.host()).unwrap_or("localhost");
    if let Some(bracketed) = host.strip_prefix('[') {
        return bracketed.split(']').next().unwrap_or(bracketed);
    }
    host.split(':').next().unwrap_or(host)
}

/// A page on the web can make its own name resolve to loopback; it cannot make the browser send
/// another `Host`. So names we do not know are refused.
fn answers_to(gateway: &Gateway, host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    let below = |domain: &str| host.ends_with(domain) || host == domain[1..];
    names_loopback(&host)
        || below(".amazonaws.com")
        || gateway.config.hosts.iter().any(|name| match name.strip_prefix('.') {
            Some(_) => below(name),
            None => host == name.to_ascii_lowercase(),
        })
}

/// Whether a host can be nothing but this machine.
pub(crate) fn names_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
    host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
        || host == "localhost"
        || host.ends_with(".localhost")
}

fn aws(gateway: &Gateway, head: &request::Parts) -> Result<Destination, Refusal> {
    if let Some(target) = header(head, "x-amz-target") {
        return by_target(gateway, head, target);
    }
    let scope = scope(head);
    if let Some(found) = by_path(gateway, head, scope) {
        return Ok(Destination::Aws(found));
    }
    let form = header(head, CONTENT_TYPE.as_str())
        .is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
    let action = head.uri.query().is_some_and(|query| query.contains("Action="));
    if form || action {
        let service = scope.unwrap_or_default().to_owned();
        let (operation, labels) = (String::new(), Vec::new());
        let protocol = Protocol::Query;
        return Ok(Destination::Aws(Found { service, protocol, operation, labels }));
    }
    Err(match scope {
        Some(service) if gateway.kit.services().get(service).is_none() => Refusal::new(
            StatusCode::NOT_IMPLEMENTED,
            "NotImplemented",
            format!("service {service} is not served"),
        ),
        _ if head.uri.path() == "/" && head.method != Method::GET => {
            return Ok(Destination::Unknown);
        }
        _ => Refusal::new(
            StatusCode::NOT_FOUND,
            "UnknownOperationException",
            format!("No operation is found at {} {}", head.method, head.uri.path()),
        ),
    })
}

/// A new id for a request, in the form that its service gives them.
pub(crate) fn request_id(gateway: &Gateway, head: &request::Parts) -> String {
    let target = header(head, "x-amz-target").and_then(|target| target.rsplit_once('.'));
    let service = target.and_then(|(prefix, _)| with_target_prefix(gateway, prefix));
    match service.is_some_and(|service| service.api().names.long_request_ids) {
        true => long_request_id(gateway),
        false => gateway.kit.uuid(),
    }
}

/// A new id as DynamoDB has them.
pub(crate) fn long_request_id(gateway: &Gateway) -> String {
    let mut id = base::hex(&*gateway.kit.random, LONG_REQUEST_ID_CHARS / 2);
    id.make_ascii_uppercase();
    id
}

fn with_target_prefix<'a>(gateway: &'a Gateway, prefix: &str) -> Option<&'a Service> {
    let mut services = gateway.kit.services().iter();
    services.find(|service| !prefix.is_empty() && service.api().target_prefix == prefix)
}

/// `X-Amz-Target: DynamoDB_20120810.GetItem`.
fn by_target(
    gateway: &Gateway,
    head: &request::Parts,
    target: &str,
) -> Result<Destination, Refusal> {
    let Some((prefix, operation)) = target.rsplit_once('.') else {
        return Ok(Destination::Unknown);
    };
    let service = with_target_prefix(gateway, prefix).ok_or_else(|| {
        let message = format!("X-Amz-Target '{target}' is not served");
        Refusal::new(StatusCode::BAD_REQUEST, "UnknownOperationException", message)
    })?;
    let protocol = match header(head, CONTENT_TYPE.as_str()) {
        Some(kind) if kind.starts_with("application/x-amz-json-1.1") => Protocol::Json11,
        _ => service.api().protocols.first().copied().unwrap_or(Protocol::Json10),
    };
    Ok(Destination::Aws(Found {
        service: service.api().id.to_owned(),
        protocol,
        operation: operation.to_owned(),
        labels: Vec::new(),
    }))
}

fn by_path(gateway: &Gateway, head: &request::Parts, scope: Option<&str>) -> Option<Found> {
    let services = gateway.kit.services();
    let query = head.uri.query().unwrap_or_default();
    services.iter().find_map(|service| {
        // API Gateway's two services share one signing name, so only a foreign scope excludes.
        if scope.is_some_and(|scope| !service.api().id.starts_with(scope)) {
            return None;
        }
        let (operation, labels) = service.route(&head.method, head.uri.path(), query)?;
        Some(Found {
            service: service.api().id.to_owned(),
            protocol: Protocol::RestJson,
            operation: operation.to_owned(),
            labels,
        })
    })
}

/// The service a signature is for: the fourth part of the credential's scope.
fn scope(head: &request::Parts) -> Option<&str> {
    let credential = match header(head, AUTHORIZATION.as_str()) {
        Some(value) => value.split("Credential=").nth(1)?.split([',', ' ']).next()?,
        None => {
            let query = head.uri.query()?;
            return query
                .split('&')
                .find_map(|pair| pair.strip_prefix("X-Amz-Credential="))?
                .split("%2F")
                .nth(3);
        }
    };
    credential.split('/').nth(3)
}

fn header<'a>(head: &'a request::Parts, name: &str) -> Option<&'a str> {
    head.headers.get(name).and_then(|value| value.to_str().ok())
}
