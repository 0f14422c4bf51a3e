//! One Event in its two forms: `v1`, in which it is stored, and `events.k8s.io/v1` (upstream: `pkg/apis/core/v1/conversion.go`
//! and `pkg/apis/events/v1`).

use kedge_machinery::Object;
use serde_json::{Map, Value, json};

/// Fields that the forms name differently: in `v1`, in `events.k8s.io/v1`. Others are the same.
const NAMES: [(&str, &str); 7] = [
    ("involvedObject", "regarding"),
    ("message", "note"),
    ("source", "deprecatedSource"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("count", "deprecatedCount"),
    ("reportingComponent", "reportingController"),
];

/// As `v1` has it.
pub(crate) fn to_core(event: &mut Object) {
    rename(&mut event.0, |(core, events)| (events, core));
    event.0.insert("apiVersion".into(), "v1".into());
    fill_core(&mut event.0);
}

/// As `events.k8s.io/v1` has it.
pub(crate) fn to_events(event: &mut Object) {
    rename(&mut event.0, |(core, events)| (core, events));
    event
        .0
        .insert("apiVersion".into(), "events.k8s.io/v1".into());
    for key in ["reportingController", "reportingInstance"] {
        if event.0.get(key) == Some(&json!("")) {
            event.0.remove(key);
        }
    }
    fill_events(&mut event.0);
}

fn rename(
    event: &mut Map<String, Value>,
    direction: impl Fn((&'static str, &'static str)) -> (&'static str, &'static str),
) {
    for (from, to) in NAMES.map(direction) {
        if let Some(value) = event.remove(from) {
            event.insert(to.into(), value);
        }
    }
}

/// What Go writes even when nobody gave it.
pub(super) fn fill_core(event: &mut Map<String, Value>) {
    for (key, value) in [
        ("involvedObject", json!({})),
        ("source", json!({})),
        ("firstTimestamp", Value::Null),
        ("lastTimestamp", Value::Null),
        ("eventTime", Value::Null),
        ("reportingComponent", "".into()),
        ("reportingInstance", "".into()),
    ] {
        event.entry(key).or_insert(value);
    }
}

/// The same of the other form.
pub(super) fn fill_events(event: &mut Map<String, Value>) {
    for (key, value) in [
        ("regarding", json!({})),
        ("deprecatedSource", json!({})),
        ("deprecatedFirstTimestamp", Value::Null),
        ("deprecatedLastTimestamp", Value::Null),
        ("eventTime", Value::Null),
    ] {
        event.entry(key).or_insert(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let event = json!({
            "apiVersion": "v1", "kind": "Event", "metadata": {"name": "e", "namespace": "n"},
            "involvedObject": {"kind": "Pod", "name": "p"}, "reason": "Started", "message": "m", "source": {"component": "c"},
            "firstTimestamp": "2026-01-01T00:00:00Z", "lastTimestamp": null, "count": 3, "type": "Normal",
            "eventTime": null, "reportingComponent": "", "reportingInstance": "",
        });
        let mut object = Object::from_value(event.clone()).unwrap();
        to_events(&mut object);
        assert_eq!(
            object.clone().into_value(),
            json!({
                "apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": {"name": "e", "namespace": "n"},
                "regarding": {"kind": "Pod", "name": "p"}, "reason": "Started", "note": "m",
                "deprecatedSource": {"component": "c"}, "deprecatedFirstTimestamp": "2026-01-01T00:00:00Z",
                "deprecatedLastTimestamp": null, "deprecatedCount": 3, "type": "Normal", "eventTime": null,
            })
        );
        to_core(&mut object);
        assert_eq!(object.into_value(), event);
    }
}
