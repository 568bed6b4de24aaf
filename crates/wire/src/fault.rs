use http::header::RETRY_AFTER;
use http::{HeaderValue, StatusCode};
use serde_json::{Map, Value};

use crate::encode::reply;
use crate::xml::Writer;
use crate::{Names, Protocol, Reply};

/// An error on its way to a client.
#[derive(Debug, Clone, Copy)]
pub struct Fault<'a> {
    /// The AWS code.
    pub code: &'a str,
    /// The code of the Query protocol, where it differs.
    pub query_code: Option<&'a str>,
    pub message: &'a str,
    pub status: u16,
    /// Whether the sender is at fault.
    pub sender: bool,
    /// Further members of the body.
    pub extra: Option<&'a Value>,
}

/// Writes an error in the form its protocol has.
pub fn encode_fault(protocol: Protocol, names: &Names, request_id: &str, fault: &Fault) -> Reply {
    let status = StatusCode::from_u16(fault.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let body = match protocol {
        Protocol::Json10 | Protocol::Json11 => json(names, fault),
        Protocol::RestJson => rest(fault),
        Protocol::Query => xml(names, request_id, fault),
    };
    let mut reply = reply(protocol, names, request_id, status, body.into());
    if protocol == Protocol::RestJson
        && let Ok(code) = HeaderValue::from_str(fault.code)
    {
        reply.headers.insert("x-amzn-errortype", code);
    }
    // A member of Lambda's TooManyRequestsException. A second, the least it can say: places become
    // free with every invocation that ends.
    if status == StatusCode::TOO_MANY_REQUESTS {
        reply.headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    // Clients of a service that once spoke Query look for its old code here.
    if let (Protocol::Json10, Some(code)) = (protocol, fault.query_code)
        && let Ok(value) = HeaderValue::from_str(&format!("{code};{}", kind(fault)))
    {
        reply.headers.insert("x-amzn-query-error", value);
    }
    reply
}

fn kind(fault: &Fault) -> &'static str {
    if fault.sender { "Sender" } else { "Receiver" }
}

fn json(names: &Names, fault: &Fault) -> String {
    let (prefix, message) = match fault.code {
        _ if names.json_namespace.is_empty() => ("", "message"),
        // These come from the framework before the service, and look like it.
        "ValidationException" => ("com.amazon.coral.validate#", "message"),
        "SerializationException" | "AccessDeniedException" => {
            ("com.amazon.coral.service#", "Message")
        }
        "UnknownOperationException"
        | "MissingAuthenticationTokenException"
        | "IncompleteSignatureException"
        | "InvalidSignatureException" => ("com.amazon.coral.service#", "message"),
        // As DynamoDB spells it where there is more to say: an item, or reasons.
        _ if fault.extra.is_some() => (names.json_namespace, "Message"),
        _ => (names.json_namespace, "message"),
    };
    let mut body = Map::new();
    body.insert("__type".to_owned(), format!("{prefix}{}", fault.code).into());
    if !fault.message.is_empty() {
        body.insert(message.to_owned(), fault.message.into());
    }
    with_extra(body, fault)
}

fn rest(fault: &Fault) -> String {
    let mut body = Map::new();
    body.insert("Type".to_owned(), if fault.sender { "User" } else { "Service" }.into());
    body.insert("Message".to_owned(), fault.message.into());
    with_extra(body, fault)
}

fn with_extra(mut body: Map<String, Value>, fault: &Fault) -> String {
    if let Some(Value::Object(extra)) = fault.extra {
        body.extend(extra.clone());
    }
    Value::Object(body).to_string()
}

fn xml(names: &Names, request_id: &str, fault: &Fault) -> String {
    let text = format!("<ErrorResponse xmlns=\"{}\">", names.xml_namespace);
    let mut writer = Writer { text, names, operation: "" };
    writer.element("Error", |writer| {
        writer.element("Type", |writer| writer.escaped(kind(fault)));
        let code = fault.query_code.unwrap_or(fault.code);
        writer.element("Code", |writer| writer.escaped(code));
        writer.element("Message", |writer| writer.escaped(fault.message));
    });
    writer.element("RequestId", |writer| writer.escaped(request_id));
    writer.text + "</ErrorResponse>"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(protocol: Protocol, code: &str, expected: &str) {
        let names = Names { json_namespace: "com.amazonaws.sqs#", ..Names::PLAIN };
        let fault = Fault {
            code,
            query_code: Some("Old.Code"),
            message: "a & b",
            status: 400,
            sender: true,
            extra: None,
        };
        let reply = encode_fault(protocol, &names, "id", &fault);
        assert_eq!(String::from_utf8_lossy(&reply.body), expected);
    }

    #[test]
    fn with_more_to_say_the_message_is_spelled_otherwise() {
        let names = Names { json_namespace: "ns#", ..Names::PLAIN };
        let extra = serde_json::json!({ "Item": {} });
        let fault = Fault {
            code: "ConditionalCheckFailedException",
            query_code: None,
            message: "failed",
            status: 400,
            sender: true,
            extra: Some(&extra),
        };
        let reply = encode_fault(Protocol::Json10, &names, "id", &fault);
        let wanted =
            r#"{"Item":{},"Message":"failed","__type":"ns#ConditionalCheckFailedException"}"#;
        let told: Value = serde_json::from_slice(&reply.body).unwrap();
        assert_eq!(told, serde_json::from_str::<Value>(wanted).unwrap());
    }

    #[test]
    fn who_asks_too_often_is_told_when_to_come_back() {
        let retry_after = |status| {
            let (code, message) = ("TooManyRequestsException", "Rate Exceeded.");
            let (query_code, extra) = (None, None);
            let fault = Fault { code, query_code, message, status, sender: true, extra };
            let reply = encode_fault(Protocol::RestJson, &Names::PLAIN, "id", &fault);
            reply.headers.get(RETRY_AFTER).cloned()
        };
        assert_eq!(retry_after(429).unwrap(), "1");
        assert_eq!(retry_after(400), None);
    }

    #[test]
    fn each_protocol_has_its_form_of_an_error() {
        check(
            Protocol::Json10,
            "QueueDoesNotExist",
            r#"{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"a & b"}"#,
        );
        check(
            Protocol::Json10,
            "ValidationException",
            r#"{"__type":"com.amazon.coral.validate#ValidationException","message":"a & b"}"#,
        );
        check(Protocol::RestJson, "X", r#"{"Type":"User","Message":"a & b"}"#);
        check(
            Protocol::Query,
            "X",
            "<ErrorResponse xmlns=\"\"><Error><Type>Sender</Type><Code>Old.Code</Code>\
             <Message>a &amp; b</Message></Error><RequestId>id</RequestId></ErrorResponse>",
        );
    }
}
