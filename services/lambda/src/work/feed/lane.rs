//! One lane of a shard: collects batches in order and has each done with before the next.

use std::collections::VecDeque;
use std::time::Duration;

use base::Time;
use kit::streams::{Ask, Wake};

use super::attempt::Part;
use super::batch::{Batch, Terms};
use super::window::{Ends, Open};
use super::{Feed, Rest, Stop, is_gone};
use crate::data::Checkpoint;
use crate::error::Error;
use crate::work::poll::BATCH_BYTES_MAX;

/// How much is read at a time: as records it takes several times the memory of its JSON.
const PAGE_BYTES_MAX: usize = 1024 * 1024;
/// How soon it is durable that records were passed over which no filter wants.
const SKIPPED_FLUSH: Duration = Duration::from_secs(1);
/// How often the place of a lane is noted on which nothing comes, so that it stays within what the
/// stream keeps.
const IDLE_FLUSH: Duration = Duration::from_secs(6 * 60 * 60);

/// A lane and where it is.
pub(super) struct Lane {
    pub(super) feed: Feed,
    pub(super) shard: String,
    pub(super) number: u32,
    /// How long the stream keeps a record.
    pub(super) kept: Duration,
    /// The first number that has not been looked at.
    place: u64,
    /// The same, as it is durable.
    pub(super) saved: u64,
    pub(super) written: Time,
    /// Since when records were passed over, and that is not durable yet.
    pub(super) skipped: Option<Time>,
    pub(super) processed: bool,
    pub(super) window: Option<Open>,
    /// Rests in a row because the function could not be run.
    pub(super) not_run: Rest,
}

/// What collecting has come to.
enum Collected {
    Batch(Batch),
    /// The window of time is over.
    Over,
    /// The shard is closed and read to its end, or the lane is to stop.
    End,
}

impl Lane {
    pub(super) fn new(feed: &Feed, shard: &str, number: u32, kept: Duration) -> Lane {
        Lane {
            feed: feed.clone(),
            shard: shard.to_owned(),
            number,
            kept,
            place: 0,
            saved: 0,
            written: feed.0.lambda.kit.now(),
            skipped: None,
            processed: false,
            window: None,
            not_run: Rest::default(),
        }
    }

    /// Feeds the function until the shard is closed and read, or until told to stop. After a fault
    /// it begins anew where it had noted to be.
    pub(super) async fn run(mut self, mut stop: Stop) {
        let mut rest = Rest::default();
        while !stop.begun() {
            match self.feed_from_checkpoint(&mut stop, &mut rest).await {
                Ok(()) | Err(Error::NoResource) => return,
                // It was closed, and what it had is older than is kept.
                Err(error) if is_gone(&error) => return,
                Err(error) => {
                    let feed = self.feed.clone();
                    feed.rest(error, &mut rest, &mut stop).await;
                }
            }
        }
    }

    async fn feed_from_checkpoint(
        &mut self,
        stop: &mut Stop,
        rest: &mut Rest,
    ) -> Result<(), Error> {
        self.open().await?;
        let feed = self.feed.clone();
        let mut wake = feed.0.stream.watch(&feed.0.from, Some(&self.shard)).await?;
        loop {
            let parts = match self.collect(&mut *wake, stop).await? {
                Collected::Batch(batch) => {
                    let next = batch.next;
                    (VecDeque::from([Part::of(batch)]), next)
                }
                Collected::Over => {
                    (VecDeque::from([Part::ending(self.place, Ends::InTime)]), self.place)
                }
                Collected::End => {
                    if self.place > self.saved {
                        self.save(self.place, &[]).await?;
                    }
                    return Ok(());
                }
            };
            *rest = Rest::default();
            let (parts, next) = parts;
            if !self.process(parts, stop).await? {
                return Ok(());
            }
            self.place = next;
        }
    }

    /// Takes up where it was.
    async fn open(&mut self) -> Result<(), Error> {
        let store = &self.feed.0.lambda.kit.store;
        let found: Option<Checkpoint> = store.get_record(&self.key()).await?;
        (self.window, self.skipped) = (None, None);
        let Some(Checkpoint { next, processed, window, .. }) = found else {
            (self.place, self.saved) = (self.feed.start(), self.feed.start());
            return Ok(());
        };
        (self.place, self.saved, self.processed) = (next, next, processed);
        // Without windows, nothing is left to be told of one that was open.
        if let Some(window) = window.filter(|_| self.feed.0.reading.tumbling_secs > 0) {
            let state = window.state.load(store).await?;
            let (start, secs) = (window.start, window.secs);
            self.window = Some(Open { start, secs, state, stored: true });
        }
        Ok(())
    }

    /// The next batch: closed by its size, its bytes, its batching window or its window of time.
    async fn collect(&mut self, wake: &mut dyn Wake, stop: &mut Stop) -> Result<Collected, Error> {
        let feed = self.feed.clone();
        let (kit, mapping) = (&feed.0.lambda.kit, &feed.0.mapping);
        let batching = Duration::from_secs(mapping.window_secs.into());
        let state_bytes = self.window.as_ref().map_or(0, |window| window.state.len());
        let terms = Terms {
            filters: &feed.0.filters,
            bytes_max: BATCH_BYTES_MAX.saturating_sub(state_bytes),
            tumbling_secs: feed.0.reading.tumbling_secs,
        };
        let mut batch = Batch::new(self.place, self.window.as_ref().map(Open::end));
        let mut closes: Option<Time> = None;
        loop {
            if stop.begun() {
                return Ok(Collected::End);
            }
            let ask = Ask {
                shard: &self.shard,
                from: batch.next,
                records_max: (mapping.batch_size as usize).saturating_sub(batch.items.len()),
                bytes_max: PAGE_BYTES_MAX,
                lane: (self.number.into(), feed.0.reading.lanes.into()),
            };
            let page = feed.0.stream.read(&feed.0.from, ask).await?;
            if page.trimmed {
                self.note_trimmed(batch.next).await;
            }
            let (whole, ended) = (page.whole, page.ended);
            let fits = batch.take(page, &terms);
            let now = kit.now();
            if batch.items.is_empty() {
                self.pass_over(&batch, now).await?;
                if self.window.is_some() && (!fits || ended || batch.window_is_over()) {
                    return Ok(Collected::Over);
                }
                if ended {
                    return Ok(Collected::End);
                }
            } else {
                let closed = *closes.get_or_insert(now + batching) <= now;
                let is_full = !fits || batch.items.len() >= mapping.batch_size as usize;
                if is_full || (whole && (closed || ended || batch.window_is_over())) {
                    return Ok(Collected::Batch(batch));
                }
            }
            if whole {
                self.wait(wake, stop, [closes, batch.until], batch.items.is_empty()).await;
            }
        }
    }

    /// Waits until there may be something to do.
    async fn wait(
        &self,
        wake: &mut dyn Wake,
        stop: &mut Stop,
        dues: [Option<Time>; 2],
        is_idle: bool,
    ) {
        let clock = &*self.feed.0.lambda.kit.clock;
        let flush = is_idle.then(|| self.flush_due());
        let due = dues.into_iter().chain([flush]).flatten().min();
        tokio::select! {
            biased;
            () = stop.wait() => {}
            () = wake.changed() => {}
            () = clock.sleep_until(due.unwrap_or_default()), if due.is_some() => {}
        }
    }

    /// Nothing of what was looked at is wanted.
    async fn pass_over(&mut self, batch: &Batch, now: Time) -> Result<(), Error> {
        self.place = self.place.max(batch.next);
        if batch.skipped > 0 {
            self.skipped.get_or_insert(now);
        }
        if self.flush_due() <= now {
            self.save(self.place, &[]).await?;
        }
        Ok(())
    }

    /// When it is to be noted where the lane is, though no batch was done.
    fn flush_due(&self) -> Time {
        match self.skipped {
            Some(since) => since + SKIPPED_FLUSH,
            None => self.written + IDLE_FLUSH,
        }
    }

    /// The lane was away for longer than the stream keeps its records.
    async fn note_trimmed(&self, place: u64) {
        let (uuid, from) = (&self.feed.0.mapping.uuid, &self.feed.0.from);
        let shard = &self.shard;
        tracing::warn!(
            mapping = uuid, %from, shard, place,
            "records may be gone that were not given yet: reading goes on with the oldest"
        );
        self.feed.count_reopened().await;
    }

    pub(super) fn result(&self, result: &'static str) {
        self.feed.result(result);
    }
}
