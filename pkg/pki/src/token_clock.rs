//! The time that tokens and clients' certificates are judged by, on machines whose clock may stand in 1970.
//!
//! A clock that shows a day this program cannot have lived through ([`validity::FLOOR`]) is certainly wrong. To
//! believe it would end every token that was made while it was right ("not valid yet") for as long as the machine
//! is offline, and make tokens that end the moment it is set. So time then goes on from the latest instant that is
//! known to have passed: that day, or the time at which a token with a good signature of this very authority was
//! made, whichever is later. It runs as fast as the machine's own clock, so that every token still ends after its
//! hours. What is given up: a token that ended while the machine was off may be taken for the rest of the life
//! that it had left at the latest instant known. Nothing else about it is given up: a ServiceAccount, Pod or Secret that is gone
//! ends its tokens at once, whatever the clock says.

use std::sync::{Mutex, PoisonError};

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::validity::FLOOR;

/// The time, corrected where it is certainly wrong.
#[derive(Debug, Default)]
pub struct TokenClock {
    /// What is added to a clock that is behind; grows only.
    ahead: Mutex<Option<SignedDuration>>,
}

impl TokenClock {
    /// What time it is when the machine's clock shows `clock`.
    #[must_use]
    pub fn read(&self, clock: Timestamp) -> Timestamp {
        let floor = floor();
        if clock >= floor {
            return clock;
        }
        let mut ahead = self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        let ahead = ahead.get_or_insert_with(|| floor.duration_since(clock));
        clock.saturating_add(*ahead).unwrap_or(Timestamp::MAX)
    }

    /// What time it is for judging something that says it began at `begin`: where the clock is certainly wrong, no earlier than
    /// that. Nothing is learnt from it, because nobody has verified it yet.
    #[must_use]
    pub fn at_least(&self, begin: Timestamp, clock: Timestamp) -> Timestamp {
        let now = self.read(clock);
        if clock < floor() { now.max(begin) } else { now }
    }

    /// An instant that has passed: a token was made then. Counts only while the machine's clock is certainly wrong.
    pub fn has_passed(&self, instant: Timestamp, clock: Timestamp) {
        let behind = instant.duration_since(self.read(clock));
        if clock < floor() && behind.is_positive() {
            let mut ahead = self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
            *ahead = ahead.map(|ahead| ahead.saturating_add(behind));
        }
    }
}

fn floor() -> Timestamp {
    FLOOR
        .to_zoned(TimeZone::UTC)
        .map_or(Timestamp::UNIX_EPOCH, |floor| floor.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_clock_that_may_be_right_is_believed() {
        let clock = TokenClock::default();
        let now = at("2027-01-01T00:00:00Z");
        clock.has_passed(at("2028-01-01T00:00:00Z"), now);
        assert_eq!(clock.read(now), now);
    }

    #[test]
    fn a_clock_in_1970_goes_on_from_what_is_known() {
        let clock = TokenClock::default();
        assert_eq!(clock.read(at("1970-01-01T00:00:10Z")), floor());
        let hour_on = at("1970-01-01T01:00:10Z");
        assert_eq!(clock.read(hour_on), floor() + SignedDuration::from_hours(1));
        let made = at("2027-05-01T12:00:00Z");
        clock.has_passed(made, hour_on);
        assert_eq!(clock.read(hour_on), made);
        // An older token says nothing new.
        clock.has_passed(at("2027-01-01T00:00:00Z"), hour_on);
        let later = at("1970-01-01T02:00:10Z");
        assert_eq!(clock.read(later), made + SignedDuration::from_hours(1));
        // Set right, it is believed again.
        let set = at("2027-04-01T00:00:00Z");
        assert_eq!(clock.read(set), set);
    }

    #[test]
    fn what_has_begun_has_begun() {
        let clock = TokenClock::default();
        let begin = at("2027-05-01T00:00:00Z");
        let wrong = at("1970-01-01T00:00:10Z");
        assert_eq!(clock.at_least(begin, wrong), begin);
        assert_eq!(clock.read(wrong), floor(), "nothing was learnt");
        let right = at("2027-01-01T00:00:00Z");
        assert_eq!(clock.at_least(begin, right), right);
    }

    #[test]
    fn nothing_overflows() {
        let clock = TokenClock::default();
        let begin = at("1970-01-01T00:00:00Z");
        clock.has_passed(Timestamp::MAX, begin);
        assert_eq!(clock.read(at("1970-01-02T00:00:00Z")), Timestamp::MAX);
    }
}
