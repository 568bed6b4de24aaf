//! Who runs where: the idle slots of each revision, the limit for all of them, and the line of
//! jobs that wait.
//!
//! A slot that ends an event takes the job that waits longest for its revision, at once and in
//! the same task; several at once where events are so brief that waking a process costs more.
//! Where the limit is reached, or memory is short, the slot of least use makes room.

mod keep;
mod pace;
mod state;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base::Time;
use tokio::sync::Notify;

use self::pace::Pace;
use self::state::{Idle, Revision, State, Waiting};
use crate::environment::{Environment, Environs};
use crate::host::Job;
use crate::slot::Slot;
use crate::{Config, FunctionSpec, HostError};

/// How long an event may wait for others that are brief before one more slot is woken for it.
const BRIEF_WAIT: Duration = Duration::from_millis(2);
/// The same where every processor has its slots already, so that one more helps only if the others
/// turn out not to be brief.
const STUCK_WAIT: Duration = Duration::from_millis(20);
/// How long an event waits for starts that are under way before one more is begun beside as many
/// as should be.
const START_WAIT: Duration = Duration::from_secs(2);

pub(crate) struct Places {
    slots_max: usize,
    slots_eager: usize,
    slots_brief: usize,
    starts_max: usize,
    is_saturated: fn() -> bool,
    is_short: fn() -> bool,
    keep_alive: Duration,
    waiting_max: usize,
    /// Runs a job that waited until somebody's place was free.
    run: Box<dyn Fn(Place, Job) + Send + Sync>,
    state: Mutex<State>,
    /// Told when a slot has become idle.
    pub(crate) thawed: Arc<Notify>,
}

/// The right to one slot of a revision, counted against the limit until it is dropped.
pub(crate) struct Place {
    places: Arc<Places>,
    spec: Arc<FunctionSpec>,
    /// What was started there.
    started: Option<Arc<Environment>>,
    /// Nobody asked for it yet: its function's next event will.
    ahead: bool,
}

/// A slot with its place. The slot comes first: it ends before its place is free again.
pub(crate) struct Lease {
    pub(crate) slot: Slot,
    pub(crate) place: Place,
}

/// What an event took.
#[derive(Clone, Copy)]
pub(crate) struct Ran {
    pub(crate) millis: f64,
    pub(crate) memory_mb: f64,
}

/// What a job gets.
pub(crate) enum Grant {
    /// A slot that has loaded the function.
    Slot(Box<Lease>),
    /// The right to start one.
    Place(Place),
}

/// What [`Places::ask`] found.
pub(crate) enum Asked {
    Granted(Grant, Job),
    /// Too many wait already.
    Refused(HostError, Job),
    /// The job waits, and somebody sees to it already.
    Waits,
    /// The job waits for a busy slot by choice: look after it after this time.
    WaitsFor(Duration),
}

impl Places {
    pub(crate) fn new(config: &Config, run: impl Fn(Place, Job) + Send + Sync + 'static) -> Places {
        Places {
            slots_max: config.slots_max,
            slots_eager: config.slots_eager,
            slots_brief: config.slots_brief,
            starts_max: config.starts_max,
            is_saturated: config.is_saturated,
            is_short: config.is_short,
            keep_alive: config.keep_alive,
            waiting_max: config.waiting_max,
            run: Box::new(run),
            state: Mutex::default(),
            thawed: Arc::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for a slot of the job's revision, or the right to start one; otherwise the job waits.
    pub(crate) fn ask(self: &Arc<Self>, job: Job, now: Time) -> Asked {
        let mut state = self.lock();
        let revision = state.revision(&job.spec);
        let waits = revision.pace.is_brief() && revision.busy() >= self.slots_brief;
        let brief = (waits && state.waiting.len() < self.waiting_max).then_some(BRIEF_WAIT);
        if brief.is_none()
            && let Some(lease) = state.take_idle(&job.spec, now)
        {
            return Asked::Granted(Grant::Slot(lease), job);
        }
        let revision = state.revision(&job.spec);
        let eager = revision.taken < self.slots_eager;
        let patience = revision.pace.patience(revision.taken, revision.waiting);
        let patience = brief.or_else(|| patience.filter(|_| !eager));
        // Processes that start beside each other slow each other down; the first one that is up
        // serves many. Asking the system is dear, so it comes last.
        let (starting, loads) = (revision.starting, revision.taken > 0 && !revision.forks);
        let patience = patience.or_else(|| {
            let crowd = starting >= self.starts_max
                || state.starting >= 2 * self.starts_max
                || loads && (self.is_saturated)();
            crowd.then_some(START_WAIT)
        });
        let patience = patience.filter(|_| state.may_start(&job.spec));
        if patience.is_none()
            && let Some((place, evicted)) = self.take_place(&mut state, &job.spec, now)
        {
            drop(state);
            drop(evicted);
            return Asked::Granted(Grant::Place(place), job);
        }
        if state.waiting.len() >= self.waiting_max {
            let reason = "ConcurrentInvocationLimitExceeded";
            return Asked::Refused(HostError::Throttled { reason }, job);
        }
        let revision = state.revision(&job.spec);
        revision.waiting += 1;
        let watch = patience.filter(|_| !std::mem::replace(&mut revision.watched, true));
        state.waiting.push_back(Waiting { job, since: now });
        watch.map_or(Asked::Waits, Asked::WaitsFor)
    }

    /// The job of a revision that waits longest, if it does so for `patience` and there is a slot
    /// for it, or one may be started. `Err`: nobody waits any more, and the next one to wait is to
    /// be looked after anew.
    pub(crate) fn insist(
        self: &Arc<Self>,
        spec: &Arc<FunctionSpec>,
        now: Time,
        patience: Duration,
    ) -> Result<Option<(Grant, Job)>, ()> {
        let mut state = self.lock();
        let mut waiting = state.waiting.iter();
        let Some(at) = waiting.position(|waiting| waiting.job.spec == *spec) else {
            if let Some(revision) = state.revisions.get_mut(spec) {
                revision.watched = false;
            }
            return Err(());
        };
        let waited = now.since(state.waiting[at].since);
        let revision = state.revision(spec);
        let enough = revision.pace.is_brief() && revision.busy() >= self.slots_eager;
        if waited < if enough { patience.max(STUCK_WAIT) } else { patience } {
            return Ok(None);
        }
        if let Some(lease) = state.take_idle(spec, now) {
            let job = state.next_waiting(|job| job.spec == *spec);
            return Ok(job.map(|job| (Grant::Slot(lease), job)));
        }
        let Some((place, evicted)) = self.take_place(&mut state, spec, now) else {
            return Ok(None);
        };
        let job = state.next_waiting(|job| job.spec == *spec);
        drop(state);
        drop(evicted);
        Ok(job.map(|job| (Grant::Place(place), job)))
    }

    /// A place, made free by ending the slot of least use if need be.
    fn take_place(
        self: &Arc<Self>,
        state: &mut State,
        spec: &Arc<FunctionSpec>,
        now: Time,
    ) -> Option<(Place, Option<Lease>)> {
        if !state.may_start(spec) {
            return None;
        }
        let full = state.taken >= self.slots_max;
        let evicted =
            if full || (self.is_short)() { state.evict(now, self.keep_alive) } else { None };
        if full && evicted.is_none() {
            return None;
        }
        state.note_event(spec, None, now);
        Some((self.place(state, spec), evicted))
    }

    fn place(self: &Arc<Self>, state: &mut State, spec: &Arc<FunctionSpec>) -> Place {
        state.taken += 1;
        state.starting += 1;
        let revision = state.revision(spec);
        revision.taken += 1;
        revision.starting += 1;
        Place { places: Arc::clone(self), spec: Arc::clone(spec), started: None, ahead: false }
    }

    /// Notes that a slot is up. The next one may be started, where one is still wanted.
    pub(crate) fn note_start(self: &Arc<Self>, place: &mut Place, environment: &Arc<Environment>) {
        place.started = Some(Arc::clone(environment));
        let mut state = self.lock();
        state.starting -= 1;
        let revision = state.revision(&place.spec);
        revision.starting -= 1;
        revision.forks = environment.origin.way.is_fork();
        revision.environments.push(Arc::clone(environment));
        Pace::blend(&mut revision.pace.start_us, environment.took_ms.max(1.0) * 1000.0);
        let saturated = (self.is_saturated)();
        let wanted = state.waiting.iter().find(|waiting| {
            let revision = state.revisions.get(&waiting.job.spec);
            revision.is_some_and(|revision| {
                state.may_start(&waiting.job.spec)
                    && revision.wants_start(self.starts_max)
                    && !(saturated && revision.taken > 0 && !revision.forks)
            })
        });
        let wanted = wanted.map(|waiting| Arc::clone(&waiting.job.spec));
        if state.taken < self.slots_max
            && let Some(spec) = wanted
            && let Some(job) = state.next_waiting(|job| job.spec == spec)
        {
            let place = self.place(&mut state, &job.spec);
            drop(state);
            (self.run)(place, job);
        }
    }

    /// Takes the next jobs for a slot that has ended an event, if it `ran` one, and has `told`
    /// others at hand; takes the slot back if there is nothing for it.
    pub(crate) fn next(
        &self,
        lease: Box<Lease>,
        now: Time,
        ran: Option<Ran>,
        told: usize,
    ) -> Option<(Box<Lease>, Vec<Job>)> {
        let mut state = self.lock();
        let spec = &lease.slot.spec;
        if let Some(Ran { millis, memory_mb }) = ran {
            let revision = state.revision(spec);
            Pace::blend(&mut revision.pace.event_us, millis * 1000.0);
            Pace::blend(&mut revision.memory_mb, memory_mb);
        }
        let jobs = state.next_for(spec, now, told, self.slots_brief);
        if told > 0 || !jobs.is_empty() {
            return Some((lease, jobs));
        }
        let retired = state.revision(spec).retired;
        // Others may wait for a place: this one's, once the slot has ended.
        if retired || (!state.waiting.is_empty() && state.taken >= self.slots_max) {
            drop(state);
            drop(lease);
            return None;
        }
        state.idle += 1;
        let idle = Idle { lease: *lease, since: now, frozen: false };
        let spec = Arc::clone(&idle.lease.slot.spec);
        state.revision(&spec).idle.push(idle);
        drop(state);
        self.thawed.notify_one();
        None
    }

    /// Notes that slots of a revision are forked from now on.
    pub(crate) fn note_template(&self, spec: &FunctionSpec) {
        if let Some(revision) = self.lock().revisions.get_mut(spec) {
            revision.forks = true;
            // What was measured are starts that had to load it.
            revision.pace.start_us = 0.0;
        }
    }

    /// How many slots of a revision are up.
    pub(crate) fn up(&self, spec: &FunctionSpec) -> usize {
        let state = self.lock();
        state.revisions.get(spec).map_or(0, |revision| revision.taken - revision.starting)
    }

    /// Takes the processor from slots that are idle since `since` or longer: what a handler left
    /// running goes on with the next event. A debugger must be answered. Whether there are others,
    /// to be frozen later.
    pub(crate) fn freeze(&self, since: Time) -> bool {
        let mut later = false;
        let mut state = self.lock();
        let State { revisions, single, .. } = &mut *state;
        let all = revisions.iter_mut().filter(|(spec, _)| !single.contains(&spec.name));
        let all = all.flat_map(|(_, revision)| &mut revision.idle);
        for idle in all.filter(|idle| !idle.frozen) {
            if idle.since <= since {
                idle.frozen = true;
                idle.lease.slot.freeze(true);
            } else {
                later = true;
            }
        }
        later
    }

    /// Every revision that has slots, with how many are idle and how many run an event or are being
    /// started, and those that are up.
    pub(crate) fn each(&self) -> Vec<(Arc<FunctionSpec>, usize, usize, Vec<Environs>)> {
        let state = self.lock();
        let each = state.revisions.iter();
        let each =
            each.map(|(spec, one)| (spec.clone(), one.idle.len(), one.busy(), one.environments()));
        each.collect()
    }

    /// How many slots of a revision run an event or are being started.
    pub(crate) fn busy(&self, spec: &FunctionSpec) -> usize {
        self.lock().revisions.get(spec).map_or(0, Revision::busy)
    }

    /// `(idle, frozen, busy, waiting)`; the frozen are idle, too.
    pub(crate) fn count(&self) -> (usize, usize, usize, usize) {
        let state = self.lock();
        let idle = state.revisions.values().flat_map(|revision| &revision.idle);
        let frozen = idle.filter(|idle| idle.frozen).count();
        (state.idle, frozen, state.taken - state.idle, state.waiting.len())
    }

    fn free(self: &Arc<Self>, spec: &Arc<FunctionSpec>, started: Option<&Arc<Environment>>) {
        let mut state = self.lock();
        state.taken -= 1;
        let revision = state.revision(spec);
        revision.taken -= 1;
        match started {
            Some(ended) => revision.environments.retain(|one| !Arc::ptr_eq(one, ended)),
            None => revision.starting -= 1,
        }
        let nobody = revision.taken == 0 && revision.waiting == 0;
        state.starting -= usize::from(started.is_none());
        if nobody {
            state.revisions.remove(spec);
        }
        // Whoever waits longest may start a slot in its stead. Not where the place was made free
        // for somebody, who has it already.
        let mut waiting = state.waiting.iter().map(|waiting| &waiting.job.spec);
        let wanted = waiting.find(|spec| state.may_start(spec)).map(Arc::clone);
        if state.taken < self.slots_max
            && let Some(spec) = wanted
            && let Some(job) = state.next_waiting(|job| job.spec == spec)
        {
            let place = self.place(&mut state, &job.spec);
            drop(state);
            (self.run)(place, job);
        }
    }
}

impl Place {
    pub(crate) fn spec(&self) -> &Arc<FunctionSpec> {
        &self.spec
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.free(&self.spec, self.started.as_ref());
    }
}
