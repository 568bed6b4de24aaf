//! Who runs where: the idle slots of each revision, the limit for all of them, and the line of
//! those who wait.
//!
//! A slot is handed from the invocation that ends to the one that waits longest for its revision.
//! Where the limit is reached, the slot idle for longest makes room.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base::{Arn, Time};
use tokio::sync::oneshot;

use crate::slot::Slot;
use crate::{Config, FunctionSpec, HostError};

/// A slot that costs less than this to wait for than to start is waited for; see [`Pace`].
const OVERHEAD_US: f64 = 50.0;

pub(crate) struct Places {
    slots_max: usize,
    waiting_max: usize,
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
    /// Its slots end after the event they run.
    retired: bool,
}

struct Idle {
    lease: Lease,
    since: Time,
}

struct Waiting {
    spec: Arc<FunctionSpec>,
    give: oneshot::Sender<Grant>,
}

/// The right to one slot of a revision, counted against the limit until it is dropped.
pub(crate) struct Place {
    places: Arc<Places>,
    spec: Arc<FunctionSpec>,
    counted: bool,
}

/// A slot with its place. The slot comes first: it ends before its place is free again.
pub(crate) struct Lease {
    pub(crate) slot: Slot,
    pub(crate) _place: Place,
}

/// What an invocation gets.
pub(crate) enum Grant {
    /// A slot that has loaded the function.
    Slot(Box<Lease>),
    /// The right to start one.
    Place(Place),
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

    /// How long to wait for one of `slots` with `ahead` invocations in front; `None` if a new slot
    /// is up sooner. Short functions then run on few slots, which stay warm in every cache.
    fn patience(&self, slots: usize, ahead: usize) -> Option<Duration> {
        if slots == 0 || self.event_us == 0.0 || self.start_us == 0.0 {
            return None;
        }
        #[expect(clippy::cast_precision_loss, reason = "a few hundred slots, a thousand waiting")]
        let turns = (ahead + 1) as f64 / slots as f64;
        let wait_us = (self.event_us + OVERHEAD_US) * turns;
        // A running event may be an unusually long one, or wait for this very invocation: after
        // twice the time of a start, another slot is started all the same.
        (wait_us < self.start_us).then(|| Duration::from_secs_f64(self.start_us * 2.0 / 1e6))
    }
}

/// What [`Places::ask`] found.
pub(crate) enum Asked {
    Granted(Grant),
    /// Wait here; after `patience`, if given, ask [`Places::insist`].
    Wait {
        answer: oneshot::Receiver<Grant>,
        patience: Option<Duration>,
    },
}

impl Places {
    pub(crate) fn new(config: &Config) -> Places {
        let Config { slots_max, waiting_max, .. } = *config;
        Places { slots_max, waiting_max, state: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for a slot of a revision, or the right to start one.
    pub(crate) fn ask(self: &Arc<Self>, spec: &Arc<FunctionSpec>) -> Result<Asked, HostError> {
        let mut state = self.lock();
        let revision = state.revision(spec);
        if let Some(Idle { lease, .. }) = revision.idle.pop() {
            state.idle -= 1;
            return Ok(Asked::Granted(Grant::Slot(Box::new(lease))));
        }
        let patience = revision.pace.patience(revision.taken, revision.waiting);
        if patience.is_none()
            && let Some((place, evicted)) = self.take_place(&mut state, spec)
        {
            drop(state);
            drop(evicted);
            return Ok(Asked::Granted(Grant::Place(place)));
        }
        if state.waiting.len() >= self.waiting_max {
            return Err(HostError::Throttled { reason: "ConcurrentInvocationLimitExceeded" });
        }
        let (give, answer) = oneshot::channel();
        state.revision(spec).waiting += 1;
        state.waiting.push_back(Waiting { spec: Arc::clone(spec), give });
        Ok(Asked::Wait { answer, patience })
    }

    /// Asks again, for the right to start a slot, after patience has ended. `None`: keep waiting.
    pub(crate) fn insist(
        self: &Arc<Self>,
        spec: &Arc<FunctionSpec>,
        answer: &mut oneshot::Receiver<Grant>,
    ) -> Option<Grant> {
        let mut state = self.lock();
        // It may have been granted in this moment.
        if let Ok(grant) = answer.try_recv() {
            return Some(grant);
        }
        let (place, evicted) = self.take_place(&mut state, spec)?;
        answer.close();
        state.forget_gone();
        drop(state);
        drop(evicted);
        Some(Grant::Place(place))
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
        Place { places: Arc::clone(self), spec: Arc::clone(spec), counted: true }
    }

    /// Notes how long a start took, from the decision to the slot.
    pub(crate) fn note_start(&self, spec: &FunctionSpec, millis: f64) {
        Pace::blend(&mut self.lock().revision(spec).pace.start_us, millis * 1000.0);
    }

    /// Gives a slot back after an event that took `millis`.
    pub(crate) fn give_back(&self, lease: Lease, now: Time, millis: f64) {
        let mut state = self.lock();
        let spec = Arc::clone(&lease.slot.spec);
        let revision = state.revision(&spec);
        Pace::blend(&mut revision.pace.event_us, millis * 1000.0);
        if revision.retired {
            drop(state);
            return drop(lease);
        }
        let mut grant = Grant::Slot(Box::new(lease));
        while let Some(give) = state.next_waiting(|waiting| same(&waiting.spec, &spec)) {
            match give.give.send(grant) {
                Ok(()) => return,
                Err(back) => grant = back,
            }
        }
        let Grant::Slot(lease) = grant else { unreachable!("send gives back what it was given") };
        if state.waiting.is_empty() || state.taken < self.slots_max {
            state.idle += 1;
            state.revision(&spec).idle.push(Idle { lease: *lease, since: now });
        } else {
            // Others wait for a place: this one's, once the slot has ended.
            drop(state);
        }
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

    /// Ends the slots that are idle since before `since`.
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
        while state.taken < self.slots_max
            && let Some(waiting) = state.next_waiting(|_| true)
        {
            let place = self.place(&mut state, &waiting.spec);
            match waiting.give.send(Grant::Place(place)) {
                Ok(()) => return,
                // Not just dropped: that would lock again.
                Err(Grant::Place(place)) => state.undo(place),
                Err(Grant::Slot(_)) => unreachable!("send gives back what it was given"),
            }
        }
    }
}

impl State {
    fn revision(&mut self, spec: &FunctionSpec) -> &mut Revision {
        // Looked up by reference first: this is on the path of every event.
        if !self.functions.get(&spec.arn).is_some_and(|all| all.contains_key(&spec.revision)) {
            let all = self.functions.entry(spec.arn.clone()).or_default();
            all.insert(spec.revision.clone(), Revision::default());
        }
        let all = self.functions.get_mut(&spec.arn).expect("inserted above");
        all.get_mut(&spec.revision).expect("inserted above")
    }

    fn forget(&mut self, spec: &FunctionSpec) {
        if let Some(all) = self.functions.get_mut(&spec.arn) {
            all.remove(&spec.revision);
            if all.is_empty() {
                self.functions.remove(&spec.arn);
            }
        }
    }

    /// Takes the one that waits longest among those that fit.
    fn next_waiting(&mut self, fits: impl Fn(&Waiting) -> bool) -> Option<Waiting> {
        let at = self.waiting.iter().position(fits)?;
        let waiting = self.waiting.remove(at)?;
        self.revision(&waiting.spec).waiting -= 1;
        Some(waiting)
    }

    fn forget_gone(&mut self) {
        while self.next_waiting(|waiting| waiting.give.is_closed()).is_some() {}
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

    /// Takes a place back that nobody got.
    fn undo(&mut self, mut place: Place) {
        self.taken -= 1;
        self.revision(&place.spec).taken -= 1;
        place.counted = false;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.counted {
            self.places.free(&self.spec);
        }
    }
}

fn same(one: &FunctionSpec, other: &FunctionSpec) -> bool {
    std::ptr::eq(one, other) || (one.arn == other.arn && one.revision == other.revision)
}
