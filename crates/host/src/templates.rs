//! Function templates: workers that have loaded a function once, and of which slots are forked.
//!
//! A template is made in the background: after a deploy, and after a first start without one. While
//! there is none, or where a function cannot have one, slots are booted workers that load it.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base::Arn;
use tokio::sync::{Notify, Semaphore};

use crate::assignment::Assignment;
use crate::pool::Pool;
use crate::protocol::Reply;
use crate::runtimes::Runtime;
use crate::slot::{self, Slot, Surroundings};
use crate::worker::Worker;
use crate::{Config, FunctionSpec};

/// Templates that load their function at the same time: it is work beside that of users.
const MAKING_MAX: usize = 1;
/// Slots that are forked before they are needed, of a function that was used.
const SPARES_MAX: usize = 1;

pub(crate) struct Templates {
    making: Semaphore,
    state: Mutex<HashMap<Arc<FunctionSpec>, Entry>>,
    /// Told when one was made, or could not be.
    changed: Notify,
}

enum Entry {
    Making,
    Ready(Arc<Template>),
    /// The function cannot have one, or not for now: why.
    Unfit(String),
}

/// A worker that has loaded a function and waits for orders.
pub(crate) struct Template {
    worker: Worker,
    spares: Mutex<Vec<Slot>>,
}

impl Templates {
    pub(crate) fn new() -> Templates {
        let making = Semaphore::new(MAKING_MAX);
        Templates { making, state: Mutex::default(), changed: Notify::new() }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Arc<FunctionSpec>, Entry>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The template of a revision, if there is one.
    pub(crate) fn find(&self, spec: &FunctionSpec) -> Option<Arc<Template>> {
        match self.lock().get(spec)? {
            Entry::Ready(template) => Some(Arc::clone(template)),
            Entry::Making | Entry::Unfit(_) => None,
        }
    }

    /// Waits until the template of a revision is there, or it is known that there will be none: then
    /// why.
    pub(crate) async fn made(&self, spec: &FunctionSpec) -> Result<(), String> {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            match self.lock().get(spec) {
                Some(Entry::Ready(_)) => return Ok(()),
                Some(Entry::Unfit(why)) => return Err(why.clone()),
                Some(Entry::Making) => {}
                None => return Err("nobody asked for one yet".into()),
            }
            changed.await;
        }
    }

    /// Whether a template should be made now; the caller then does.
    pub(crate) fn claim(&self, spec: &Arc<FunctionSpec>) -> bool {
        let mut state = self.lock();
        let wanted = !state.contains_key(spec);
        if wanted {
            state.insert(Arc::clone(spec), Entry::Making);
        }
        wanted
    }

    /// Makes the template that was claimed.
    pub(crate) async fn make(
        &self,
        pool: &Pool,
        config: &Config,
        around: Surroundings<'_>,
        runtime: &Arc<Runtime>,
        spec: &Arc<FunctionSpec>,
    ) {
        let _turn = self.making.acquire().await;
        // It may have been replaced while it waited.
        if !matches!(self.lock().get(spec), Some(Entry::Making)) {
            return;
        }
        let made = load(pool, config, around, runtime, spec).await;
        let mut state = self.lock();
        let Some(entry) = state.get_mut(spec) else { return };
        *entry = match made {
            Ok(worker) => Entry::Ready(Arc::new(Template { worker, spares: Mutex::default() })),
            Err(why) => {
                tracing::info!(function = spec.name, why, "no template: its slots load it anew");
                Entry::Unfit(why)
            }
        };
        drop(state);
        self.changed.notify_waiters();
    }

    /// Drops a template that has ended.
    pub(crate) fn forget(&self, spec: &FunctionSpec) {
        let _ended = self.lock().remove(spec);
    }

    /// Drops those of all revisions of a function but one.
    pub(crate) fn retire(&self, function: &Arn, keep: Option<&str>) {
        let mut ended = Vec::new();
        self.lock().retain(|spec, entry| {
            let kept = spec.arn != *function || keep == Some(spec.revision.as_str());
            if !kept {
                ended.push(std::mem::replace(entry, Entry::Making));
            }
            kept
        });
    }

    /// Ends all.
    pub(crate) fn clear(&self) {
        let _ended = std::mem::take(&mut *self.lock());
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.lock().values().filter(|entry| matches!(entry, Entry::Ready(_))).count()
    }
}

impl Template {
    /// A slot: the spare if there is one.
    pub(crate) async fn slot(
        &self,
        around: Surroundings<'_>,
        spec: &Arc<FunctionSpec>,
    ) -> io::Result<Slot> {
        let spare = self.spares().pop();
        match spare {
            Some(spare) => Ok(spare),
            None => Slot::fork(around, spec, &self.worker).await,
        }
    }

    /// Makes the spare that was taken.
    pub(crate) async fn refill(
        &self,
        around: Surroundings<'_>,
        spec: &Arc<FunctionSpec>,
    ) -> io::Result<()> {
        if self.spares().len() < SPARES_MAX {
            let spare = Slot::fork(around, spec, &self.worker).await?;
            self.spares().push(spare);
        }
        Ok(())
    }

    fn spares(&self) -> MutexGuard<'_, Vec<Slot>> {
        self.spares.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A worker that has loaded the function and waits for orders; if there is none, why.
async fn load(
    pool: &Pool,
    config: &Config,
    around: Surroundings<'_>,
    runtime: &Arc<Runtime>,
    spec: &Arc<FunctionSpec>,
) -> Result<Worker, String> {
    let assignment = Assignment::new(around, runtime, spec);
    let mut worker =
        pool.template(runtime, &assignment).await.map_err(|error| error.to_string())?;
    let mut journal = slot::journal(around, &assignment.stream, None);
    worker.assign_template(&assignment).map_err(|error| error.to_string())?;
    let limit = around.clock.now() + config.init_timeout;
    let reply = tokio::select! {
        reply = slot::hear(&mut worker, &mut journal) => reply,
        () = around.clock.sleep_until(limit) => return Err("it did not load in time".into()),
    };
    match reply {
        Some(Reply::Ready { .. }) => Ok(worker),
        Some(Reply::Unfit(why)) => Err(String::from_utf8_lossy(&why).into_owned()),
        Some(Reply::InitError { .. }) => Err("it failed to load".into()),
        _ => Err("its process ended while it loaded".into()),
    }
}
