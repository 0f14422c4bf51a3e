//! Kinds of `metallb.io`, by what MetalLB's own definitions and webhooks ask of them (`internal/config`).

mod ip_address_pool;
mod l2_advertisement;

use std::collections::BTreeSet;

use kedge_machinery::FieldError;
use serde_json::Value;

use crate::check;
use crate::value::list;

pub(super) use ip_address_pool::IpAddressPool;
pub(super) use l2_advertisement::L2Advertisement;

/// A list of label selectors: each in order, none twice, no expression twice in one and no value twice in an expression. Values
/// in another order are the same.
fn selectors(spec: &Value, path: &str, key: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let all = list(spec, key);
    let is_among = |value: &Value, others: &[Value]| {
        let value = in_order(value);
        others.iter().any(|other| in_order(other) == value)
    };
    for (i, selector) in all.iter().enumerate() {
        let at = format!("{path}.{key}[{i}]");
        errors.extend(check::selector(&at, selector));
        let expressions = list(selector, "matchExpressions");
        for (j, expression) in expressions.iter().enumerate() {
            let at = format!("{at}.matchExpressions[{j}]");
            errors.extend(distinct(expression, &at, "values"));
            if is_among(expression, &expressions[..j]) {
                errors.push(FieldError::duplicate(at, expression.to_string()));
            }
        }
        if is_among(selector, &all[..i]) {
            errors.push(FieldError::duplicate(at, selector.to_string()));
        }
    }
    errors
}

/// A selector, or an expression of one, with its values in order.
fn in_order(selector: &Value) -> Value {
    match selector {
        Value::Object(fields) => {
            let field = |(key, value): (&String, &Value)| {
                let mut value = in_order(value);
                if let Value::Array(values) = &mut value
                    && key == "values"
                {
                    values.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
                }
                (key.clone(), value)
            };
            fields.iter().map(field).collect()
        }
        Value::Array(all) => all.iter().map(in_order).collect(),
        other => other.clone(),
    }
}

/// A list of names: none twice.
fn distinct(spec: &Value, path: &str, key: &str) -> Vec<FieldError> {
    let mut seen = BTreeSet::new();
    let texts = list(spec, key).iter().filter_map(Value::as_str);
    texts
        .enumerate()
        .filter(|(_, text)| !seen.insert(text.to_string()))
        .map(|(i, text)| FieldError::duplicate(format!("{path}.{key}[{i}]"), text))
        .collect()
}
