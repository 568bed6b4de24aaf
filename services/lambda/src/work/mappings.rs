//! Event source mappings: for each enabled one a task that feeds its function, from a queue
//! ([`super::poll`]) or from a stream ([`super::feed`]).

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use kit::Ctx;
use store::{Dir, Key};
use tokio::sync::{Mutex, watch};
use tokio::task::JoinHandle;

use crate::data::{self, Checkpoint, Mapping};
use crate::error::Error;
use crate::functions::Lambda;
use crate::work::feed::{Feed, Results};
use crate::work::poll::Poller;

/// The tasks of all mappings, and what came of them last.
#[derive(Default)]
pub(crate) struct Pollers {
    tasks: Mutex<Tasks>,
    pub(crate) results: Arc<Results>,
}

/// By the UUID of their mapping.
#[derive(Default)]
struct Tasks {
    running: HashMap<String, Running>,
    /// Those that were told to stop and may still be at their last batch.
    ending: HashMap<String, JoinHandle<()>>,
}

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
        let mut tasks = self.tasks.lock().await;
        let mapping: Option<Mapping> = lambda.kit.store.get_record(key).await?;
        if mapping.is_none() {
            self.results.forget(uuid);
        }
        let wanted = mapping.filter(|mapping| mapping.enabled);
        // What polls does not know of tags, and does not begin anew for them.
        let wanted = wanted.map(|mapping| Mapping { tags: BTreeMap::new(), ..mapping });
        let known = tasks.running.get(uuid);
        if known.is_some_and(|r| wanted.as_ref() == Some(&r.mapping) && !r.task.is_finished()) {
            return Ok(());
        }
        if let Some(old) = tasks.running.remove(uuid) {
            old.stop.send_replace(true);
            tasks.ending.insert(uuid.to_owned(), old.task);
        }
        tasks.ending.retain(|_, task| !task.is_finished());
        if let Some(mapping) = wanted {
            let stop = watch::Sender::new(false);
            let stopped = stop.subscribe();
            let task = if mapping.reading.is_some() {
                let feed = Feed::new(lambda, &mapping, key)?;
                // Records are given in order, so not before the last batch is done with.
                let before = tasks.ending.remove(uuid);
                base::task::spawn("lambda.feed", async move {
                    if let Some(before) = before {
                        let _panics_are_logged = before.await;
                    }
                    feed.run(stopped).await;
                })
            } else {
                base::task::spawn("lambda.poll", Poller::new(lambda, &mapping)?.poll(stopped))
            };
            tasks.running.insert(uuid.to_owned(), Running { mapping, stop, task });
        }
        Ok(())
    }

    /// What came last of a mapping of a stream, in the words of AWS.
    pub(crate) async fn result(&self, ctx: &Ctx, uuid: &str) -> Result<&'static str, Error> {
        if let Some(known) = self.results.of(uuid) {
            return Ok(known);
        }
        let all = data::checkpoints_key(&ctx.account, &ctx.region, uuid).prefix();
        let mut processed = false;
        for (key, value) in ctx.store().scan(all, Dir::Forward, usize::MAX).await? {
            processed |= store::decode::<Checkpoint>(&key, &value)?.processed;
        }
        Ok(if processed { Results::OK } else { Results::NONE })
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
        // The others are polled all the same.
        if let Err(error) = lambda.pollers.sync(lambda, &uuid, &key).await {
            let error = kit::Error::from(error);
            tracing::warn!(mapping = uuid, %error, "an event source mapping does not start");
        }
    }
    Ok(())
}
