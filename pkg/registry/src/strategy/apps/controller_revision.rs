//! ControllerRevisions: a state that a controller keeps to go back to.

use kedge_machinery::{FieldError, Object};

use crate::check;
use crate::strategy::Strategy;
use crate::value::field;

pub(in crate::strategy) struct ControllerRevision;

impl Strategy for ControllerRevision {
    fn validate(&self, object: &Object) -> Vec<FieldError> {
        let data = field(&object.0, "data");
        let mut errors = Vec::new();
        if data.is_null() {
            errors.push(FieldError::required("data", "data is mandatory"));
        }
        let number = field(&object.0, "revision").as_i64().unwrap_or_default();
        errors.extend(check::non_negative("revision", number));
        errors
    }

    fn validate_update(&self, new: &Object, old: &Object, _subresource: &str) -> Vec<FieldError> {
        let mut errors = self.validate(new);
        errors.extend(check::immutable(
            "data",
            new.0.get("data"),
            old.0.get("data"),
        ));
        errors
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn the_data_is_there_and_stays() {
        let revision = |data: Value, number: i64| {
            Object::from_value(json!({"data": data, "revision": number})).unwrap()
        };
        let fields = |errors: Vec<FieldError>| -> Vec<String> {
            errors.into_iter().map(|e| e.field).collect()
        };
        let good = revision(json!({"spec": {}}), 1);
        assert!(ControllerRevision.validate(&good).is_empty());
        let bad = revision(Value::Null, -1);
        assert_eq!(
            fields(ControllerRevision.validate(&bad)),
            ["data", "revision"]
        );
        let other = revision(json!({"spec": {"a": 1}}), 2);
        let errors = ControllerRevision.validate_update(&other, &good, "");
        assert_eq!(fields(errors), ["data"]);
    }
}
