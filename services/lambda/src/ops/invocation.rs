//! Invoke: synchronous, streamed, asynchronous, or a dry run.

use std::collections::BTreeMap;

use base::Arn;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::future::ready;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use kit::Ctx;
use kit::functions::{Invoke, Invoked, Part};
use serde::de::IgnoredAny;
use serde_json::json;
use store::Body;
use wire::{Input, Reply, eventstream};

use crate::data::Target;
use crate::error::Error;
use crate::functions::Lambda;
use crate::ops::{self, touched};
use crate::stream;
use crate::work::event;

/// Largest event of an asynchronous invocation.
pub(crate) const ASYNC_BYTES_MAX: usize = 1024 * 1024;

pub(crate) async fn invoke(ctx: &Ctx, input: Input) -> Result<Reply, Error> {
    let target = target(ctx, &input)?;
    let header = |name: &str| header(&input, name);
    let payload = input.body.clone();
    match header("x-amz-invocation-type").unwrap_or("RequestResponse") {
        "RequestResponse" => {
            let call = call(ctx, &target, &input)?;
            let tail = call.tail;
            reply(ctx, Lambda::of(ctx).invoke(&target, call).await?, tail)
        }
        "Event" => {
            check(&payload, "Event", ASYNC_BYTES_MAX)?;
            let context = client_context(header("x-amz-client-context"))?;
            queue(ctx, &target, payload, context).await?;
            Ok(empty(ctx, StatusCode::ACCEPTED))
        }
        "DryRun" => {
            check(&payload, "DryRun", host::EVENT_BYTES_MAX)?;
            Lambda::of(ctx).load(&target).await?;
            Ok(empty(ctx, StatusCode::NO_CONTENT))
        }
        other => {
            let must = "Member must satisfy enum value set: [Event, RequestResponse, DryRun]";
            Err(Error::constraint("invocationType", other, must))
        }
    }
}

/// InvokeWithResponseStream: the response as events, then one that says how the function ended.
pub(crate) async fn stream(ctx: &Ctx, input: Input) -> Result<Reply, Error> {
    let target = target(ctx, &input)?;
    match header(&input, "x-amz-invocation-type").unwrap_or("RequestResponse") {
        "RequestResponse" => {}
        "DryRun" => {
            check(&input.body, "DryRun", host::EVENT_BYTES_MAX)?;
            Lambda::of(ctx).load(&target).await?;
            return Ok(empty(ctx, StatusCode::NO_CONTENT));
        }
        other => {
            let must = "Member must satisfy enum value set: [RequestResponse, DryRun]";
            return Err(Error::constraint("invocationType", other, must));
        }
    }
    let call = call(ctx, &target, &input)?;
    let tail = call.tail;
    let streamed = stream::start(Lambda::of(ctx), &target, call).await?;
    let mut reply = empty(ctx, StatusCode::OK);
    for (name, value) in
        [("content-type", eventstream::CONTENT_TYPE), ("x-amz-executed-version", &streamed.version)]
    {
        let value = HeaderValue::from_str(value).map_err(kit::Error::internal)?;
        reply.headers.insert(HeaderName::from_static(name), value);
    }
    let events = streamed.parts.filter_map(move |part| ready(event_of(part, tail)));
    reply.stream = Some(events.boxed());
    Ok(reply)
}

/// A part of a response as the client is told of it.
fn event_of(part: Part, tail: bool) -> Option<Bytes> {
    let complete = match part {
        // The host gives at most 6 MB at once.
        Part::Chunk(bytes) => {
            let binary = Some("application/octet-stream");
            return Some(eventstream::event("PayloadChunk", binary, &bytes));
        }
        Part::Complete => return None,
        Part::Ended(Ok(invoked)) => {
            let mut complete = json!({});
            if let Some(code) = invoked.error {
                complete["ErrorCode"] = json!(code);
                complete["ErrorDetails"] = json!(String::from_utf8_lossy(&invoked.payload));
            }
            if tail {
                complete["LogResult"] = json!(BASE64_STANDARD.encode(invoked.log_tail));
            }
            complete
        }
        // It has begun, so that no status can tell.
        Part::Ended(Err(error)) => {
            json!({ "ErrorCode": error.code, "ErrorDetails": error.message })
        }
    };
    let json = Some("application/json");
    Some(eventstream::event("InvokeComplete", json, complete.to_string().as_bytes()))
}

/// The function that is meant, if nothing is asked that we do not serve.
fn target(ctx: &Ctx, input: &Input) -> Result<Target, Error> {
    let name = label(input).unwrap_or_default();
    let target = ops::target(ctx, name, qualifier(input))?;
    for name in ["x-amz-tenant-id", "x-amz-durable-execution-name"] {
        if input.headers.contains_key(name) {
            let operation = ctx.operation;
            let what = format_args!("lambda.{operation} with {name}");
            return Err(kit::Error::not_served(what).into());
        }
    }
    Ok(target)
}

/// A synchronous call.
fn call(ctx: &Ctx, target: &Target, input: &Input) -> Result<Invoke, Error> {
    check(&input.body, "RequestResponse", host::EVENT_BYTES_MAX)?;
    let tail = wants_tail(header(input, "x-amz-log-type"))?;
    Ok(Invoke {
        function: target.arn(),
        payload: input.body.clone(),
        request_id: Some(ctx.request_id.clone()),
        client_context: client_context(header(input, "x-amz-client-context"))?,
        trace: ctx.trace.clone(),
        tail,
    })
}

fn header<'a>(input: &'a Input, name: &str) -> Option<&'a str> {
    input.headers.get(name).and_then(|value| value.to_str().ok())
}

/// The old form of an asynchronous invocation, with nothing but the event.
pub(crate) async fn invoke_async(ctx: &Ctx, input: Input) -> Result<Reply, Error> {
    let target = ops::target(ctx, label(&input).unwrap_or_default(), None)?;
    check(&input.body, "Event", ASYNC_BYTES_MAX)?;
    queue(ctx, &target, input.body, None).await?;
    Ok(empty(ctx, StatusCode::ACCEPTED))
}

/// The function an invocation touches, for authorization.
pub(crate) fn resources(ctx: &Ctx, input: &Input) -> Vec<Arn> {
    touched(ctx, label(input).unwrap_or_default(), qualifier(input))
}

fn label(input: &Input) -> Option<&str> {
    let found = input.labels.iter().find(|(name, _)| name == "FunctionName");
    found.map(|(_, value)| value.as_str())
}

fn qualifier(input: &Input) -> Option<&str> {
    let found = input.query.iter().find(|(name, _)| name == "Qualifier");
    found.map(|(_, value)| value.as_str())
}

/// The event must be JSON, or nothing.
fn check(payload: &Bytes, kind: &'static str, max: usize) -> Result<(), Error> {
    if payload.len() > max {
        return Err(Error::PayloadTooLarge { bytes: payload.len(), kind, max });
    }
    if !payload.is_empty()
        && let Err(error) = serde_json::from_slice::<IgnoredAny>(payload)
    {
        return Err(Error::InvalidContent(error.to_string()));
    }
    // Checked apart: what is skipped above is not looked at as text.
    match std::str::from_utf8(payload) {
        Ok(_) => Ok(()),
        Err(error) => Err(Error::InvalidContent(error.to_string())),
    }
}

fn wants_tail(log_type: Option<&str>) -> Result<bool, Error> {
    match log_type {
        None | Some("None") => Ok(false),
        Some("Tail") => Ok(true),
        Some(other) => {
            let must = "Member must satisfy enum value set: [None, Tail]";
            Err(Error::constraint("logType", other, must))
        }
    }
}

/// The client context: base64 on the wire, JSON behind.
fn client_context(given: Option<&str>) -> Result<Option<String>, Error> {
    let Some(given) = given else { return Ok(None) };
    let decoded = BASE64_STANDARD.decode(given).ok().and_then(|b| String::from_utf8(b).ok());
    let json = decoded.filter(|text| serde_json::from_str::<IgnoredAny>(text).is_ok());
    json.map(Some).ok_or_else(|| {
        Error::InvalidContent("Client context must be a valid Base64-encoded JSON object.".into())
    })
}

/// Queues an asynchronous invocation. When this returns it is durable.
async fn queue(
    ctx: &Ctx,
    target: &Target,
    payload: Bytes,
    client_context: Option<String>,
) -> Result<(), Error> {
    let lambda = Lambda::of(ctx);
    lambda.load(target).await?;
    let staged = &Body::stage(ctx.store(), &ctx.account, payload).await?;
    let call = &event::Call {
        function: target.arn(),
        request_id: ctx.request_id.clone(),
        client_context,
        trace: ctx.trace.clone(),
    };
    ctx.store()
        .transact(&ctx.account, |tx| async move { event::queue(lambda, &tx, call, staged) })
        .await
}

fn reply(ctx: &Ctx, invoked: Invoked, tail: bool) -> Result<Reply, Error> {
    let mut more = BTreeMap::from([
        ("content-type", "application/json".to_owned()),
        ("x-amz-executed-version", invoked.version),
    ]);
    if let Some(kind) = invoked.error {
        more.insert("x-amz-function-error", kind.to_owned());
    }
    if tail {
        more.insert("x-amz-log-result", BASE64_STANDARD.encode(invoked.log_tail));
    }
    let mut reply = empty(ctx, StatusCode::OK);
    for (name, value) in more {
        let value = HeaderValue::from_str(&value).map_err(kit::Error::internal)?;
        reply.headers.insert(HeaderName::from_static(name), value);
    }
    reply.body = invoked.payload;
    Ok(reply)
}

fn empty(ctx: &Ctx, status: StatusCode) -> Reply {
    let mut headers = HeaderMap::new();
    if let Ok(id) = HeaderValue::from_str(&ctx.request_id) {
        headers.insert("x-amzn-requestid", id);
    }
    Reply { status, headers, body: Bytes::new(), stream: None }
}
