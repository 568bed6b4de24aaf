//! Giving a batch to the function, again and in parts where it fails, until it is done with or
//! given up.

use std::collections::VecDeque;
use std::time::Duration;

use base::Time;
use bytes::Bytes;
use kit::functions::{Invoke, Invoked};
use serde::Serialize;
use tracing::warn;

use super::batch::{Batch, Item};
use super::lane::Lane;
use super::window::{self, Ends, Open, STATE_BYTES_MAX};
use super::{Results, Stop, rest};
use crate::data::Target;
use crate::error::Error;
use crate::rules::mapping::{Failures, batch_failures};
use crate::work::poll::BATCH_BYTES_MAX;

/// What an event of a window has besides its state.
const WINDOW_BYTES_MAX: usize = 4096;

/// Why records were given up, in the words of an invocation record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) enum Condition {
    RetryAttemptsExhausted,
    RecordAgeExceeded,
}

/// Records that go to the function in one event.
pub(super) struct Part {
    pub(super) records: Vec<Item>,
    /// The place behind them.
    pub(super) next: u64,
    /// How often the function has failed on them, not counting what they were split for.
    failures: u32,
    /// Whether to rest before they are given to it again.
    waits: bool,
    /// How often it was given them.
    pub(super) invokes: u32,
    /// What it answered last.
    pub(super) answer: Option<Answer>,
    /// The event that ends a window; it has no records.
    ends: Option<Ends>,
}

/// What is told of an answer.
#[derive(Clone)]
pub(super) struct Answer {
    pub(super) request_id: String,
    pub(super) version: String,
    pub(super) error: Option<&'static str>,
}

/// What came of an event.
enum Outcome {
    /// Done, with the state where there is a window.
    Done(Option<Bytes>),
    /// Done up to this record, which is not the first.
    DoneBefore(usize, Option<Bytes>),
    Failed,
    /// The records and the state are more than a function can be given.
    TooLarge,
    /// The function could not be run.
    NotRun(kit::Error),
}

impl Part {
    pub(super) fn of(batch: Batch) -> Part {
        Part { records: batch.items, ends: None, ..Part::ending(batch.next, Ends::InTime) }
    }

    /// The event that ends a window.
    pub(super) fn ending(next: u64, ends: Ends) -> Part {
        Part {
            records: Vec::new(),
            next,
            failures: 0,
            waits: false,
            invokes: 0,
            answer: None,
            ends: Some(ends),
        }
    }

    /// Splits off what begins at a record.
    fn split_off(&mut self, at: usize) -> Part {
        let records = self.records.split_off(at);
        let next = records.first().map_or(self.next, |first| first.number);
        Part {
            records,
            next: std::mem::replace(&mut self.next, next),
            failures: self.failures,
            waits: self.waits,
            invokes: self.invokes,
            answer: self.answer.clone(),
            ends: None,
        }
    }
}

impl Lane {
    /// Has parts done with, one after the other; whether it may go on.
    pub(super) async fn process(
        &mut self,
        mut parts: VecDeque<Part>,
        stop: &mut Stop,
    ) -> Result<bool, Error> {
        let retries_max = self.feed.0.reading.retries_max;
        while let Some(part) = parts.pop_front() {
            let Some(mut part) = self.drop_old(part).await? else { continue };
            if retries_max.is_some_and(|max| part.failures > max) {
                self.give_up(part, Condition::RetryAttemptsExhausted).await?;
            } else if stop.begun() {
                return Ok(false);
            } else if std::mem::take(&mut part.waits) {
                self.pause(rest(part.failures.saturating_sub(1)), &part, stop).await;
                parts.push_front(part);
            } else {
                self.attempt(part, &mut parts, stop).await?;
            }
        }
        Ok(true)
    }

    async fn attempt(
        &mut self,
        mut part: Part,
        parts: &mut VecDeque<Part>,
        stop: &mut Stop,
    ) -> Result<(), Error> {
        let bisect = self.feed.0.reading.bisect;
        let outcome = self.invoke(&mut part).await;
        self.result(if matches!(outcome, Outcome::Done(_)) {
            Results::OK
        } else {
            Results::FAILED
        });
        // What is too large is split whatever the mapping says: as it is it would never be done.
        let splits = bisect || matches!(outcome, Outcome::TooLarge);
        match outcome {
            Outcome::Done(state) => return self.done(&part, state, parts).await,
            Outcome::DoneBefore(first, state) => {
                let mut second = part.split_off(first);
                if !bisect {
                    // Others may have failed before; this one has for the first time.
                    (second.failures, second.waits) = (1, true);
                }
                parts.push_front(second);
                return self.done(&part, state, parts).await;
            }
            Outcome::TooLarge if part.records.len() <= 1 => {
                return self.give_up(part, Condition::RetryAttemptsExhausted).await;
            }
            Outcome::Failed | Outcome::TooLarge if splits && part.records.len() > 1 => {
                let second = part.split_off(part.records.len() / 2);
                parts.push_front(second);
            }
            Outcome::Failed | Outcome::TooLarge => {
                part.failures = part.failures.saturating_add(1);
                part.waits = true;
            }
            Outcome::NotRun(error) => {
                self.feed.warn("the function cannot be run", &error, &self.not_run);
                let pause = self.not_run.next();
                self.pause(pause, &part, stop).await;
            }
        }
        parts.push_front(part);
        Ok(())
    }

    /// Notes that a part is done with, and the state that it has led to.
    async fn done(
        &mut self,
        part: &Part,
        state: Option<Bytes>,
        parts: &mut VecDeque<Part>,
    ) -> Result<(), Error> {
        self.processed = true;
        if part.ends.is_some() {
            self.window = None;
        } else if state.as_ref().is_some_and(|state| state.len() > STATE_BYTES_MAX) {
            // Not kept: the window ends with it. Until it has, the batch is not done with.
            self.carry(state);
            parts.push_front(Part::ending(part.next, Ends::Early));
            return Ok(());
        } else {
            self.carry(state);
        }
        self.save(part.next, &[]).await
    }

    fn carry(&mut self, state: Option<Bytes>) {
        if let (Some(window), Some(state)) = (&mut self.window, state) {
            (window.state, window.stored) = (state, false);
        }
    }

    /// Rests, but not beyond the time at which the first record has become too old.
    async fn pause(&self, pause: Duration, part: &Part, stop: &mut Stop) {
        let kit = &self.feed.0.lambda.kit;
        let too_old = self.since(part) + self.age_max() + Duration::from_millis(1);
        let until = (kit.now() + pause).min(too_old);
        self.feed.sleep(until.since(kit.now()), stop).await;
    }

    /// Gives up what has become too old of a part; what is left of it.
    async fn drop_old(&mut self, mut part: Part) -> Result<Option<Part>, Error> {
        let (now, age_max) = (self.feed.0.lambda.kit.now(), self.age_max());
        if part.records.is_empty() {
            if now.since(self.since(&part)) <= age_max {
                return Ok(Some(part));
            }
            self.give_up(part, Condition::RecordAgeExceeded).await?;
            return Ok(None);
        }
        let is_old = |item: &&Item| now.since(item.at) > age_max;
        match part.records.iter().take_while(is_old).count() {
            0 => Ok(Some(part)),
            old => {
                let rest = (old < part.records.len()).then(|| part.split_off(old));
                self.give_up(part, Condition::RecordAgeExceeded).await?;
                Ok(rest)
            }
        }
    }

    /// Since when a part has been there to be done.
    fn since(&self, part: &Part) -> Time {
        let end = || self.window.as_ref().map(Open::end);
        let first = part.records.first().map(|item| item.at).or_else(end);
        first.unwrap_or_else(|| self.feed.0.lambda.kit.now())
    }

    /// How old a record may get: no older than the stream keeps it.
    fn age_max(&self) -> Duration {
        let secs = self.feed.0.reading.age_secs_max;
        secs.map_or(self.kept, |secs| Duration::from_secs(secs.into()).min(self.kept))
    }

    /// Tells the destination of a part and goes on behind it, at once.
    async fn give_up(&mut self, part: Part, condition: Condition) -> Result<(), Error> {
        let feed = self.feed.clone();
        let to = feed.0.reading.on_failure.as_ref();
        if to.is_none() {
            let (mapping, shard, records) = (&feed.0.mapping.uuid, &self.shard, part.records.len());
            warn!(mapping, shard, records, ?condition, "records given up, with nobody to tell");
        }
        if part.ends.is_some() {
            self.window = None;
        }
        let told: Vec<_> = to.iter().map(|to| self.letter(to, &part, condition)).collect();
        self.save(part.next, &told).await
    }

    /// Gives one event to the function.
    async fn invoke(&mut self, part: &mut Part) -> Outcome {
        let feed = self.feed.clone();
        let tumbling_secs = feed.0.reading.tumbling_secs;
        if let Some(first) = part.records.first().filter(|_| tumbling_secs > 0) {
            self.window.get_or_insert_with(|| Open::around(first.at, tumbling_secs));
        }
        let lambda = &feed.0.lambda;
        let loaded = match Target::of(&feed.0.mapping.function) {
            Ok(target) => lambda.load(&target).await,
            Err(error) => Err(error),
        };
        let loaded = match loaded {
            Ok(loaded) => loaded,
            Err(error) => return Outcome::NotRun(error.into()),
        };
        if let Some(last) = part.records.last() {
            lambda.runner.iterator_age(&loaded.spec, lambda.kit.now().since(last.at));
        }
        let call = Invoke {
            function: feed.0.mapping.function.clone(),
            payload: self.event(part),
            request_id: None,
            client_context: None,
            trace: None,
            tail: false,
        };
        match lambda.run(&loaded, call).await {
            Ok(invoked) => {
                self.not_run = super::Rest::default();
                part.invokes = part.invokes.saturating_add(1);
                let Invoked { request_id, version, error, .. } = &invoked;
                let (request_id, version) = (request_id.clone(), version.clone());
                part.answer = Some(Answer { request_id, version, error: *error });
                self.judge(part, &invoked)
            }
            Err(error) => match kit::Error::from(error) {
                error if error.code == "RequestTooLargeException" => Outcome::TooLarge,
                error => Outcome::NotRun(error),
            },
        }
    }

    fn event(&self, part: &Part) -> Bytes {
        let mut event = br#"{"Records":["#.to_vec();
        for (i, item) in part.records.iter().enumerate() {
            if i > 0 {
                event.push(b',');
            }
            event.extend_from_slice(&item.json);
        }
        event.push(b']');
        if let Some(window) = &self.window {
            window.tell(&mut event, &self.shard, &self.feed.0.from, part.ends);
        }
        event.push(b'}');
        event.into()
    }

    /// What an answer means.
    fn judge(&self, part: &Part, invoked: &Invoked) -> Outcome {
        if invoked.error.is_some() {
            return Outcome::Failed;
        }
        let state = match (&self.window, part.ends) {
            (Some(_), None) => match window::state(&invoked.payload) {
                // One that is too large to be given on is as none.
                Some(state) if state.len() <= BATCH_BYTES_MAX - WINDOW_BYTES_MAX => Some(state),
                _ => return Outcome::Failed,
            },
            _ => None,
        };
        if !self.feed.0.mapping.report_failures || part.records.is_empty() {
            return Outcome::Done(state);
        }
        let ids: Vec<&str> = part.records.iter().map(|item| item.sequence.as_str()).collect();
        let Failures::Some(failed) = batch_failures(&invoked.payload, &ids) else {
            return Outcome::Failed;
        };
        match ids.iter().position(|id| failed.contains(id)) {
            None => Outcome::Done(state),
            Some(0) => Outcome::Failed,
            Some(first) => Outcome::DoneBefore(first, state),
        }
    }
}
