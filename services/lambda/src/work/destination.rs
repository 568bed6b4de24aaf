//! What destinations and dead-letter targets are told about an asynchronous event.

use std::collections::BTreeMap;

use base::{Arn, Time};
use bytes::Bytes;
use kit::functions::Invoked;
use kit::targets::{Attribute, AttributeValue, Event};
use serde::Serialize;
use serde::de::IgnoredAny;
use serde_json::json;

use crate::data::{AsyncInvoke, LATEST};
use crate::ops::configuration::iso8601;

/// Why an event has ended, in the words of an invocation record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) enum Condition {
    Success,
    RetriesExhausted,
    EventAgeExceeded,
}

/// How an event has ended.
pub(crate) struct Ending<'a> {
    pub(crate) condition: Condition,
    /// What the function answered last.
    pub(crate) answer: Option<&'a Invoked>,
    pub(crate) now: Time,
}

/// The invocation record for a destination, version 1.0.
pub(crate) fn record(work: &AsyncInvoke, to: &Arn, payload: &Bytes, ending: &Ending) -> Event {
    let mut function = work.function.clone();
    if function.resource.matches(':').count() == 1 {
        function.resource = format!("{}:{LATEST}", function.resource);
    }
    let succeeded = u32::from(ending.condition == Condition::Success);
    let context = json!({
        "requestId": work.request_id,
        "functionArn": function,
        "condition": ending.condition,
        "approximateInvokeCount": work.failures + succeeded,
    });
    let timestamp = iso8601(ending.now);
    // The payloads go along as they are: read and written again, numbers would change.
    let payload = as_json(payload);
    let mut body =
        format!(r#"{{"version":"1.0","timestamp":"{timestamp}","requestContext":{context},"#);
    body.push_str(&format!(r#""requestPayload":{payload}"#));
    if let Some(answer) = ending.answer {
        let mut context = json!({ "statusCode": 200, "executedVersion": answer.version });
        if let Some(error) = answer.error {
            context["functionError"] = error.into();
        }
        let answer = as_json(&answer.payload);
        body.push_str(&format!(r#","responseContext":{context},"responsePayload":{answer}"#));
    }
    body.push('}');
    event(work, to, body, BTreeMap::new())
}

/// The original event and why it ended, as Lambda tells a dead-letter queue.
pub(crate) fn dead_letter(
    work: &AsyncInvoke,
    to: &Arn,
    payload: &Bytes,
    code: u16,
    message: &str,
) -> Event {
    let text = |data_type: &str, value: String| Attribute {
        data_type: data_type.to_owned(),
        value: AttributeValue::Text(value),
    };
    let body = if payload.is_empty() { "{}".into() } else { String::from_utf8_lossy(payload) };
    let attributes = BTreeMap::from([
        ("RequestID".to_owned(), text("String", work.request_id.clone())),
        ("ErrorCode".to_owned(), text("Number", code.to_string())),
        ("ErrorMessage".to_owned(), text("String", message.to_owned())),
    ]);
    event(work, to, body.into_owned(), attributes)
}

fn event(
    work: &AsyncInvoke,
    to: &Arn,
    body: String,
    attributes: BTreeMap<String, Attribute>,
) -> Event {
    Event {
        to: to.clone(),
        from: work.function.clone(),
        body,
        attributes,
        group_id: None,
        deduplication_id: None,
        trace: None,
    }
}

/// A payload as part of a JSON text: nothing is an empty object, and what is no JSON is a text.
fn as_json(payload: &[u8]) -> String {
    let text = String::from_utf8_lossy(payload);
    match text.trim() {
        "" => "{}".to_owned(),
        text if serde_json::from_str::<IgnoredAny>(text).is_ok() => text.to_owned(),
        text => json!(text).to_string(),
    }
}
