//! Messages being published.

use std::collections::HashSet;

use kit::Ctx;

use crate::api;
use crate::data::Notification;
use crate::error::{Error, Result};
use crate::fanout::{self, Outgoing, Room};
use crate::rules::message::{self, Content, MESSAGE_BYTES_MAX};
use crate::rules::name::TopicId;
use crate::topics::Topics;

const ENTRIES_MAX: usize = 10;
const ID_CHARS_MAX: usize = 80;

pub(crate) async fn publish(ctx: &Ctx, input: api::PublishInput) -> Result<api::PublishOutput> {
    if input.phone_number.is_some() {
        return Err(Error::not_served("sns.Publish with PhoneNumber"));
    }
    let (parameter, arn) = match (&input.topic_arn, &input.target_arn) {
        (Some(arn), _) => ("TopicArn", arn),
        (None, Some(arn)) => ("TargetArn", arn),
        (None, None) => {
            let reason = "TopicArn or TargetArn Reason: no value for required parameter";
            return Err(Error::parameter(reason));
        }
    };
    if arn.contains(":endpoint/") {
        return Err(Error::not_served("sns.Publish to a platform endpoint"));
    }
    let topic = TopicId::from_text(ctx, parameter, Some(arn))?;
    let outgoing = outgoing(ctx, &topic, message::read(input)?).await?;
    send(ctx, &topic, std::slice::from_ref(&outgoing)).await?;
    Ok(api::PublishOutput { message_id: outgoing.notification.id })
}

pub(crate) async fn publish_batch(
    ctx: &Ctx,
    input: api::PublishBatchInput,
) -> Result<api::PublishBatchOutput> {
    let topic = TopicId::from_text(ctx, "TopicArn", input.topic_arn.as_deref())?;
    let entries = check(input.publish_batch_request_entries)?;
    let (mut successful, mut failed, mut all) = (Vec::new(), Vec::new(), Vec::new());
    for (id, entry) in entries {
        match message::read(entry) {
            Ok(content) => {
                let outgoing = outgoing(ctx, &topic, content).await?;
                let message_id = outgoing.notification.id.clone();
                successful.push(api::BatchSuccess { id, message_id });
                all.push(outgoing);
            }
            Err(error) => failed.push(error.in_batch(id)),
        }
    }
    send(ctx, &topic, &all).await?;
    Ok(api::PublishBatchOutput { successful, failed })
}

/// The entries of a batch with their ids, which are well formed and distinct.
fn check(entries: Vec<api::PublishInput>) -> Result<Vec<(String, api::PublishInput)>> {
    if entries.is_empty() {
        return Err(Error::EmptyBatchRequest);
    }
    if entries.len() > ENTRIES_MAX {
        return Err(Error::TooManyEntries);
    }
    let (mut seen, mut named, mut bytes) = (HashSet::new(), Vec::new(), 0);
    for entry in entries {
        let id = entry.id.clone().unwrap_or_default();
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if id.is_empty() || id.len() > ID_CHARS_MAX || !id.chars().all(allowed) {
            return Err(Error::InvalidBatchEntryId);
        }
        if !seen.insert(id.clone()) {
            return Err(Error::IdsNotDistinct);
        }
        bytes += message::size(&entry);
        named.push((id, entry));
    }
    if bytes > MESSAGE_BYTES_MAX {
        return Err(Error::BatchTooLong);
    }
    Ok(named)
}

async fn outgoing(ctx: &Ctx, topic: &TopicId, content: Content) -> Result<Outgoing> {
    let Content { subject, text, texts, attributes } = content;
    let notification = Notification {
        id: ctx.kit.uuid(),
        topic: topic.arn(&ctx.account),
        published: ctx.now(),
        subject,
        texts,
        text,
        attributes,
        base_url: ctx.base_url.clone(),
        trace: ctx.trace.clone(),
    };
    Outgoing::new(ctx.state(), notification).await
}

/// Publishes to all subscribers in one transaction.
async fn send(ctx: &Ctx, topic: &TopicId, all: &[Outgoing]) -> Result<()> {
    let topics: &Topics = ctx.state();
    topics
        .transact(|tx| async move {
            topics.find(&tx, topic).await?;
            let subscribers = topics.all_subscriptions(&tx, topic).await?;
            let mut room = Room::new();
            for outgoing in all {
                fanout::publish(topics, &tx, outgoing, &subscribers, &mut room).await?;
            }
            Ok(())
        })
        .await
}
