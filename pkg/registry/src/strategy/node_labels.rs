//! Labels of nodes by names that were given up (upstream: `pkg/api/node/util.go`).

use serde_json::Value;

use crate::value::{list, text};

const DEPRECATED: [(&str, &str); 5] = [
    (
        "beta.kubernetes.io/arch",
        "deprecated since v1.14; use \"kubernetes.io/arch\" instead",
    ),
    (
        "beta.kubernetes.io/os",
        "deprecated since v1.14; use \"kubernetes.io/os\" instead",
    ),
    (
        "failure-domain.beta.kubernetes.io/region",
        "deprecated since v1.17; use \"topology.kubernetes.io/region\" instead",
    ),
    (
        "failure-domain.beta.kubernetes.io/zone",
        "deprecated since v1.17; use \"topology.kubernetes.io/zone\" instead",
    ),
    (
        "beta.kubernetes.io/instance-type",
        "deprecated since v1.17; use \"node.kubernetes.io/instance-type\" instead",
    ),
];

/// What is said of a label that has another name now.
pub(super) fn deprecated(label: &str) -> Option<&'static str> {
    let known = DEPRECATED.iter().find(|(key, _)| *key == label);
    known.map(|(_, why)| *why)
}

/// The same of the expressions of a term of a selector of nodes.
pub(super) fn of_term(at: &str, term: &Value) -> Vec<String> {
    of_expressions(at, term, "matchExpressions")
}

/// The same of a list of expressions under another name.
pub(super) fn of_expressions(at: &str, term: &Value, list_name: &str) -> Vec<String> {
    let all = list(term, list_name).iter().enumerate();
    let said = all.filter_map(|(i, expression)| {
        let key = text(expression, "key");
        deprecated(key).map(|why| format!("{at}.{list_name}[{i}].key: {key} is {why}"))
    });
    said.collect()
}
