//! Events, by either of their two APIs.

use kedge_machinery::{FieldError, Object};
use serde_json::{Value, json};

use super::Strategy;
use crate::check;
use crate::value::{field, text};

/// Namespaces that hold the events of cluster-scoped objects.
const CLUSTER_NAMESPACES: &[&str] = &["", "default", "kube-system"];

pub(super) struct Event;

impl Strategy for Event {
    /// Go writes these even when nobody gave them.
    fn default(&self, object: &mut Object) {
        let core = !object.api_version().contains('/');
        let mut put = |key: &str, value: Value| {
            object.0.entry(key).or_insert(value);
        };
        put("eventTime", Value::Null);
        if core {
            put("source", json!({}));
            put("firstTimestamp", Value::Null);
            put("lastTimestamp", Value::Null);
            put("reportingComponent", "".into());
            put("reportingInstance", "".into());
        }
    }

    fn validate(&self, object: &Object) -> Vec<FieldError> {
        let core = !object.api_version().contains('/');
        let subject = if core { "involvedObject" } else { "regarding" };
        let component = if core {
            "reportingComponent"
        } else {
            "reportingController"
        };
        let namespace = text(field(&object.0, subject), "namespace");
        let series = !field(&object.0, "eventTime").is_null();
        let mut errors = Vec::new();
        let agrees = if namespace.is_empty() {
            CLUSTER_NAMESPACES.contains(&object.namespace())
        } else {
            namespace == object.namespace()
        };
        if !agrees {
            let path = format!("{subject}.namespace");
            errors.push(FieldError::invalid(
                path,
                namespace,
                "does not match event.namespace",
            ));
        }
        if series {
            let value = |key: &str| field(&object.0, key).as_str().unwrap_or_default();
            match value(component) {
                "" => errors.push(FieldError::required(component, "")),
                name => errors.extend(check::qualified_name(component, name)),
            }
            for key in ["reportingInstance", "action", "reason"] {
                match value(key) {
                    "" => errors.push(FieldError::required(key, "")),
                    long if long.len() > 128 => {
                        errors.push(FieldError::invalid(
                            key,
                            long,
                            "can have at most 128 characters",
                        ));
                    }
                    _ => {}
                }
            }
        }
        errors
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("ns", json!({"involvedObject": {"namespace": "ns"}}), &[])]
    #[case("ns", json!({"involvedObject": {"namespace": "other"}}), &["involvedObject.namespace"])]
    #[case("default", json!({"involvedObject": {"kind": "Node"}}), &[])]
    #[case("ns", json!({"involvedObject": {"kind": "Node"}}), &["involvedObject.namespace"])]
    #[case(
        "ns",
        json!({"involvedObject": {"namespace": "ns"}, "eventTime": "2026-01-01T00:00:00.000000Z"}),
        &["reportingComponent", "reportingInstance", "action", "reason"]
    )]
    fn validation(#[case] namespace: &str, #[case] event: Value, #[case] want: &[&str]) {
        let mut object = Object::from_value(event).unwrap();
        object
            .meta_mut()
            .insert("namespace".into(), namespace.into());
        Event.default(&mut object);
        let got: Vec<String> = Event
            .validate(&object)
            .into_iter()
            .map(|e| e.field)
            .collect();
        assert_eq!(got, want);
    }
}
