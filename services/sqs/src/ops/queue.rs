//! Queues: made, found, listed, emptied and deleted.

use std::collections::BTreeMap;
use std::time::Duration;

use base::Arn;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use kit::Ctx;
use store::{Dir, Tx};

use crate::api;
use crate::data::Queue;
use crate::error::{Error, Result};
use crate::queues::Queues;
use crate::rules::name::QueueId;
use crate::rules::settings::{self, Redrive, Settings};
use crate::work::sweep::remove_page;

/// Queues given in one answer.
const LIST_MAX: usize = 1000;
/// Queues read at once.
const SCAN_PAGE: usize = 1000;
const PURGE_PAUSE: Duration = Duration::from_secs(60);
const TAGS_MAX: usize = 50;

pub(crate) async fn create(ctx: &Ctx, input: api::CreateQueueInput) -> Result<api::QueueUrlOutput> {
    let queues: &Queues = ctx.state();
    let name = input.queue_name.ok_or(Error::MissingParameter("QueueName"))?;
    let id = QueueId::new(ctx, &name, settings::wants_fifo(&input.attributes))?;
    check_tags(&input.tags)?;
    let (id, input_attributes, tags) = (&id, &input.attributes, &input.tags);
    queues
        .transact(|tx| async move {
            let key = queues.keys.queue(id);
            match tx.get_record::<Queue>(&key).await? {
                Some(queue) => same(&queue.settings, input_attributes),
                None => {
                    let settings = Settings::new(input_attributes)?;
                    check_redrive(queues, &tx, id, settings.redrive.as_ref()).await?;
                    let now = ctx.now();
                    let queue = Queue {
                        messages: ctx.kit.next_number(),
                        created: now,
                        modified: now,
                        purged: None,
                        sent: id.is_fifo().then(|| ctx.kit.next_number()),
                        settings,
                        tags: tags.clone(),
                    };
                    Ok(tx.put_record(key, &queue)?)
                }
            }
        })
        .await?;
    Ok(api::QueueUrlOutput { queue_url: id.url(ctx) })
}

/// A queue that is there already is fine if all that was asked for is so.
fn same(settings: &Settings, asked: &BTreeMap<String, String>) -> Result<()> {
    let (is, wanted) = (settings.show(), settings.apply(asked)?.show());
    match asked.keys().find(|name| is.get(*name) != wanted.get(*name)) {
        Some(attribute) => Err(Error::QueueNameExists { attribute: attribute.clone() }),
        None => Ok(()),
    }
}

/// The queue for dead letters must be one of ours, in the same region, and another one.
pub(crate) async fn check_redrive(
    queues: &Queues,
    tx: &Tx,
    id: &QueueId,
    redrive: Option<&Redrive>,
) -> Result<()> {
    let Some(Redrive { to, .. }) = redrive else { return Ok(()) };
    let invalid = |reason| Err(Error::invalid("RedrivePolicy", to, reason));
    match QueueId::from_arn(queues.account(), to) {
        Some(dead) if dead == *id => invalid("Dead letter target is the queue itself."),
        Some(dead) if dead.is_fifo() != id.is_fifo() => {
            invalid("Dead-letter queue must be same type of queue as the source.")
        }
        Some(dead) if dead.region == id.region => match tx.get(&queues.keys.queue(&dead)).await? {
            Some(_) => Ok(()),
            None => invalid("Dead letter target does not exist."),
        },
        _ => invalid("Dead letter target must be a queue of the same account and region."),
    }
}

pub(crate) fn check_tags(tags: &BTreeMap<String, String>) -> Result<()> {
    let fits = |(key, value): (&String, &String)| {
        (1..=128).contains(&key.chars().count()) && value.chars().count() <= 256
    };
    if tags.len() > TAGS_MAX || !tags.iter().all(fits) {
        return Err(Error::InvalidParameter(
            "A queue has at most 50 tags, with keys of 1 to 128 and values of up to 256 characters."
                .into(),
        ));
    }
    Ok(())
}

pub(crate) async fn get_url(
    ctx: &Ctx,
    input: api::GetQueueUrlInput,
) -> Result<api::QueueUrlOutput> {
    let queues: &Queues = ctx.state();
    let name = input.queue_name.ok_or(Error::MissingParameter("QueueName"))?;
    if input.owner.is_some_and(|owner| owner != ctx.account.as_str()) {
        return Err(Error::QueueDoesNotExist);
    }
    let id = QueueId::named(ctx, &name);
    queues.peek(&id).await?;
    Ok(api::QueueUrlOutput { queue_url: id.url(ctx) })
}

pub(crate) async fn list(ctx: &Ctx, input: api::ListQueuesInput) -> Result<api::ListQueuesOutput> {
    let prefix = input.queue_name_prefix.unwrap_or_default();
    let page = Page { token: input.next_token, max: input.max_results };
    let (queue_urls, next_token) =
        select(ctx, page, |id, _queue| id.name.starts_with(&prefix)).await?;
    Ok(api::ListQueuesOutput { queue_urls, next_token })
}

pub(crate) async fn list_sources(
    ctx: &Ctx,
    input: api::ListDeadLetterSourceQueuesInput,
) -> Result<api::ListDeadLetterSourceQueuesOutput> {
    let queues: &Queues = ctx.state();
    let id = QueueId::from_url(ctx, input.queue_url.as_deref())?;
    queues.peek(&id).await?;
    let arn: Arn = id.arn(&ctx.account);
    let page = Page { token: input.next_token, max: input.max_results };
    let is_source = |_id: &QueueId, queue: &Queue| {
        queue.settings.redrive.as_ref().is_some_and(|redrive| redrive.to == arn)
    };
    let (queue_urls, next_token) = select(ctx, page, is_source).await?;
    Ok(api::ListDeadLetterSourceQueuesOutput { queue_urls, next_token })
}

/// What a client says about the page it wants.
struct Page {
    token: Option<String>,
    max: Option<i64>,
}

/// The URLs of the queues of the region that are wanted, in the order of their names, and where
/// to go on. The token is the last name given.
async fn select(
    ctx: &Ctx,
    page: Page,
    wanted: impl Fn(&QueueId, &Queue) -> bool,
) -> Result<(Vec<String>, Option<String>)> {
    let queues: &Queues = ctx.state();
    let max = match page.max {
        None => LIST_MAX,
        Some(max) => usize::try_from(max)
            .ok()
            .filter(|max| (1..=LIST_MAX).contains(max))
            .ok_or_else(|| {
                Error::invalid(
                    "MaxResults",
                    max,
                    "MaxResults must be an integer between 1 and 1000.",
                )
            })?,
    };
    let prefix = queues.keys.queues_of(&ctx.region);
    let mut range = prefix.prefix();
    if let Some(token) = page.token {
        let name = BASE64_URL_SAFE_NO_PAD.decode(&token).ok();
        let name = name.and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(|| {
            Error::invalid("NextToken", &token, "It was not given by this operation.")
        })?;
        range = range.after(&queues.keys.queue(&QueueId::named(ctx, &name)));
    }
    let mut urls = Vec::new();
    let mut last = String::new();
    loop {
        let entries = queues.store().scan(range.clone(), Dir::Forward, SCAN_PAGE).await?;
        for (key, value) in &entries {
            let id = QueueId::named(ctx, &key.after(&prefix)?.str()?);
            if !wanted(&id, &store::decode(key, value)?) {
                continue;
            }
            if urls.len() == max {
                // Only who asks for pages gets more than one.
                let more = page.max.map(|_| BASE64_URL_SAFE_NO_PAD.encode(&last));
                return Ok((urls, more));
            }
            urls.push(id.url(ctx));
            last = id.name;
        }
        match entries.last() {
            Some((key, _)) if entries.len() == SCAN_PAGE => range = range.after(key),
            _ => return Ok((urls, None)),
        }
    }
}

pub(crate) async fn delete(ctx: &Ctx, input: api::QueueInput) -> Result<api::Nothing> {
    let queues: &Queues = ctx.state();
    let id = &QueueId::from_url(ctx, input.queue_url.as_deref())?;
    queues
        .transact(|tx| async move {
            let (queue, _live) = queues.find(&tx, id).await?;
            tx.delete(queues.keys.queue(id));
            let_go(queues, &tx, queue.messages).await
        })
        .await?;
    Ok(api::Nothing {})
}

pub(crate) async fn purge(ctx: &Ctx, input: api::QueueInput) -> Result<api::Nothing> {
    let queues: &Queues = ctx.state();
    let id = &QueueId::from_url(ctx, input.queue_url.as_deref())?;
    queues
        .transact(|tx| async move {
            let (queue, _live) = queues.find(&tx, id).await?;
            let now = ctx.now();
            if queue.purged.is_some_and(|purged| now < purged + PURGE_PAUSE) {
                return Err(Error::PurgeQueueInProgress(id.name.clone()));
            }
            let_go(queues, &tx, queue.messages).await?;
            let messages = ctx.kit.next_number();
            let queue = Queue { messages, purged: Some(now), ..queue };
            Ok(tx.put_record(queues.keys.queue(id), &queue)?)
        })
        .await?;
    Ok(api::Nothing {})
}

/// Leaves messages to the sweeper, but for a first page: what deletes may use the reserve of a
/// full disk, and this is how one is freed.
async fn let_go(queues: &Queues, tx: &Tx, messages: u64) -> Result<()> {
    remove_page(queues, tx, messages).await?;
    queues.discard(tx, messages)
}
