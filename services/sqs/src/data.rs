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
//! Of FIFO queues, instead of READY:
//!
//! ```text
//! GROUP    messages, group       → Group    what of a message group waits and is in flight
//! WAITING  messages, group, seq  → State    the message waits for its turn in the group
//! TURN     messages, number      → Turn     the next message of this group can be received
//! SENT     number, group, id     → Sent     a message that is not to be sent twice
//! ATTEMPT  messages, attempt     → Attempt  what a receive gave, in case it is tried again
//! ```
//!
//! `messages` numbers the contents of a queue: a purge gives it a new number and leaves the old
//! one to the sweeper, so it is one small write however much it throws away. `seq` holds the time
//! a message was sent, so that the order of keys is that of time. Each message stands in exactly
//! one of READY and AWAY, or of WAITING and AWAY. A group has a TURN while it has messages, none of
//! them is in flight, and the first is not delayed. What was SENT outlives a purge, so it has a
//! number of its own.

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
const GROUP: u8 = 6;
const WAITING: u8 = 7;
const TURN: u8 = 8;
const SENT: u8 = 9;
const ATTEMPT: u8 = 10;

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
    /// Of a FIFO queue, where it keeps what was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sent: Option<u64>,
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
    /// On a FIFO queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) order: Option<Order>,
}

/// What makes a message one of a FIFO queue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) group: String,
    pub(crate) deduplication_id: String,
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
    /// Its message group, on a FIFO queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) group: Option<String>,
}

impl State {
    /// Away before it was ever received: sent with a delay.
    pub(crate) fn is_delayed(&self) -> bool {
        self.receives == 0
    }

    pub(crate) fn is_in_flight(&self) -> bool {
        self.ticket.is_some() && !self.is_delayed()
    }

    /// Received once more.
    pub(crate) fn received(&self, now: Time, receipt: u64) -> State {
        State {
            receives: self.receives.saturating_add(1),
            first_received: self.first_received.or(Some(now)),
            receipt,
            ..self.clone()
        }
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

/// A message group that has messages.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Group {
    pub(crate) waiting: u64,
    pub(crate) in_flight: u64,
    /// No message that waits was sent before this one.
    pub(crate) first: u64,
    /// Its place among the groups that can be received from.
    pub(crate) turn: Option<u64>,
    /// The message that was sent last: the next one has a larger number, whatever the clock says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) last: Option<u64>,
}

impl Record for Group {
    const VERSION: u8 = 1;
}

/// A message group that can be received from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Turn {
    pub(crate) group: String,
}

impl Record for Turn {
    const VERSION: u8 = 1;
}

/// A message that was sent to a FIFO queue, until its ticket is due.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sent {
    pub(crate) id: String,
    pub(crate) seq: u64,
    pub(crate) ticket: Ticket,
}

impl Record for Sent {
    const VERSION: u8 = 1;
}

/// What an attempt to receive was given, until its ticket is due: messages and their receipts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Attempt {
    pub(crate) taken: Vec<(u64, u64)>,
    pub(crate) ticket: Ticket,
}

impl Record for Attempt {
    const VERSION: u8 = 1;
}

/// The due work of what is remembered for a time: to be forgotten.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Forget {
    pub(crate) key: Bytes,
}

impl Record for Forget {
    const VERSION: u8 = 1;
}

/// The due work of a message that is away: to become ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Return {
    pub(crate) messages: u64,
    pub(crate) seq: u64,
    /// Its message group, on a FIFO queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) group: Option<String>,
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

    pub(crate) fn all_groups(&self, messages: u64) -> Key {
        self.0.key(GROUP).u64(messages)
    }

    pub(crate) fn group(&self, messages: u64, group: &str) -> Key {
        self.all_groups(messages).str(group)
    }

    pub(crate) fn all_waiting(&self, messages: u64) -> Key {
        self.0.key(WAITING).u64(messages)
    }

    pub(crate) fn waiting_of(&self, messages: u64, group: &str) -> Key {
        self.all_waiting(messages).str(group)
    }

    pub(crate) fn waiting(&self, messages: u64, group: &str, seq: u64) -> Key {
        self.waiting_of(messages, group).u64(seq)
    }

    pub(crate) fn all_turns(&self, messages: u64) -> Key {
        self.0.key(TURN).u64(messages)
    }

    pub(crate) fn turn(&self, messages: u64, number: u64) -> Key {
        self.all_turns(messages).u64(number)
    }

    /// What a deduplication id stands for; in a group, or in the whole queue.
    pub(crate) fn sent(&self, number: u64, group: Option<&str>, id: &str) -> Key {
        self.0.key(SENT).u64(number).str(group.unwrap_or_default()).str(id)
    }

    pub(crate) fn attempt(&self, messages: u64, attempt: &str) -> Key {
        self.0.key(ATTEMPT).u64(messages).str(attempt)
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
    use crate::rules::settings::{Fifo, Redrive};

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
                sent: None,
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
                order: None,
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
                group: None,
            },
        );
        check("AcT9B/aCqG1lc3NhZ2VzAaNzZXEC", &Return { messages: 1, seq: 2, group: None });
    }

    #[test]
    fn records_of_fifo_queues_written_before_are_read() {
        let ticket = Ticket { due: Time::from_millis(4), number: 5 };
        check(
            "AQXT/66HqG1lc3NhZ2VzAadjcmVhdGVkAqhtb2RpZmllZAOmcHVyZ2VkwKhzZXR0aW5nc4ivdmlzaWJpbGl0\
             eV9zZWNzHqpkZWxheV9zZWNzAKl3YWl0X3NlY3MArnJldGVudGlvbl9zZWNzzgAFRgCuc2l6ZV9ieXRlc19t\
             YXjOABAAAKdyZWRyaXZlwKZwb2xpY3nApGZpZm+DrWNvbnRlbnRfYmFzZWTDrnNjb3BlX2lzX2dyb3Vww7Fs\
             aW1pdF9pc19ieV9ncm91cMOkdGFnc4Ckc2VudAQ=",
            &Queue {
                messages: 1,
                created: Time::from_millis(2),
                modified: Time::from_millis(3),
                purged: None,
                settings: Settings {
                    fifo: Some(Fifo {
                        content_based: true,
                        scope_is_group: true,
                        limit_is_by_group: true,
                    }),
                    ..Settings::default()
                },
                tags: BTreeMap::new(),
                sent: Some(4),
            },
        );
        check(
            "Af/82ESGomlkoWmmc2VuZGVyoXOrbWQ1X29mX2JvZHmhbalkZWFkX2Zyb23Ap2NvbnRlbnSBpklubGluZcQB\
             Y6VvcmRlcoKlZ3JvdXChZ7BkZWR1cGxpY2F0aW9uX2lkoWQ=",
            &Message {
                id: "i".into(),
                sender: "s".into(),
                md5_of_body: "m".into(),
                dead_from: None,
                content: Body::Inline(Bytes::from_static(b"c")),
                order: Some(Order { group: "g".into(), deduplication_id: "d".into() }),
            },
        );
        check(
            "ATKA+0mGqHJlY2VpdmVzAK5maXJzdF9yZWNlaXZlZMCncmVjZWlwdAClbGFyZ2XCpnRpY2tldMClZ3JvdXCh\
             Zw==",
            &State { group: Some("g".into()), ..State::default() },
        );
        check(
            "AXHARVOEp3dhaXRpbmcBqWluX2ZsaWdodAKlZmlyc3QDpHR1cm4E",
            &Group { waiting: 1, in_flight: 2, first: 3, turn: Some(4), last: None },
        );
        check(
            "Ac1DZtyFp3dhaXRpbmcBqWluX2ZsaWdodAKlZmlyc3QDpHR1cm4EpGxhc3QF",
            &Group { waiting: 1, in_flight: 2, first: 3, turn: Some(4), last: Some(5) },
        );
        check("AXt2ieeBpWdyb3VwoWc=", &Turn { group: "g".into() });
        check(
            "AVVU0r6DomlkoWmjc2VxAaZ0aWNrZXSCo2R1ZQSmbnVtYmVyBQ==",
            &Sent { id: "i".into(), seq: 1, ticket },
        );
        check(
            "ATZO/2mCpXRha2VukZIBAqZ0aWNrZXSCo2R1ZQSmbnVtYmVyBQ==",
            &Attempt { taken: vec![(1, 2)], ticket },
        );
        check("AV79pu6Bo2tlecQBaw==", &Forget { key: Bytes::from_static(b"k") });
        check(
            "AcUTb9KDqG1lc3NhZ2VzAaNzZXECpWdyb3VwoWc=",
            &Return { messages: 1, seq: 2, group: Some("g".into()) },
        );
    }
}
