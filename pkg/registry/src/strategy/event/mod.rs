//! Events, by either of their two APIs.

pub(crate) mod conversion;
mod validate;

use kedge_machinery::{FieldError, Object};

use super::Strategy;

pub(super) struct Event;

impl Strategy for Event {
    fn default(&self, object: &mut Object) {
        if is_core(object) {
            conversion::fill_core(&mut object.0);
        } else {
            conversion::fill_events(&mut object.0);
        }
    }

    fn validate(&self, object: &Object) -> Vec<FieldError> {
        let event = core(object);
        let mut errors = validate::common(&event, is_core(object));
        if !is_core(object) {
            errors.extend(validate::create(&event));
        }
        errors
    }

    fn validate_update(&self, new: &Object, old: &Object, _subresource: &str) -> Vec<FieldError> {
        let event = core(new);
        let mut errors = validate::common(&event, is_core(new));
        if !is_core(new) {
            errors.extend(validate::update(&event, &core(old)));
        }
        errors
    }
}

fn is_core(event: &Object) -> bool {
    !event.api_version().contains('/')
}

/// The Event in the form of `v1`.
fn core(event: &Object) -> Object {
    let mut event = event.clone();
    if !is_core(&event) {
        conversion::to_core(&mut event);
    }
    event
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    fn event(api: &str, namespace: &str, event: Value) -> Object {
        let mut object = Object::from_value(event).unwrap();
        object.0.insert("apiVersion".into(), api.into());
        let meta = object.meta_mut();
        meta.insert("namespace".into(), namespace.into());
        Event.default(&mut object);
        object
    }

    fn fields(errors: Vec<FieldError>) -> Vec<String> {
        errors.into_iter().map(|e| e.field).collect()
    }

    const TIME: &str = "2026-01-01T00:00:00.000000Z";

    #[rstest]
    #[case("ns", json!({"involvedObject": {"namespace": "ns"}}), &[])]
    #[case("ns", json!({"involvedObject": {"namespace": "other"}}), &["involvedObject.namespace"])]
    #[case("default", json!({"involvedObject": {"kind": "Node"}}), &[])]
    #[case("kube-system", json!({"involvedObject": {"kind": "Node"}}), &["involvedObject.namespace"])]
    #[case("ns", json!({"involvedObject": {"kind": "Node"}}), &["involvedObject.namespace"])]
    #[case(
        "ns",
        json!({"involvedObject": {"namespace": "ns"}, "eventTime": TIME, "reportingComponent": "a", "action": "x".repeat(129),
            "message": "m".repeat(1025)}),
        &["reportingInstance", "action", "reason", "message"]
    )]
    #[case(
        "kube-system",
        json!({"involvedObject": {"kind": "Node"}, "eventTime": TIME, "reportingComponent": "my-contr@ller",
            "reportingInstance": "x".repeat(129), "action": "Do", "reason": "y".repeat(129)}),
        &["reportingComponent", "reportingInstance", "reason"]
    )]
    #[case("ns", json!({"involvedObject": {"kind": "Node"}, "eventTime": TIME}), &[
        "involvedObject.namespace", "reportingComponent", "reportingComponent", "reportingComponent", "reportingInstance", "action",
        "reason",
    ])]
    fn of_the_core_group(#[case] namespace: &str, #[case] body: Value, #[case] want: &[&str]) {
        let errors = Event.validate(&event("v1", namespace, body));
        assert_eq!(fields(errors), want);
    }

    fn good() -> Value {
        json!({
            "regarding": {"namespace": "ns"}, "eventTime": TIME, "reportingController": "c", "reportingInstance": "i",
            "action": "a", "reason": "r", "type": "Normal",
        })
    }

    #[rstest]
    #[case(json!({}), &[])]
    #[case(json!({"eventTime": null, "type": "Odd"}), &["eventTime", "type"])]
    #[case(json!({"deprecatedCount": 1, "deprecatedSource": {"host": "h"}}), &["count", "source"])]
    #[case(json!({"series": {"count": 1}}), &["series.count", "series.lastObservedTime"])]
    #[case(json!({"reportingController": ""}), &["reportingController"])]
    fn of_their_own_group(#[case] more: Value, #[case] want: &[&str]) {
        let mut body = good();
        let map = body.as_object_mut().unwrap();
        map.extend(more.as_object().unwrap().clone());
        let errors = Event.validate(&event("events.k8s.io/v1", "ns", body));
        let mut found = fields(errors);
        found.dedup();
        assert_eq!(found, want);
    }

    #[rstest]
    #[case(json!({"series": {"count": 2, "lastObservedTime": TIME}}), &[])]
    #[case(json!({"note": "n", "reportingController": "d"}), &["message", "reportingController"])]
    #[case(json!({"reason": "s", "type": "Warning"}), &["reason", "reason", "type"])]
    fn only_a_series_changes(#[case] more: Value, #[case] want: &[&str]) {
        let old = event("events.k8s.io/v1", "ns", good());
        let mut body = good();
        let map = body.as_object_mut().unwrap();
        map.extend(more.as_object().unwrap().clone());
        let new = event("events.k8s.io/v1", "ns", body);
        assert_eq!(fields(Event.validate_update(&new, &old, "")), want);
    }
}
