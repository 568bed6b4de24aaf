//! Function templates: workers that have loaded a function once, and of which slots are forked.
//!
//! A template is made in the background: after a deploy, and after a first start without one. While
//! there is none, or where a function cannot have one, slots are booted workers that load it.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base::Arn;
use tokio::sync::{Notify, Semaphore};

use crate::assignment::{Assignment, Purpose};
use crate::environment::Way;
use crate::packs::{Pack, Packs};
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
/// What remains of a use after [`Templates::age`]: a template that was of use lately is worth more
/// than one that was of use often, long ago.
const KEPT: f64 = 0.9;
/// A function that was of less use than this is forgotten, if it has no template.
const USE_MIN: f64 = 0.01;

pub(crate) struct Templates {
    making: Semaphore,
    templates_max: usize,
    state: Mutex<HashMap<Arc<FunctionSpec>, Entry>>,
    /// Told when one was made, or could not be.
    changed: Notify,
}

struct Entry {
    state: State,
    /// Starts of slots, fewer with time.
    uses: f64,
}

enum State {
    /// There was one, or no room or memory for one.
    Absent,
    Making,
    Ready(Arc<Template>),
    /// The function cannot have one: why.
    Unfit(String),
}

impl State {
    fn start(&self) -> Start {
        match self {
            State::Ready(_) => Start::Fork,
            State::Making => Start::Load("its template is being made".into()),
            State::Absent => Start::Load("templates of others are of more use".into()),
            State::Unfit(why) => Start::Load(why.clone()),
        }
    }
}

/// How slots of a function are started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// By forking a process that has loaded it.
    Fork,
    /// By loading it, in a process that was booted before where there is one: why.
    Load(String),
}

/// A worker that has loaded a function and waits for orders. It ends with the last of its slots, at
/// the earliest: they are in its namespaces.
pub(crate) struct Template {
    worker: Worker,
    spares: Mutex<Vec<Slot>>,
}

impl Templates {
    pub(crate) fn new(templates_max: usize) -> Templates {
        let making = Semaphore::new(MAKING_MAX);
        Templates { making, templates_max, state: Mutex::default(), changed: Notify::new() }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Arc<FunctionSpec>, Entry>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The template of a revision, if there is one. It counts as a use.
    pub(crate) fn find(&self, spec: &FunctionSpec) -> Option<Arc<Template>> {
        let mut state = self.lock();
        let entry = state.get_mut(spec)?;
        entry.uses += 1.0;
        if let State::Ready(template) = &entry.state { Some(Arc::clone(template)) } else { None }
    }

    /// Waits until the template of a revision is there, or it is known that there will be none:
    /// then why.
    pub(crate) async fn made(&self, spec: &FunctionSpec) -> Result<(), String> {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            match self.lock().get(spec).map(|entry| &entry.state) {
                Some(State::Ready(_)) => return Ok(()),
                Some(State::Unfit(why)) => return Err(why.clone()),
                Some(State::Making) => {}
                Some(State::Absent) => return Err("others are of more use".into()),
                None => return Err("nobody asked for one yet".into()),
            }
            changed.await;
        }
    }

    /// Whether a template should be made now; the caller then does. Where there are as many as may
    /// be, the one of least use makes room, if it is of less use.
    pub(crate) fn claim(&self, spec: &Arc<FunctionSpec>) -> bool {
        let mut state = self.lock();
        let fresh = || Entry { state: State::Absent, uses: 1.0 };
        let entry = state.entry(Arc::clone(spec)).or_insert_with(fresh);
        if !matches!(entry.state, State::Absent) {
            return false;
        }
        let uses = entry.uses;
        let takes_room = |entry: &Entry| matches!(entry.state, State::Making | State::Ready(_));
        let mut evicted = None;
        if state.values().filter(|entry| takes_room(entry)).count() >= self.templates_max {
            let Some(least) = of_least_use(&mut state) else { return false };
            if least.uses >= uses {
                return false;
            }
            evicted = Some(std::mem::replace(&mut least.state, State::Absent));
        }
        if let Some(entry) = state.get_mut(spec) {
            entry.state = State::Making;
        }
        drop(state);
        drop(evicted);
        true
    }

    /// Whether one is being made.
    pub(crate) fn is_making(&self, spec: &FunctionSpec) -> bool {
        self.lock().get(spec).is_some_and(|entry| matches!(entry.state, State::Making))
    }

    /// Makes the template that was claimed; whether it is there.
    pub(crate) async fn make(
        &self,
        loading: Loading<'_>,
        runtime: &Arc<Runtime>,
        spec: &Arc<FunctionSpec>,
    ) -> bool {
        let turn = self.making.acquire().await;
        let made = match self.is_due(loading.config, spec) {
            true => Some(loading.template(runtime, spec).await),
            false => None,
        };
        drop(turn);
        let is_made = made.is_some_and(|made| self.keep(spec, made));
        self.changed.notify_waiters();
        is_made
    }

    /// Whether a template that was claimed is still to be made: it may have been replaced while it
    /// waited, and memory may have become short.
    fn is_due(&self, config: &Config, spec: &FunctionSpec) -> bool {
        let mut state = self.lock();
        match state.get_mut(spec) {
            Some(entry) if matches!(entry.state, State::Making) => {
                if (config.is_short)() {
                    entry.state = State::Absent;
                }
                matches!(entry.state, State::Making)
            }
            _ => false,
        }
    }

    /// Keeps what was made, where it is still wanted; whether there is a template now.
    fn keep(&self, spec: &FunctionSpec, made: Result<Worker, String>) -> bool {
        let mut state = self.lock();
        let Some(entry) = state.get_mut(spec) else { return false };
        entry.state = match made {
            Ok(worker) => State::Ready(Arc::new(Template { worker, spares: Mutex::default() })),
            Err(why) => {
                tracing::info!(function = spec.name, why, "no template: its slots load it anew");
                State::Unfit(why)
            }
        };
        matches!(entry.state, State::Ready(_))
    }

    /// Drops a template that has ended.
    pub(crate) fn forget(&self, spec: &FunctionSpec) {
        let _ended = self.lock().remove(spec);
    }

    /// Drops the one of least use: memory is short.
    pub(crate) fn evict(&self) {
        let mut state = self.lock();
        let least = of_least_use(&mut state);
        let _evicted = least.map(|entry| std::mem::replace(&mut entry.state, State::Absent));
        drop(state);
    }

    /// Drops those of all revisions of a function but one.
    pub(crate) fn retire(&self, function: &Arn, keep: Option<&str>) {
        let mut ended = Vec::new();
        self.lock().retain(|spec, entry| {
            let kept = spec.arn != *function || keep == Some(spec.revision.as_str());
            if !kept {
                ended.push(std::mem::replace(&mut entry.state, State::Absent));
            }
            kept
        });
    }

    /// Lets uses count less. Called at a slow rhythm.
    pub(crate) fn age(&self) {
        self.lock().retain(|_, entry| {
            entry.uses *= KEPT;
            entry.uses > USE_MIN || !matches!(entry.state, State::Absent)
        });
    }

    /// Ends all.
    pub(crate) fn clear(&self) {
        let _ended = std::mem::take(&mut *self.lock());
    }

    /// Every revision that is known here.
    pub(crate) fn each(&self) -> Vec<Arc<FunctionSpec>> {
        self.lock().keys().map(Arc::clone).collect()
    }

    /// How slots of a revision are started.
    pub(crate) fn start(&self, spec: &FunctionSpec) -> Start {
        let state = self.lock();
        let unknown = || Start::Load("it has no template yet".into());
        state.get(spec).map_or_else(unknown, |entry| entry.state.start())
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        let ready = |entry: &&Entry| matches!(entry.state, State::Ready(_));
        self.lock().values().filter(ready).count()
    }
}

impl Template {
    /// A slot: the spare if there is one. A spare has been told already that it is not provisioned.
    pub(crate) async fn slot(
        self: &Arc<Self>,
        around: Surroundings<'_>,
        spec: &Arc<FunctionSpec>,
        provisioned: bool,
    ) -> io::Result<(Slot, Way)> {
        let spare = if provisioned { None } else { self.spares().pop() };
        let (mut slot, way) = match spare {
            Some(spare) => (spare, Way::Spare),
            None => (Slot::fork(around, spec, &self.worker, provisioned).await?, Way::Fork),
        };
        slot.template = Some(Arc::clone(self));
        Ok((slot, way))
    }

    /// Makes the spare that was taken.
    pub(crate) async fn refill(
        &self,
        around: Surroundings<'_>,
        spec: &Arc<FunctionSpec>,
    ) -> io::Result<()> {
        if self.spares().len() < SPARES_MAX {
            let spare = Slot::fork(around, spec, &self.worker, false).await?;
            self.spares().push(spare);
        }
        Ok(())
    }

    fn spares(&self) -> MutexGuard<'_, Vec<Slot>> {
        self.spares.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The template that was of least use.
fn of_least_use(state: &mut HashMap<Arc<FunctionSpec>, Entry>) -> Option<&mut Entry> {
    let ready = state.values_mut().filter(|entry| matches!(entry.state, State::Ready(_)));
    ready.min_by(|one, other| one.uses.total_cmp(&other.uses))
}

/// What it takes to load a function that nobody waits for.
#[derive(Clone, Copy)]
pub(crate) struct Loading<'a> {
    pub(crate) pool: &'a Pool,
    pub(crate) packs: &'a Packs,
    pub(crate) config: &'a Config,
    pub(crate) around: Surroundings<'a>,
}

impl Loading<'_> {
    /// A worker that has loaded the function and waits for orders; if there is none, why. Makes the
    /// function's code pack on the way, if it has none.
    async fn template(
        self,
        runtime: &Arc<Runtime>,
        spec: &Arc<FunctionSpec>,
    ) -> Result<Worker, String> {
        let packs = runtime.packs().then_some(self.packs);
        let order = packs.and_then(|packs| packs.claim(spec));
        let pack = order.or_else(|| packs?.find(spec));
        let loaded = self.load(runtime, spec, Purpose::Template, pack).await;
        // Where it was not heard to its end.
        self.packs.give_up(spec, false);
        loaded
    }

    /// Makes the code pack of a function, as ordered.
    pub(crate) async fn pack(self, runtime: &Arc<Runtime>, spec: &Arc<FunctionSpec>, order: Pack) {
        let turn = self.packs.making.acquire().await;
        let is_short = (self.config.is_short)();
        if !is_short {
            match self.load(runtime, spec, Purpose::Pack, Some(order)).await {
                Ok(worker) => drop(worker),
                Err(why) => tracing::debug!(function = spec.name, why, "no code pack"),
            }
        }
        drop(turn);
        self.packs.give_up(spec, is_short);
    }

    async fn load(
        self,
        runtime: &Arc<Runtime>,
        spec: &Arc<FunctionSpec>,
        purpose: Purpose,
        pack: Option<Pack>,
    ) -> Result<Worker, String> {
        let Loading { pool, packs, config, around } = self;
        let assignment = Assignment::new(around, runtime, spec, purpose, pack);
        let worker = pool.known(runtime, &assignment).await;
        let mut worker = worker.map_err(|error| error.to_string())?;
        let mut journal = slot::journal(around, &assignment.stream, None);
        worker.assign_known(&assignment).map_err(|error| error.to_string())?;
        let limit = around.clock.now() + config.init_timeout;
        let of = (spec, assignment.pack.as_ref());
        let reply = tokio::select! {
            reply = packs.hear(&mut worker, &mut journal, of) => reply,
            () = around.clock.sleep_until(limit) => return Err("it did not load in time".into()),
        };
        match reply {
            Some(Reply::Ready { .. }) => Ok(worker),
            Some(Reply::Unfit(why)) => Err(String::from_utf8_lossy(&why).into_owned()),
            Some(Reply::InitError { .. }) => Err("it failed to load".into()),
            _ => Err("its process ended while it loaded".into()),
        }
    }
}
