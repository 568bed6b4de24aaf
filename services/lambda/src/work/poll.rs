//! Event source mappings: for each enabled one a task that takes batches from its queue and gives
//! them to its function, several at a time. What succeeds is acknowledged; what does not becomes
//! visible again by itself.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use base::Time;
use bytes::Bytes;
use kit::Ctx;
use kit::functions::Invoke;
use store::{Dir, Key};
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinHandle;
use tracing::warn;

use crate::data::{self, Mapping, Target};
use crate::error::Error;
use crate::functions::Lambda;
use crate::rules::{Failures, batch_failures};

/// Batches at a time of a mapping that sets no limit of its own.
const CONCURRENCY: u32 = 5;
/// How long one look at an empty queue takes.
const LONG_POLL: Duration = Duration::from_secs(20);
/// A batch's event ends before it exceeds what a function can be given.
const BATCH_BYTES_MAX: usize = host::EVENT_BYTES_MAX - 1024;
/// Rest after the first trouble with queue or function; doubles up to the longest.
const REST: Duration = Duration::from_secs(1);
const REST_MAX: Duration = Duration::from_secs(60);

/// The tasks that run, by the UUID of their mapping.
#[derive(Default)]
pub(crate) struct Pollers(Mutex<HashMap<String, Running>>);

struct Running {
    mapping: Mapping,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Pollers {
    /// Starts, restarts or stops the task of one mapping, whichever its record asks for. The
    /// record is read under the lock, so that the last change is the one that counts.
    pub(crate) async fn sync(
        &self,
        lambda: &Arc<Lambda>,
        uuid: &str,
        key: &Key,
    ) -> Result<(), Error> {
        let mut running = self.0.lock().await;
        let mapping: Option<Mapping> = lambda.kit.store.get_record(key).await?;
        let wanted = mapping.filter(|mapping| mapping.enabled);
        let known = running.get(uuid);
        if known.is_some_and(|r| wanted.as_ref() == Some(&r.mapping) && !r.task.is_finished()) {
            return Ok(());
        }
        if let Some(old) = running.remove(uuid) {
            old.stop.send_replace(true);
        }
        if let Some(mapping) = wanted {
            let stop = watch::Sender::new(false);
            let poll = poll(Arc::clone(lambda), mapping.clone(), stop.subscribe());
            let task = base::task::spawn("lambda.poll", poll);
            running.insert(uuid.to_owned(), Running { mapping, stop, task });
        }
        Ok(())
    }
}

/// Sees to it that exactly the enabled mappings are polled: at the start, and if a task has died.
pub(crate) async fn tick(ctx: &Ctx) -> Result<(), Error> {
    let lambda = Lambda::of(ctx);
    let all = data::all_mappings_key(&ctx.account).prefix();
    let mut keys = HashMap::new();
    for (key, value) in ctx.store().scan(all, Dir::Forward, usize::MAX).await? {
        keys.insert(store::decode::<Mapping>(&key, &value)?.uuid, key);
    }
    for (uuid, key) in keys {
        lambda.pollers.sync(lambda, &uuid, &key).await?;
    }
    Ok(())
}

/// Polls until told to stop. A batch that was taken is finished first.
async fn poll(lambda: Arc<Lambda>, mapping: Mapping, mut stop: watch::Receiver<bool>) {
    let concurrency = mapping.concurrency_max.unwrap_or(CONCURRENCY);
    let free = Arc::new(Semaphore::new(concurrency as usize));
    let mut closing = lambda.kit.closing();
    let poller = Poller { lambda, mapping: Arc::new(mapping), troubles: Arc::default() };
    // In this order: whoever has been told to stop takes nothing more.
    tokio::select! {
        biased;
        _ = stop.wait_for(|stop| *stop) => {}
        () = closing.wait() => {}
        () = poller.take_batches(&free) => {}
    }
    let _all = free.acquire_many(concurrency).await;
}

#[derive(Clone)]
struct Poller {
    lambda: Arc<Lambda>,
    mapping: Arc<Mapping>,
    /// How often in a row the queue could not be read or the function not be run.
    troubles: Arc<AtomicU32>,
}

/// A record taken from the queue, written out.
struct Taken {
    id: String,
    handle: String,
    json: Vec<u8>,
}

impl Poller {
    async fn take_batches(&self, free: &Arc<Semaphore>) {
        let mut left_over = Vec::new();
        while let Ok(permit) = Arc::clone(free).acquire_owned().await {
            // Nothing is taken for a function that is not there: each receive counts towards the
            // queue's dead-letter limit.
            let taken = match Target::of(&self.mapping.function) {
                Ok(target) => match self.lambda.load(&target).await {
                    Ok(_) => self.batch(&mut left_over).await.map(|batch| (target, batch)),
                    Err(error) => Err(error),
                },
                Err(error) => Err(error),
            };
            match taken {
                Ok((_, batch)) if batch.is_empty() => {}
                Ok((target, batch)) => {
                    let poller = self.clone();
                    base::task::spawn("lambda.batch", async move {
                        poller.run(&target, batch, permit).await;
                    });
                }
                Err(error) => self.rest("the source cannot be read", &error.into()).await,
            }
        }
    }

    /// The next batch: closed by its size, its window or its bytes. What no longer fits is left
    /// over for the one after.
    async fn batch(&self, left_over: &mut Vec<Taken>) -> Result<Vec<Taken>, Error> {
        let (kit, mapping) = (&self.lambda.kit, &self.mapping);
        let source = kit.sources.get(&mapping.source)?;
        let window = Duration::from_secs(mapping.window_secs.into());
        let mut batch: Vec<Taken> = Vec::new();
        let mut bytes = 0;
        let mut closes: Option<Time> = None;
        let mut came = std::mem::take(left_over);
        loop {
            let mut rest = came.into_iter();
            for taken in rest.by_ref() {
                if !batch.is_empty() && bytes + taken.json.len() + 1 > BATCH_BYTES_MAX {
                    left_over.push(taken);
                    left_over.extend(rest);
                    return Ok(batch);
                }
                bytes += taken.json.len() + 1;
                batch.push(taken);
            }
            let now = kit.now();
            if !batch.is_empty() && closes.is_none() {
                closes = Some(now + window);
            }
            let room = (mapping.batch_size as usize).saturating_sub(batch.len());
            let wait = closes.map_or(LONG_POLL, |closes| closes.since(now));
            if room == 0 || wait.is_zero() {
                return Ok(batch);
            }
            let received = match source.receive(&mapping.source, room, wait).await {
                Ok(received) if !received.is_empty() => received,
                // Nothing in time, or no more because of a fault: what there is, is a batch.
                Err(error) if batch.is_empty() => return Err(error.into()),
                _ => return Ok(batch),
            };
            came = Vec::with_capacity(received.len());
            for one in received {
                let json = serde_json::to_vec(&one.record).map_err(kit::Error::internal)?;
                came.push(Taken { id: one.id, handle: one.handle, json });
            }
        }
    }

    /// Gives a batch to the function and acknowledges what it succeeded with.
    async fn run(&self, target: &Target, batch: Vec<Taken>, permit: OwnedSemaphorePermit) {
        let call = Invoke {
            function: self.mapping.function.clone(),
            payload: event(&batch),
            request_id: None,
            client_context: None,
            trace: None,
            tail: false,
        };
        match self.lambda.invoke(target, call).await {
            Ok(invoked) => {
                self.troubles.store(0, Ordering::Relaxed);
                if invoked.error.is_none() {
                    self.acknowledge(&batch, &invoked.payload).await;
                }
            }
            Err(error) => self.rest("the function cannot be run", &error.into()).await,
        }
        // Held while resting, so that a throttled function is asked less often.
        drop(permit);
    }

    async fn acknowledge(&self, batch: &[Taken], answer: &[u8]) {
        let ids: Vec<&str> = batch.iter().map(|taken| taken.id.as_str()).collect();
        let failed = if self.mapping.report_failures {
            batch_failures(answer, &ids)
        } else {
            Failures::Some(HashSet::new())
        };
        let handles: Vec<String> = match failed {
            Failures::All => {
                let mapping = &self.mapping.uuid;
                tracing::info!(mapping, "answer names items that are not of its batch: all failed");
                return;
            }
            Failures::Some(failed) => batch
                .iter()
                .filter(|taken| !failed.contains(taken.id.as_str()))
                .map(|taken| taken.handle.clone())
                .collect(),
        };
        if handles.is_empty() {
            return;
        }
        let acknowledged = match self.lambda.kit.sources.get(&self.mapping.source) {
            Ok(source) => source.acknowledge(&self.mapping.source, handles).await,
            Err(error) => Err(error),
        };
        if let Err(error) = acknowledged {
            // They become visible again: at least once, as promised.
            warn!(mapping = self.mapping.uuid, %error, "batch done but not acknowledged");
        }
    }

    async fn rest(&self, what: &'static str, error: &kit::Error) {
        let before = self.troubles.fetch_add(1, Ordering::Relaxed);
        if before == 0 && !self.lambda.kit.closing().begun() {
            let Mapping { uuid, source, function, .. } = &*self.mapping;
            warn!(mapping = uuid, %source, %function, %error, "event source mapping rests: {what}");
        }
        let rest = REST.saturating_mul(1 << before.min(10)).min(REST_MAX);
        base::sleep(&*self.lambda.kit.clock, rest).await;
    }
}

fn event(batch: &[Taken]) -> Bytes {
    let mut event = br#"{"Records":["#.to_vec();
    for (i, taken) in batch.iter().enumerate() {
        if i > 0 {
            event.push(b',');
        }
        event.extend_from_slice(&taken.json);
    }
    event.extend_from_slice(b"]}");
    event.into()
}
