//! Asynchronous invocations: entries of the delivery line `lambda.async`, tried until they
//! succeed, or come to their end and go to the function's dead-letter target.

use std::collections::BTreeMap;
use std::sync::Arc;

use base::{Arn, BoxFuture, Time};
use bytes::Bytes;
use delivery::{Due, Handler};
use kit::functions::Invoke;
use kit::targets::{Attribute, AttributeValue, Event, Target};
use store::{Body, Staged, Tx};

use crate::data::{self, AsyncInvoke, Target as Meant};
use crate::error::Error;
use crate::functions::{Lambda, Loaded};
use crate::ops::existing_version;
use crate::ops::invocation::ASYNC_BYTES_MAX;
use crate::rules::{RETRY_FAILURE, RETRY_THROTTLE};

/// How much of an error message goes along to a dead-letter target.
const ERROR_MESSAGE_BYTES_MAX: usize = 1024;

/// An asynchronous invocation about to be queued.
pub(crate) struct Call {
    pub(crate) function: Arn,
    pub(crate) request_id: String,
    pub(crate) client_context: Option<String>,
}

/// Adds an invocation to the transaction.
pub(crate) fn queue(lambda: &Lambda, tx: &Tx, call: &Call, payload: &Staged) -> Result<(), Error> {
    let now = lambda.kit.now();
    let holder = data::event_key(tx.account(), &call.request_id);
    let work = AsyncInvoke {
        function: call.function.clone(),
        payload: payload.link(tx, &holder),
        request_id: call.request_id.clone(),
        client_context: call.client_context.clone(),
        created: now,
        failures: 0,
        throttles: 0,
    };
    lambda.line.schedule(tx, now, &work)?;
    Ok(())
}

/// Functions as targets of topics and rules.
pub(crate) struct Functions(pub(crate) Arc<Lambda>);

impl Target for Functions {
    fn append<'a>(&'a self, tx: &'a Tx, event: &'a Event) -> BoxFuture<'a, Result<(), kit::Error>> {
        Box::pin(async move {
            let (lambda, bytes) = (&self.0, event.body.len());
            let target = Meant::of(&event.to)?;
            existing_version(tx, &target).await?;
            if bytes > ASYNC_BYTES_MAX {
                let (kind, max) = ("Event", ASYNC_BYTES_MAX);
                return Err(Error::PayloadTooLarge { bytes, kind, max }.into());
            }
            let body = Bytes::copy_from_slice(event.body.as_bytes());
            // A blob of an attempt that loses is held by nothing, and swept.
            let staged = Body::stage(&lambda.kit.store, tx.account(), body).await?;
            let call = Call {
                function: target.arn(),
                request_id: lambda.kit.uuid(),
                client_context: None,
            };
            Ok(queue(lambda, tx, &call, &staged)?)
        })
    }
}

/// The worker of the line.
pub(crate) struct Deliver(pub(crate) Arc<Lambda>);

impl Handler for Deliver {
    fn deliver<'a>(&'a self, batch: &'a [Due]) -> BoxFuture<'a, Result<(), kit::Error>> {
        Box::pin(async move {
            for due in batch {
                self.one(due).await?;
            }
            Ok(())
        })
    }
}

/// What becomes of an attempt.
enum End {
    Done,
    Again(Time),
    /// The error code and message that a dead-letter target is told.
    Dead(u16, String),
}

impl Deliver {
    async fn one(&self, due: &Due) -> Result<(), Error> {
        let mut work: AsyncInvoke = due.work()?;
        let target = &Meant::of(&work.function)?;
        let (end, dead_letter) = match self.0.load(target).await {
            Ok(loaded) => (self.attempt(&loaded, &mut work).await, loaded.dead_letter.clone()),
            Err(Error::NoFunction(arn)) => {
                let id = &work.request_id;
                tracing::warn!(function = %arn, id, "event of a deleted function dropped");
                (End::Done, None)
            }
            Err(error) => (self.not_run(&mut work, error), None),
        };
        self.settle(due, &work, target, dead_letter.as_ref(), &end).await
    }

    async fn attempt(&self, loaded: &Loaded, work: &mut AsyncInvoke) -> End {
        let payload = match work.payload.load(&self.0.kit.store).await {
            Ok(payload) => payload,
            Err(error) => return self.not_run(work, error.into()),
        };
        let call = Invoke {
            function: work.function.clone(),
            payload,
            request_id: Some(work.request_id.clone()),
            client_context: work.client_context.clone(),
            trace: None,
            tail: false,
        };
        match self.0.run(loaded, call).await {
            Ok(invoked) if invoked.error.is_none() => End::Done,
            Ok(invoked) => {
                work.failures += 1;
                let next = RETRY_FAILURE.next(work.failures, work.created, self.0.kit.now());
                next.map_or_else(|| End::Dead(200, error_message(&invoked.payload)), End::Again)
            }
            Err(error) => self.not_run(work, error),
        }
    }

    /// A throttle, or a failure of ours.
    fn not_run(&self, work: &mut AsyncInvoke, error: Error) -> End {
        let error: kit::Error = error.into();
        work.throttles += 1;
        let next = RETRY_THROTTLE.next(work.throttles, work.created, self.0.kit.now());
        next.map_or_else(|| End::Dead(error.status, error.message), End::Again)
    }

    /// Records what became of the event, with all that follows from it, at once.
    async fn settle(
        &self,
        due: &Due,
        work: &AsyncInvoke,
        target: &Meant,
        dead_letter: Option<&Arn>,
        end: &End,
    ) -> Result<(), Error> {
        let kit = &self.0.kit;
        let letter = match (end, dead_letter) {
            (End::Dead(code, message), Some(to)) => {
                let payload = work.payload.load(&kit.store).await?;
                Some(dead_letter_event(work, to, &payload, *code, message))
            }
            _ => None,
        };
        let letter = &letter;
        kit.store
            .transact(&target.place.account, |tx| async move {
                if let End::Again(time) = end {
                    due.again(&tx, *time, work).await?;
                    return Ok(());
                }
                if !due.done(&tx).await? {
                    return Ok(());
                }
                let holder = data::event_key(tx.account(), &work.request_id);
                work.payload.unlink(&tx, &holder).await?;
                if let Some(letter) = letter
                    && let Err(error) = kit.targets.append(&tx, letter).await
                {
                    // A queue that is full of errors of ours is worth another try; one that
                    // refuses the letter will refuse it again.
                    if error.status >= 500 {
                        return Err(error.into());
                    }
                    let (function, to) = (&work.function, &letter.to);
                    tracing::error!(%function, %to, %error, "dead letter refused");
                }
                Ok::<_, Error>(())
            })
            .await?;
        if matches!(end, End::Dead(..)) && letter.is_none() {
            let AsyncInvoke { function, request_id: id, failures, .. } = work;
            tracing::warn!(%function, id, failures, "event dropped after its last retry");
        }
        Ok(())
    }
}

/// The original event and why it ended, as Lambda tells a dead-letter queue.
fn dead_letter_event(
    work: &AsyncInvoke,
    to: &Arn,
    payload: &Bytes,
    code: u16,
    message: &str,
) -> Event {
    let text = |data_type: &str, value: String| Attribute {
        data_type: data_type.to_owned(),
        value: AttributeValue::Text(value),
    };
    let body = if payload.is_empty() { "{}".into() } else { String::from_utf8_lossy(payload) };
    Event {
        to: to.clone(),
        from: work.function.clone(),
        body: body.into_owned(),
        attributes: BTreeMap::from([
            ("RequestID".to_owned(), text("String", work.request_id.clone())),
            ("ErrorCode".to_owned(), text("Number", code.to_string())),
            ("ErrorMessage".to_owned(), text("String", message.to_owned())),
        ]),
        group_id: None,
        deduplication_id: None,
    }
}

/// The message in a function's error, cut to what goes along and to what an attribute may have:
/// it is not empty and has no control characters.
fn error_message(payload: &[u8]) -> String {
    let parsed: Option<serde_json::Value> = serde_json::from_slice(payload).ok();
    let message = parsed.as_ref().and_then(|error| error.get("errorMessage")?.as_str());
    let message = message.filter(|text| !text.is_empty()).unwrap_or("Unhandled");
    let mut end = message.len().min(ERROR_MESSAGE_BYTES_MAX);
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    message[..end].replace(|c: char| c.is_control() && !"\t\n\r".contains(c), " ")
}
