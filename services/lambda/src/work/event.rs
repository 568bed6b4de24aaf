//! Asynchronous invocations: entries of the delivery line `lambda.async`, tried until they
//! succeed or come to their end. Then those are told that the function names for it.

use std::sync::Arc;
use std::time::Duration;

use base::{Arn, BoxFuture, Time};
use bytes::Bytes;
use delivery::{Due, Handler, Retry};
use kit::functions::{Invoke, Invoked};
use kit::targets::{Event, Target};
use store::{Body, Staged, Tx};

use crate::data::{self, AsyncInvoke, EventConfig, Target as Meant};
use crate::error::Error;
use crate::functions::{Lambda, Loaded};
use crate::ops::existing_version;
use crate::ops::invocation::ASYNC_BYTES_MAX;
use crate::rules::{RETRY_FAILURE, RETRY_THROTTLE};
use crate::work::destination::{self, Condition, Ending};

/// How much of an error message goes along to a dead-letter target.
const ERROR_MESSAGE_BYTES_MAX: usize = 1024;

/// An asynchronous invocation about to be queued.
pub(crate) struct Call {
    pub(crate) function: Arn,
    pub(crate) request_id: String,
    pub(crate) client_context: Option<String>,
    pub(crate) trace: Option<String>,
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
        trace: call.trace.clone(),
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
            match target.qualifier {
                // Not read as a record: this is on the path of every event of a topic.
                None if tx.get(&target.place.key()).await?.is_some() => {}
                _ => drop(existing_version(tx, &target).await?),
            }
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
                trace: event.trace.clone(),
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
    Done(Invoked),
    Again(Time),
    Dead(Dead),
    /// There is nobody to tell.
    Dropped,
}

/// Why an event ended without success.
struct Dead {
    condition: Condition,
    /// What a dead-letter target is told.
    code: u16,
    message: String,
    /// The last answer of the function, if this attempt had one.
    answer: Option<Invoked>,
}

impl Deliver {
    async fn one(&self, due: &Due) -> Result<(), Error> {
        let mut work: AsyncInvoke = due.work()?;
        let target = &Meant::of(&work.function)?;
        let loaded = match self.0.load(target).await {
            Ok(loaded) => loaded,
            Err(Error::NoFunction(arn)) => {
                let id = &work.request_id;
                tracing::warn!(function = %arn, id, "event of a deleted function dropped");
                return self.settle(due, &work, target, &End::Dropped, &[]).await;
            }
            Err(error) => {
                let end = self.not_run(&mut work, error, EventConfig::age(None));
                return self.settle(due, &work, target, &end, &[]).await;
            }
        };
        let config = self.0.event_config(target).await?;
        let end = self.attempt(&loaded, config.as_deref(), &mut work).await;
        let told = self.tell(&loaded, config.as_deref(), &work, &end).await?;
        self.settle(due, &work, target, &end, &told).await
    }

    async fn attempt(
        &self,
        loaded: &Loaded,
        config: Option<&EventConfig>,
        work: &mut AsyncInvoke,
    ) -> End {
        let (now, age_max) = (self.0.kit.now(), EventConfig::age(config));
        // Also of one that has waited while the server was down: whoever sent it counts on that.
        if now.since(work.created) > age_max {
            let (condition, message) = (Condition::EventAgeExceeded, "Event age exceeded".into());
            return End::Dead(Dead { condition, code: 500, message, answer: None });
        }
        let payload = match work.payload.load(&self.0.kit.store).await {
            Ok(payload) => payload,
            Err(error) => return self.not_run(work, error.into(), age_max),
        };
        let call = Invoke {
            function: work.function.clone(),
            payload,
            request_id: Some(work.request_id.clone()),
            client_context: work.client_context.clone(),
            trace: work.trace.clone(),
            tail: false,
        };
        let invoked = match self.0.run(loaded, call).await {
            Ok(invoked) if invoked.error.is_none() => return End::Done(invoked),
            Ok(invoked) => invoked,
            // It would come back for ever. AWS names no condition for it.
            Err(error @ Error::Recursive) => {
                return End::Dead(Dead {
                    condition: Condition::RetriesExhausted,
                    code: 400,
                    message: error.to_string(),
                    answer: None,
                });
            }
            Err(error) => return self.not_run(work, error, age_max),
        };
        work.failures += 1;
        let retries_max = config.and_then(|config| config.retries);
        let retries_max = retries_max.unwrap_or(RETRY_FAILURE.retries_max);
        let retry = Retry { retries_max, age_max, ..RETRY_FAILURE };
        match retry.next(work.failures, work.created, self.0.kit.now()) {
            Some(time) => End::Again(time),
            None => End::Dead(Dead {
                condition: if work.failures > retries_max {
                    Condition::RetriesExhausted
                } else {
                    Condition::EventAgeExceeded
                },
                code: 200,
                message: error_message(&invoked.payload),
                answer: Some(invoked),
            }),
        }
    }

    /// A throttle, or a failure of ours.
    fn not_run(&self, work: &mut AsyncInvoke, error: Error, age_max: Duration) -> End {
        let error: kit::Error = error.into();
        work.throttles += 1;
        let retry = Retry { age_max, ..RETRY_THROTTLE };
        match retry.next(work.throttles, work.created, self.0.kit.now()) {
            Some(time) => End::Again(time),
            None => End::Dead(Dead {
                condition: Condition::EventAgeExceeded,
                code: error.status,
                message: error.message,
                answer: None,
            }),
        }
    }

    /// Who is to be told of the end of an event, and what.
    async fn tell(
        &self,
        loaded: &Loaded,
        config: Option<&EventConfig>,
        work: &AsyncInvoke,
        end: &End,
    ) -> Result<Vec<Event>, Error> {
        let (letter_to, record_to, condition, answer) = match end {
            End::Done(answer) => {
                (None, config.and_then(|c| c.on_success.as_ref()), Condition::Success, Some(answer))
            }
            End::Dead(dead) => {
                let to = config.and_then(|c| c.on_failure.as_ref());
                (loaded.dead_letter.as_ref(), to, dead.condition, dead.answer.as_ref())
            }
            End::Again(_) | End::Dropped => return Ok(Vec::new()),
        };
        if letter_to.is_none() && record_to.is_none() {
            return Ok(Vec::new());
        }
        let payload = work.payload.load(&self.0.kit.store).await?;
        let trace = self.0.pass(loaded, work.trace.clone());
        let mut told = Vec::new();
        if let (Some(to), End::Dead(dead)) = (letter_to, end) {
            told.push(destination::dead_letter(work, to, &payload, dead.code, &dead.message));
        }
        if let Some(to) = record_to {
            let ending = Ending { condition, answer, now: self.0.kit.now() };
            told.push(destination::record(work, to, &payload, &ending));
        }
        for event in &mut told {
            event.trace = Some(trace.clone());
        }
        Ok(told)
    }

    /// Records what became of the event, with all that follows from it, at once.
    async fn settle(
        &self,
        due: &Due,
        work: &AsyncInvoke,
        target: &Meant,
        end: &End,
        told: &[Event],
    ) -> Result<(), Error> {
        let kit = &self.0.kit;
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
                for event in told {
                    let Err(error) = kit.targets.append(&tx, event).await else { continue };
                    // A queue that is full of errors of ours is worth another try; one that
                    // refuses the letter will refuse it again.
                    if error.status >= 500 {
                        return Err(error.into());
                    }
                    let (function, to) = (&work.function, &event.to);
                    tracing::error!(%function, %to, %error, "what became of an event is refused");
                }
                Ok::<_, Error>(())
            })
            .await?;
        if matches!(end, End::Dead(_)) && told.is_empty() {
            let AsyncInvoke { function, request_id: id, failures, .. } = work;
            tracing::warn!(%function, id, failures, "event dropped after its last retry");
        }
        Ok(())
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
