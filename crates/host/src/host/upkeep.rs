//! What a host does by itself.

use std::sync::{Arc, Weak};
use std::time::Duration;

use base::{sleep, task};

use super::Inner;

/// How long a slot keeps the processor after an event: not so long that what it left running does
/// much, and so long that a slot that is used again and again is never frozen.
const FREEZE_AFTER: Duration = Duration::from_millis(100);
/// How often idle slots are looked after.
const TIDY_EVERY: Duration = Duration::from_secs(5);
/// And after so many times booted workers and templates.
const AGE_EVERY: u64 = 6;

/// Freezes what is idle, until the host is gone.
pub(super) async fn freeze(host: Weak<Inner>) {
    loop {
        let Some(thawed) = host.upgrade().map(|host| Arc::clone(&host.places.thawed)) else {
            return;
        };
        thawed.notified().await;
        loop {
            let Some(clock) = host.upgrade().map(|host| Arc::clone(&host.clock)) else { return };
            sleep(&*clock, FREEZE_AFTER).await;
            let Some(host) = host.upgrade() else { return };
            if !host.places.freeze(clock.now() - FREEZE_AFTER) {
                break;
            }
        }
    }
}

/// Ends what is of no use, and starts what soon will be, until the host is gone.
pub(super) async fn tidy(host: Weak<Inner>) {
    for turn in 1_u64.. {
        let Some(clock) = host.upgrade().map(|host| Arc::clone(&host.clock)) else { return };
        sleep(&*clock, TIDY_EVERY).await;
        let Some(host) = host.upgrade() else { return };
        let now = clock.now();
        for place in host.places.tidy(now) {
            let host = Arc::clone(&host);
            task::spawn("host.ahead", async move {
                let _the_next_event_says_why = host.start_ahead(place, false).await;
            });
        }
        if (host.config.is_short)() && !host.places.relieve(now) {
            host.templates.evict();
        }
        if turn.is_multiple_of(AGE_EVERY) {
            host.pool.shrink();
            host.templates.age();
        }
    }
}
