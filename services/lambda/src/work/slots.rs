//! How many batches of a mapping may run at once: few at first, more while there is a backlog, and
//! few again when there is nothing to do.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use base::{Clock, Time};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::data::Mapping;

/// Batches at once of a mapping that has just begun.
const FIRST: u32 = 5;
/// Batches at once of a mapping that sets no limit of its own.
const MOST: u32 = 1000;
/// Between one more batch at once and the next: 300 a minute.
const GROWTH: Duration = Duration::from_millis(200);
/// The same with pollers of its own: 1000 a minute.
const GROWTH_PROVISIONED: Duration = Duration::from_millis(60);
/// Batches at once that one poller feeds.
const BATCHES_PER_POLLER: u32 = 10;

/// The places for batches of one mapping.
pub(crate) struct Slots {
    free: Arc<Semaphore>,
    /// All there are now, taken or free.
    all: AtomicU32,
    first: u32,
    most: u32,
    growth: Duration,
}

impl Slots {
    pub(crate) fn of(mapping: &Mapping) -> Slots {
        let (first, most, growth) = match (mapping.pollers, mapping.concurrency_max) {
            (Some(own), _) => {
                (own.min * BATCHES_PER_POLLER, own.max * BATCHES_PER_POLLER, GROWTH_PROVISIONED)
            }
            (None, Some(max)) => (max.min(FIRST), max, GROWTH),
            (None, None) => (FIRST, MOST, GROWTH),
        };
        let free = Arc::new(Semaphore::new(first as usize));
        Slots { free, all: AtomicU32::new(first), first, most, growth }
    }

    /// Takes a place for a batch. That all are taken means a backlog, so after a while there is one
    /// more, unless the function is in trouble. `grown` is when there last was.
    pub(crate) async fn take(
        &self,
        clock: &dyn Clock,
        grown: &mut Time,
        trouble: bool,
    ) -> OwnedSemaphorePermit {
        loop {
            let grows = !trouble && self.all.load(Ordering::Relaxed) < self.most;
            tokio::select! {
                biased;
                taken = Arc::clone(&self.free).acquire_owned() => {
                    return taken.expect("nobody closes the semaphore");
                }
                () = clock.sleep_until(*grown + self.growth), if grows => {
                    *grown = clock.now();
                    self.all.fetch_add(1, Ordering::Relaxed);
                    self.free.add_permits(1);
                }
            }
        }
    }

    /// There was nothing to do: those beyond the first go, as far as they are free.
    pub(crate) fn shrink(&self) {
        let extra = self.all.load(Ordering::Relaxed).saturating_sub(self.first);
        let gone = self.free.forget_permits(extra as usize);
        self.all.fetch_sub(u32::try_from(gone).unwrap_or(extra), Ordering::Relaxed);
    }

    /// Waits until no batch runs.
    pub(crate) async fn drain(&self) {
        let _all = self.free.acquire_many(self.all.load(Ordering::Relaxed)).await;
    }
}

#[cfg(test)]
mod tests {
    use base::VirtualClock;

    use super::*;
    use crate::data::Pollers;

    fn mapping(concurrency_max: Option<u32>, pollers: Option<Pollers>) -> Mapping {
        Mapping { concurrency_max, pollers, ..Mapping::of_queue("q") }
    }

    /// How many places there are at first and after a minute of backlog.
    async fn check(mapping: &Mapping, at_first: usize, after_a_minute: usize) {
        let clock = Arc::new(VirtualClock::new(Time::default()));
        let slots = Slots::of(mapping);
        let (mut grown, mut taken) = (clock.now(), Vec::new());
        let until = clock.now() + Duration::from_secs(60);
        'full: loop {
            let mut taking = Box::pin(slots.take(&*clock, &mut grown, false));
            loop {
                tokio::select! {
                    biased;
                    place = &mut taking => break taken.push(place),
                    () = tokio::task::yield_now() => {}
                }
                if clock.now() == Time::default() {
                    assert_eq!(taken.len(), at_first);
                }
                match clock.next_due().filter(|due| *due <= until) {
                    Some(due) => clock.advance(due.since(clock.now())),
                    None => break 'full,
                }
            }
        }
        assert_eq!(taken.len(), after_a_minute);
        taken.clear();
        slots.shrink();
        assert_eq!(slots.free.available_permits(), at_first);
        slots.drain().await;
    }

    #[tokio::test]
    async fn places_grow_with_a_backlog_and_shrink_without() {
        check(&mapping(None, None), 5, 305).await;
        check(&mapping(Some(2), None), 2, 2).await;
        check(&mapping(Some(9), None), 5, 9).await;
        check(&mapping(None, Some(Pollers { min: 2, max: 2 })), 20, 20).await;
        check(&mapping(None, Some(Pollers { min: 3, max: 200 })), 30, 1030).await;
    }

    #[tokio::test]
    async fn a_function_in_trouble_gets_no_more() {
        let clock = VirtualClock::new(Time::default());
        let slots = Slots::of(&mapping(None, None));
        let mut grown = clock.now();
        let mut taken = Vec::new();
        for _ in 0..5 {
            taken.push(slots.take(&clock, &mut grown, true).await);
        }
        let sixth = slots.take(&clock, &mut grown, true);
        tokio::select! {
            biased;
            _ = sixth => panic!("there are five"),
            () = tokio::task::yield_now() => assert_eq!(clock.next_due(), None),
        }
    }
}
