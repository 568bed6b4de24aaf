//! Figures of functions: what they did in each minute.
//!
//! Samples are added up in memory and go to the engine with the lines, once a second. A crash loses
//! what the last second had; what is stored of a minute and what is in memory are added up again.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use base::{AccountId, Region, Time};
use serde::{Deserialize, Serialize};
use store::{Batch, Dir, KeyRange, Limit, Record, Result, encode};

use crate::data;
use crate::logs::{Inner, LogStore};

/// Functions with samples that are not stored yet; those of more are lost.
const FUNCTIONS_MAX: usize = 10_000;
/// Minutes forgotten in one go.
const FORGET_MAX: usize = 256;
/// What one record is about.
const MINUTE: Duration = Duration::from_secs(60);

/// A function, whatever version of it ran.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FunctionName {
    pub account: AccountId,
    pub region: Region,
    pub name: String,
}

/// What is measured. Numbers are stored and never reused; names and units are CloudWatch's where it
/// has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Measure {
    /// Events that ran; each is 1.
    Invocations = 1,
    /// Of each event 1 if the function failed, else 0.
    Errors = 2,
    /// Events that were not run because too many did; each is 1.
    Throttles = 3,
    /// Milliseconds of an event.
    Duration = 4,
    /// Milliseconds of loading the function, of each cold start that did.
    InitDuration = 5,
    /// Milliseconds of forking it, of each cold start that did.
    RestoreDuration = 6,
    /// How many events of the function ran when one more began, itself included.
    ConcurrentExecutions = 7,
    /// Kilobytes an environment had used at most when an event ended.
    MemoryUsed = 8,
    /// Events that were not run because they had come by too often; each is 1.
    RecursiveInvocationsDropped = 9,
    /// Milliseconds since the last record of a stream's batch was written.
    IteratorAge = 10,
    /// Streams read on from another place than where reading had ended; each is 1.
    StreamsReopened = 11,
}

impl Measure {
    pub const ALL: [Measure; 11] = [
        Measure::Invocations,
        Measure::Errors,
        Measure::Throttles,
        Measure::Duration,
        Measure::InitDuration,
        Measure::RestoreDuration,
        Measure::ConcurrentExecutions,
        Measure::MemoryUsed,
        Measure::RecursiveInvocationsDropped,
        Measure::IteratorAge,
        Measure::StreamsReopened,
    ];

    /// `Invocations`.
    pub fn name(self) -> &'static str {
        match self {
            Measure::Invocations => "Invocations",
            Measure::Errors => "Errors",
            Measure::Throttles => "Throttles",
            Measure::Duration => "Duration",
            Measure::InitDuration => "InitDuration",
            Measure::RestoreDuration => "RestoreDuration",
            Measure::ConcurrentExecutions => "ConcurrentExecutions",
            Measure::MemoryUsed => "MemoryUsed",
            Measure::RecursiveInvocationsDropped => "RecursiveInvocationsDropped",
            Measure::IteratorAge => "IteratorAge",
            Measure::StreamsReopened => "StreamsReopened",
        }
    }
}

/// Samples, added up.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Stat {
    pub count: u64,
    pub sum: f64,
    pub min: f64,
    pub max: f64,
}

impl Stat {
    fn of(sample: f64) -> Stat {
        Stat { count: 1, sum: sample, min: sample, max: sample }
    }

    /// As if its samples had been taken here, too.
    pub fn add(&mut self, other: &Stat) {
        self.count += other.count;
        self.sum += other.sum;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }

    /// The average; 0 where there is no sample.
    #[expect(clippy::cast_precision_loss, reason = "far fewer samples than a float counts")]
    pub fn average(&self) -> f64 {
        if self.count == 0 { 0.0 } else { self.sum / self.count as f64 }
    }
}

/// What a function did in some time.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Figures(BTreeMap<Measure, Stat>);

impl Figures {
    pub fn get(&self, measure: Measure) -> Option<&Stat> {
        self.0.get(&measure)
    }

    fn record(&mut self, measure: Measure, stat: Stat) {
        self.0.entry(measure).and_modify(|known| known.add(&stat)).or_insert(stat);
    }

    /// As if both had been one.
    pub fn add(&mut self, other: &Figures) {
        for (measure, stat) in &other.0 {
            self.record(*measure, *stat);
        }
    }
}

/// What is stored of a function and a minute.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Minute {
    /// By the number of the measure.
    pub(crate) stats: Vec<(u8, Stat)>,
}

impl Record for Minute {
    const VERSION: u8 = 1;
}

impl Minute {
    fn of(figures: &Figures) -> Minute {
        Minute { stats: figures.0.iter().map(|(measure, stat)| (*measure as u8, *stat)).collect() }
    }

    fn figures(&self) -> Figures {
        let known = |number: u8| Measure::ALL.into_iter().find(|one| *one as u8 == number);
        let stats = self.stats.iter();
        Figures(stats.filter_map(|(number, stat)| Some((known(*number)?, *stat))).collect())
    }
}

/// Takes samples. Called on the path of every invocation: it must not block and must bound what it
/// keeps.
pub trait MetricSink: Send + Sync + 'static {
    fn record(&self, of: &Arc<FunctionName>, samples: &[(Measure, f64)]);
}

/// Samples that are not stored yet.
pub(crate) type Pending = HashMap<(u64, Arc<FunctionName>), Figures>;

impl MetricSink for LogStore {
    fn record(&self, of: &Arc<FunctionName>, samples: &[(Measure, f64)]) {
        let minute = minute(self.0.clock.now());
        let mut pending = self.0.figures();
        if pending.len() >= FUNCTIONS_MAX && !pending.contains_key(&(minute, Arc::clone(of))) {
            return;
        }
        let figures = pending.entry((minute, Arc::clone(of))).or_default();
        for (measure, sample) in samples {
            figures.record(*measure, Stat::of(*sample));
        }
    }
}

impl LogStore {
    /// What all functions did, minute by minute, from the minute of one time to that of another.
    ///
    /// # Errors
    /// If the engine fails.
    pub async fn figures(
        &self,
        from: Time,
        until: Time,
    ) -> Result<Vec<(FunctionName, Time, Figures)>> {
        // Then all of it is where the rest is.
        self.0.flush_figures().await?;
        let all = data::minutes_key();
        let (start, end) = (all.clone().u64(minute(from)), all.u64(minute(until) + 1));
        let mut range = KeyRange { start, end };
        let mut found = Vec::new();
        loop {
            let page = self.0.engine.scan(range.clone(), Dir::Forward, Limit::items(1024)).await?;
            for (key, value) in &page.entries {
                let record: Minute = store::decode(key, value)?;
                let (minute, function) = data::minute_of(key)?;
                let time = Time::from_millis(minute * MINUTE.as_secs() * 1000);
                found.push((function, time, record.figures()));
            }
            match page.entries.last() {
                Some((last, _)) if page.more => range = range.after(last),
                _ => return Ok(found),
            }
        }
    }
}

impl Inner {
    /// Stores what is in memory.
    pub(crate) async fn flush_figures(&self) -> Result<()> {
        // Nobody else adds to what is stored meanwhile.
        let _turn = self.writer.lock().await;
        let pending = std::mem::take(&mut *self.figures());
        let stored = self.store_figures(&pending).await;
        if stored.is_err() {
            let mut again = self.figures();
            for (of, figures) in pending {
                again.entry(of).or_default().add(&figures);
            }
        }
        stored
    }

    async fn store_figures(&self, pending: &Pending) -> Result<()> {
        let mut batch = Batch::default();
        for ((minute, function), figures) in pending {
            let key = data::minute_key(*minute, function);
            let mut sum = figures.clone();
            if let Some(stored) = self.get::<Minute>(&key).await? {
                sum.add(&stored.figures());
            }
            batch.write(key, Some(encode(&Minute::of(&sum))?));
        }
        if batch.is_empty() { Ok(()) } else { self.commit(batch).await }
    }

    /// Forgets the oldest minutes beyond the limit of age.
    pub(crate) async fn forget_figures(&self) -> Result<()> {
        let all = data::minutes_key();
        let horizon = minute(self.clock.now() - self.config.age_max);
        let range = KeyRange { start: all.clone(), end: all.u64(horizon) };
        let page = self.engine.scan(range, Dir::Forward, Limit::items(FORGET_MAX)).await?;
        let mut batch = Batch::default();
        for (key, _) in page.entries {
            batch.write(key, None);
        }
        if batch.is_empty() { Ok(()) } else { self.commit(batch).await }
    }
}

/// The number of a minute.
fn minute(time: Time) -> u64 {
    time.as_millis() / 1000 / MINUTE.as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_add_up() {
        let mut figures = Figures::default();
        for sample in [3.0, 1.0, 2.0] {
            figures.record(Measure::Duration, Stat::of(sample));
        }
        let stat = figures.get(Measure::Duration).unwrap();
        assert_eq!(*stat, Stat { count: 3, sum: 6.0, min: 1.0, max: 3.0 });
        assert!((stat.average() - 2.0).abs() < f64::EPSILON);
        let mut twice = figures.clone();
        twice.add(&figures);
        assert_eq!(twice.get(Measure::Duration).unwrap().count, 6);
        assert_eq!(Minute::of(&figures).figures(), figures);
    }

    #[test]
    fn numbers_are_stored_and_stay() {
        let numbers = Measure::ALL.map(|one| (one as u8, one.name()));
        assert_eq!(numbers[0], (1, "Invocations"));
        assert_eq!(numbers[7], (8, "MemoryUsed"));
    }
}
