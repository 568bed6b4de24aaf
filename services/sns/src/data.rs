//! What is stored.
//!
//! ```text
//! TOPIC         region, name      → Topic
//! SUBSCRIPTION  region, name, id  → Subscription   below the name of its topic
//! PENDING       id                → Pending        a notification too large for one transaction
//! ```

use std::collections::BTreeMap;

use base::{AccountId, Arn, Region, Time};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use store::{Body, Key, Record, Space};

use crate::rules::name::{SubscriptionId, TopicId};

/// Key kinds. Persisted, never reused.
const TOPIC: u8 = 1;
const SUBSCRIPTION: u8 = 2;
const PENDING: u8 = 3;

/// A topic.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Topic {
    pub(crate) created: Time,
    pub(crate) display_name: String,
    /// Kept for access control, which is to come.
    pub(crate) policy: Option<String>,
    pub(crate) tags: BTreeMap<String, String>,
}

impl Record for Topic {
    const VERSION: u8 = 1;
}

/// A subscription.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Subscription {
    pub(crate) protocol: Protocol,
    pub(crate) endpoint: Arn,
    pub(crate) settings: Settings,
}

impl Record for Subscription {
    const VERSION: u8 = 1;
}

/// How a subscriber is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Protocol {
    Sqs,
    Lambda,
}

impl Protocol {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Protocol::Sqs => "sqs",
            Protocol::Lambda => "lambda",
        }
    }
}

/// The attributes of a subscription that its owner sets.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Settings {
    /// The message goes out without an envelope.
    pub(crate) raw: bool,
    /// Checked JSON, as it was given.
    pub(crate) filter: Option<String>,
    pub(crate) scope: Scope,
    /// The queue for what cannot be delivered.
    pub(crate) dead_letters: Option<Arn>,
}

/// What a filter policy looks at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Scope {
    #[default]
    MessageAttributes,
    MessageBody,
}

/// A published message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Notification {
    pub(crate) id: String,
    pub(crate) topic: Arn,
    pub(crate) published: Time,
    pub(crate) subject: Option<String>,
    /// The text for a protocol, where it is another one.
    pub(crate) texts: BTreeMap<String, String>,
    pub(crate) text: String,
    pub(crate) attributes: BTreeMap<String, Attribute>,
    /// Where the publisher reached us: the base of the URLs in envelopes.
    pub(crate) base_url: String,
    /// The trace of the publisher's request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) trace: Option<String>,
}

impl Record for Notification {
    const VERSION: u8 = 1;
}

/// A message attribute.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Attribute {
    pub(crate) data_type: String,
    pub(crate) value: Value,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Value {
    Text(String),
    Binary(Bytes),
}

/// A notification that is durable and on its way, a part of the subscribers at a time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Pending {
    /// An encoded [`Notification`].
    pub(crate) content: Body,
}

impl Record for Pending {
    const VERSION: u8 = 1;
}

/// The due work of a pending notification.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Part {
    /// The id of the notification.
    pub(crate) id: String,
    /// The last subscription that has it.
    pub(crate) after: Option<String>,
}

impl Record for Part {
    const VERSION: u8 = 1;
}

/// All topics of a region.
pub(crate) fn topics(account: &AccountId, region: &Region) -> Key {
    Space::new(account, "sns").key(TOPIC).str(region.as_str())
}

pub(crate) fn topic(account: &AccountId, id: &TopicId) -> Key {
    topics(account, &id.region).str(&id.name)
}

/// All subscriptions of a region.
pub(crate) fn subscriptions(account: &AccountId, region: &Region) -> Key {
    Space::new(account, "sns").key(SUBSCRIPTION).str(region.as_str())
}

/// All subscriptions of a topic.
pub(crate) fn subscriptions_of(account: &AccountId, topic: &TopicId) -> Key {
    subscriptions(account, &topic.region).str(&topic.name)
}

pub(crate) fn subscription(account: &AccountId, id: &SubscriptionId) -> Key {
    subscriptions_of(account, &id.topic).str(&id.id)
}

pub(crate) fn pending(account: &AccountId, id: &str) -> Key {
    Space::new(account, "sns").key(PENDING).str(id)
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::prelude::BASE64_STANDARD;

    use super::*;

    /// Bytes written by version 1 must be read for ever. When a record changes, its old bytes stay
    /// here and their expected value grows.
    fn check<R: Record + PartialEq + std::fmt::Debug>(written: &str, expected: &R) {
        let bytes = BASE64_STANDARD.encode(store::encode(expected).unwrap());
        assert_eq!(bytes, written);
        let key = pending(&"000000000000".parse().unwrap(), "x");
        let read: R = store::decode(&key, &BASE64_STANDARD.decode(written).unwrap()).unwrap();
        assert_eq!(read, *expected);
    }

    fn arn(text: &str) -> Arn {
        format!("arn:aws:{text}").parse().unwrap()
    }

    #[test]
    fn topics_and_subscriptions_written_before_are_read() {
        check(
            "AUa9RsaEp2NyZWF0ZWQBrGRpc3BsYXlfbmFtZaFkpnBvbGljeaJ7faR0YWdzgaFhoWI=",
            &Topic {
                created: Time::from_millis(1),
                display_name: "d".into(),
                policy: Some("{}".into()),
                tags: [("a".to_owned(), "b".to_owned())].into(),
            },
        );
        check(
            "AUYFLnODqHByb3RvY29spkxhbWJkYahlbmRwb2ludNkwYXJuOmF3czpsYW1iZGE6dXMtZWFzdC0xOjAwMDAw\
             MDAwMDAwMDpmdW5jdGlvbjpmqHNldHRpbmdzhKNyYXfDpmZpbHRlcqJ7faVzY29wZatNZXNzYWdlQm9keaxk\
             ZWFkX2xldHRlcnPZJGFybjphd3M6c3FzOnVzLWVhc3QtMTowMDAwMDAwMDAwMDA6ZA==",
            &Subscription {
                protocol: Protocol::Lambda,
                endpoint: arn("lambda:us-east-1:000000000000:function:f"),
                settings: Settings {
                    raw: true,
                    filter: Some("{}".into()),
                    scope: Scope::MessageBody,
                    dead_letters: Some(arn("sqs:us-east-1:000000000000:d")),
                },
            },
        );
    }

    #[test]
    fn notifications_written_before_are_read() {
        let attribute = |value| Attribute { data_type: "T".into(), value };
        check(
            "ASIO29CIomlkoWmldG9waWPZJGFybjphd3M6c25zOnVzLWVhc3QtMTowMDAwMDAwMDAwMDA6dKlwdWJsaXNo\
             ZWQBp3N1YmplY3Shc6V0ZXh0c4Gjc3FzoXGkdGV4dKF0qmF0dHJpYnV0ZXOCoXiCqWRhdGFfdHlwZaFUpXZh\
             bHVlgaRUZXh0oXSheYKpZGF0YV90eXBloVSldmFsdWWBpkJpbmFyecQCAP+oYmFzZV91cmy1aHR0cDovL2xv\
             Y2FsaG9zdDo0NTY2",
            &Notification {
                id: "i".into(),
                topic: arn("sns:us-east-1:000000000000:t"),
                published: Time::from_millis(1),
                subject: Some("s".into()),
                texts: [("sqs".to_owned(), "q".to_owned())].into(),
                text: "t".into(),
                attributes: [
                    ("x".to_owned(), attribute(Value::Text("t".into()))),
                    ("y".to_owned(), attribute(Value::Binary(Bytes::from_static(&[0, 255])))),
                ]
                .into(),
                base_url: "http://localhost:4566".into(),
                trace: None,
            },
        );
        check(
            "AZuc8puBp2NvbnRlbnSBpklubGluZcQBYw==",
            &Pending { content: Body::Inline(Bytes::from_static(b"c")) },
        );
        check("AR2Hlc6ComlkoWmlYWZ0ZXKhYQ==", &Part { id: "i".into(), after: Some("a".into()) });
    }
}
