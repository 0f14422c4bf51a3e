//! What questions found out about one resolver. A value: the clock is the caller's.

use std::time::{Duration, Instant};

/// Failures in a row after which a resolver is asked last.
const DOWN_AFTER: u32 = 2;
/// How long it is asked last: then a question tries it first again.
const DOWN_FOR: Duration = Duration::from_secs(30);
/// How long the first resolver is waited for before the next one is asked as well, at least and at most.
const HEAD_START: std::ops::RangeInclusive<Duration> =
    Duration::from_millis(50)..=Duration::from_millis(500);

#[derive(Debug, Default, Clone)]
pub struct Health {
    /// In a row.
    failures: u32,
    last_failure: Option<Instant>,
    /// Smoothed as TCP smooths its round trips (RFC 6298).
    round_trip: Option<Duration>,
}

impl Health {
    pub fn answered(&mut self, took: Duration) {
        self.failures = 0;
        self.round_trip = Some(match self.round_trip {
            Some(known) => (known * 7 + took) / 8,
            None => took,
        });
    }

    pub fn failed(&mut self, now: Instant) {
        self.failures = self.failures.saturating_add(1);
        self.last_failure = Some(now);
    }

    /// Others are asked first.
    pub fn is_down(&self, now: Instant) -> bool {
        let recently = |then: Instant| now.saturating_duration_since(then) < DOWN_FOR;
        self.failures >= DOWN_AFTER && self.last_failure.is_some_and(recently)
    }

    /// How long the answer is waited for before another resolver is asked too.
    pub fn head_start(&self, now: Instant) -> Duration {
        if self.is_down(now) {
            return Duration::ZERO;
        }
        let usual = self.round_trip.map_or(*HEAD_START.end(), |known| known * 3);
        usual.clamp(*HEAD_START.start(), *HEAD_START.end())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resolver_that_fails_is_asked_last_for_a_while() {
        let begin = Instant::now();
        let mut health = Health::default();
        health.failed(begin);
        assert!(!health.is_down(begin), "one failure is chance");
        health.failed(begin);
        assert!(health.is_down(begin));
        assert_eq!(health.head_start(begin), Duration::ZERO);
        assert!(!health.is_down(begin + DOWN_FOR), "it is tried again");
        health.failed(begin + DOWN_FOR);
        assert!(health.is_down(begin + DOWN_FOR));
        health.answered(Duration::from_millis(10));
        assert!(!health.is_down(begin + DOWN_FOR));
    }

    #[test]
    fn the_head_start_follows_the_round_trip() {
        let now = Instant::now();
        let mut health = Health::default();
        assert_eq!(health.head_start(now), Duration::from_millis(500));
        for (took, start) in [(1, 50), (1, 50)] {
            health.answered(Duration::from_millis(took));
            assert_eq!(health.head_start(now), Duration::from_millis(start));
        }
        for _ in 0..60 {
            health.answered(Duration::from_millis(100));
        }
        let start = health.head_start(now);
        assert!((280..=300).contains(&start.as_millis()), "{start:?}");
    }
}
