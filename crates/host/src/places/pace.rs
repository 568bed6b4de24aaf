//! How fast a revision runs and starts: what decides whether to wait or to start.

use std::time::Duration;

/// What an event costs besides the handler's own time.
const OVERHEAD_US: f64 = 50.0;
/// A handler that is done sooner than this computes and waits for nothing. Waking another process
/// for its event costs more than the event.
const BRIEF_US: f64 = 200.0;

/// How fast a revision runs and starts, measured: whether to wait for a busy slot or start another.
#[derive(Clone, Copy, Default)]
pub(super) struct Pace {
    pub(super) event_us: f64,
    pub(super) start_us: f64,
}

impl Pace {
    pub(super) fn blend(average: &mut f64, sample: f64) {
        *average = if *average == 0.0 { sample } else { *average * 0.9 + sample * 0.1 };
    }

    /// How long to wait for one of `slots` with `ahead` jobs in front; `None` if a new slot is up
    /// sooner. Short functions then run on few slots, which stay warm in every cache.
    pub(super) fn patience(&self, slots: usize, ahead: usize) -> Option<Duration> {
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

    /// What is saved by not having to start a slot, per megabyte of its memory.
    pub(super) fn start_worth(&self, memory_mb: f64) -> f64 {
        self.start_us.max(1.0) / memory_mb.max(1.0)
    }

    pub(super) fn is_brief(&self) -> bool {
        (f64::MIN_POSITIVE..BRIEF_US).contains(&self.event_us)
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
