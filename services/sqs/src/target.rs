//! Queues as targets of events: an event becomes a message within the sender's transaction.

use std::collections::BTreeMap;

use base::BoxFuture;
use bytes::Bytes;
use kit::targets::{self, Event, Target};
use store::Tx;

use crate::data::{Attribute, Content, Value};
use crate::error::{Error, Result};
use crate::messages::{self, Draft};
use crate::ops::message::check_size;
use crate::ordered;
use crate::queues::Queues;
use crate::rules::attributes;
use crate::rules::name::QueueId;
use crate::rules::order::Given;

pub(crate) struct Inbox(pub(crate) Queues);

impl Target for Inbox {
    fn append<'a>(
        &'a self,
        tx: &'a Tx,
        event: &'a Event,
    ) -> BoxFuture<'a, std::result::Result<(), kit::Error>> {
        Box::pin(async move { Ok(append(&self.0, tx, event).await?) })
    }
}

async fn append(queues: &Queues, tx: &Tx, event: &Event) -> Result<()> {
    let id = QueueId::from_arn(queues.account(), &event.to).ok_or(Error::QueueDoesNotExist)?;
    let (queue, live) = queues.find(tx, &id).await?;
    let (group, deduplication_id) = (event.group_id.clone(), event.deduplication_id.clone());
    let order = Given::read(group, deduplication_id, &event.body)?.on(&queue)?;
    attributes::check_text(&event.body)?;
    let attributes: BTreeMap<String, Attribute> =
        event.attributes.iter().map(|(name, given)| (name.clone(), attribute(given))).collect();
    let bytes = event.body.len() + attributes::bytes(&attributes);
    check_size(bytes, queue.settings.size_bytes_max as usize)?;
    let trace_header = event.trace.clone().map(Attribute::text);
    let content = Content { body: event.body.clone(), attributes, trace_header };
    // A large body is written anew in each attempt; what an attempt that lost has left is swept.
    let draft = Draft::new(queues, &event.from.account, content).await?;
    match order {
        Some(order) => ordered::send(queues, tx, (&queue, &live), &draft, &order).await.map(drop),
        None => messages::add(queues, tx, &live, &draft, queue.settings.delay_secs),
    }
}

fn attribute(given: &targets::Attribute) -> Attribute {
    let value = match &given.value {
        targets::AttributeValue::Text(text) => Value::Text(text.clone()),
        targets::AttributeValue::Binary(bytes) => Value::Binary(Bytes::from(bytes.clone())),
    };
    Attribute { data_type: given.data_type.clone(), value }
}
