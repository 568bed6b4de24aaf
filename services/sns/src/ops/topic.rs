//! Topics: made, found, listed, changed and deleted.

use std::collections::BTreeMap;

use kit::{Ctx, unserved};

use crate::api;
use crate::data::{self, Topic};
use crate::error::{Error, Result};
use crate::ops::page;
use crate::ops::tag::{check, map};
use crate::rules::name::TopicId;
use crate::topics::Topics;

pub(crate) async fn create(
    ctx: &Ctx,
    input: api::CreateTopicInput,
) -> Result<api::CreateTopicOutput> {
    let topics: &Topics = ctx.state();
    unserved::refuse(ctx, &[("DataProtectionPolicy", &input.data_protection_policy)])?;
    let id = &TopicId::new(ctx, &input.name.unwrap_or_default())?;
    let (attributes, tags) = (&input.attributes, &map(&input.tags));
    check(tags)?;
    topics
        .transact(|tx| async move {
            let key = data::topic(topics.account(), id);
            let found: Option<Topic> = tx.get_record(&key).await?;
            let is_new = found.is_none();
            let old = found.unwrap_or_else(|| Topic {
                created: ctx.now(),
                display_name: String::new(),
                policy: None,
                tags: tags.clone(),
            });
            let mut asked = old.clone();
            for (name, value) in attributes {
                asked.set(name, value)?;
            }
            let differs = |what: &str, member: &str| {
                let reason = format!("Topic already exists with different {what}");
                Err(Error::parameter(format!("{member} Reason: {reason}")))
            };
            if is_new {
                tx.put_record(key, &asked)?;
            } else if asked != old {
                return differs("attributes", "Attributes");
            } else if !tags.is_empty() && *tags != old.tags {
                return differs("tags", "Tags");
            }
            Ok(())
        })
        .await?;
    Ok(api::CreateTopicOutput { topic_arn: id.arn(&ctx.account).to_string() })
}

/// Deletes a topic with its subscriptions. To delete nothing is no error.
pub(crate) async fn delete(ctx: &Ctx, input: api::TopicInput) -> Result<api::Nothing> {
    let topics: &Topics = ctx.state();
    let id = &TopicId::from_text(ctx, "TopicArn", input.topic_arn.as_deref())?;
    topics
        .transact(|tx| async move {
            for (subscription, _) in topics.all_subscriptions(&tx, id).await? {
                tx.delete(data::subscription(topics.account(), &subscription));
            }
            tx.delete(data::topic(topics.account(), id));
            Ok(())
        })
        .await?;
    Ok(api::Nothing {})
}

pub(crate) async fn list(ctx: &Ctx, input: api::ListInput) -> Result<api::ListTopicsOutput> {
    let topics: &Topics = ctx.state();
    let prefix = data::topics(topics.account(), &ctx.region);
    let (entries, next_token) = page(topics, &prefix, input.next_token.as_deref()).await?;
    let mut found = Vec::with_capacity(entries.len());
    for (key, _) in entries {
        let id = TopicId { region: ctx.region.clone(), name: key.after(&prefix)?.str()? };
        found.push(api::TopicEntry { topic_arn: id.arn(&ctx.account).to_string() });
    }
    Ok(api::ListTopicsOutput { topics: found, next_token })
}

pub(crate) async fn get(ctx: &Ctx, input: api::TopicInput) -> Result<api::AttributesOutput> {
    let topics: &Topics = ctx.state();
    let id = &TopicId::from_text(ctx, "TopicArn", input.topic_arn.as_deref())?;
    let attributes: BTreeMap<_, _> = topics
        .transact(|tx| async move {
            let topic = topics.find(&tx, id).await?;
            let subscriptions = topics.all_subscriptions(&tx, id).await?.len();
            Ok(topic.show(topics.account(), id, subscriptions))
        })
        .await?;
    Ok(api::AttributesOutput { attributes })
}

pub(crate) async fn set(ctx: &Ctx, input: api::SetTopicAttributesInput) -> Result<api::Nothing> {
    let topics: &Topics = ctx.state();
    let id = &TopicId::from_text(ctx, "TopicArn", input.topic_arn.as_deref())?;
    let name = &input.attribute_name.unwrap_or_default();
    let value = &input.attribute_value.unwrap_or_default();
    topics
        .transact(|tx| async move {
            let mut topic = topics.find(&tx, id).await?;
            topic.set(name, value)?;
            Ok(tx.put_record(data::topic(topics.account(), id), &topic)?)
        })
        .await?;
    Ok(api::Nothing {})
}
