//! Topics as targets of events: what is told to one is published to it.

use std::collections::BTreeMap;

use base::BoxFuture;
use kit::targets::{AttributeValue, Event, Target};
use store::Tx;

use crate::data::{Attribute, Notification, Value};
use crate::error::{Error, Result};
use crate::fanout::{self, Outgoing, Room};
use crate::rules::message::MESSAGE_BYTES_MAX;
use crate::rules::name::TopicId;
use crate::topics::Topics;

pub(crate) struct Publish(pub(crate) Topics);

impl Target for Publish {
    fn append<'a>(
        &'a self,
        tx: &'a Tx,
        event: &'a Event,
    ) -> BoxFuture<'a, std::result::Result<(), kit::Error>> {
        Box::pin(async move { Ok(append(&self.0, tx, event).await?) })
    }
}

async fn append(topics: &Topics, tx: &Tx, event: &Event) -> Result<()> {
    let topic = TopicId::from_arn(&event.to).ok_or(Error::NoTopic)?;
    topics.find(tx, &topic).await?;
    let bytes: usize = event.attributes.iter().map(bytes_of).sum();
    if event.body.len() + bytes > MESSAGE_BYTES_MAX {
        return Err(Error::parameter("Message too long"));
    }
    let subscribers = topics.all_subscriptions(tx, &topic).await?;
    let attribute = |(name, given): (&String, &kit::targets::Attribute)| {
        let value = match &given.value {
            AttributeValue::Text(text) => Value::Text(text.clone()),
            AttributeValue::Binary(bytes) => Value::Binary(bytes.clone().into()),
        };
        (name.clone(), Attribute { data_type: given.data_type.clone(), value })
    };
    let notification = Notification {
        id: topics.kit.uuid(),
        topic: topic.arn(topics.account()),
        published: topics.kit.now(),
        subject: None,
        texts: BTreeMap::new(),
        text: event.body.clone(),
        attributes: event.attributes.iter().map(attribute).collect(),
        base_url: topics.kit.base_url().to_owned(),
        trace: event.trace.clone(),
    };
    // A blob of an attempt that loses is held by nothing, and swept.
    let outgoing = Outgoing::new(topics, notification).await?;
    fanout::publish(topics, tx, &outgoing, &subscribers, &mut Room::new()).await
}

fn bytes_of((name, attribute): (&String, &kit::targets::Attribute)) -> usize {
    let value = match &attribute.value {
        AttributeValue::Text(text) => text.len(),
        AttributeValue::Binary(bytes) => bytes.len(),
    };
    name.len() + attribute.data_type.len() + value
}
