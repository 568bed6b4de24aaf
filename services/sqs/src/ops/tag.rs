//! Tags of queues: kept and given back.

use std::collections::BTreeMap;

use kit::Ctx;

use crate::api;
use crate::data::Queue;
use crate::error::Result;
use crate::ops::queue::check_tags;
use crate::queues::Queues;
use crate::rules::name::QueueId;

pub(crate) async fn add(ctx: &Ctx, input: api::TagQueueInput) -> Result<api::Nothing> {
    let given = &input.tags;
    change(ctx, input.queue_url.as_deref(), |tags| tags.extend(given.clone())).await
}

pub(crate) async fn remove(ctx: &Ctx, input: api::UntagQueueInput) -> Result<api::Nothing> {
    let keys = &input.tag_keys;
    change(ctx, input.queue_url.as_deref(), |tags| tags.retain(|key, _| !keys.contains(key))).await
}

async fn change(
    ctx: &Ctx,
    url: Option<&str>,
    change: impl Fn(&mut BTreeMap<String, String>),
) -> Result<api::Nothing> {
    let queues: &Queues = ctx.state();
    let (id, change) = (&QueueId::from_url(ctx, url)?, &change);
    queues
        .transact(|tx| async move {
            let (mut queue, _live): (Queue, _) = queues.find(&tx, id).await?;
            change(&mut queue.tags);
            check_tags(&queue.tags)?;
            Ok(tx.put_record(queues.keys.queue(id), &queue)?)
        })
        .await?;
    Ok(api::Nothing {})
}

pub(crate) async fn list(ctx: &Ctx, input: api::QueueInput) -> Result<api::ListQueueTagsOutput> {
    let queues: &Queues = ctx.state();
    let id = QueueId::from_url(ctx, input.queue_url.as_deref())?;
    Ok(api::ListQueueTagsOutput { tags: queues.peek(&id).await?.tags })
}
