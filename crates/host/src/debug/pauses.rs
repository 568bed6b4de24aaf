//! How long a program was stopped by its debugger, and the time that passes for events meanwhile:
//! none.

use std::sync::Arc;
use std::time::Duration;

use base::{Clock, Time};
use tokio::sync::watch;

/// When a program was stopped.
pub(crate) struct Pauses {
    clock: Arc<dyn Clock>,
    state: watch::Sender<State>,
}

#[derive(Debug, Clone, Copy, Default)]
struct State {
    /// Debuggers that see it stopped.
    stopped: usize,
    /// Since when.
    since: Time,
    /// How long it was before that.
    before: Duration,
}

impl State {
    fn total(self, now: Time) -> Duration {
        let running = if self.stopped > 0 { now.since(self.since) } else { Duration::ZERO };
        self.before + running
    }
}

impl Pauses {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Pauses {
        Pauses { clock, state: watch::Sender::default() }
    }

    /// How long it was stopped until now, all in all.
    fn total(&self) -> Duration {
        self.state.borrow().total(self.clock.now())
    }

    fn count(&self, stopped: bool) {
        let now = self.clock.now();
        self.state.send_modify(|state| {
            let before = state.total(now);
            let count = if stopped { state.stopped + 1 } else { state.stopped.saturating_sub(1) };
            *state = State { stopped: count, since: now, before };
        });
    }
}

/// What one debugger sees. The program goes on when its debugger leaves.
pub(super) struct View {
    pauses: Arc<Pauses>,
    stopped: bool,
}

impl View {
    pub(super) fn new(pauses: Arc<Pauses>) -> View {
        View { pauses, stopped: false }
    }

    pub(super) fn set(&mut self, stopped: bool) {
        if self.stopped != stopped {
            self.stopped = stopped;
            self.pauses.count(stopped);
        }
    }
}

impl Drop for View {
    fn drop(&mut self) {
        self.set(false);
    }
}

/// The time something may take, in which pauses do not count.
pub(crate) struct Timer {
    started: Time,
    limit: Duration,
    /// With how long the program had been stopped when it began.
    pauses: Option<(Arc<Pauses>, Duration)>,
}

impl Timer {
    pub(crate) fn start(now: Time, limit: Duration, pauses: Option<&Arc<Pauses>>) -> Timer {
        let pauses = pauses.map(|pauses| (Arc::clone(pauses), pauses.total()));
        Timer { started: now, limit, pauses }
    }

    /// How long the program has been stopped since the start.
    pub(crate) fn paused(&self) -> Duration {
        let since_start = |(pauses, before): &(Arc<Pauses>, Duration)| pauses.total() - *before;
        self.pauses.as_ref().map_or(Duration::ZERO, since_start)
    }

    /// What has passed.
    pub(crate) fn passed(&self, now: Time) -> Duration {
        now.since(self.started).saturating_sub(self.paused())
    }

    /// What is left.
    pub(crate) fn left(&self, now: Time) -> Duration {
        self.limit.saturating_sub(self.passed(now))
    }

    /// Resolves when nothing is left.
    pub(crate) async fn over(&self, clock: &dyn Clock) {
        let Some((pauses, before)) = &self.pauses else {
            return clock.sleep_until(self.started + self.limit).await;
        };
        let mut changes = pauses.state.subscribe();
        loop {
            let state = *changes.borrow_and_update();
            if state.stopped == 0 {
                let due = self.started + self.limit + (state.before - *before);
                tokio::select! {
                    () = clock.sleep_until(due) => return,
                    _ = changes.changed() => continue,
                }
            }
            // Its sender is held above.
            let _changed = changes.changed().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use base::VirtualClock;

    use super::*;

    /// Whether the time is over, as far as it can be known now.
    async fn is_over(timer: &Timer, clock: &VirtualClock) -> bool {
        tokio::select! {
            biased;
            () = timer.over(clock) => true,
            () = tokio::task::yield_now() => false,
        }
    }

    #[tokio::test]
    async fn no_time_passes_while_any_debugger_sees_it_stopped() {
        let clock = Arc::new(VirtualClock::new(Time::from_millis(5_000)));
        let pauses = Arc::new(Pauses::new(Arc::clone(&clock) as Arc<dyn Clock>));
        let (mut one, mut other) = (View::new(pauses.clone()), View::new(pauses.clone()));
        // What was before does not count.
        one.set(true);
        clock.advance(Duration::from_secs(7));
        one.set(false);
        let timer = Timer::start(clock.now(), Duration::from_secs(1), Some(&pauses));
        clock.advance(Duration::from_millis(400));
        one.set(true);
        other.set(true);
        other.set(true);
        clock.advance(Duration::from_secs(3));
        one.set(false);
        clock.advance(Duration::from_secs(3));
        assert!(!is_over(&timer, &clock).await);
        assert_eq!(timer.left(clock.now()), Duration::from_millis(600));
        drop(other);
        clock.advance(Duration::from_millis(599));
        assert!(!is_over(&timer, &clock).await);
        assert_eq!(timer.paused(), Duration::from_secs(6));
        clock.advance(Duration::from_millis(1));
        assert!(is_over(&timer, &clock).await);
        assert_eq!(timer.left(clock.now()), Duration::ZERO);
    }
}
