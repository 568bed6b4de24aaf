use std::time::Duration;

use base::Time;

/// When failed work is tried again, and when no more.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Retry {
    /// Attempts after the first; `u32::MAX` where only age counts.
    pub retries_max: u32,
    /// Age beyond which work is not tried again.
    pub age_max: Duration,
    /// Delay before the first retry.
    pub first: Duration,
    /// What each further delay is multiplied with.
    pub factor: u32,
    /// The longest delay.
    pub delay_max: Duration,
}

impl Retry {
    /// When work that has failed `failures` times (at least once) is due again; `None` when it is
    /// not tried again.
    pub fn next(&self, failures: u32, created: Time, now: Time) -> Option<Time> {
        if failures > self.retries_max {
            return None;
        }
        let growth = self.factor.checked_pow(failures.saturating_sub(1)).unwrap_or(u32::MAX);
        let delay = self.first.saturating_mul(growth).min(self.delay_max);
        let due = now + delay;
        (due.since(created) <= self.age_max).then_some(due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_longest_and_end_with_the_age() {
        let retry = Retry {
            retries_max: u32::MAX,
            age_max: Duration::from_secs(600),
            first: Duration::from_secs(1),
            factor: 2,
            delay_max: Duration::from_secs(300),
        };
        let start = Time::from_millis(0);
        let delay =
            |failures, now| retry.next(failures, start, now).map(|due| due.since(now).as_secs());
        assert_eq!(delay(1, start), Some(1));
        assert_eq!(delay(4, start), Some(8));
        assert_eq!(delay(40, start), Some(300));
        assert_eq!(delay(4, start + Duration::from_secs(592)), Some(8));
        assert_eq!(delay(4, start + Duration::from_secs(593)), None);
        let twice = Retry { retries_max: 2, ..retry };
        assert_eq!(twice.next(2, start, start).map(Time::as_secs), Some(2));
        assert_eq!(twice.next(3, start, start), None);
    }
}
