//! Time since an instant, in the few characters that a column has.

use jiff::Timestamp;
use serde_json::Value;

/// The time from an RFC 3339 text to `now`; `<unknown>` for none.
pub(super) fn since(time: Option<&Value>, now: Timestamp) -> Value {
    since_text(time.and_then(Value::as_str).unwrap_or_default(), now).into()
}

pub(super) fn since_text(time: &str, now: Timestamp) -> String {
    match time.parse::<Timestamp>() {
        Ok(time) => human_duration(now.duration_since(time).as_secs()),
        Err(_) => "<unknown>".into(),
    }
}

/// A duration as kubectl words it (`apimachinery/pkg/util/duration`): at most two units, the finer one only while it matters.
/// A second in the future is still now, since clocks differ; more is `<invalid>`.
#[must_use]
pub fn human_duration(seconds: i64) -> String {
    /// The larger unit, and the rest in the smaller where there is one.
    fn pair(large: i64, large_unit: char, small: i64, small_unit: char) -> String {
        match small {
            0 => format!("{large}{large_unit}"),
            _ => format!("{large}{large_unit}{small}{small_unit}"),
        }
    }
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    let days = hours / 24;
    match seconds {
        ..-1 => "<invalid>".into(),
        -1 => "0s".into(),
        0..120 => format!("{seconds}s"),
        _ if minutes < 10 => pair(minutes, 'm', seconds % 60, 's'),
        _ if minutes < 180 => format!("{minutes}m"),
        _ if hours < 8 => pair(hours, 'h', minutes % 60, 'm'),
        _ if hours < 48 => format!("{hours}h"),
        _ if days < 8 => pair(days, 'd', hours % 24, 'h'),
        _ if days < 2 * 365 => format!("{days}d"),
        _ if days < 8 * 365 => pair(days / 365, 'y', days % 365, 'd'),
        _ => format!("{}y", days / 365),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_the_units_that_matter() {
        let (minute, hour, day, year) = (60, 3600, 86400, 365 * 86400);
        for (seconds, text) in [
            (-2, "<invalid>"),
            (-1, "0s"),
            (0, "0s"),
            (119, "119s"),
            (2 * minute, "2m"),
            (3 * minute + 20, "3m20s"),
            (10 * minute + 5, "10m"),
            (179 * minute + 59, "179m"),
            (3 * hour, "3h"),
            (7 * hour + 59 * minute + 59, "7h59m"),
            (8 * hour + 30 * minute, "8h"),
            (47 * hour, "47h"),
            (2 * day, "2d"),
            (7 * day + 23 * hour, "7d23h"),
            (8 * day + hour, "8d"),
            (729 * day, "729d"),
            (2 * year, "2y"),
            (7 * year + 364 * day, "7y364d"),
            (8 * year + day, "8y"),
        ] {
            assert_eq!(human_duration(seconds), text, "{seconds}");
        }
    }

    #[test]
    fn an_absent_time_is_unknown() {
        assert_eq!(since(None, Timestamp::UNIX_EPOCH), "<unknown>");
        assert_eq!(
            since(Some(&"soon".into()), Timestamp::UNIX_EPOCH),
            "<unknown>"
        );
        assert_eq!(
            since(
                Some(&"1970-01-01T00:00:05Z".into()),
                Timestamp::from_second(8).unwrap()
            ),
            "3s"
        );
        assert_eq!(
            since_text(
                "1970-01-01T00:00:05.500000Z",
                Timestamp::from_second(8).unwrap()
            ),
            "2s"
        );
    }
}
