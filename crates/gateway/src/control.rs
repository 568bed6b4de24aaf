//! Our own requests, `/_cumulet/…`: health here, everything else by who composes the server.

use base::BoxFuture;
use bytes::Bytes;
use futures_util::FutureExt as _;
use http::{Method, Response, StatusCode, request};
use serde_json::{Map, Value, json};

use crate::Gateway;
use crate::reply::{Body, text};

/// One control request.
pub struct Request<'a> {
    pub method: &'a Method,
    /// What follows `/_cumulet/`.
    pub path: &'a str,
    /// The decoded query string.
    pub query: Vec<(String, String)>,
    pub body: Bytes,
}

/// What the composition root does about control requests.
pub trait Control: Send + Sync + 'static {
    /// The answer, or nothing where there is no such path.
    fn serve<'a>(&'a self, request: Request<'a>) -> BoxFuture<'a, Option<Response<Body>>>;
}

/// A JSON answer.
pub fn json(status: StatusCode, body: &Value) -> Response<Body> {
    text(status, "application/json", body.to_string())
}

pub(crate) async fn serve(gateway: &Gateway, head: &request::Parts, body: Bytes) -> Response<Body> {
    let path = head.uri.path();
    if path.ends_with("/health") {
        return health(gateway);
    }
    let query = head.uri.query().unwrap_or_default();
    let query = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let path = path.trim_start_matches("/_cumulet/");
    let request = Request { method: &head.method, path, query, body };
    gateway.control.serve(request).await.unwrap_or_else(|| {
        let message = format!("{} /_cumulet/{path} is not served", head.method);
        json(StatusCode::NOT_FOUND, &json!({"message": message}))
    })
}

/// `/_cumulet/health` and `/_localstack/health`: the same, since the second is for tooling that
/// waits until every service it names says `running`.
fn health(gateway: &Gateway) -> Response<Body> {
    let running = |service: &kit::Service| (service.api().id.to_owned(), json!("running"));
    let services: Map<String, Value> = gateway.kit.services().iter().map(running).collect();
    let failed = gateway.kit.store.failed().now_or_never().is_some();
    let status = if failed { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    let body = json!({
        "status": if failed { "failed" } else { "running" },
        "version": env!("CARGO_PKG_VERSION"),
        "edition": "cumulet",
        "services": services,
    });
    json(status, &body)
}
