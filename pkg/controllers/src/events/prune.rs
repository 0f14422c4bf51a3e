//! Which Events have had their time.

use jiff::{SignedDuration, Timestamp};
use kedge_machinery::{Object, time};

/// kube-apiserver's `--event-ttl`.
const AGE: SignedDuration = SignedDuration::from_hours(1);
/// Events of a namespace that are kept, at most.
const MOST: usize = 100;

/// Name and uid of each Event that is too old or one too many, of one namespace's.
pub(super) fn surplus(events: &[Object], now: Timestamp) -> Vec<(String, String)> {
    let mut dated: Vec<(Timestamp, &Object)> =
        events.iter().map(|event| (last(event), event)).collect();
    dated.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    // A clock that was set back makes Events of the future: the count bounds them.
    let old = |at: Timestamp| now.duration_since(at) > AGE;
    let surplus = dated
        .iter()
        .enumerate()
        .filter(|(n, (at, _))| *n >= MOST || old(*at));
    surplus
        .map(|(_, (_, event))| (event.name().to_string(), event.uid().to_string()))
        .collect()
}

/// When it happened last, by whichever of its fields says so.
fn last(event: &Object) -> Timestamp {
    let text = |path: &[&str]| {
        event
            .at(path)
            .and_then(serde_json::Value::as_str)
            .and_then(time::parse)
    };
    text(&["series", "lastObservedTime"])
        .or_else(|| text(&["lastTimestamp"]))
        .or_else(|| text(&["eventTime"]))
        .or_else(|| text(&["metadata", "creationTimestamp"]))
        .unwrap_or(Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(name: &str, last: &str) -> Object {
        Object::from_value(json!({"metadata": {"name": name, "uid": "u"}, "lastTimestamp": last}))
            .unwrap()
    }

    #[test]
    fn an_hour_is_enough() {
        let now: Timestamp = "2026-01-01T10:00:00Z".parse().unwrap();
        let events = [
            event("old", "2026-01-01T08:59:59Z"),
            event("new", "2026-01-01T09:00:01Z"),
        ];
        assert_eq!(
            surplus(&events, now),
            [("old".to_string(), "u".to_string())]
        );
    }

    #[test]
    fn the_newest_are_kept() {
        let now: Timestamp = "2026-01-01T10:00:00Z".parse().unwrap();
        let events: Vec<_> = (0..130)
            .map(|n| {
                event(
                    &n.to_string(),
                    &format!("2026-01-01T09:{:02}:{:02}Z", n / 60, n % 60),
                )
            })
            .collect();
        let gone: Vec<u32> = surplus(&events, now)
            .iter()
            .map(|(name, _)| name.parse().unwrap())
            .collect();
        assert_eq!(gone.len(), 30);
        assert!(gone.iter().all(|n| *n < 30));
    }
}
