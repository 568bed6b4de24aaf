//! What a receiver does with a message by its receipt handle: delete it, or change how long it
//! stays invisible.

use std::time::Duration;

use base::Arn;
use kit::Ctx;
use store::Tx;

use crate::api;
use crate::data::sent;
use crate::error::{Error, Result};
use crate::messages;
use crate::queues::Queues;
use crate::rules::batch;
use crate::rules::handle::Handle;
use crate::rules::name::QueueId;
use crate::rules::settings::VISIBILITY_SECS_MAX;

pub(crate) async fn delete(ctx: &Ctx, input: api::DeleteMessageInput) -> Result<api::Nothing> {
    let queues: &Queues = ctx.state();
    let id = QueueId::from_url(ctx, input.queue_url.as_deref())?;
    let handle = Handle::read(&id.arn(&ctx.account), input.receipt_handle.as_deref())?;
    let results = delete_all(queues, &id, &[handle]).await?;
    let text = input.receipt_handle.unwrap_or_default();
    results.into_iter().try_for_each(|result| result.map_err(|error| with_handle(error, &text)))?;
    Ok(api::Nothing {})
}

pub(crate) async fn delete_batch(
    ctx: &Ctx,
    input: api::BatchInput<api::DeleteMessageInput>,
) -> Result<api::BatchOutput<api::BatchSuccess>> {
    let queues: &Queues = ctx.state();
    let queue = QueueId::from_url(ctx, input.queue_url.as_deref())?;
    let arn = queue.arn(&ctx.account);
    let (mut successful, mut failed) = (Vec::new(), Vec::new());
    let (mut named, mut handles) = (Vec::new(), Vec::new());
    for (id, entry) in batch::check(input.entries)? {
        match Handle::read(&arn, entry.receipt_handle.as_deref()) {
            Ok(handle) => {
                handles.push(handle);
                named.push((id, entry.receipt_handle.unwrap_or_default()));
            }
            Err(error) => failed.push(error.in_batch(id)),
        }
    }
    let results = delete_all(queues, &queue, &handles).await?;
    for ((id, text), result) in named.into_iter().zip(results) {
        match result {
            Ok(()) => successful.push(api::BatchSuccess { id }),
            Err(error) => failed.push(with_handle(error, &text).in_batch(id)),
        }
    }
    Ok(api::BatchOutput { successful, failed })
}

/// Deletes messages in one transaction; each succeeds or fails for itself.
pub(crate) async fn delete_all(
    queues: &Queues,
    id: &QueueId,
    handles: &[Handle],
) -> Result<Vec<Result<()>>> {
    queues
        .transact(|tx| async move {
            let (_queue, live) = queues.find(&tx, id).await?;
            let mut results = Vec::with_capacity(handles.len());
            for handle in handles {
                match messages::delete(queues, &tx, &live, handle).await {
                    Err(Error::Other(error)) => return Err(Error::Other(error)),
                    result => results.push(result),
                }
            }
            Ok(results)
        })
        .await
}

/// AWS repeats the handle that has expired.
fn with_handle(error: Error, text: &str) -> Error {
    match error {
        Error::HandleExpired => Error::invalid("ReceiptHandle", text, Error::HandleExpired),
        other => other,
    }
}

pub(crate) async fn change(
    ctx: &Ctx,
    input: api::ChangeMessageVisibilityInput,
) -> Result<api::Nothing> {
    let queues: &Queues = ctx.state();
    let id = QueueId::from_url(ctx, input.queue_url.as_deref())?;
    let change = Change::read(&id.arn(&ctx.account), input)?;
    let results = change_all(queues, &id, std::slice::from_ref(&change)).await?;
    results.into_iter().collect::<Result<()>>()?;
    Ok(api::Nothing {})
}

pub(crate) async fn change_batch(
    ctx: &Ctx,
    input: api::BatchInput<api::ChangeMessageVisibilityInput>,
) -> Result<api::BatchOutput<api::BatchSuccess>> {
    let queues: &Queues = ctx.state();
    let queue = QueueId::from_url(ctx, input.queue_url.as_deref())?;
    let arn = queue.arn(&ctx.account);
    let (mut successful, mut failed) = (Vec::new(), Vec::new());
    let (mut ids, mut changes) = (Vec::new(), Vec::new());
    for (id, entry) in batch::check(input.entries)? {
        match Change::read(&arn, entry) {
            Ok(change) => {
                ids.push(id);
                changes.push(change);
            }
            Err(error) => failed.push(error.in_batch(id)),
        }
    }
    let results = change_all(queues, &queue, &changes).await?;
    for (id, result) in ids.into_iter().zip(results) {
        match result {
            Ok(()) => successful.push(api::BatchSuccess { id }),
            Err(error) => failed.push(error.in_batch(id)),
        }
    }
    Ok(api::BatchOutput { successful, failed })
}

/// A message to be invisible for `secs` from now on.
struct Change {
    handle: Handle,
    /// The handle as the client wrote it, for errors.
    text: String,
    secs: u32,
}

impl Change {
    fn read(queue: &Arn, input: api::ChangeMessageVisibilityInput) -> Result<Change> {
        let secs = input.visibility_timeout.ok_or(Error::MissingParameter("VisibilityTimeout"))?;
        let checked = u32::try_from(secs).ok().filter(|secs| *secs <= VISIBILITY_SECS_MAX);
        let checked = checked.ok_or_else(|| {
            let reason = "VisibilityTimeout must be an integer between 0 and 43200";
            Error::invalid("VisibilityTimeout", secs, reason)
        })?;
        let handle = Handle::read(queue, input.receipt_handle.as_deref())?;
        Ok(Change { handle, text: input.receipt_handle.unwrap_or_default(), secs: checked })
    }
}

/// Changes messages in one transaction; each succeeds or fails for itself.
async fn change_all(queues: &Queues, id: &QueueId, changes: &[Change]) -> Result<Vec<Result<()>>> {
    queues
        .transact(|tx| async move {
            let mut results = Vec::with_capacity(changes.len());
            for change in changes {
                match change_one(queues, &tx, id, change).await {
                    Err(Error::Other(error)) => return Err(Error::Other(error)),
                    Err(Error::QueueDoesNotExist) => return Err(Error::QueueDoesNotExist),
                    result => results.push(result),
                }
            }
            Ok(results)
        })
        .await
}

async fn change_one(queues: &Queues, tx: &Tx, id: &QueueId, change: &Change) -> Result<()> {
    let (_queue, live) = queues.find(tx, id).await?;
    let Change { handle, text, secs } = change;
    let state = messages::find(queues, tx, &live, handle).await?;
    let Some(state) = state.filter(|state| state.receipt == handle.receipt) else {
        let reason = "Message does not exist or is not available for visibility timeout change.";
        return Err(Error::invalid("ReceiptHandle", text, reason));
    };
    if !state.is_in_flight() {
        // It is visible again. That is all a change to nothing can ask for.
        return if *secs == 0 { Ok(()) } else { Err(Error::MessageNotInflight) };
    }
    if *secs == 0 {
        return messages::put_back(queues, tx, &live, handle.seq, &state).await;
    }
    let until = queues.kit.now() + Duration::from_secs((*secs).into());
    let longest = sent(handle.receipt) + Duration::from_secs(VISIBILITY_SECS_MAX.into());
    if until > longest {
        let reason = "Total VisibilityTimeout for the message is beyond the limit [43200 seconds]";
        return Err(Error::invalid("VisibilityTimeout", secs, reason));
    }
    messages::keep_away(queues, tx, &live, handle.seq, &state, until)
}
