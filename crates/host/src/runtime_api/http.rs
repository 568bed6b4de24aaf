//! The server: requests in, the state asked, answers out.

use std::convert::Infallible;
use std::sync::Arc;

use base::task;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use crate::ResponseWriter;
use crate::answer::too_large;
use crate::invocation::RESULT_BYTES_MAX;
use crate::response::STREAMED_BYTES_MAX;
use crate::runtime_api::Shared;
use crate::runtime_api::answer::{Answer, Refusal, accepted, json, not_found};
use crate::runtime_api::state::{Current, Phase, error_payload};

const RUNTIME: &str = "/2018-06-01/runtime/";
const EXTENSION: &str = "/2020-01-01/extension/";
const EXTENSION_ID: &str = "lambda-extension-identifier";
const ERROR_TYPE: &str = "lambda-runtime-function-error-type";
const ERROR_BODY: &str = "lambda-runtime-function-error-body";
const RESPONSE_MODE: &str = "lambda-runtime-function-response-mode";
/// The content type of a response that is streamed and does not say it.
const USUAL_TYPE: &str = "application/octet-stream";
/// A runtime and its extensions need one each; the rest is for clients that do not reuse theirs.
const CONNECTIONS_MAX: usize = 64;
/// What an extension's request or a report of an error may have.
const SMALL_BYTES_MAX: usize = 256 * 1024;
/// What is read of a body that nobody wants.
const DRAIN_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Serves until the task is aborted. Connections end with the process at their other end.
pub(crate) async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let stream = match listener.accept().await {
            Ok((stream, _peer)) => stream,
            Err(error) => {
                tracing::warn!(%error, "runtime api: accept failed");
                base::sleep(&*shared.clock, std::time::Duration::from_millis(50)).await;
                continue;
            }
        };
        let shared = Arc::clone(&shared);
        task::spawn("host.runtime_api.connection", async move {
            connection(stream, shared).await;
            drop(place);
        });
    }
}

async fn connection(stream: TcpStream, shared: Arc<Shared>) {
    let _unsupported = stream.set_nodelay(true);
    let service = service_fn(move |request: Request<Incoming>| {
        let shared = Arc::clone(&shared);
        async move {
            let (head, mut body) = request.into_parts();
            let answer = route(&shared, &head, &mut body).await;
            // A body that is not read would close the connection.
            drain(&mut body).await;
            Ok::<_, Infallible>(answer.unwrap_or_else(Refusal::into_answer))
        }
    });
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    if let Err(error) = connection.await {
        tracing::debug!(%error, "runtime api: connection ended");
    }
}

async fn route(shared: &Shared, head: &Parts, body: &mut Incoming) -> Result<Answer, Refusal> {
    let (get, post) = (head.method == Method::GET, head.method == Method::POST);
    let path = head.uri.path();
    // There is no /restore/next: as on Lambda, that is for functions with SnapStart only.
    if let Some(path) = path.strip_prefix(RUNTIME) {
        let id = path.strip_prefix("invocation/").and_then(|path| path.split_once('/'));
        return match (path, id) {
            ("invocation/next", _) if get => runtime_next(shared).await,
            ("init/error", _) if post => {
                let report = small(body).await?;
                shared.lock().init_error(error_payload(error_type(&head.headers), report))?;
                shared.to_host.notify_waiters();
                Ok(accepted())
            }
            (_, Some((id, "response"))) if post => {
                runtime_response(shared, id, &head.headers, body).await
            }
            (_, Some((id, "error"))) if post => {
                runtime_error(shared, id, &head.headers, body).await
            }
            _ => Ok(not_found()),
        };
    }
    if let Some(path) = path.strip_prefix(EXTENSION) {
        return match path {
            "register" if post => register(shared, &head.headers, body).await,
            "event/next" if get => extension_next(shared, extension_id(&head.headers)?).await,
            "init/error" | "exit/error" if post => {
                let id = extension_id(&head.headers)?;
                let kind = "Lambda-Extension-Function-Error-Type";
                if text(&head.headers, kind).is_empty() {
                    let message = format!("{kind} not found");
                    return Err(Refusal::forbidden("Extension.MissingHeader", message));
                }
                shared.lock().extensions.fail(id, path == "init/error")?;
                Ok(accepted())
            }
            _ => Ok(not_found()),
        };
    }
    Ok(match path {
        "/2020-08-15/logs" if head.method == Method::PUT => unsupported("Logs"),
        "/2022-07-01/telemetry" if head.method == Method::PUT => unsupported("Telemetry"),
        _ => not_found(),
    })
}

async fn runtime_next(shared: &Shared) -> Result<Answer, Refusal> {
    if let Some(again) = shared.lock().ask()? {
        return Ok(event(shared, &again));
    }
    shared.to_host.notify_waiters();
    loop {
        let changed = shared.to_worker.notified();
        let given = shared.lock().give(&shared.spec, shared.clock.now());
        if let Some(current) = given {
            // Extensions are told at the same time.
            shared.to_worker.notify_waiters();
            return Ok(event(shared, &current));
        }
        changed.await;
    }
}

fn event(shared: &Shared, current: &Current) -> Answer {
    let event = &current.event;
    let payload = if event.payload.is_empty() { Bytes::from("{}") } else { event.payload.clone() };
    let mut answer = Response::new(Full::new(payload));
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let deadline = current.deadline.as_millis().to_string();
    for (name, value) in [
        ("lambda-runtime-aws-request-id", event.request_id.as_str()),
        ("lambda-runtime-deadline-ms", &deadline),
        ("lambda-runtime-invoked-function-arn", &event.function_arn(&shared.spec)),
        ("lambda-runtime-trace-id", event.trace_header.as_deref().unwrap_or_default()),
        ("lambda-runtime-client-context", event.client_context.as_deref().unwrap_or_default()),
    ] {
        // What no header can hold was not in the header it came in either.
        if let (false, Ok(value)) = (value.is_empty(), HeaderValue::from_str(value)) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    answer
}

/// The result, whole or in pieces. It is gathered here where the runtime or the caller does not
/// want pieces.
async fn runtime_response(
    shared: &Shared,
    id: &str,
    headers: &HeaderMap,
    body: &mut Incoming,
) -> Result<Answer, Refusal> {
    let response = shared.lock().begin_answer(id, Phase::InvocationResponse)?;
    let finish = |result| {
        shared.lock().finish_answer(result);
        shared.to_host.notify_waiters();
    };
    let mode = text(headers, RESPONSE_MODE);
    if !mode.is_empty() && mode != "streaming" {
        finish(Err(error_payload_of(
            "Runtime.InvalidResponseModeHeader",
            "Invalid function response mode",
        )));
        return Err(Refusal::new(
            StatusCode::BAD_REQUEST,
            "InvalidFunctionResponseMode",
            "Invalid function response mode".into(),
        ));
    }
    let (taken, bytes_max) = match response.filter(|_writer| mode == "streaming") {
        Some(writer) => {
            let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
            writer.begin(kind.unwrap_or(USUAL_TYPE).to_owned());
            (pass_on(body, &writer).await, STREAMED_BYTES_MAX)
        }
        None => (gather(body, RESULT_BYTES_MAX).await, RESULT_BYTES_MAX),
    };
    match taken {
        Ok((_, Some(trailers))) if trailers.contains_key(ERROR_TYPE) => {
            let report = BASE64_STANDARD.decode(text(&trailers, ERROR_BODY)).unwrap_or_default();
            finish(Err(error_payload(text(&trailers, ERROR_TYPE), report.into())));
            Ok(accepted())
        }
        Ok((payload, _)) => {
            finish(Ok(payload));
            Ok(accepted())
        }
        Err(Gathered::TooLarge) => {
            finish(Err(too_large(bytes_max)));
            Err(Refusal::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "RequestEntityTooLarge",
                format!("Exceeded maximum allowed payload size ({bytes_max} bytes)."),
            ))
        }
        Err(Gathered::Truncated) => {
            finish(Err(error_payload_of("Runtime.TruncatedResponse", "")));
            Err(Refusal::new(
                StatusCode::BAD_REQUEST,
                "TruncatedHTTPRequest",
                "HTTP request detected as truncated".into(),
            ))
        }
    }
}

async fn runtime_error(
    shared: &Shared,
    id: &str,
    headers: &HeaderMap,
    body: &mut Incoming,
) -> Result<Answer, Refusal> {
    shared.lock().begin_answer(id, Phase::InvocationErrorResponse)?;
    let report = gather(body, RESULT_BYTES_MAX).await.map(|(body, _)| body).unwrap_or_default();
    shared.lock().finish_answer(Err(error_payload(error_type(headers), report)));
    shared.to_host.notify_waiters();
    Ok(accepted())
}

#[derive(Deserialize)]
struct Register {
    #[serde(default)]
    events: Vec<String>,
}

async fn register(
    shared: &Shared,
    headers: &HeaderMap,
    body: &mut Incoming,
) -> Result<Answer, Refusal> {
    let name = text(headers, "lambda-extension-name");
    if name.is_empty() {
        return Err(Refusal::forbidden("Extension.InvalidExtensionName", "Empty extension name"));
    }
    let body = small(body).await?;
    let wanted: Register = serde_json::from_slice(&body)
        .map_err(|error| Refusal::forbidden("InvalidRequestFormat", error.to_string()))?;
    // It may be quicker than we in reading that it was started.
    loop {
        let changed = shared.to_worker.notified();
        if shared.lock().extensions.are_all_expected() {
            break;
        }
        changed.await;
    }
    let id = base::uuid(&*shared.random);
    let id = {
        let mut state = shared.lock();
        let open = state.may_register();
        state.extensions.register(id, name, &wanted.events, open)?
    };
    shared.to_host.notify_waiters();
    let spec = &shared.spec;
    let mut about = json!({
        "functionName": spec.name,
        "functionVersion": spec.version,
        "handler": spec.handler,
    });
    if text(headers, "lambda-extension-accept-feature").contains("accountId") {
        about["accountId"] = json!(spec.account.to_string());
    }
    let mut answer = json(StatusCode::OK, &about);
    if let Ok(id) = HeaderValue::from_str(&id) {
        answer.headers_mut().insert(EXTENSION_ID, id);
    }
    Ok(answer)
}

async fn extension_next(shared: &Shared, id: &str) -> Result<Answer, Refusal> {
    {
        let mut state = shared.lock();
        state.extensions.ask(id)?;
        state.settle();
    }
    shared.to_host.notify_waiters();
    shared.to_worker.notify_waiters();
    loop {
        let changed = shared.to_worker.notified();
        if let Some(event) = shared.lock().extensions.give(id) {
            let mut answer = json(StatusCode::OK, &event);
            if let Ok(id) = HeaderValue::from_str(&base::uuid(&*shared.random)) {
                answer.headers_mut().insert("lambda-extension-event-identifier", id);
            }
            return Ok(answer);
        }
        changed.await;
    }
}

fn extension_id(headers: &HeaderMap) -> Result<&str, Refusal> {
    match text(headers, EXTENSION_ID) {
        "" => Err(Refusal::forbidden(
            "Extension.MissingExtensionIdentifier",
            "Missing Lambda-Extension-Identifier header",
        )),
        id => Ok(id),
    }
}

/// As where Lambda has these subscriptions switched off.
fn unsupported(name: &str) -> Answer {
    let message = format!("{name} API is not supported");
    let kind = format!("{name}.NotSupported");
    json(StatusCode::ACCEPTED, &json!({ "errorMessage": message, "errorType": kind }))
}

/// Why a body was not gathered.
enum Gathered {
    TooLarge,
    Truncated,
}

async fn gather(
    body: &mut Incoming,
    bytes_max: usize,
) -> Result<(Bytes, Option<HeaderMap>), Gathered> {
    let (mut first, mut all, mut trailers) = (None, BytesMut::new(), None);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_broken| Gathered::Truncated)?;
        match frame.into_data() {
            Ok(data) if first.is_none() && all.is_empty() => first = Some(data),
            Ok(data) => {
                all.extend(first.take());
                all.extend_from_slice(&data);
            }
            Err(frame) => trailers = frame.into_trailers().ok(),
        }
        if all.len() + first.as_ref().map_or(0, Bytes::len) > bytes_max {
            return Err(Gathered::TooLarge);
        }
    }
    Ok((first.unwrap_or_else(|| all.freeze()), trailers))
}

/// Passes a body on as it comes, as fast as it is read. Nothing is left of it but its trailers.
async fn pass_on(
    body: &mut Incoming,
    writer: &ResponseWriter,
) -> Result<(Bytes, Option<HeaderMap>), Gathered> {
    let mut trailers: Option<HeaderMap> = None;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_broken| Gathered::Truncated)?;
        match frame.into_data() {
            Ok(data) => {
                writer.push(&data);
                if writer.is_oversized() {
                    return Err(Gathered::TooLarge);
                }
                writer.room().await;
            }
            Err(frame) => trailers = frame.into_trailers().ok(),
        }
    }
    if trailers.as_ref().is_none_or(|trailers| !trailers.contains_key(ERROR_TYPE)) {
        writer.end();
    }
    Ok((Bytes::new(), trailers))
}

/// Reads what is left, for some bytes.
async fn drain(body: &mut Incoming) {
    let mut left = DRAIN_BYTES_MAX;
    while let Some(Ok(frame)) = body.frame().await {
        left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
        if left == 0 {
            return;
        }
    }
}

async fn small(body: &mut Incoming) -> Result<Bytes, Refusal> {
    let gathered = gather(body, SMALL_BYTES_MAX).await;
    gathered.map(|(body, _)| body).map_err(|_| {
        let message = "The request is too large or has no end";
        Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge", message.into())
    })
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// The type that a runtime gives its error: `Runtime.Own` or `Function.Own`.
fn error_type(headers: &HeaderMap) -> &str {
    let kind = text(headers, ERROR_TYPE);
    match kind.split_once('.') {
        Some(("Runtime" | "Function", name)) if name.starts_with(|c: char| c.is_uppercase()) => {
            kind
        }
        Some(("Function", _)) => "Function.Unknown",
        _ => "Runtime.Unknown",
    }
}

fn error_payload_of(kind: &str, message: &str) -> Bytes {
    Bytes::from(json!({ "errorType": kind, "errorMessage": message }).to_string())
}
