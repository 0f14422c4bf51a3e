//! Label selectors.

use kedge_machinery::{FieldError, names};
use serde_json::Value;

use crate::value::{list, pairs, text, texts};

const OPERATORS: &[&str] = &["DoesNotExist", "Exists", "In", "NotIn"];

/// A `LabelSelector` (`apimachinery/pkg/apis/meta/v1/validation`).
pub(crate) fn selector(path: &str, selector: &Value) -> Vec<FieldError> {
    let mut errors = super::labels(
        &format!("{path}.matchLabels"),
        pairs(selector, "matchLabels"),
    );
    for (i, expression) in list(selector, "matchExpressions").iter().enumerate() {
        let at = |key: &str| format!("{path}.matchExpressions[{i}].{key}");
        let values = texts(expression, "values");
        match text(expression, "operator") {
            "In" | "NotIn" if values.is_empty() => {
                let detail = "must be specified when `operator` is 'In' or 'NotIn'";
                errors.push(FieldError::required(at("values"), detail));
            }
            "Exists" | "DoesNotExist" if !values.is_empty() => {
                let detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
                errors.push(FieldError::forbidden(at("values"), detail));
            }
            other if !OPERATORS.contains(&other) => {
                let detail = "not a valid selector operator";
                errors.push(FieldError::invalid(at("operator"), other, detail));
            }
            _ => {}
        }
        let key = text(expression, "key");
        errors.extend(super::qualified_name(&at("key"), key));
        for (j, value) in values.into_iter().enumerate() {
            let at = format!("{}[{j}]", at("values"));
            errors.extend(super::invalid(&at, value, names::label_value(value)));
        }
    }
    errors
}
