use bytes::Bytes;
use futures_util::stream::BoxStream;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::Serialize;

use crate::tree::{self, Tree};
use crate::xml::Writer;
use crate::{Names, Protocol};

/// An answer ready to be sent.
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// What follows the body, as it comes.
    pub stream: Option<BoxStream<'static, Bytes>>,
}

impl std::fmt::Debug for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Reply { status, headers, body, stream } = self;
        let mut reply = f.debug_struct("Reply");
        reply.field("status", status).field("headers", headers).field("body", body);
        reply.field("streams", &stream.is_some()).finish()
    }
}

/// An output that cannot be written in a protocol: a mistake in its shape.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct EncodeError(String);

impl serde::ser::Error for EncodeError {
    fn custom<T: std::fmt::Display>(message: T) -> EncodeError {
        EncodeError(message.to_string())
    }
}

impl From<serde_json::Error> for EncodeError {
    fn from(error: serde_json::Error) -> EncodeError {
        EncodeError(error.to_string())
    }
}

/// Writes the output of an operation.
pub fn encode<O: Serialize>(
    protocol: Protocol,
    names: &Names,
    operation: &str,
    request_id: &str,
    output: &O,
) -> Result<Reply, EncodeError> {
    let body = match protocol {
        Protocol::Query => xml(names, operation, request_id, &tree::of(output)?).into(),
        _ => serde_json::to_vec(output)?.into(),
    };
    Ok(reply(protocol, names, request_id, StatusCode::OK, body))
}

/// A reply with the headers that every one of the protocol has.
pub(crate) fn reply(
    protocol: Protocol,
    names: &Names,
    request_id: &str,
    status: StatusCode,
    body: Bytes,
) -> Reply {
    let mut headers = HeaderMap::new();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static(match protocol {
            Protocol::Json10 => "application/x-amz-json-1.0",
            Protocol::Json11 => "application/x-amz-json-1.1",
            Protocol::Query => "text/xml",
            Protocol::RestJson => "application/json",
        }),
    );
    if let Ok(id) = HeaderValue::from_str(request_id) {
        headers.insert("x-amzn-requestid", id);
    }
    if names.crc32 {
        headers.insert("x-amz-crc32", HeaderValue::from(crc32fast::hash(&body)));
    }
    Reply { status, headers, body, stream: None }
}

fn xml(names: &Names, operation: &str, request_id: &str, output: &Tree) -> String {
    let text = format!("<{operation}Response xmlns=\"{}\">", names.xml_namespace);
    let mut writer = Writer { text, names, operation };
    writer.element(&format!("{operation}Result"), |writer| {
        if let Tree::Structure(members) = output {
            writer.members(members);
        }
    });
    writer.element("ResponseMetadata", |writer| {
        writer.element("RequestId", |writer| writer.escaped(request_id));
    });
    writer.text + &format!("</{operation}Response>")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use base::Time;

    use super::*;
    use crate::{Blob, Epoch, Plural, Style};

    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Shape {
        at: Epoch,
        items: Vec<String>,
        attributes: BTreeMap<String, String>,
        data: Blob,
        #[serde(skip_serializing_if = "Option::is_none")]
        absent: Option<u32>,
    }

    fn check(names: &Names, expected: &str) {
        let shape = Shape {
            at: Epoch(Time::from_millis(1_500_000_000_123)),
            items: vec!["a<b".into()],
            attributes: BTreeMap::from([("k".to_owned(), "v\u{1}".to_owned())]),
            data: Blob(Bytes::from_static(b"hi")),
            absent: None,
        };
        let reply = encode(Protocol::Query, names, "Get", "id-1", &shape).unwrap();
        let text = String::from_utf8(reply.body.to_vec()).unwrap();
        let result = text.split("Result>").nth(1).unwrap();
        assert_eq!(result.trim_end_matches("</Get"), expected);
        assert!(text.contains("<RequestId>id-1</RequestId>"));
    }

    #[test]
    fn xml_has_lists_and_maps_as_the_service_names_them() {
        check(
            &Names::PLAIN,
            "<At>2017-07-14T02:40:00.123Z</At><Items><member>a&lt;b</member></Items>\
             <Attributes><entry><key>k</key><value>v\u{fffd}</value></entry></Attributes>\
             <Data>aGk=</Data>",
        );
        const STYLE: Style = Style::Map { key: "Name", value: "Value" };
        const NAMES: Names = Names {
            plurals: &[
                Plural { member: "Items", element: "*ResultEntry", style: Style::List },
                Plural { member: "Attributes", element: "Attribute", style: STYLE },
            ],
            ..Names::PLAIN
        };
        check(
            &NAMES,
            "<At>2017-07-14T02:40:00.123Z</At><GetResultEntry>a&lt;b</GetResultEntry>\
             <Attribute><Name>k</Name><Value>v\u{fffd}</Value></Attribute><Data>aGk=</Data>",
        );
    }
}
