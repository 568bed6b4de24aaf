use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::future::ready;
use futures_util::stream::once;
use http::{Response, StatusCode, request};
use kit::{Caller, Ctx, Error, Service};
use wire::{Fault, Input, Protocol};

use crate::reply::{Body, Refusal, pieces, refuse, whole};
use crate::route::Found;
use crate::verify::Purpose;
use crate::{Gateway, authorize, unknown, verify};

/// Services of JSON that a policy may open to callers who do not sign.
const OPEN_TO_ALL: &[&str] = &["sqs"];

/// Runs an AWS operation and writes its answer or its error in the client's protocol.
pub(crate) async fn serve(
    gateway: &Gateway,
    request_id: &str,
    mut found: Found,
    head: &request::Parts,
    body: Bytes,
) -> Response<Body> {
    if let Err(refusal) = complete(gateway, &mut found, head, &body) {
        return refuse(request_id, &refusal);
    }
    let Some(service) = gateway.kit.services().get(&found.service) else {
        let message = format!("service {} is not served", found.service);
        let refusal = Refusal::new(StatusCode::NOT_IMPLEMENTED, "NotImplemented", message);
        return refuse(request_id, &refusal);
    };
    let protocol = found.protocol;
    let reply = match run(gateway, service, request_id, found, head, body).await {
        Ok(reply) => reply,
        Err(error) => wire::encode_fault(protocol, service.api().names, request_id, &fault(&error)),
    };
    let body = match reply.stream {
        None => whole(reply.body),
        Some(stream) => pieces(once(ready(reply.body)).chain(stream).map(Ok)),
    };
    let mut response = Response::new(body);
    *response.status_mut() = reply.status;
    *response.headers_mut() = reply.headers;
    if is_json(protocol) {
        unknown::decorate(gateway, head, response.headers_mut());
    }
    response
}

fn is_json(protocol: Protocol) -> bool {
    matches!(protocol, Protocol::Json10 | Protocol::Json11)
}

async fn run(
    gateway: &Gateway,
    service: &Service,
    request_id: &str,
    found: Found,
    head: &request::Parts,
    body: Bytes,
) -> Result<wire::Reply, Error> {
    let Found { protocol, operation, labels, .. } = found;
    if unknown::is_foreign(gateway, head) {
        return Err(Error::new(
            "AccessDeniedException",
            403,
            "Pages of other machines may not use the APIs, because signatures are not verified: \
             start the server with --auth if they are to.",
        ));
    }
    let json = is_json(protocol);
    let id = service.api().id;
    let purpose = Purpose { service: id, needed: json && !OPEN_TO_ALL.contains(&id) };
    let caller = match verify::caller(gateway, head, &body, Some(purpose)).await {
        // What there is not is found out before who asks for it.
        Err(_) if json && !service.serves(&operation) => Caller::root(&gateway.kit.account),
        caller => caller.map_err(|refusal| refused(protocol, refusal))?,
    };
    if !service.api().protocols.contains(&protocol) {
        return Err(Error::not_served(format_args!("{} over this protocol", service.api().id)));
    }
    let query = pairs(head.uri.query().unwrap_or_default().as_bytes());
    let labels = labels.into_iter().map(|(name, value)| (name, unescape(&value))).collect();
    let input = Input { protocol, body, labels, query, headers: head.headers.clone() };
    let mut ctx = Ctx::for_request(&gateway.kit, request_id, caller, protocol);
    if let Some(host) = head.headers.get(http::header::HOST).and_then(|host| host.to_str().ok()) {
        // A client that keeps AWS's own name must be sent back to where it can reach us.
        if !host.ends_with(".amazonaws.com") {
            ctx.base_url = format!("http://{host}");
        }
    }
    ctx.take_trace(&head.headers);
    let account = ctx.account.clone();
    let caller = ctx.caller.clone();
    let call = service.prepare(ctx, &operation, input)?;
    authorize::check(&account, &caller, &call)?;
    call.run.await
}

/// What the front door says of a signature, in the words of the service.
fn refused(protocol: Protocol, refusal: Refusal) -> Error {
    // Only services of JSON say so of everything; the others call it forbidden.
    let status = if is_json(protocol) { StatusCode::BAD_REQUEST } else { refusal.status };
    Error::new(refusal.code, status.as_u16(), refusal.message)
}

/// A Query request names its operation in the body; an unsigned one its service by its version.
fn complete(
    gateway: &Gateway,
    found: &mut Found,
    head: &request::Parts,
    body: &[u8],
) -> Result<(), Refusal> {
    if found.protocol != Protocol::Query {
        return Ok(());
    }
    let mut params = pairs(head.uri.query().unwrap_or_default().as_bytes());
    params.extend(pairs(body));
    let mut take = |name: &str| {
        let at = params.iter().position(|(key, _)| key == name)?;
        Some(params.swap_remove(at).1)
    };
    let action = take("Action").unwrap_or_default();
    let version = take("Version").unwrap_or_default();
    if found.service.is_empty() {
        let by_version =
            |service: &&Service| !version.is_empty() && service.api().version == version;
        found.service = gateway
            .kit
            .services()
            .iter()
            .find(by_version)
            .map(|service| service.api().id.to_owned())
            .ok_or_else(|| {
                let message = format!("No service is found for version '{version}' of an API");
                Refusal::new(StatusCode::BAD_REQUEST, "InvalidAction", message)
            })?;
    }
    if action.is_empty() {
        let message = "The request must contain the parameter Action";
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "MissingAction", message));
    }
    found.operation = action;
    Ok(())
}

fn pairs(form: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(form).into_owned().collect()
}

fn unescape(label: &str) -> String {
    percent_encoding::percent_decode_str(label).decode_utf8_lossy().into_owned()
}

fn fault(error: &Error) -> Fault<'_> {
    Fault {
        code: &error.code,
        query_code: error.query_code,
        message: &error.message,
        status: error.status,
        sender: error.status < 500,
        extra: error.extra.as_deref(),
    }
}
