//! How long certificates live, on machines whose clock may stand in 1970.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// The day from which every certificate is valid: the first that a clock without a battery shows.
pub const BEGIN: Date = jiff::civil::date(1970, 1, 1);

/// A day that has passed when this program runs, whatever the clock says.
pub const FLOOR: Date = jiff::civil::date(2026, 11, 1);

/// "No well-defined expiration date" (RFC 5280, 4.1.2.5): the authority's end.
pub const NEVER: Date = jiff::civil::date(9999, 12, 31);

/// Days that a server or client certificate lives from the day it is made.
pub const LIFE_DAYS: i64 = 3650;

/// The day on which a certificate made now ends.
#[must_use]
pub fn end(now: Timestamp) -> Date {
    let today = now.to_zoned(TimeZone::UTC).date().max(FLOOR);
    today.saturating_add(SignedDuration::from_hours(24 * LIFE_DAYS))
}

/// The instant at which two thirds of the life of a certificate that ends at `not_after` are over, counted back
/// from its end: the beginning, always 1970, says nothing of when it was made.
#[must_use]
pub fn renew_at(not_after: Timestamp) -> Timestamp {
    not_after
        .saturating_sub(SignedDuration::from_hours(24 * LIFE_DAYS / 3))
        .unwrap_or(Timestamp::MIN)
}

/// How long before now a certificate that somebody asked for begins, so that clocks may differ (upstream: 5 minutes).
const BACKDATE: SignedDuration = SignedDuration::from_mins(5);

/// From when to when a certificate is valid that lives for `life` from now on, as its holder asked.
///
/// Its beginning says when it was made, because kubelets reckon from it when to ask anew; only while the clock is certainly
/// wrong does it begin in 1970, and count from [`FLOOR`].
#[must_use]
pub fn span(life: SignedDuration, now: Timestamp) -> (Timestamp, Timestamp) {
    let floor = FLOOR
        .to_zoned(TimeZone::UTC)
        .map_or(Timestamp::UNIX_EPOCH, |floor| floor.timestamp());
    let end = |from: Timestamp| from.saturating_add(life).unwrap_or(Timestamp::MAX);
    if now < floor {
        return (Timestamp::UNIX_EPOCH, end(floor));
    }
    let begin = now.saturating_sub(BACKDATE).unwrap_or(now);
    (begin, end(begin))
}

/// Sets the life of a certificate: from [`BEGIN`] to `end`.
pub(crate) fn set(params: &mut rcgen::CertificateParams, end: Date) {
    let day = |date: Date| {
        rcgen::date_time_ymd(
            date.year().into(),
            date.month().unsigned_abs(),
            date.day().unsigned_abs(),
        )
    };
    params.not_before = day(BEGIN);
    params.not_after = day(end);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_clock_in_1970_counts_from_the_floor() {
        assert_eq!(
            end(at("1970-01-01T00:00:07Z")),
            end(at("2026-11-01T00:00:00Z"))
        );
    }

    #[test]
    fn a_right_clock_counts_from_itself() {
        assert_eq!(
            end(at("2030-03-01T10:00:00Z")),
            jiff::civil::date(2040, 2, 27)
        );
    }

    #[test]
    fn the_last_third_is_for_renewal() {
        let end = at("2040-02-27T00:00:00Z");
        let left = end.duration_since(renew_at(end));
        assert_eq!(left.as_hours() / 24, LIFE_DAYS / 3);
    }

    #[test]
    fn what_is_asked_for_begins_a_little_before_now() {
        let now = at("2027-01-01T00:00:00Z");
        let (begin, end) = span(SignedDuration::from_hours(24), now);
        assert_eq!(begin, at("2026-12-31T23:55:00Z"));
        assert_eq!(end, at("2027-01-01T23:55:00Z"));
        let (begin, end) = span(SignedDuration::from_hours(24), at("1970-01-01T00:01:00Z"));
        assert_eq!(begin, Timestamp::UNIX_EPOCH);
        assert_eq!(end, at("2026-11-02T00:00:00Z"));
    }

    #[test]
    fn a_clock_at_the_end_of_time_does_not_overflow() {
        assert_eq!(end(Timestamp::MAX), NEVER);
    }
}
