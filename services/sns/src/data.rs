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
