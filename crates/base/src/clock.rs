use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::{BoxFuture, Time};

/// Where time comes from. One clock serves a whole server; tests give it a virtual one.
pub trait Clock: Send + Sync + 'static {
    /// The present. Never steps back while the process lives.
    fn now(&self) -> Time;
    /// Resolves once `now() >= due`.
    fn sleep_until(&self, due: Time) -> BoxFuture<'static, ()>;
}

/// Waits for a duration on the given clock.
pub async fn sleep(clock: &dyn Clock, duration: Duration) {
    clock.sleep_until(clock.now() + duration).await;
}

/// Wall time read once at start, advanced by the monotonic clock: a step of the machine's clock
/// neither shortens nor lengthens a lease (SEMANTICS 0.4).
pub struct SystemClock {
    wall: Time,
    started: std::time::Instant,
}

impl SystemClock {
    /// Reads the wall clock.
    #[expect(clippy::disallowed_methods, reason = "the home of real time")]
    pub fn new() -> SystemClock {
        let wall = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map(|since| Time::default() + since)
            .unwrap_or_default();
        SystemClock { wall, started: std::time::Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        SystemClock::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Time {
        self.wall + self.started.elapsed()
    }

    #[expect(clippy::disallowed_methods, reason = "the home of real time")]
    fn sleep_until(&self, due: Time) -> BoxFuture<'static, ()> {
        // Sleeps end on whole milliseconds of our clock, which may lie past the timer's tick.
        let left = due.since(self.now());
        Box::pin(async move {
            if !left.is_zero() {
                tokio::time::sleep(left + Duration::from_millis(1)).await;
            }
        })
    }
}

/// A clock that moves only when told to.
pub struct VirtualClock {
    state: Mutex<Virtual>,
}

struct Virtual {
    now: Time,
    next_id: u64,
    sleepers: BTreeMap<(Time, u64), oneshot::Sender<()>>,
}

impl VirtualClock {
    /// A clock standing still at `now`.
    pub fn new(now: Time) -> VirtualClock {
        VirtualClock { state: Mutex::new(Virtual { now, next_id: 0, sleepers: BTreeMap::new() }) }
    }

    /// Moves the clock and wakes everyone whose time has come, earliest first.
    pub fn advance(&self, by: Duration) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.now = state.now + by;
        let first_later = (state.now + Duration::from_millis(1), 0);
        let later = state.sleepers.split_off(&first_later);
        let due = std::mem::replace(&mut state.sleepers, later);
        drop(state);
        for (_, wake) in due {
            let _gone = wake.send(());
        }
    }

    /// When the next sleeper is due, if anyone sleeps.
    pub fn next_due(&self) -> Option<Time> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.sleepers.retain(|_, wake| !wake.is_closed());
        state.sleepers.keys().next().map(|(due, _)| *due)
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Time {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).now
    }

    fn sleep_until(&self, due: Time) -> BoxFuture<'static, ()> {
        let (wake, woken) = oneshot::channel();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if due > state.now {
            let id = state.next_id;
            state.next_id += 1;
            state.sleepers.insert((due, id), wake);
        } else {
            let _gone = wake.send(());
        }
        Box::pin(async move {
            let _ended = woken.await;
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_virtual_clock_wakes_exactly_those_whose_time_has_come() {
        let clock = VirtualClock::new(Time::from_millis(1000));
        let early = clock.sleep_until(Time::from_millis(1500));
        let late = clock.sleep_until(Time::from_millis(1501));
        clock.advance(Duration::from_millis(500));
        early.await;
        assert_eq!(clock.next_due(), Some(Time::from_millis(1501)));
        clock.advance(Duration::from_millis(1));
        late.await;
        assert_eq!(clock.next_due(), None);
    }

    #[tokio::test]
    async fn the_system_clock_has_passed_the_due_time_after_a_sleep() {
        let clock = SystemClock::new();
        let due = clock.now() + Duration::from_millis(5);
        clock.sleep_until(due).await;
        assert!(clock.now() >= due);
    }
}
