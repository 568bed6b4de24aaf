use std::sync::atomic::{AtomicU64, Ordering};

use crate::Time;

/// Strictly increasing numbers that sort by time: milliseconds in the upper 42 bits, a counter in
/// the lower 22 (4 million a millisecond; past that it borrows from the next). Used instead of
/// contended counters in the store, which also sees to it that they grow over restarts.
#[derive(Default)]
pub struct Sequence(AtomicU64);

const COUNTER_BITS: u32 = 22;

impl Sequence {
    /// A number larger than every one before it and than every one given before `now`.
    pub fn next(&self, now: Time) -> u64 {
        let floor = now.as_millis() << COUNTER_BITS;
        let mut next = 0;
        let step = |last: u64| {
            next = floor.max(last + 1);
            Some(next)
        };
        // The closure always returns Some, so there is no failure to handle.
        let _previous = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, step);
        next
    }

    /// The number given last, or that it was raised to.
    pub fn last(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Gives no number up to this one any more.
    pub fn raise(&self, to: u64) {
        self.0.fetch_max(to, Ordering::Relaxed);
    }

    /// The smallest number that can be given at a time.
    pub fn first_at(time: Time) -> u64 {
        time.as_millis() << COUNTER_BITS
    }

    /// The time at which a number was given.
    pub fn time_of(number: u64) -> Time {
        Time::from_millis(number >> COUNTER_BITS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_grow_even_when_time_stands_still_or_steps_back() {
        let sequence = Sequence::default();
        let mut last = 0;
        for millis in [5, 5, 9, 9, 3, 10] {
            let next = sequence.next(Time::from_millis(millis));
            assert!(next > last);
            last = next;
        }
        assert_eq!(Sequence::time_of(last), Time::from_millis(10));
        sequence.raise(last + 7);
        sequence.raise(last);
        assert_eq!(sequence.next(Time::from_millis(9)), last + 8);
        assert_eq!(sequence.last(), last + 8);
        assert_eq!(Sequence::first_at(Time::from_millis(10)), last);
    }
}
