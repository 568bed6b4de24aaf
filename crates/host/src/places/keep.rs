//! How long slots live: as long as their function's events let them be of use, and as memory lasts.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use base::{Arn, Time};

use super::{Lease, Place, Places};
use crate::FunctionSpec;

/// Of the idle slots so many end at once where memory is short: one of so many.
const RELIEF: usize = 8;

impl Places {
    /// Ends slots that were idle for longer than is of use, but for those that are provisioned.
    /// Gives the right to start those that will be of use soon.
    pub(crate) fn tidy(self: &Arc<Self>, now: Time) -> Vec<Place> {
        let mut ended = Vec::new();
        let mut state = self.lock();
        let wanted: Vec<_> = state.revisions.keys().map(Arc::clone).collect();
        for spec in wanted {
            let idle_until = |since| state.idle_until(&spec, since, self.keep_alive);
            let Some(revision) = state.revisions.get(&spec) else { continue };
            let is_expired = |since| idle_until(since) <= now;
            let expired = revision.idle.iter().take_while(|idle| is_expired(idle.since)).count();
            ended.extend(state.end(&spec, expired));
        }
        let due = state.due(now, self.keep_alive);
        let mut places = Vec::new();
        for spec in due {
            if state.taken < self.slots_max && !(self.is_short)() {
                let mut place = self.place(&mut state, &spec);
                place.ahead = true;
                places.push(place);
            }
        }
        drop(state);
        drop(ended);
        places
    }

    /// Ends idle slots, those of least use first. Whether there were any.
    pub(crate) fn relieve(&self, now: Time) -> bool {
        let mut ended = Vec::new();
        let mut state = self.lock();
        for _ in 0..state.idle.div_ceil(RELIEF) {
            ended.extend(state.evict(now, self.keep_alive));
        }
        drop(state);
        !ended.is_empty()
    }

    /// Ends the slots that run nothing, but for those that are provisioned.
    pub(crate) fn end_idle(&self) {
        let mut ended: Vec<Lease> = Vec::new();
        let mut state = self.lock();
        let wanted: Vec<_> = state.revisions.keys().map(Arc::clone).collect();
        for spec in wanted {
            ended.extend(state.end(&spec, usize::MAX));
        }
        drop(state);
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
        if keep.is_none() {
            state.known.remove(function);
        } else if let Some(known) = state.known.get_mut(function) {
            known.spec = None;
        }
        drop(state);
    }

    /// Lets these functions, and no others, have one slot each, which stays: its debugger has one
    /// port.
    pub(crate) fn keep_one_of(&self, functions: HashSet<String>) {
        self.lock().single = functions;
    }

    /// The right to start the slot of a function that is debugged, if it has none yet.
    pub(crate) fn take_single(self: &Arc<Self>, spec: &Arc<FunctionSpec>) -> Option<Place> {
        let mut state = self.lock();
        let wanted = state.is_single(spec) && state.may_start(spec);
        (wanted && state.taken < self.slots_max).then(|| self.place(&mut state, spec))
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
        let missing = |(spec, wanted): &(&Arc<FunctionSpec>, &usize)| {
            taken(spec) < (**wanted).min(state.most(spec))
        };
        let spec = all.find(missing).map(|(spec, _)| spec)?;
        let spec = Arc::clone(spec);
        Some(self.place(&mut state, &spec))
    }
}
