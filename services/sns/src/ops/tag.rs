//! Tags of topics: kept and given back.

use std::collections::BTreeMap;

use kit::Ctx;

use crate::api;
use crate::data::{self, Topic};
use crate::error::{Error, Result};
use crate::rules::name::TopicId;
use crate::topics::Topics;

const TAGS_MAX: usize = 50;
const KEY_CHARS: std::ops::RangeInclusive<usize> = 1..=128;
const VALUE_CHARS_MAX: usize = 256;

pub(crate) fn map(tags: &[api::Tag]) -> BTreeMap<String, String> {
    tags.iter().map(|tag| (tag.key.clone(), tag.value.clone())).collect()
}

pub(crate) fn check(tags: &BTreeMap<String, String>) -> Result<()> {
    if tags.len() > TAGS_MAX {
        return Err(Error::TagLimit);
    }
    let fits = |(key, value): (&String, &String)| {
        KEY_CHARS.contains(&key.chars().count()) && value.chars().count() <= VALUE_CHARS_MAX
    };
    if tags.iter().all(fits) { Ok(()) } else { Err(Error::parameter("Tags")) }
}

pub(crate) async fn add(ctx: &Ctx, input: api::TagResourceInput) -> Result<api::Nothing> {
    let given = &map(&input.tags);
    change(ctx, input.resource_arn.as_deref(), |tags| tags.extend(given.clone())).await
}

pub(crate) async fn remove(ctx: &Ctx, input: api::UntagResourceInput) -> Result<api::Nothing> {
    let keys = &input.tag_keys;
    let remove = |tags: &mut BTreeMap<_, _>| tags.retain(|key, _| !keys.contains(key));
    change(ctx, input.resource_arn.as_deref(), remove).await
}

async fn change(
    ctx: &Ctx,
    arn: Option<&str>,
    change: impl Fn(&mut BTreeMap<String, String>),
) -> Result<api::Nothing> {
    let topics: &Topics = ctx.state();
    let (id, change) = (&TopicId::from_text(ctx, "ResourceArn", arn)?, &change);
    topics
        .transact(|tx| async move {
            let mut topic = topics.find(&tx, id).await.map_err(no_resource)?;
            change(&mut topic.tags);
            check(&topic.tags)?;
            Ok(tx.put_record(data::topic(topics.account(), id), &topic)?)
        })
        .await?;
    Ok(api::Nothing {})
}

pub(crate) async fn list(
    ctx: &Ctx,
    input: api::ListTagsForResourceInput,
) -> Result<api::ListTagsForResourceOutput> {
    let topics: &Topics = ctx.state();
    let id = TopicId::from_text(ctx, "ResourceArn", input.resource_arn.as_deref())?;
    let found: Option<Topic> =
        topics.store().get_record(&data::topic(topics.account(), &id)).await?;
    let tags = found.ok_or(Error::NoResource)?.tags.into_iter();
    let tags = tags.map(|(key, value)| api::Tag { key, value }).collect();
    Ok(api::ListTagsForResourceOutput { tags })
}

/// Tags speak of resources where all else speaks of topics.
fn no_resource(error: Error) -> Error {
    match error {
        Error::NoTopic => Error::NoResource,
        other => other,
    }
}
