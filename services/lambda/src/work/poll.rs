//! Event source mappings of queues: for each enabled one a task that takes batches from its queue
//! and gives them to its function, several at a time. What succeeds is acknowledged; what does not
//! becomes visible again by itself.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use base::Time;
use bytes::Bytes;
use kit::functions::Invoke;
use kit::sources::{Received, Source};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tracing::warn;

use crate::data::{Mapping, Target};
use crate::error::Error;
use crate::functions::Lambda;
use crate::rules::filter::Filters;
use crate::rules::lineage;
use crate::rules::mapping::{Failures, batch_failures};
use crate::work::slots::Slots;

/// How long one look at an empty queue takes.
const LONG_POLL: Duration = Duration::from_secs(20);
/// A batch's event ends before it exceeds what a function can be given.
pub(crate) const BATCH_BYTES_MAX: usize = host::EVENT_BYTES_MAX - 1024;
/// Records acknowledged in one go.
const ACKNOWLEDGED_MAX: usize = 1000;
/// Rest after the first trouble with queue or function; doubles up to the longest.
pub(crate) const REST: Duration = Duration::from_secs(1);
pub(crate) const REST_MAX: Duration = Duration::from_secs(60);

#[derive(Clone)]
pub(crate) struct Poller {
    lambda: Arc<Lambda>,
    mapping: Arc<Mapping>,
    filters: Arc<Filters>,
    /// The queue keeps an order, and what is done with one receive is done in it.
    is_fifo: bool,
    /// How often in a row the queue could not be read or the function not be run.
    troubles: Arc<AtomicU32>,
}

/// A record taken from the queue, written out.
struct Taken {
    id: String,
    handle: String,
    json: Vec<u8>,
    /// The trace it came with, and how often it has passed the function before, as far as that
    /// matters.
    trace: Option<String>,
    passes: u32,
    /// Its message group, from a FIFO queue.
    group: Option<String>,
}

/// What became of an event.
#[derive(Default)]
struct Done<'a> {
    /// The ids of what the function succeeded with.
    ids: HashSet<&'a str>,
    /// Why it could not be run.
    trouble: Option<kit::Error>,
}

impl Poller {
    pub(crate) fn new(lambda: &Arc<Lambda>, mapping: &Mapping) -> Result<Poller, Error> {
        Ok(Poller {
            lambda: Arc::clone(lambda),
            filters: Arc::new(Filters::read(&mapping.filters)?),
            is_fifo: mapping.source.resource.ends_with(".fifo"),
            mapping: Arc::new(mapping.clone()),
            troubles: Arc::default(),
        })
    }

    /// Polls until told to stop. What was taken is given to the function first; when the machine
    /// closes, only what it has already.
    pub(crate) async fn poll(self, mut stop: watch::Receiver<bool>) {
        let slots = Slots::of(&self.mapping);
        let mut closing = self.lambda.kit.closing();
        tokio::select! {
            biased;
            () = closing.wait() => {}
            () = self.take_batches(&slots, &mut stop) => {}
        }
        slots.drain().await;
    }

    async fn take_batches(&self, slots: &Slots, stop: &mut watch::Receiver<bool>) {
        let clock = &*self.lambda.kit.clock;
        let (mut left_over, mut grown) = (Vec::new(), clock.now());
        loop {
            let trouble = self.troubles.load(Ordering::Relaxed) > 0;
            let place = tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop), if left_over.is_empty() => return,
                place = slots.take(clock, &mut grown, trouble) => place,
            };
            // Nothing is taken for a function that is not there: each receive counts towards the
            // queue's dead-letter limit.
            let taken = match Target::of(&self.mapping.function) {
                Ok(target) => match self.lambda.load(&target).await {
                    Ok(loaded) => {
                        let batch = self.batch(&mut left_over, loaded.loops, stop).await;
                        batch.map(|batch| (target, batch))
                    }
                    Err(error) => Err(error),
                },
                Err(error) => Err(error),
            };
            match taken {
                Ok((_, batch)) if batch.is_empty() => {
                    drop(place);
                    slots.shrink();
                }
                Ok((target, batch)) => {
                    let poller = self.clone();
                    base::task::spawn("lambda.batch", async move {
                        poller.run(&target, batch, place).await;
                    });
                }
                Err(error) => {
                    let error = error.into();
                    // Told to stop, it rests no more, and what is left over comes back by itself.
                    tokio::select! {
                        biased;
                        _ = stop.wait_for(|stop| *stop) => return,
                        () = self.rest("the source cannot be read", &error) => {}
                    }
                }
            }
        }
    }

    /// The next batch: closed by its size, its window or its bytes, or because the mapping stops.
    /// What no longer fits is left over for the one after.
    async fn batch(
        &self,
        left_over: &mut Vec<Taken>,
        loops: bool,
        stop: &mut watch::Receiver<bool>,
    ) -> Result<Vec<Taken>, Error> {
        let (kit, mapping) = (&self.lambda.kit, &self.mapping);
        let source = kit.sources.get(&mapping.source)?;
        let window = Duration::from_secs(mapping.window_secs.into());
        let (mut batch, mut bytes): (Vec<Taken>, usize) = (Vec::new(), 0);
        let mut closes: Option<Time> = None;
        let mut came = std::mem::take(left_over);
        loop {
            let mut rest = came.into_iter();
            for taken in rest.by_ref() {
                if self.is_fifo {
                    batch.push(taken);
                    continue;
                }
                // A batch has one trace, so it is of messages that have come as far: others would
                // be taken for a loop with one of them, or hide it.
                let other = batch.first().is_some_and(|first| first.passes != taken.passes);
                let full = !batch.is_empty() && bytes + taken.json.len() + 1 > BATCH_BYTES_MAX;
                if other {
                    left_over.push(taken);
                    continue;
                }
                if full {
                    left_over.push(taken);
                    left_over.extend(rest);
                    return Ok(batch);
                }
                bytes += taken.json.len() + 1;
                batch.push(taken);
            }
            if !left_over.is_empty() {
                return Ok(batch);
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
            let received = tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => return Ok(batch),
                received = source.receive(&mapping.source, room, wait) => received,
            };
            came = match received {
                Ok(received) if !received.is_empty() => {
                    self.wanted(&*source, loops, received).await?
                }
                // Nothing in time, or no more because of a fault: what there is, is a batch.
                Err(error) if batch.is_empty() => return Err(error.into()),
                _ => return Ok(batch),
            };
        }
    }

    /// What the filters let through of what was received. The rest is done with.
    async fn wanted(
        &self,
        source: &dyn Source,
        loops: bool,
        received: Vec<Received>,
    ) -> Result<Vec<Taken>, Error> {
        let (mut wanted, mut unwanted) = (Vec::with_capacity(received.len()), Vec::new());
        for Received { id, handle, record } in received {
            if self.filters.want(&record) {
                let json = serde_json::to_vec(&record).map_err(kit::Error::internal)?;
                let trace = record["attributes"]["AWSTraceHeader"].as_str().map(str::to_owned);
                let passes = lineage::passes(trace.as_deref(), &self.mapping.function);
                // More are no more of a loop, and a function that may loop is not counted.
                let passes = if loops { 0 } else { passes.min(lineage::PASSES_MAX) };
                let group = record["attributes"]["MessageGroupId"].as_str().map(str::to_owned);
                wanted.push(Taken { id, handle, json, trace, passes, group });
            } else {
                unwanted.push(handle);
            }
        }
        self.acknowledge(source, &unwanted).await;
        Ok(wanted)
    }

    /// Gives a batch to the function and acknowledges what it succeeded with. What comes from a
    /// FIFO queue and is too much for one event is given in parts, one after the other; what is
    /// not given goes back as if it had not been received, or it would become a dead letter
    /// without ever having been tried.
    async fn run(&self, target: &Target, batch: Vec<Taken>, place: OwnedSemaphorePermit) {
        let began = self.lambda.kit.now();
        let mut parts = VecDeque::from(self.parts(batch));
        while let Some(part) = parts.pop_front() {
            // Given back now, as its lease may have ended once this part is done.
            if !parts.is_empty() && !self.has_time(target, began).await {
                self.release(parts.drain(..).flatten()).await;
            }
            let Done { ids, trouble } = self.run_part(target, &part).await;
            let failed = part.iter().filter(|taken| !ids.contains(taken.id.as_str()));
            let blocked: HashSet<&Option<String>> = failed.map(|taken| &taken.group).collect();
            let is_blocked =
                |taken: &mut Taken| trouble.is_some() || blocked.contains(&taken.group);
            let back = parts.iter_mut().flat_map(|part| part.extract_if(.., is_blocked));
            self.release(back.collect::<Vec<_>>()).await;
            parts.retain(|part| !part.is_empty());
            if let Some(error) = trouble {
                self.rest("the function cannot be run", &error).await;
            }
        }
        // Held while resting, so that a throttled function is asked less often.
        drop(place);
    }

    /// Gives back what the function was not given.
    async fn release(&self, taken: impl IntoIterator<Item = Taken>) {
        let handles: Vec<String> = taken.into_iter().map(|taken| taken.handle).collect();
        if handles.is_empty() {
            return;
        }
        let released = match self.lambda.kit.sources.get(&self.mapping.source) {
            Ok(source) => source.release(&self.mapping.source, handles).await,
            Err(error) => Err(error),
        };
        if let Err(error) = released {
            // They come back by themselves, but have been received once more.
            warn!(mapping = self.mapping.uuid, %error, "records not given could not be released");
        }
    }

    /// A batch of a standard queue is one already.
    fn parts(&self, batch: Vec<Taken>) -> Vec<Vec<Taken>> {
        if !self.is_fifo {
            return vec![batch];
        }
        let (mut parts, mut bytes): (Vec<Vec<Taken>>, usize) = (Vec::new(), 0);
        for taken in batch {
            let size = taken.json.len() + 1;
            match parts.last_mut() {
                Some(part)
                    if bytes + size <= BATCH_BYTES_MAX
                        && part.last().is_some_and(|last| last.passes == taken.passes) =>
                {
                    bytes += size;
                    part.push(taken);
                }
                _ => {
                    bytes = size;
                    parts.push(vec![taken]);
                }
            }
        }
        parts
    }

    /// Whether the lease of what was received covers a run of the function now and another one
    /// after it: if not, others might be given the same group meanwhile.
    async fn has_time(&self, target: &Target, began: Time) -> bool {
        let kit = &self.lambda.kit;
        let Ok(source) = kit.sources.get(&self.mapping.source) else { return false };
        let (Ok(terms), Ok(loaded)) =
            (source.terms(&self.mapping.source).await, self.lambda.load(target).await)
        else {
            return false;
        };
        kit.now() + loaded.spec.timeout * 2 <= began + terms.lease
    }

    /// Gives one event to the function.
    async fn run_part<'a>(&self, target: &Target, part: &'a [Taken]) -> Done<'a> {
        let call = Invoke {
            function: self.mapping.function.clone(),
            payload: event(part),
            request_id: None,
            client_context: None,
            trace: part.first().and_then(|taken| taken.trace.clone()),
            tail: false,
        };
        match self.lambda.invoke(target, call).await {
            Ok(invoked) => {
                self.troubles.store(0, Ordering::Relaxed);
                let ids = match invoked.error {
                    None => self.settle(part, &invoked.payload).await,
                    Some(_) => HashSet::new(),
                };
                Done { ids, trouble: None }
            }
            // Its messages come back until they are dead letters; others need not wait for that.
            Err(Error::Recursive) => Done::default(),
            Err(error) => Done { trouble: Some(error.into()), ..Done::default() },
        }
    }

    /// Acknowledges what the function has succeeded with, by its answer; the ids of that.
    async fn settle<'a>(&self, batch: &'a [Taken], answer: &[u8]) -> HashSet<&'a str> {
        let ids: Vec<&str> = batch.iter().map(|taken| taken.id.as_str()).collect();
        let failed = if self.mapping.report_failures {
            batch_failures(answer, &ids)
        } else {
            Failures::Some(HashSet::new())
        };
        let Failures::Some(failed) = failed else {
            let mapping = &self.mapping.uuid;
            tracing::info!(mapping, "answer names items that are not of its batch: all failed");
            return HashSet::new();
        };
        let done = || batch.iter().filter(|taken| !failed.contains(taken.id.as_str()));
        let handles: Vec<String> = done().map(|taken| taken.handle.clone()).collect();
        match self.lambda.kit.sources.get(&self.mapping.source) {
            Ok(source) => self.acknowledge(&*source, &handles).await,
            Err(error) => {
                warn!(mapping = self.mapping.uuid, %error, "batch done but has no source")
            }
        }
        done().map(|taken| taken.id.as_str()).collect()
    }

    async fn acknowledge(&self, source: &dyn Source, handles: &[String]) {
        for handles in handles.chunks(ACKNOWLEDGED_MAX) {
            let done = source.acknowledge(&self.mapping.source, handles.to_vec()).await;
            if let Err(error) = done {
                // They become visible again: at least once, as promised.
                warn!(mapping = self.mapping.uuid, %error, "records done but not acknowledged");
            }
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
