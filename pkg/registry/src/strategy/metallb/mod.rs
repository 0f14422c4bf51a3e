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

/// A list of label selectors: each in order, none twice, and no value twice in an expression.
fn selectors(spec: &Value, path: &str, key: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let all = list(spec, key);
    for (i, selector) in all.iter().enumerate() {
        let at = format!("{path}.{key}[{i}]");
        errors.extend(check::selector(&at, selector));
        for (j, expression) in list(selector, "matchExpressions").iter().enumerate() {
            let at = format!("{at}.matchExpressions[{j}]");
            errors.extend(distinct(expression, &at, "values"));
        }
        if all[..i].contains(selector) {
            errors.push(FieldError::duplicate(at, selector.to_string()));
        }
    }
    errors
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
