//! Who runs where: the idle slots of each revision, the limit for all of them, and the line of
//! jobs that wait.
//!
//! A slot that ends an event takes the job that waits longest for its revision, at once and in
//! the same task. Where the limit is reached, the slot idle for longest makes room.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base::{Arn, Time};

use crate::host::Job;
use crate::slot::Slot;
use crate::{Config, FunctionSpec, HostError};

/// What an event costs besides the handler's own time.
const OVERHEAD_US: f64 = 50.0;

pub(crate) struct Places {
    slots_max: usize,
    slots_eager: usize,
    waiting_max: usize,
    /// Runs a job that waited until somebody's place was free.
    run: Box<dyn Fn(Place, Job) + Send + Sync>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    functions: HashMap<Arn, HashMap<String, Revision>>,
    /// Places taken: slots that are idle, busy or being started.
    taken: usize,
    idle: usize,
    waiting: VecDeque<Waiting>,
}

#[derive(Default)]
struct Revision {
    /// The last one used is the first to be used again, so that the others can end.
    idle: Vec<Idle>,
    taken: usize,
    waiting: usize,
    pace: Pace,
    /// Somebody looks after those who wait for a busy slot by choice.
    watched: bool,
    /// Its slots end after the event they run.
    retired: bool,
}

struct Idle {
    lease: Lease,
    since: Time,
}

struct Waiting {
    job: Job,
    since: Time,
}

/// The right to one slot of a revision, counted against the limit until it is dropped.
pub(crate) struct Place {
    places: Arc<Places>,
    spec: Arc<FunctionSpec>,
}

/// A slot with its place. The slot comes first: it ends before its place is free again.
pub(crate) struct Lease {
    pub(crate) slot: Slot,
    pub(crate) _place: Place,
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

/// How fast a revision runs and starts, measured: whether to wait for a busy slot or start another.
#[derive(Clone, Copy, Default)]
struct Pace {
    event_us: f64,
    start_us: f64,
}

impl Pace {
    fn blend(average: &mut f64, sample: f64) {
        *average = if *average == 0.0 { sample } else { *average * 0.9 + sample * 0.1 };
    }

    /// How long to wait for one of `slots` with `ahead` jobs in front; `None` if a new slot is up
    /// sooner. Short functions then run on few slots, which stay warm in every cache.
    fn patience(&self, slots: usize, ahead: usize) -> Option<Duration> {
        if self.event_us == 0.0 || self.start_us == 0.0 {
            return None;
        }
        #[expect(clippy::cast_precision_loss, reason = "a few hundred slots, a thousand waiting")]
        let turns = (ahead + 1) as f64 / slots as f64;
        let wait_us = (self.event_us + OVERHEAD_US) * turns;
        // A running event may be an unusually long one, or wait for this very job: after twice the
        // time of a start, another slot is started all the same.
        (wait_us < self.start_us).then(|| Duration::from_secs_f64(self.start_us * 2.0 / 1e6))
    }
}

impl Places {
    pub(crate) fn new(config: &Config, run: impl Fn(Place, Job) + Send + Sync + 'static) -> Places {
        let Config { slots_max, slots_eager, waiting_max, .. } = *config;
        Places { slots_max, slots_eager, waiting_max, run: Box::new(run), state: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for a slot of the job's revision, or the right to start one; otherwise the job waits.
    pub(crate) fn ask(self: &Arc<Self>, job: Job, now: Time) -> Asked {
        let mut state = self.lock();
        let revision = state.revision(&job.spec);
        if let Some(Idle { lease, .. }) = revision.idle.pop() {
            state.idle -= 1;
            return Asked::Granted(Grant::Slot(Box::new(lease)), job);
        }
        let eager = revision.taken < self.slots_eager;
        let patience = revision.pace.patience(revision.taken, revision.waiting);
        let patience = patience.filter(|_| !eager);
        if patience.is_none()
            && let Some((place, evicted)) = self.take_place(&mut state, &job.spec)
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

    /// The job of a revision that waits longest, if it does so for `patience` and a slot may be
    /// started for it. `Err`: nobody waits any more, and the next one to wait is to be looked
    /// after anew.
    pub(crate) fn insist(
        self: &Arc<Self>,
        spec: &Arc<FunctionSpec>,
        now: Time,
        patience: Duration,
    ) -> Result<Option<(Place, Job)>, ()> {
        let mut state = self.lock();
        let mut waiting = state.waiting.iter();
        let Some(at) = waiting.position(|waiting| same(&waiting.job.spec, spec)) else {
            if let Some(revision) = state.known(spec) {
                revision.watched = false;
            }
            return Err(());
        };
        if now.since(state.waiting[at].since) < patience {
            return Ok(None);
        }
        let Some((place, evicted)) = self.take_place(&mut state, spec) else { return Ok(None) };
        let job = state.next_waiting(|job| same(&job.spec, spec));
        drop(state);
        drop(evicted);
        Ok(job.map(|job| (place, job)))
    }

    /// A place, made free by ending the slot idle for longest if need be.
    fn take_place(
        self: &Arc<Self>,
        state: &mut State,
        spec: &Arc<FunctionSpec>,
    ) -> Option<(Place, Option<Lease>)> {
        let mut evicted = None;
        if state.taken >= self.slots_max {
            evicted = Some(state.evict()?);
        }
        Some((self.place(state, spec), evicted))
    }

    fn place(self: &Arc<Self>, state: &mut State, spec: &Arc<FunctionSpec>) -> Place {
        state.taken += 1;
        state.revision(spec).taken += 1;
        Place { places: Arc::clone(self), spec: Arc::clone(spec) }
    }

    /// Notes how long a start took, from the decision to the slot.
    pub(crate) fn note_start(&self, spec: &FunctionSpec, millis: f64) {
        Pace::blend(&mut self.lock().revision(spec).pace.start_us, millis * 1000.0);
    }

    /// Gives a slot back after an event that took `millis`, or takes the next job for it.
    pub(crate) fn next(
        &self,
        lease: Box<Lease>,
        now: Time,
        millis: f64,
    ) -> Option<(Box<Lease>, Job)> {
        let mut state = self.lock();
        let spec = &lease.slot.spec;
        let revision = state.revision(spec);
        Pace::blend(&mut revision.pace.event_us, millis * 1000.0);
        let (retired, waiting) = (revision.retired, revision.waiting);
        if !retired && waiting > 0 {
            let job = state.next_waiting(|job| same(&job.spec, spec));
            return job.map(|job| (lease, job));
        }
        // Others may wait for a place: this one's, once the slot has ended.
        if retired || (!state.waiting.is_empty() && state.taken >= self.slots_max) {
            drop(state);
            drop(lease);
            return None;
        }
        state.idle += 1;
        let idle = Idle { lease: *lease, since: now };
        let spec = Arc::clone(&idle.lease.slot.spec);
        state.revision(&spec).idle.push(idle);
        None
    }

    /// Ends the slots of every revision of a function but one.
    pub(crate) fn retire(&self, function: &Arn, keep: Option<&str>) {
        let mut ended = Vec::new();
        let mut state = self.lock();
        let Some(revisions) = state.functions.get_mut(function) else { return };
        for (name, revision) in revisions {
            if keep != Some(name.as_str()) {
                revision.retired = true;
                ended.append(&mut revision.idle);
            }
        }
        state.idle -= ended.len();
        drop(state);
    }

    /// Ends the slots that are idle since `since` or longer.
    pub(crate) fn end_idle(&self, since: Time) {
        let mut ended = Vec::new();
        let mut state = self.lock();
        for revision in state.functions.values_mut().flat_map(HashMap::values_mut) {
            let kept = revision.idle.iter().position(|idle| idle.since > since);
            ended.extend(revision.idle.drain(..kept.unwrap_or(revision.idle.len())));
        }
        state.idle -= ended.len();
        drop(state);
    }

    /// `(idle, busy, waiting)`.
    pub(crate) fn count(&self) -> (usize, usize, usize) {
        let state = self.lock();
        (state.idle, state.taken - state.idle, state.waiting.len())
    }

    fn free(self: &Arc<Self>, spec: &FunctionSpec) {
        let mut state = self.lock();
        state.taken -= 1;
        let revision = state.revision(spec);
        revision.taken -= 1;
        if revision.taken == 0 && revision.waiting == 0 {
            state.forget(spec);
        }
        // Whoever waits longest may start a slot in its stead. Not where the place was made free
        // for somebody, who has it already.
        if state.taken < self.slots_max
            && let Some(job) = state.next_waiting(|_| true)
        {
            let place = self.place(&mut state, &job.spec);
            drop(state);
            (self.run)(place, job);
        }
    }
}

impl State {
    fn known(&mut self, spec: &FunctionSpec) -> Option<&mut Revision> {
        self.functions.get_mut(&spec.arn)?.get_mut(&spec.revision)
    }

    fn revision(&mut self, spec: &FunctionSpec) -> &mut Revision {
        // Looked up by reference first: this is on the path of every event.
        if self.known(spec).is_none() {
            let all = self.functions.entry(spec.arn.clone()).or_default();
            all.insert(spec.revision.clone(), Revision::default());
        }
        self.known(spec).expect("inserted above")
    }

    fn forget(&mut self, spec: &FunctionSpec) {
        if let Some(all) = self.functions.get_mut(&spec.arn) {
            all.remove(&spec.revision);
            if all.is_empty() {
                self.functions.remove(&spec.arn);
            }
        }
    }

    /// Takes the job that waits longest among those that fit.
    fn next_waiting(&mut self, fits: impl Fn(&Job) -> bool) -> Option<Job> {
        let at = self.waiting.iter().position(|waiting| fits(&waiting.job))?;
        let Waiting { job, .. } = self.waiting.remove(at)?;
        self.revision(&job.spec).waiting -= 1;
        Some(job)
    }

    /// The slot that is idle for longest.
    fn evict(&mut self) -> Option<Lease> {
        let oldest = |revision: &Revision| revision.idle.first().map(|idle| idle.since);
        let all = self.functions.values_mut().flat_map(HashMap::values_mut);
        let found = all.filter(|revision| !revision.idle.is_empty()).min_by_key(|r| oldest(r))?;
        let Idle { lease, .. } = found.idle.remove(0);
        self.idle -= 1;
        Some(lease)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.free(&self.spec);
    }
}

fn same(one: &FunctionSpec, other: &FunctionSpec) -> bool {
    std::ptr::eq(one, other) || (one.arn == other.arn && one.revision == other.revision)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_waits_for_a_busy_slot_only_while_a_new_one_takes_longer() {
        let pace = |event_us, start_us| Pace { event_us, start_us };
        let wait = Some(Duration::from_millis(4));
        for (pace, slots, ahead, expected) in [
            (pace(0.0, 0.0), 1, 0, None), // nothing is known yet
            (pace(50.0, 2_000.0), 1, 0, wait),
            (pace(50.0, 2_000.0), 1, 18, wait),
            (pace(50.0, 2_000.0), 1, 19, None),
            (pace(50.0, 2_000.0), 2, 19, wait),
            (pace(3_000.0, 2_000.0), 1, 0, None),
        ] {
            assert_eq!(pace.patience(slots, ahead), expected, "{slots} slots, {ahead} ahead");
        }
    }
}
