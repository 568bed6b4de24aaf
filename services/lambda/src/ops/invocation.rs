//! Invoke: synchronous, asynchronous, or a dry run.

use std::collections::BTreeMap;

use base::Arn;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use kit::Ctx;
use kit::functions::{Invoke, Invoked};
use serde::de::IgnoredAny;
use store::Body;
use wire::{Input, Reply};

use crate::data::Target;
use crate::error::Error;
use crate::functions::Lambda;
use crate::ops::{self, touched};
use crate::work::event;

/// Largest event of an asynchronous invocation.
pub(crate) const ASYNC_BYTES_MAX: usize = 1024 * 1024;

pub(crate) async fn invoke(ctx: &Ctx, input: Input) -> Result<Reply, Error> {
    let name = label(&input).unwrap_or_default();
    let target = ops::target(ctx, name, qualifier(&input))?;
    for name in ["x-amz-tenant-id", "x-amz-durable-execution-name"] {
        if input.headers.contains_key(name) {
            return Err(kit::Error::not_served(format_args!("lambda.Invoke with {name}")).into());
        }
    }
    let header = |name: &str| input.headers.get(name).and_then(|value| value.to_str().ok());
    let payload = input.body.clone();
    match header("x-amz-invocation-type").unwrap_or("RequestResponse") {
        "RequestResponse" => {
            check(&payload, "RequestResponse", host::EVENT_BYTES_MAX)?;
            let tail = wants_tail(header("x-amz-log-type"))?;
            let call = Invoke {
                function: target.arn(),
                payload,
                request_id: Some(ctx.request_id.clone()),
                client_context: client_context(header("x-amz-client-context"))?,
                trace: header("x-amzn-trace-id").map(str::to_owned),
                tail,
            };
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
    let call =
        &event::Call { function: target.arn(), request_id: ctx.request_id.clone(), client_context };
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
    Reply { status, headers, body: Bytes::new() }
}
