//! From one notification to all who want it, within one transaction: either the message was
//! published and is with all its subscribers, or neither.

use std::collections::BTreeMap;

use base::Arn;
use bytes::Bytes;
use kit::targets::{self, Event};
use store::{BODY_INLINE_BYTES_MAX, Body, Staged, Tx};

use crate::data::{self, Attribute, Notification, Part, Pending, Protocol, Subscription, Value};
use crate::error::Result;
use crate::rules::filter::Policy;
use crate::rules::name::SubscriptionId;
use crate::topics::Topics;

/// What fan-out may add to one transaction. Beyond it subscribers get their message in parts.
const PART_BYTES_MAX: usize = 4 * 1024 * 1024;
/// What a message takes besides its body: its keys and records.
const OVERHEAD_BYTES: usize = 1024;
/// Attributes that a message on a queue can have.
const QUEUE_ATTRIBUTES_MAX: usize = 10;

type Subscribers = [(SubscriptionId, Subscription)];

/// A notification about to be published: durable as a whole, in case it goes out in parts.
pub(crate) struct Outgoing {
    pub(crate) notification: Notification,
    staged: Staged,
}

impl Outgoing {
    /// Comes before the transaction, because it may write a blob.
    pub(crate) async fn new(topics: &Topics, notification: Notification) -> Result<Outgoing> {
        let bytes: Bytes = store::encode(&notification)?;
        let staged = Body::stage(topics.store(), topics.account(), bytes).await?;
        Ok(Outgoing { notification, staged })
    }
}

/// Publishes within the transaction, using up `room`; what does not fit is put on the line, to go
/// out in parts that fit.
pub(crate) async fn publish(
    topics: &Topics,
    tx: &Tx,
    outgoing: &Outgoing,
    subscribers: &Subscribers,
    room: &mut Room,
) -> Result<()> {
    let Outgoing { notification, staged } = outgoing;
    let wanting: Vec<_> =
        subscribers.iter().filter(|(_, subscription)| wants(subscription, notification)).collect();
    let Some((first, _)) = wanting.first() else { return Ok(()) };
    let cost = cost(topics, notification, first).saturating_mul(wanting.len());
    if room.take(cost) {
        for (id, subscription) in wanting {
            deliver(topics, tx, notification, id, subscription).await?;
        }
        return Ok(());
    }
    let key = data::pending(topics.account(), &notification.id);
    let content = staged.link(tx, &key);
    tx.put_record(key, &Pending { content })?;
    let part = Part { id: notification.id.clone(), after: None };
    topics.line.schedule(tx, topics.kit.now(), &part)?;
    Ok(())
}

/// What is left of the bytes that one transaction may add.
pub(crate) struct Room(usize);

impl Room {
    pub(crate) fn new() -> Room {
        Room(PART_BYTES_MAX)
    }

    fn take(&mut self, bytes: usize) -> bool {
        let left = self.0.checked_sub(bytes);
        self.0 = left.unwrap_or(self.0);
        left.is_some()
    }
}

/// How many subscribers one transaction can serve with this notification; at least one.
pub(crate) fn subscribers_max(
    topics: &Topics,
    notification: &Notification,
    any: &SubscriptionId,
) -> usize {
    (PART_BYTES_MAX / cost(topics, notification, any)).max(1)
}

/// About what one delivery adds to a transaction. Large bodies are not in it, only their names.
fn cost(topics: &Topics, notification: &Notification, any: &SubscriptionId) -> usize {
    let arn = any.arn(topics.account());
    let queue = notification.envelope(Protocol::Sqs, &arn).len();
    let function = notification.event(&arn).len();
    queue.max(function).min(BODY_INLINE_BYTES_MAX) + OVERHEAD_BYTES
}

/// Whether a subscription's filter lets the notification through.
pub(crate) fn wants(subscription: &Subscription, notification: &Notification) -> bool {
    let settings = &subscription.settings;
    let Some(policy) = &settings.filter else { return true };
    // It was checked when it was set; a policy that cannot be read lets nothing through.
    Policy::parse(policy, settings.scope).is_ok_and(|policy| {
        let text = notification.text_for(subscription.protocol);
        policy.wants(&notification.attributes, text)
    })
}

/// Gives the notification to one subscriber. One that cannot take it does not fail the others.
pub(crate) async fn deliver(
    topics: &Topics,
    tx: &Tx,
    notification: &Notification,
    id: &SubscriptionId,
    subscription: &Subscription,
) -> Result<()> {
    let arn = id.arn(topics.account());
    let raw = subscription.settings.raw;
    let body = match subscription.protocol {
        Protocol::Lambda => notification.event(&arn),
        Protocol::Sqs if raw => notification.text_for(Protocol::Sqs).to_owned(),
        Protocol::Sqs => notification.envelope(Protocol::Sqs, &arn),
    };
    let attributes = if raw { notification.attributes.iter().collect() } else { BTreeMap::new() };
    let event = event(notification, &subscription.endpoint, body, attributes);
    let result = match event.attributes.len() {
        0..=QUEUE_ATTRIBUTES_MAX => topics.kit.targets.append(tx, &event).await,
        _ => Err(kit::Error::sender(
            "InvalidParameterValue",
            "A message on a queue has at most 10 attributes.",
        )),
    };
    match result {
        Ok(()) => Ok(()),
        Err(error) if is_final(&error) => {
            dead_letter(topics, tx, notification, &arn, subscription, event, &error).await
        }
        Err(error) => Err(error.into()),
    }
}

/// The target said no: it is gone, or does not take this message. All else is our failure.
fn is_final(error: &kit::Error) -> bool {
    error.status < 500 || error.status == 501
}

/// Gives what a subscriber cannot take to its dead-letter queue, if it has one.
async fn dead_letter(
    topics: &Topics,
    tx: &Tx,
    notification: &Notification,
    arn: &Arn,
    subscription: &Subscription,
    undelivered: Event,
    error: &kit::Error,
) -> Result<()> {
    let dropped = |error: &kit::Error| {
        tracing::info!(subscription = %arn, id = notification.id, %error, "notification dropped");
    };
    let Some(queue) = &subscription.settings.dead_letters else {
        dropped(error);
        return Ok(());
    };
    let body = match subscription.protocol {
        Protocol::Sqs => undelivered.body,
        // The queue gets what a queue would have got.
        Protocol::Lambda => notification.envelope(Protocol::Lambda, arn),
    };
    let text = |text: &str| targets::Attribute {
        data_type: "String".to_owned(),
        value: targets::AttributeValue::Text(text.to_owned()),
    };
    let mut event = Event { to: queue.clone(), body, ..undelivered };
    event.attributes.insert("RequestID".to_owned(), text(&notification.id));
    event.attributes.insert("ErrorCode".to_owned(), text(&error.code));
    event.attributes.insert("ErrorMessage".to_owned(), text(&error.message));
    match topics.kit.targets.append(tx, &event).await {
        Err(error) if is_final(&error) => {
            dropped(&error);
            Ok(())
        }
        result => Ok(result?),
    }
}

fn event(
    notification: &Notification,
    to: &Arn,
    body: String,
    attributes: BTreeMap<&String, &Attribute>,
) -> Event {
    let convert = |(name, attribute): (&String, &Attribute)| {
        let value = match &attribute.value {
            Value::Text(text) => targets::AttributeValue::Text(text.clone()),
            Value::Binary(bytes) => targets::AttributeValue::Binary(bytes.to_vec()),
        };
        let data_type = attribute.data_type.clone();
        (name.clone(), targets::Attribute { data_type, value })
    };
    Event {
        to: to.clone(),
        from: notification.topic.clone(),
        body,
        attributes: attributes.into_iter().map(convert).collect(),
        group_id: None,
        deduplication_id: None,
        trace: notification.trace.clone(),
    }
}
