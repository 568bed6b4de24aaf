//! How long a function's slots are worth their memory, learned from when its events came.
//!
//! After Shahrad et al., "Serverless in the Wild" (USENIX ATC 2020): a histogram of the gaps
//! between events. A slot is kept as long as nearly all gaps last. Where all of them are long and
//! alike, it ends at once, and one is started shortly before the next event.

use std::time::Duration;

/// Each bucket's gaps are so much longer than those of the one before.
const RATIO: f64 = 1.19;
/// 1 s to 35 hours.
const BUCKETS: usize = 68;
/// Shorter gaps say nothing about when to end a slot, and are not counted.
pub(crate) const GAP_MIN: Duration = Duration::from_secs(1);
/// With fewer gaps than this nothing is known.
const KNOWN_FROM: f32 = 7.0;
/// What remains of older gaps with each new one: habits change.
const KEPT: f32 = 0.98;
/// The share of gaps that may be longer than a slot is kept, and that may be shorter than expected
/// where one is started ahead.
const RARE: f32 = 0.05;
/// However often a function is called: its slots live so long at least.
const KEEP_MIN: Duration = Duration::from_secs(30);
/// However rarely: no slot waits longer than this. A start costs milliseconds.
const KEEP_MAX: Duration = Duration::from_secs(3_600);
/// Gaps shorter than this are waited for.
const AHEAD_MIN: Duration = Duration::from_secs(90);
/// Gaps are alike if the longest of them are at most so many times the shortest.
const ALIKE: f64 = 2.0;
/// A slot is started before the shortest gap has passed, and kept for longer than the longest.
const MARGIN: f64 = 0.1;

/// The gaps between a function's events.
#[derive(Debug, Clone)]
pub(crate) struct Arrivals {
    gaps: [f32; BUCKETS],
}

/// What is to be done for a function that is idle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Plan {
    /// An idle slot ends after so much time.
    pub(crate) keep: Duration,
    /// One is started so long after the last event, and kept until so long after it.
    pub(crate) ahead: Option<(Duration, Duration)>,
}

impl Default for Arrivals {
    fn default() -> Arrivals {
        Arrivals { gaps: [0.0; BUCKETS] }
    }
}

impl Arrivals {
    /// An event came so long after the one before had ended.
    pub(crate) fn note(&mut self, gap: Duration) {
        if gap < GAP_MIN {
            return;
        }
        self.gaps.iter_mut().for_each(|count| *count *= KEPT);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the logarithm of a number above 1 that counts seconds"
        )]
        let at = gap.as_secs_f64().log(RATIO) as usize;
        self.gaps[at.min(BUCKETS - 1)] += 1.0;
    }

    /// What to do, where `unknown` is how long to keep a slot of which nothing is known.
    pub(crate) fn plan(&self, unknown: Duration) -> Plan {
        let Some((shortest, longest)) = self.usual() else {
            return Plan { keep: unknown, ahead: None };
        };
        let until = longest.mul_f64(1.0 + MARGIN);
        let alike = longest.as_secs_f64() <= shortest.as_secs_f64() * ALIKE;
        if shortest >= AHEAD_MIN && alike {
            let from = shortest.mul_f64(1.0 - MARGIN);
            return Plan { keep: KEEP_MIN, ahead: Some((from, until)) };
        }
        Plan { keep: until.clamp(KEEP_MIN, KEEP_MAX), ahead: None }
    }

    /// How long until its next event, as far as is known: the gap that as many are shorter than as
    /// are longer.
    pub(crate) fn median(&self) -> Option<Duration> {
        let total: f32 = self.gaps.iter().sum();
        (total > 0.0).then(|| start(self.at(total / 2.0)))
    }

    /// The shortest and the longest of the usual gaps.
    fn usual(&self) -> Option<(Duration, Duration)> {
        let total: f32 = self.gaps.iter().sum();
        if total < KNOWN_FROM {
            return None;
        }
        let (first, last) = (self.at(total * RARE), self.at(total * (1.0 - RARE)));
        Some((start(first), start(last + 1)))
    }

    /// The bucket in which so many of the gaps, from the shortest on, are passed.
    fn at(&self, rank: f32) -> usize {
        let mut passed = 0.0;
        let found = self.gaps.iter().position(|count| {
            passed += count;
            passed > rank
        });
        found.unwrap_or(BUCKETS - 1)
    }
}

/// The shortest gap of a bucket.
fn start(bucket: usize) -> Duration {
    let bucket = i32::try_from(bucket).unwrap_or(i32::MAX);
    Duration::from_secs_f64(RATIO.powi(bucket))
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNKNOWN: Duration = Duration::from_secs(600);

    fn after(gaps: impl IntoIterator<Item = u64>) -> Plan {
        let mut arrivals = Arrivals::default();
        gaps.into_iter().for_each(|gap| arrivals.note(Duration::from_secs(gap)));
        arrivals.plan(UNKNOWN)
    }

    #[test]
    fn nothing_is_concluded_from_a_few_events() {
        assert_eq!(after([]), Plan { keep: UNKNOWN, ahead: None });
        assert_eq!(after([300; 5]), Plan { keep: UNKNOWN, ahead: None });
    }

    #[test]
    fn slots_are_kept_as_long_as_nearly_all_gaps_last() {
        let plan = after((1..=50).map(|number| 10 + number % 40));
        assert_eq!(plan.ahead, None);
        assert!((50..70).contains(&plan.keep.as_secs()), "{plan:?}");
        assert_eq!(after([2; 50]).keep, KEEP_MIN);
        assert_eq!(after((0..50).map(|number| 1 + number * 1_000)).keep, KEEP_MAX);
    }

    #[test]
    fn who_comes_by_the_clock_is_awaited() {
        let Plan { keep, ahead: Some((from, until)) } = after([300; 20]) else {
            panic!("it is regular")
        };
        assert_eq!(keep, KEEP_MIN);
        assert!((200..300).contains(&from.as_secs()), "{from:?}");
        assert!((300..420).contains(&until.as_secs()), "{until:?}");
    }

    #[test]
    fn old_habits_are_forgotten() {
        let plan = after(std::iter::repeat_n(300, 100).chain(std::iter::repeat_n(20, 200)));
        assert_eq!(plan.ahead, None);
        assert!(plan.keep.as_secs() < 40, "{plan:?}");
    }

    #[test]
    fn any_gap_is_counted() {
        let mut arrivals = Arrivals::default();
        for gap in [Duration::ZERO, GAP_MIN, Duration::from_secs(1 << 40), Duration::MAX] {
            arrivals.note(gap);
        }
        assert_eq!(arrivals.gaps.iter().filter(|count| **count > 0.0).count(), 2);
    }
}
