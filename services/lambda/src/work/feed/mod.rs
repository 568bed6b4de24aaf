//! Event source mappings of streams. Each shard is read in one lane or several, by the keys of its
//! items; each lane is a task that gives its function one batch at a time, in order, and notes
//! durably how far it has come. What fails blocks its lane until it succeeds or is given up.

mod attempt;
mod batch;
pub(crate) mod checkpoint;
mod lane;
mod letter;
mod window;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base::{AccountId, Arn, Region};
use kit::streams::{About, Stream};
use kit::{Closing, Kit};
use store::{Dir, Key, Tx};
use tokio::sync::watch;
use tracing::{info, warn};

use crate::data::{self, Mapping, Reading, Target};
use crate::error::Error;
use crate::functions::Lambda;
use crate::rules::filter::Filters;
use crate::work::poll::{REST, REST_MAX};

use lane::Lane;

/// What came last of each mapping, by its UUID. In memory: it is a hint for people.
#[derive(Default)]
pub(crate) struct Results(Mutex<HashMap<String, &'static str>>);

impl Results {
    pub(crate) const NONE: &str = "No records processed";
    pub(crate) const OK: &str = "OK";
    const FAILED: &str = "PROBLEM: Function call failed";
    const UNREAD: &str = "PROBLEM: Stream could not be read";

    pub(crate) fn of(&self, uuid: &str) -> Option<&'static str> {
        self.all().get(uuid).copied()
    }

    pub(crate) fn forget(&self, uuid: &str) {
        self.all().remove(uuid);
    }

    fn set(&self, uuid: &str, result: &'static str) {
        let mut all = self.all();
        match all.get_mut(uuid) {
            Some(known) => *known = result,
            None => drop(all.insert(uuid.to_owned(), result)),
        }
    }

    fn all(&self) -> MutexGuard<'_, HashMap<String, &'static str>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One mapping as all its lanes see it.
#[derive(Clone)]
pub(crate) struct Feed(Arc<Shared>);

struct Shared {
    lambda: Arc<Lambda>,
    mapping: Mapping,
    reading: Reading,
    filters: Filters,
    /// Where the mapping is stored.
    key: Key,
    account: AccountId,
    checkpoints: Key,
    stream: Arc<dyn Stream>,
    from: Arn,
}

impl Feed {
    pub(crate) fn new(lambda: &Arc<Lambda>, mapping: &Mapping, key: &Key) -> Result<Feed, Error> {
        let from = mapping.read_from().clone();
        let stream = lambda.kit.streams.get(&from).ok_or_else(|| {
            kit::Error::not_served(format_args!("{} as a stream of events", from.service))
        })?;
        let account = from.account_id().map_err(kit::Error::internal)?;
        let region: Region = from.region.parse().map_err(kit::Error::internal)?;
        Ok(Feed(Arc::new(Shared {
            lambda: Arc::clone(lambda),
            reading: mapping.reading.clone().unwrap_or_default(),
            filters: Filters::read(&mapping.filters)?,
            key: key.clone(),
            checkpoints: data::checkpoints_key(&account, &region, &mapping.uuid),
            account,
            stream,
            from,
            mapping: mapping.clone(),
        })))
    }

    /// Feeds the function until told to stop. The batches that run then are brought to their end.
    pub(crate) async fn run(mut self, told: watch::Receiver<bool>) {
        let mut stop = Stop::new(&self.0.lambda.kit, told);
        let mut rest = Rest::default();
        while !stop.begun() {
            let shards = match self.read_to_its_end(&stop).await {
                // A stream that is gone was closed long ago.
                Err(error) if is_gone(&error) => Ok(None),
                read => read.map(|about| Some(about.shards)),
            };
            match shards {
                Ok(shards) if !stop.begun() => match self.follow(shards, &mut stop).await {
                    Ok(Some(next)) => (self, rest) = (next, Rest::default()),
                    Ok(None) | Err(Error::NoResource) => return,
                    Err(error) => self.rest(error, &mut rest, &mut stop).await,
                },
                Ok(_) | Err(Error::NoResource) => return,
                Err(error) => self.rest(error, &mut rest, &mut stop).await,
            }
        }
    }

    /// Reads the stream until it is closed and all has been read, or until told to stop.
    async fn read_to_its_end(&self, stop: &Stop) -> Result<About, Error> {
        let about = self.0.stream.about(&self.0.from).await?;
        checkpoint::arrange(self, &about.shards).await?;
        let mut tasks = Vec::new();
        for shard in &about.shards {
            for number in 0..self.0.reading.lanes {
                let lane = Lane::new(self, shard, number, about.kept);
                let stop = stop.another(&self.0.lambda.kit);
                tasks.push(base::task::spawn("lambda.lane", lane.run(stop)));
            }
        }
        for task in tasks {
            let _panics_are_logged = task.await;
        }
        Ok(about)
    }

    /// A stream that is disabled and enabled again is another one: a mapping goes on with that,
    /// from its first record, unless there is a mapping of its own for the same function. Gives
    /// the mapping as it is then, or none if told to stop. `shards` are those of the stream that
    /// was read, or none if that is gone with them.
    async fn follow(
        &self,
        shards: Option<Vec<String>>,
        stop: &mut Stop,
    ) -> Result<Option<Feed>, Error> {
        let Shared { stream, from, .. } = &*self.0;
        let mut wake = stream.watch(from, None).await?;
        loop {
            if !self.is_superseded().await?
                && let Some(next) = stream.successor(from).await?
                && let Some(mapping) = self.move_on_to(&next, shards.as_deref()).await?
            {
                let uuid = &mapping.uuid;
                info!(mapping = uuid, %from, to = %next, "event source mapping follows its table");
                self.count_reopened().await;
                return Feed::new(&self.0.lambda, &mapping, &self.0.key).map(Some);
            }
            tokio::select! {
                biased;
                () = stop.wait() => return Ok(None),
                () = wake.changed() => {}
            }
        }
    }

    async fn move_on_to(
        &self,
        next: &Arn,
        shards: Option<&[String]>,
    ) -> Result<Option<Mapping>, Error> {
        let Shared { lambda, key: key_of_own, account, checkpoints, mapping, from, .. } = &*self.0;
        // What it was made for it may come back to, which is not to be read again then.
        let left: Vec<Key> = match shards {
            _ if *from == mapping.source => Vec::new(),
            Some(shards) => shards.iter().map(|shard| checkpoints.clone().str(shard)).collect(),
            // What it was made for is older, and gone, too.
            None => vec![checkpoints.clone()],
        };
        let left = &left;
        let all = &data::all_mappings_key(account).prefix();
        let moved = lambda.kit.store.transact(account, |tx| async move {
            for (key, value) in tx.scan(all.clone(), Dir::Forward, usize::MAX).await? {
                let other: Mapping = store::decode(&key, &value)?;
                let has_it = other.source == *next || other.read_from() == next;
                if has_it && other.function == mapping.function {
                    let mut over = self.stored(&tx).await?;
                    over.reading.get_or_insert_default().superseded = true;
                    tx.put_record(key_of_own.clone(), &over)?;
                    return Ok(None);
                }
            }
            let mut moved = self.stored(&tx).await?;
            moved.reading.get_or_insert_default().followed = Some(next.clone());
            tx.put_record(key_of_own.clone(), &moved)?;
            for checkpoints in left {
                checkpoint::forget(&tx, checkpoints).await?;
            }
            Ok::<_, Error>(Some(moved))
        });
        moved.await
    }

    /// The mapping as it is now. It may be deleted while a last batch runs.
    async fn stored(&self, tx: &Tx) -> Result<Mapping, Error> {
        tx.get_record(&self.0.key).await?.ok_or(Error::NoResource)
    }

    /// Whether another mapping has been made for what follows.
    async fn is_superseded(&self) -> Result<bool, Error> {
        let stored: Option<Mapping> = self.0.lambda.kit.store.get_record(&self.0.key).await?;
        let stored = stored.ok_or(Error::NoResource)?;
        Ok(stored.reading.is_some_and(|reading| reading.superseded))
    }

    /// The first number to be read where nothing has been yet.
    fn start(&self) -> u64 {
        if self.0.reading.followed.is_some() { 0 } else { self.0.reading.start }
    }

    fn result(&self, result: &'static str) {
        self.0.lambda.pollers.results.set(&self.0.mapping.uuid, result);
    }

    /// Counts that reading begins anew, not where it had ended.
    async fn count_reopened(&self) {
        let lambda = &self.0.lambda;
        let Ok(target) = Target::of(&self.0.mapping.function) else { return };
        // A function that is gone has no figures.
        if let Ok(loaded) = lambda.load(&target).await {
            lambda.runner.reopened(&loaded.spec);
        }
    }

    /// Rests after a fault of the stream, or of ours.
    async fn rest(&self, error: Error, rest: &mut Rest, stop: &mut Stop) {
        self.result(Results::UNREAD);
        self.warn("the stream cannot be read", &error.into(), rest);
        self.sleep(rest.next(), stop).await;
    }

    fn warn(&self, what: &'static str, error: &kit::Error, rest: &Rest) {
        let Mapping { uuid, function, .. } = &self.0.mapping;
        let source = &self.0.from;
        if rest.is_new() && !self.0.lambda.kit.closing().begun() {
            warn!(mapping = uuid, %source, %function, %error, "event source mapping rests: {what}");
        }
    }

    async fn sleep(&self, duration: Duration, stop: &mut Stop) {
        tokio::select! {
            biased;
            () = stop.wait() => {}
            () = base::sleep(&*self.0.lambda.kit.clock, duration) => {}
        }
    }
}

/// Whether an error says that there is no such stream any more.
fn is_gone(error: &Error) -> bool {
    matches!(error, Error::Other(error) if error.code == "ResourceNotFoundException")
}

/// How long to rest: longer each time in a row.
#[derive(Default)]
struct Rest(u32);

impl Rest {
    fn next(&mut self) -> Duration {
        let before = self.0;
        self.0 = before.saturating_add(1);
        rest(before)
    }

    fn is_new(&self) -> bool {
        self.0 == 0
    }
}

/// The rest after so many others.
fn rest(before: u32) -> Duration {
    REST.saturating_mul(1 << before.min(10)).min(REST_MAX)
}

/// That a mapping is to stop: because it was changed, or because the machine closes.
struct Stop {
    told: watch::Receiver<bool>,
    closing: Closing,
}

impl Stop {
    fn new(kit: &Kit, told: watch::Receiver<bool>) -> Stop {
        Stop { told, closing: kit.closing() }
    }

    fn another(&self, kit: &Kit) -> Stop {
        Stop::new(kit, self.told.clone())
    }

    fn begun(&self) -> bool {
        *self.told.borrow() || self.closing.begun()
    }

    async fn wait(&mut self) {
        tokio::select! {
            _ = self.told.wait_for(|stop| *stop) => {}
            () = self.closing.wait() => {}
        }
    }
}
