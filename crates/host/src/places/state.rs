//! The slots of each revision, and the jobs that wait.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use base::{Arn, Time};

use super::pace::Pace;
use super::{BRIEF_WAIT, Lease};
use crate::FunctionSpec;
use crate::arrivals::{Arrivals, GAP_MIN};
use crate::environment::{Doing, Environment, Environs};
use crate::host::Job;

/// Brief events handed to a slot before the first of them has ended, so that the worker finds the
/// next one without going to sleep. They wait for that first one, however long it takes. More are
/// handed over when it has half of them left: in twos, and before it runs dry.
const TOLD_MAX: usize = 4;
/// Larger events are handed over one by one.
const TOLD_BYTES_MAX: usize = 4 * 1024;

#[derive(Default)]
pub(super) struct State {
    pub(super) revisions: HashMap<Arc<FunctionSpec>, Revision>,
    /// What is known of functions, also of those that have no slot now.
    pub(super) known: HashMap<Arn, Known>,
    /// Slots that are kept ready, whether they are used or not.
    pub(super) provisioned: HashMap<Arc<FunctionSpec>, usize>,
    /// Functions that have one slot, which stays: those that are debugged.
    pub(super) single: HashSet<String>,
    /// Places taken: slots that are idle, busy or being started.
    pub(super) taken: usize,
    /// Those among the taken that are being started.
    pub(super) starting: usize,
    pub(super) idle: usize,
    pub(super) waiting: VecDeque<Waiting>,
}

#[derive(Default)]
pub(super) struct Revision {
    /// The last one used is the first to be used again, so that the others can end.
    pub(super) idle: Vec<Idle>,
    pub(super) taken: usize,
    /// Those among the taken that are being started.
    pub(super) starting: usize,
    /// The others.
    pub(super) environments: Vec<Arc<Environment>>,
    pub(super) waiting: usize,
    pub(super) pace: Pace,
    /// What a slot of it has used, in the mean.
    pub(super) memory_mb: f64,
    /// Somebody looks after those who wait for a busy slot by choice.
    pub(super) watched: bool,
    /// Its slots are forked, which is brief work even where there is much.
    pub(super) forks: bool,
    /// Its slots end after the event they run.
    pub(super) retired: bool,
}

pub(super) struct Idle {
    pub(super) lease: Lease,
    pub(super) since: Time,
    pub(super) frozen: bool,
}

/// A function and its habits.
#[derive(Default)]
pub(super) struct Known {
    arrivals: Arrivals,
    /// The revision that was used last, if it is not retired.
    pub(super) spec: Option<Arc<FunctionSpec>>,
    /// When the last event ended, where no slot tells any more.
    quiet_since: Option<Time>,
    /// A slot was started since then, ahead of the next event.
    ahead: bool,
}

pub(super) struct Waiting {
    pub(super) job: Job,
    pub(super) since: Time,
}

impl Revision {
    /// Slots that run an event or are being started.
    pub(super) fn busy(&self) -> usize {
        self.taken - self.idle.len()
    }

    /// Those that are up, and what they do.
    pub(super) fn environments(&self) -> Vec<Environs> {
        let doing = |environment: &Arc<Environment>| {
            let is_it = |idle: &&Idle| {
                let own = idle.lease.slot.environment.as_ref();
                own.is_some_and(|own| Arc::ptr_eq(own, environment))
            };
            match self.idle.iter().find(is_it) {
                None => Doing::Busy,
                Some(Idle { frozen: true, .. }) => Doing::Frozen,
                Some(_) => Doing::Idle,
            }
        };
        self.environments.iter().map(|one| one.show(doing(one))).collect()
    }

    /// Whether those who wait are better off with one more slot.
    pub(super) fn wants_start(&self, starts_max: usize) -> bool {
        let ahead = self.waiting.saturating_sub(1);
        self.starting < starts_max && self.pace.patience(self.taken, ahead).is_none()
    }
}

impl State {
    /// Slots that a revision may have.
    pub(super) fn most(&self, spec: &FunctionSpec) -> usize {
        if self.is_single(spec) { 1 } else { usize::MAX }
    }

    pub(super) fn is_single(&self, spec: &FunctionSpec) -> bool {
        !self.single.is_empty() && self.single.contains(&spec.name)
    }

    /// Whether a revision may have one more.
    pub(super) fn may_start(&self, spec: &FunctionSpec) -> bool {
        let taken = self.revisions.get(spec).map_or(0, |revision| revision.taken);
        taken < self.most(spec)
    }

    /// Slots of a revision that stay, whether they are used or not.
    fn floor(&self, spec: &FunctionSpec) -> usize {
        let provisioned = self.provisioned.get(spec).copied().unwrap_or(0);
        provisioned.max(usize::from(self.is_single(spec)))
    }

    pub(super) fn revision(&mut self, spec: &Arc<FunctionSpec>) -> &mut Revision {
        // Looked up by reference first: this is on the path of every event.
        if !self.revisions.contains_key(spec) {
            self.revisions.insert(Arc::clone(spec), Revision::default());
        }
        self.revisions.get_mut(spec).expect("inserted above")
    }

    /// Takes the job that waits longest among those that fit.
    pub(super) fn next_waiting(&mut self, fits: impl Fn(&Job) -> bool) -> Option<Job> {
        let at = self.waiting.iter().position(|waiting| fits(&waiting.job))?;
        let Waiting { job, .. } = self.waiting.remove(at)?;
        self.revision(&job.spec).waiting -= 1;
        Some(job)
    }

    /// What a slot gets next that has ended an event and has `told` others at hand.
    pub(super) fn next_for(
        &mut self,
        spec: &Arc<FunctionSpec>,
        now: Time,
        told: usize,
        slots_brief: usize,
    ) -> Vec<Job> {
        // A debugged one is asked what time is left where it would find its next event.
        let told_max = if self.is_single(spec) { 1 } else { TOLD_MAX };
        let revision = self.revision(spec);
        if revision.retired || revision.waiting == 0 || told > told_max / 2 {
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
        let room = if brief { told_max } else { 1 }.saturating_sub(told);
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
    pub(super) fn take_idle(&mut self, spec: &Arc<FunctionSpec>, now: Time) -> Option<Box<Lease>> {
        let revision = self.revisions.get_mut(spec)?;
        let alone = revision.busy() == 0;
        let Idle { mut lease, frozen, since } = revision.idle.pop()?;
        self.idle -= 1;
        if frozen {
            lease.slot.freeze(false);
        }
        let ahead = std::mem::take(&mut lease.place.ahead);
        if alone && (ahead || now.since(since) >= GAP_MIN) {
            self.note_event(spec, Some(since), now);
        }
        Some(Box::new(lease))
    }

    /// An event came to a function that may have had none for long: since its last slot ended, or
    /// else since `idle_since`.
    pub(super) fn note_event(
        &mut self,
        spec: &Arc<FunctionSpec>,
        idle_since: Option<Time>,
        now: Time,
    ) {
        let known = self.known.entry(spec.arn.clone()).or_default();
        if let Some(since) = known.quiet_since.take().or(idle_since) {
            known.arrivals.note(now.since(since));
        }
        known.ahead = false;
        known.spec = Some(Arc::clone(spec));
    }

    /// Until when a slot is kept that is idle since then.
    pub(super) fn idle_until(&self, spec: &FunctionSpec, since: Time, unknown: Duration) -> Time {
        let Some(known) = self.known.get(&spec.arn) else { return since + unknown };
        let plan = known.arrivals.plan(unknown);
        match (plan.ahead, known.quiet_since.filter(|_| known.ahead)) {
            (Some((_, until)), Some(quiet)) => quiet + until,
            _ => since + plan.keep,
        }
    }

    /// Functions that have no slot, and whose next event is about to come.
    pub(super) fn due(&mut self, now: Time, unknown: Duration) -> Vec<Arc<FunctionSpec>> {
        let mut due = Vec::new();
        for known in self.known.values_mut().filter(|known| !known.ahead) {
            let (Some(quiet), Some(spec)) = (known.quiet_since, &known.spec) else { continue };
            if let Some((from, until)) = known.arrivals.plan(unknown).ahead
                && (quiet + from..quiet + until).contains(&now)
                && !self.revisions.contains_key(spec)
            {
                known.ahead = true;
                due.push(Arc::clone(spec));
            }
        }
        due
    }

    /// Takes as many of a revision's slots out that are idle for longest, but for those that stay.
    pub(super) fn end(&mut self, spec: &Arc<FunctionSpec>, count: usize) -> Vec<Lease> {
        let floor = self.floor(spec);
        let Some(revision) = self.revisions.get_mut(spec) else { return Vec::new() };
        let count = count.min(revision.idle.len()).min(revision.taken.saturating_sub(floor));
        let ended: Vec<_> = revision.idle.drain(..count).collect();
        self.idle -= ended.len();
        if let Some(last) = ended.last()
            && revision.taken == ended.len()
        {
            let known = self.known.entry(spec.arn.clone()).or_default();
            known.quiet_since.get_or_insert(last.since);
        }
        ended.into_iter().map(|idle| idle.lease).collect()
    }

    /// The slot that is of least use: whose start takes the least time, for the memory it has, and
    /// for how long it will wait.
    pub(super) fn evict(&mut self, now: Time, unknown: Duration) -> Option<Lease> {
        let worth = |spec: &FunctionSpec, revision: &Revision| {
            let idle = revision.idle.first().map(|idle| now.since(idle.since))?;
            if revision.taken <= self.floor(spec) {
                return None;
            }
            let known = self.known.get(&spec.arn);
            let usual = known.and_then(|known| known.arrivals.median()).unwrap_or(unknown);
            let wait = usual.max(idle).max(GAP_MIN).as_secs_f64();
            Some(revision.pace.start_worth(revision.memory_mb) / wait)
        };
        let all = self.revisions.iter();
        let all = all.filter_map(|(spec, one)| Some((spec, worth(spec, one)?)));
        let (least, _) = all.min_by(|(_, one), (_, other)| one.total_cmp(other))?;
        let least = Arc::clone(least);
        self.end(&least, 1).pop()
    }
}
