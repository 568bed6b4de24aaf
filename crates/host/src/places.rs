//! Who runs where: the idle slots of each revision, the limit for all of them, and the line of
//! jobs that wait.
//!
//! A slot that ends an event takes the job that waits longest for its revision, at once and in
//! the same task; several at once where events are so brief that waking a process costs more.
//! Where the limit is reached, the slot idle for longest makes room.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base::{Arn, Time};
use tokio::sync::Notify;

use crate::host::Job;
use crate::slot::Slot;
use crate::{Config, FunctionSpec, HostError};

/// What an event costs besides the handler's own time.
const OVERHEAD_US: f64 = 50.0;
/// A handler that is done sooner than this computes and waits for nothing. Waking another process
/// for its event costs more than the event.
const BRIEF_US: f64 = 200.0;
/// How long an event may wait for others that are brief before one more slot is woken for it.
const BRIEF_WAIT: Duration = Duration::from_millis(2);
/// The same where every processor has its slots already, so that one more helps only if the others
/// turn out not to be brief.
const STUCK_WAIT: Duration = Duration::from_millis(20);
/// Brief events handed to a slot before the first of them has ended, so that the worker finds the
/// next one without going to sleep. They wait for that first one, however long it takes. More are
/// handed over when it has half of them left: in twos, and before it runs dry.
const TOLD_MAX: usize = 4;
/// How long an event waits for starts that are under way before one more is begun beside as many
/// as should be.
const START_WAIT: Duration = Duration::from_secs(2);
/// Larger events are handed over one by one.
const TOLD_BYTES_MAX: usize = 4 * 1024;

pub(crate) struct Places {
    slots_max: usize,
    slots_eager: usize,
    slots_brief: usize,
    starts_max: usize,
    is_saturated: fn() -> bool,
    waiting_max: usize,
    /// Runs a job that waited until somebody's place was free.
    run: Box<dyn Fn(Place, Job) + Send + Sync>,
    state: Mutex<State>,
    /// Told when a slot has become idle.
    pub(crate) thawed: Arc<Notify>,
}

#[derive(Default)]
struct State {
    revisions: HashMap<Arc<FunctionSpec>, Revision>,
    /// Slots that are kept ready, whether they are used or not.
    provisioned: HashMap<Arc<FunctionSpec>, usize>,
    /// Places taken: slots that are idle, busy or being started.
    taken: usize,
    /// Those among the taken that are being started.
    starting: usize,
    idle: usize,
    waiting: VecDeque<Waiting>,
}

#[derive(Default)]
struct Revision {
    /// The last one used is the first to be used again, so that the others can end.
    idle: Vec<Idle>,
    taken: usize,
    /// Those among the taken that are being started.
    starting: usize,
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
    frozen: bool,
}

struct Waiting {
    job: Job,
    since: Time,
}

/// The right to one slot of a revision, counted against the limit until it is dropped.
pub(crate) struct Place {
    places: Arc<Places>,
    spec: Arc<FunctionSpec>,
    started: bool,
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

    fn is_brief(&self) -> bool {
        (f64::MIN_POSITIVE..BRIEF_US).contains(&self.event_us)
    }
}

impl Places {
    pub(crate) fn new(config: &Config, run: impl Fn(Place, Job) + Send + Sync + 'static) -> Places {
        Places {
            slots_max: config.slots_max,
            slots_eager: config.slots_eager,
            slots_brief: config.slots_brief,
            starts_max: config.starts_max,
            is_saturated: config.is_saturated,
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
            && let Some(lease) = state.take_idle(&job.spec)
        {
            return Asked::Granted(Grant::Slot(lease), job);
        }
        let revision = state.revision(&job.spec);
        let eager = revision.taken < self.slots_eager;
        let patience = revision.pace.patience(revision.taken, revision.waiting);
        let patience = brief.or_else(|| patience.filter(|_| !eager));
        // Processes that start beside each other slow each other down; the first one that is up
        // serves many. Asking the system is dear, so it comes last.
        let (starting, taken) = (revision.starting, revision.taken);
        let patience = patience.or_else(|| {
            let crowd = starting >= self.starts_max
                || state.starting >= 2 * self.starts_max
                || taken > 0 && (self.is_saturated)();
            crowd.then_some(START_WAIT)
        });
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
        if let Some(lease) = state.take_idle(spec) {
            let job = state.next_waiting(|job| job.spec == *spec);
            return Ok(job.map(|job| (Grant::Slot(lease), job)));
        }
        let Some((place, evicted)) = self.take_place(&mut state, spec) else { return Ok(None) };
        let job = state.next_waiting(|job| job.spec == *spec);
        drop(state);
        drop(evicted);
        Ok(job.map(|job| (Grant::Place(place), job)))
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
        state.starting += 1;
        let revision = state.revision(spec);
        revision.taken += 1;
        revision.starting += 1;
        Place { places: Arc::clone(self), spec: Arc::clone(spec), started: false }
    }

    /// Notes that a slot is up, and how long that took from the decision on. The next one may be
    /// started, where one is still wanted.
    pub(crate) fn note_start(self: &Arc<Self>, place: &mut Place, millis: f64) {
        place.started = true;
        let mut state = self.lock();
        state.starting -= 1;
        let revision = state.revision(&place.spec);
        revision.starting -= 1;
        Pace::blend(&mut revision.pace.start_us, millis * 1000.0);
        let saturated = (self.is_saturated)();
        let wanted = state.waiting.iter().find(|waiting| {
            let revision = state.revisions.get(&waiting.job.spec);
            revision.is_some_and(|revision| {
                revision.wants_start(self.starts_max) && !(saturated && revision.taken > 0)
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

    /// Takes the next jobs for a slot that has ended an event, which took `millis`, and has `told`
    /// others at hand; takes the slot back if there is nothing for it.
    pub(crate) fn next(
        &self,
        lease: Box<Lease>,
        now: Time,
        millis: f64,
        told: usize,
    ) -> Option<(Box<Lease>, Vec<Job>)> {
        let mut state = self.lock();
        let spec = &lease.slot.spec;
        if millis > 0.0 {
            Pace::blend(&mut state.revision(spec).pace.event_us, millis * 1000.0);
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

    /// Ends the slots of every revision of a function but one.
    pub(crate) fn retire(&self, function: &Arn, keep: Option<&str>) {
        let mut ended = Vec::new();
        let mut state = self.lock();
        for (spec, revision) in &mut state.revisions {
            if spec.arn == *function && keep != Some(spec.revision.as_str()) {
                revision.retired = true;
                ended.append(&mut revision.idle);
            }
        }
        state.idle -= ended.len();
        drop(state);
    }

    /// Ends the slots that are idle since `since` or longer, but for those that are provisioned.
    pub(crate) fn end_idle(&self, since: Time) {
        let mut ended = Vec::new();
        let mut state = self.lock();
        let State { revisions, provisioned, .. } = &mut *state;
        for (spec, revision) in revisions {
            let floor = provisioned.get(spec).copied().unwrap_or(0);
            let old = revision.idle.iter().position(|idle| idle.since > since);
            let old = old.unwrap_or(revision.idle.len());
            ended.extend(revision.idle.drain(..old.min(revision.taken.saturating_sub(floor))));
        }
        state.idle -= ended.len();
        drop(state);
    }

    /// Keeps so many slots of these revisions, and none of others.
    pub(crate) fn provision(&self, wanted: HashMap<Arc<FunctionSpec>, usize>) {
        self.lock().provisioned = wanted;
    }

    /// The right to start a slot that is provisioned and missing.
    pub(crate) fn take_provisioned(self: &Arc<Self>) -> Option<Place> {
        let mut state = self.lock();
        if state.taken >= self.slots_max {
            return None;
        }
        let taken = |spec: &Arc<FunctionSpec>| {
            state.revisions.get(spec).map_or(0, |revision| revision.taken)
        };
        let mut all = state.provisioned.iter();
        let spec = all.find(|(spec, wanted)| taken(spec) < **wanted).map(|(spec, _)| spec)?;
        let spec = Arc::clone(spec);
        Some(self.place(&mut state, &spec))
    }

    /// How many slots of a revision are up.
    pub(crate) fn up(&self, spec: &FunctionSpec) -> usize {
        let state = self.lock();
        state.revisions.get(spec).map_or(0, |revision| revision.taken - revision.starting)
    }

    /// Takes the processor from slots that are idle since `since` or longer: what a handler left
    /// running goes on with the next event. Whether there are others, to be frozen later.
    pub(crate) fn freeze(&self, since: Time) -> bool {
        let mut later = false;
        let mut state = self.lock();
        let all = state.revisions.values_mut().flat_map(|revision| &mut revision.idle);
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
    /// started.
    pub(crate) fn each(&self) -> Vec<(Arc<FunctionSpec>, usize, usize)> {
        let state = self.lock();
        let each = state.revisions.iter();
        each.map(|(spec, one)| (Arc::clone(spec), one.idle.len(), one.busy())).collect()
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

    fn free(self: &Arc<Self>, spec: &Arc<FunctionSpec>, started: bool) {
        let mut state = self.lock();
        state.taken -= 1;
        let revision = state.revision(spec);
        revision.taken -= 1;
        revision.starting -= usize::from(!started);
        let nobody = revision.taken == 0 && revision.waiting == 0;
        state.starting -= usize::from(!started);
        if nobody {
            state.revisions.remove(spec);
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

impl Revision {
    /// Slots that run an event or are being started.
    fn busy(&self) -> usize {
        self.taken - self.idle.len()
    }

    /// Whether those who wait are better off with one more slot.
    fn wants_start(&self, starts_max: usize) -> bool {
        let ahead = self.waiting.saturating_sub(1);
        self.starting < starts_max && self.pace.patience(self.taken, ahead).is_none()
    }
}

impl State {
    fn revision(&mut self, spec: &Arc<FunctionSpec>) -> &mut Revision {
        // Looked up by reference first: this is on the path of every event.
        if !self.revisions.contains_key(spec) {
            self.revisions.insert(Arc::clone(spec), Revision::default());
        }
        self.revisions.get_mut(spec).expect("inserted above")
    }

    /// Takes the job that waits longest among those that fit.
    fn next_waiting(&mut self, fits: impl Fn(&Job) -> bool) -> Option<Job> {
        let at = self.waiting.iter().position(|waiting| fits(&waiting.job))?;
        let Waiting { job, .. } = self.waiting.remove(at)?;
        self.revision(&job.spec).waiting -= 1;
        Some(job)
    }

    /// What a slot gets next that has ended an event and has `told` others at hand.
    fn next_for(
        &mut self,
        spec: &Arc<FunctionSpec>,
        now: Time,
        told: usize,
        slots_brief: usize,
    ) -> Vec<Job> {
        let revision = self.revision(spec);
        if revision.retired || revision.waiting == 0 || told > TOLD_MAX / 2 {
            return Vec::new();
        }
        let brief = revision.pace.is_brief();
        // More are awake than brief events need: this one may sleep if nobody waits for long, and
        // somebody sees to it that nobody will.
        let surplus = brief && told == 0 && revision.watched && revision.busy() > slots_brief;
        let longest = self.waiting.iter().find(|waiting| waiting.job.spec == *spec);
        if surplus && longest.is_some_and(|waiting| now.since(waiting.since) < BRIEF_WAIT / 2) {
            return Vec::new();
        }
        let room = if brief { TOLD_MAX } else { 1 }.saturating_sub(told);
        let mut jobs = Vec::new();
        while jobs.len() < room {
            let first = told + jobs.len() == 0;
            let fits = |job: &Job| first || job.event.payload.len() <= TOLD_BYTES_MAX;
            let Some(job) = self.next_waiting(|job| job.spec == *spec && fits(job)) else { break };
            jobs.push(job);
        }
        jobs
    }

    /// The slot of a revision that was used last.
    fn take_idle(&mut self, spec: &FunctionSpec) -> Option<Box<Lease>> {
        let Idle { mut lease, frozen, .. } = self.revisions.get_mut(spec)?.idle.pop()?;
        self.idle -= 1;
        if frozen {
            lease.slot.freeze(false);
        }
        Some(Box::new(lease))
    }

    /// The slot that is idle for longest.
    fn evict(&mut self) -> Option<Lease> {
        let oldest = |revision: &Revision| revision.idle.first().map(|idle| idle.since);
        let all = self.revisions.values_mut();
        let found = all.filter(|revision| !revision.idle.is_empty()).min_by_key(|r| oldest(r))?;
        let Idle { lease, .. } = found.idle.remove(0);
        self.idle -= 1;
        Some(lease)
    }
}

impl Place {
    pub(crate) fn spec(&self) -> &Arc<FunctionSpec> {
        &self.spec
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.free(&self.spec, self.started);
    }
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
