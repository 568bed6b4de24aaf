//! What is stored.
//!
//! ```text
//! QUEUE    region, name   → Queue
//! MESSAGE  messages, seq  → Message   written once, read by each receive
//! READY    messages, seq  → State     the message can be received
//! AWAY     messages, seq  → State     it is in flight, or delayed
//! GARBAGE  messages       → Garbage   what a purge or the end of a queue left to be removed
//! ```
//!
//! `messages` numbers the contents of a queue: a purge gives it a new number and leaves the old
//! one to the sweeper, so it is one small write however much it throws away. `seq` holds the time
//! a message was sent, so that the order of keys is that of time. Each message stands in exactly
//! one of READY and AWAY.

use std::collections::BTreeMap;

use base::{AccountId, Arn, Region, Sequence, Time};
use bytes::Bytes;
use delivery::Ticket;
use serde::{Deserialize, Serialize};
use store::{Body, Key, Record, Space};

use crate::rules::name::QueueId;
use crate::rules::settings::Settings;

/// Key kinds. Persisted, never reused.
const QUEUE: u8 = 1;
const MESSAGE: u8 = 2;
const READY: u8 = 3;
const AWAY: u8 = 4;
const GARBAGE: u8 = 5;

/// A queue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Queue {
    /// Where its messages are.
    pub(crate) messages: u64,
    pub(crate) created: Time,
    pub(crate) modified: Time,
    pub(crate) purged: Option<Time>,
    pub(crate) settings: Settings,
    pub(crate) tags: BTreeMap<String, String>,
}

impl Record for Queue {
    const VERSION: u8 = 1;
}

/// A message as it was sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Message {
    pub(crate) id: String,
    pub(crate) sender: String,
    pub(crate) md5_of_body: String,
    /// The queue it was moved from as a dead letter.
    pub(crate) dead_from: Option<Arn>,
    /// An encoded [`Content`].
    pub(crate) content: Body,
}

impl Record for Message {
    const VERSION: u8 = 1;
}

/// What of a message can be large.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Content {
    pub(crate) body: String,
    pub(crate) attributes: BTreeMap<String, Attribute>,
    pub(crate) trace_header: Option<Attribute>,
}

impl Record for Content {
    const VERSION: u8 = 1;
}

/// A message attribute.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Attribute {
    pub(crate) data_type: String,
    pub(crate) value: Value,
}

impl Attribute {
    pub(crate) fn text(text: String) -> Attribute {
        Attribute { data_type: "String".to_owned(), value: Value::Text(text) }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Value {
    Text(String),
    Binary(Bytes),
}

/// Where a message stands.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct State {
    pub(crate) receives: u32,
    pub(crate) first_received: Option<Time>,
    /// The number of the last receive: what tells its handle from older ones.
    pub(crate) receipt: u64,
    /// The content is a blob, so removing the message must read it.
    pub(crate) large: bool,
    /// Its end of delay or invisibility; set while it is away.
    pub(crate) ticket: Option<Ticket>,
}

impl State {
    /// Away before it was ever received: sent with a delay.
    pub(crate) fn is_delayed(&self) -> bool {
        self.receives == 0
    }
}

impl Record for State {
    const VERSION: u8 = 1;
}

/// Messages that belong to no queue any more.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Garbage {}

impl Record for Garbage {
    const VERSION: u8 = 1;
}

/// The due work of a message that is away: to become ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Return {
    pub(crate) messages: u64,
    pub(crate) seq: u64,
}

impl Record for Return {
    const VERSION: u8 = 1;
}

/// When a message was sent.
pub(crate) fn sent(seq: u64) -> Time {
    Sequence::time_of(seq)
}

/// The keys of an account.
#[derive(Clone)]
pub(crate) struct Keys(Space);

impl Keys {
    pub(crate) fn new(account: &AccountId) -> Keys {
        Keys(Space::new(account, "sqs"))
    }

    /// All queues of all regions.
    pub(crate) fn queues(&self) -> Key {
        self.0.key(QUEUE)
    }

    pub(crate) fn queues_of(&self, region: &Region) -> Key {
        self.queues().str(region.as_str())
    }

    pub(crate) fn queue(&self, id: &QueueId) -> Key {
        self.queues_of(&id.region).str(&id.name)
    }

    pub(crate) fn all_messages(&self, messages: u64) -> Key {
        self.0.key(MESSAGE).u64(messages)
    }

    pub(crate) fn message(&self, messages: u64, seq: u64) -> Key {
        self.all_messages(messages).u64(seq)
    }

    pub(crate) fn all_ready(&self, messages: u64) -> Key {
        self.0.key(READY).u64(messages)
    }

    pub(crate) fn ready(&self, messages: u64, seq: u64) -> Key {
        self.all_ready(messages).u64(seq)
    }

    pub(crate) fn all_away(&self, messages: u64) -> Key {
        self.0.key(AWAY).u64(messages)
    }

    pub(crate) fn away(&self, messages: u64, seq: u64) -> Key {
        self.all_away(messages).u64(seq)
    }

    pub(crate) fn all_garbage(&self) -> Key {
        self.0.key(GARBAGE)
    }

    pub(crate) fn garbage(&self, messages: u64) -> Key {
        self.all_garbage().u64(messages)
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::prelude::BASE64_STANDARD;

    use super::*;
    use crate::rules::settings::Redrive;

    /// Bytes written by version 1 must be read for ever. When a record changes, its old bytes stay
    /// here and their expected value grows.
    fn check<R: Record + PartialEq + std::fmt::Debug>(written: &str, expected: &R) {
        let bytes = BASE64_STANDARD.encode(store::encode(expected).unwrap());
        assert_eq!(bytes, written);
        let key = Keys::new(&"000000000000".parse().unwrap()).all_garbage();
        let read: R = store::decode(&key, &BASE64_STANDARD.decode(written).unwrap()).unwrap();
        assert_eq!(read, *expected);
    }

    fn arn() -> Arn {
        "arn:aws:sqs:us-east-1:000000000000:q".parse().unwrap()
    }

    #[test]
    fn queues_written_before_are_read() {
        let redrive = Some(Redrive { to: arn(), receives_max: 3 });
        check(
            "ARz6yEiGqG1lc3NhZ2VzAadjcmVhdGVkAqhtb2RpZmllZAOmcHVyZ2VkBKhzZXR0aW5nc4evdmlzaWJpbGl0\
             eV9zZWNzHqpkZWxheV9zZWNzAKl3YWl0X3NlY3MArnJldGVudGlvbl9zZWNzzgAFRgCuc2l6ZV9ieXRlc19t\
             YXjOABAAAKdyZWRyaXZlgqJ0b9kkYXJuOmF3czpzcXM6dXMtZWFzdC0xOjAwMDAwMDAwMDAwMDpxrHJlY2Vp\
             dmVzX21heAOmcG9saWN5ont9pHRhZ3OBoWGhYg==",
            &Queue {
                messages: 1,
                created: Time::from_millis(2),
                modified: Time::from_millis(3),
                purged: Some(Time::from_millis(4)),
                settings: Settings { redrive, policy: Some("{}".into()), ..Settings::default() },
                tags: [("a".to_owned(), "b".to_owned())].into(),
            },
        );
        check("Ad3UNWCA", &Garbage {});
    }

    #[test]
    fn messages_written_before_are_read() {
        let text = Attribute { data_type: "String".into(), value: Value::Text("t".into()) };
        let binary = Value::Binary(Bytes::from_static(&[0, 255]));
        let binary = Attribute { data_type: "Binary".into(), value: binary };
        let content = Content {
            body: "b".into(),
            attributes: [("x".to_owned(), text.clone()), ("y".to_owned(), binary)].into(),
            trace_header: Some(text),
        };
        check(
            "AV59zX+DpGJvZHmhYqphdHRyaWJ1dGVzgqF4gqlkYXRhX3R5cGWmU3RyaW5npXZhbHVlgaRUZXh0oXSheYKp\
             ZGF0YV90eXBlpkJpbmFyeaV2YWx1ZYGmQmluYXJ5xAIA/6x0cmFjZV9oZWFkZXKCqWRhdGFfdHlwZaZTdHJp\
             bmeldmFsdWWBpFRleHShdA==",
            &content,
        );
        check(
            "AZZllz6FomlkoWmmc2VuZGVyoXOrbWQ1X29mX2JvZHmhbalkZWFkX2Zyb23ZJGFybjphd3M6c3FzOnVzLWVh\
             c3QtMTowMDAwMDAwMDAwMDA6cadjb250ZW50gaZJbmxpbmXEAWM=",
            &Message {
                id: "i".into(),
                sender: "s".into(),
                md5_of_body: "m".into(),
                dead_from: Some(arn()),
                content: Body::Inline(Bytes::from_static(b"c")),
            },
        );
        check(
            "AeTqMxKFqHJlY2VpdmVzAa5maXJzdF9yZWNlaXZlZAKncmVjZWlwdAOlbGFyZ2XDpnRpY2tldIKjZHVlBKZu\
             dW1iZXIF",
            &State {
                receives: 1,
                first_received: Some(Time::from_millis(2)),
                receipt: 3,
                large: true,
                ticket: Some(Ticket { due: Time::from_millis(4), number: 5 }),
            },
        );
        check("AcT9B/aCqG1lc3NhZ2VzAaNzZXEC", &Return { messages: 1, seq: 2 });
    }
}
