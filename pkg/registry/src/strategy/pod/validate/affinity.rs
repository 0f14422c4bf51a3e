//! Where a Pod goes: nodes that it wants, Pods that it is beside or apart from.

use std::collections::BTreeSet;

use kedge_machinery::{FieldError, names};
use serde_json::Value;

use crate::check;
use crate::value::{child, int, list, pairs, present, text, texts};

const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";

pub(super) fn affinity(path: &str, affinity: &Value) -> Vec<FieldError> {
    let mut errors = nodes(
        &format!("{path}.nodeAffinity"),
        child(affinity, "nodeAffinity"),
    );
    for key in ["podAffinity", "podAntiAffinity"] {
        errors.extend(pods(&format!("{path}.{key}"), child(affinity, key)));
    }
    errors
}

fn nodes(path: &str, nodes: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if let Some(required) = present(nodes, REQUIRED) {
        let path = format!("{path}.{REQUIRED}.nodeSelectorTerms");
        let terms = list(required, "nodeSelectorTerms");
        if terms.is_empty() {
            let detail = "must have at least one node selector term";
            errors.push(FieldError::required(&path, detail));
        }
        for (i, term) in terms.iter().enumerate() {
            errors.extend(node_term(&format!("{path}[{i}]"), term, true));
        }
    }
    for (i, term) in list(nodes, PREFERRED).iter().enumerate() {
        let path = format!("{path}.{PREFERRED}[{i}]");
        errors.extend(weight(&path, term));
        let preference = child(term, "preference");
        // No node has what is no value: that is no obstacle to what is only wished for.
        errors.extend(node_term(&format!("{path}.preference"), preference, false));
    }
    errors
}

fn weight(path: &str, term: &Value) -> Option<FieldError> {
    let weight = int(term, "weight");
    let good = (1..=100).contains(&weight);
    let at = format!("{path}.weight");
    (!good).then(|| FieldError::invalid(at, weight, "must be in the range 1-100"))
}

fn node_term(path: &str, term: &Value, strict: bool) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for (i, expression) in list(term, "matchExpressions").iter().enumerate() {
        let path = format!("{path}.matchExpressions[{i}]");
        errors.extend(of_label(&path, expression, strict));
    }
    for (i, expression) in list(term, "matchFields").iter().enumerate() {
        errors.extend(of_field(&format!("{path}.matchFields[{i}]"), expression));
    }
    errors
}

fn of_label(path: &str, expression: &Value, strict: bool) -> Vec<FieldError> {
    let at = |key: &str| format!("{path}.{key}");
    let values = texts(expression, "values");
    let required = |detail| Some(FieldError::required(at("values"), detail));
    let wrong = match text(expression, "operator") {
        "In" | "NotIn" if values.is_empty() => {
            required("must be specified when `operator` is 'In' or 'NotIn'")
        }
        "Exists" | "DoesNotExist" if !values.is_empty() => {
            let detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
            Some(FieldError::forbidden(at("values"), detail))
        }
        "Gt" | "Lt" if values.len() != 1 => {
            required("must be specified single value when `operator` is 'Lt' or 'Gt'")
        }
        "In" | "NotIn" | "Exists" | "DoesNotExist" | "Gt" | "Lt" => None,
        other => Some(no_operator(at("operator"), other)),
    };
    let mut errors = Vec::from_iter(wrong);
    errors.extend(check::qualified_name(&at("key"), text(expression, "key")));
    if strict {
        for (i, value) in values.into_iter().enumerate() {
            let at = format!("{}[{i}]", at("values"));
            errors.extend(check::invalid(&at, value, names::label_value(value)));
        }
    }
    errors
}

fn no_operator(at: String, operator: &str) -> FieldError {
    FieldError::invalid(at, operator, "not a valid selector operator")
}

/// The one field that nodes are selected by is the name.
fn of_field(path: &str, expression: &Value) -> Vec<FieldError> {
    let at = |key: &str| format!("{path}.{key}");
    let values = texts(expression, "values");
    let mut errors = Vec::new();
    match text(expression, "operator") {
        "In" | "NotIn" if values.len() == 1 => {}
        "In" | "NotIn" => {
            let detail =
                "must be only one value when `operator` is 'In' or 'NotIn' for node field selector";
            errors.push(FieldError::required(at("values"), detail));
        }
        other => errors.push(no_operator(at("operator"), other)),
    }
    let key = text(expression, "key");
    if key != "metadata.name" {
        let detail = "not a valid field selector key";
        errors.push(FieldError::invalid(at("key"), key, detail));
        return errors;
    }
    for (i, value) in values.into_iter().enumerate() {
        errors.extend(check::subdomain(&format!("{path}.values[{i}]"), value));
    }
    errors
}

fn pods(path: &str, pods: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for (i, term) in list(pods, REQUIRED).iter().enumerate() {
        errors.extend(pod_term(&format!("{path}.{REQUIRED}[{i}]"), term));
    }
    for (i, term) in list(pods, PREFERRED).iter().enumerate() {
        let path = format!("{path}.{PREFERRED}[{i}]");
        errors.extend(weight(&path, term));
        let inner = child(term, "podAffinityTerm");
        errors.extend(pod_term(&format!("{path}.podAffinityTerm"), inner));
    }
    errors
}

fn pod_term(path: &str, term: &Value) -> Vec<FieldError> {
    let at = |key: &str| format!("{path}.{key}");
    let mut errors = Vec::new();
    for key in ["labelSelector", "namespaceSelector"] {
        if let Some(selector) = present(term, key) {
            errors.extend(check::selector(&at(key), selector));
        }
    }
    for name in texts(term, "namespaces") {
        errors.extend(check::label(&at("namespace"), name));
    }
    errors.extend(label_keys(path, term));
    let topology = text(term, "topologyKey");
    if topology.is_empty() {
        let detail = "can not be empty";
        errors.push(FieldError::required(at("topologyKey"), detail));
    }
    errors.extend(check::qualified_name(&at("topologyKey"), topology));
    errors
}

/// Keys whose values are those of the Pod itself (KEP-3633). By now the selector has an expression for each.
fn label_keys(path: &str, term: &Value) -> Vec<FieldError> {
    let selector = present(term, "labelSelector");
    let mut errors = Vec::new();
    for field in ["matchLabelKeys", "mismatchLabelKeys"] {
        let at = format!("{path}.{field}");
        let keys = texts(term, field);
        if selector.is_none() && !keys.is_empty() {
            errors.push(without_selector(at));
            continue;
        }
        for (i, key) in keys.into_iter().enumerate() {
            errors.extend(check::qualified_name(&format!("{at}[{i}]"), key));
        }
    }
    let [matched, mismatched] =
        ["matchLabelKeys", "mismatchLabelKeys"].map(|field| texts(term, field));
    if let Some(selector) = selector {
        let mut seen: BTreeSet<&str> = pairs(selector, "matchLabels").map(|(key, _)| key).collect();
        for expression in list(selector, "matchExpressions") {
            let key = text(expression, "key");
            let place = matched.iter().rposition(|own| *own == key);
            if let (false, Some(i)) = (seen.insert(key), place) {
                errors.push(in_both(format!("{path}[{i}]"), key, "labelSelector"));
            }
        }
    }
    for (i, key) in matched.into_iter().enumerate() {
        if mismatched.contains(&key) {
            let at = format!("{path}.matchLabelKeys[{i}]");
            errors.push(in_both(at, key, "mismatchLabelKeys"));
        }
    }
    errors
}

pub(super) fn in_both(at: String, key: &str, other: &str) -> FieldError {
    let detail = format!("exists in both matchLabelKeys and {other}");
    FieldError::invalid(at, key, detail)
}

pub(super) fn without_selector(at: String) -> FieldError {
    let detail = "must not be specified when labelSelector is not set";
    FieldError::forbidden(at, detail)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn check(errors: &[FieldError], want: &[&str]) {
        let found: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(found.len(), want.len(), "{found:?}");
        for (found, want) in found.iter().zip(want) {
            assert!(found.starts_with(want), "{found}");
        }
    }

    fn required(term: Value) -> Value {
        json!({"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": [term]}}})
    }

    const TERM: &str =
        "a.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0]";

    #[rstest]
    #[case(json!({"key": "k", "operator": "In", "values": ["a"]}), "")]
    #[case(json!({"key": "k", "operator": "Gt", "values": ["1"]}), "")]
    #[case(json!({"key": "k", "operator": "NotIn"}), ".values: Required value: must be specified")]
    #[case(json!({"key": "k", "operator": "Lt", "values": ["1", "2"]}), ".values: Required value: must be specified single value")]
    #[case(json!({"key": "k", "operator": "Exists", "values": ["a"]}), ".values: Forbidden: ")]
    #[case(json!({"key": "k", "operator": "Is"}), ".operator: Invalid value: \"Is\"")]
    #[case(json!({"key": "a b", "operator": "Exists"}), ".key: Invalid value: \"a b\"")]
    #[case(json!({"key": "k", "operator": "In", "values": ["a b"]}), ".values[0]: Invalid value: \"a b\"")]
    fn labels_of_nodes(#[case] expression: Value, #[case] want: &str) {
        let errors = affinity("a", &required(json!({"matchExpressions": [expression]})));
        let want = format!("{TERM}.matchExpressions[0]{want}");
        let want = [want.as_str()];
        check(&errors, if want[0].ends_with("[0]") { &[] } else { &want });
    }

    #[rstest]
    #[case(json!({"key": "metadata.name", "operator": "In", "values": ["n1"]}), &[])]
    #[case(json!({"key": "metadata.name", "operator": "In", "values": ["a", "b"]}), &["values: Required value"])]
    #[case(json!({"key": "metadata.name", "operator": "Exists"}), &["operator: Invalid value"])]
    #[case(json!({"key": "metadata.uid", "operator": "In", "values": ["a"]}), &["key: Invalid value: \"metadata.uid\": not a valid field selector key"])]
    #[case(json!({"key": "metadata.name", "operator": "NotIn", "values": ["A"]}), &["values[0]: Invalid value: \"A\""])]
    fn names_of_nodes(#[case] expression: Value, #[case] want: &[&str]) {
        let errors = affinity("a", &required(json!({"matchFields": [expression]})));
        let want: Vec<String> = want
            .iter()
            .map(|w| format!("{TERM}.matchFields[0].{w}"))
            .collect();
        check(
            &errors,
            &want.iter().map(String::as_str).collect::<Vec<_>>(),
        );
    }

    #[test]
    fn terms_and_weights_of_nodes() {
        let none = json!({"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": []}}});
        assert!(
            affinity("a", &none)[0]
                .field
                .ends_with(".nodeSelectorTerms")
        );
        let wish = |weight: i64, value: &str| {
            let expression = json!({"key": "k", "operator": "In", "values": [value]});
            let term = json!({"weight": weight, "preference": {"matchExpressions": [expression]}});
            affinity("a", &json!({"nodeAffinity": {PREFERRED: [term]}})).len()
        };
        assert_eq!(
            (wish(1, "a b"), wish(100, "a"), wish(0, "a"), wish(101, "a")),
            (0, 0, 1, 1)
        );
    }

    const POD: &str = "a.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0]";

    #[rstest]
    #[case(json!({"topologyKey": "zone", "labelSelector": {"matchLabels": {"a": "b"}}, "namespaces": ["n"]}), &[])]
    #[case(json!({"topologyKey": ""}), &[".topologyKey: Required value: can not be empty", ".topologyKey: Invalid value", ".topologyKey: Invalid value"])]
    #[case(json!({"topologyKey": "z", "namespaces": ["A"]}), &[".namespace: Invalid value: \"A\""])]
    #[case(json!({"topologyKey": "z", "namespaceSelector": {"matchExpressions": [{"key": "a", "operator": "In"}]}}), &[
        ".namespaceSelector.matchExpressions[0].values: Required value",
    ])]
    #[case(json!({"topologyKey": "z", "matchLabelKeys": ["a"]}), &[".matchLabelKeys: Forbidden: must not be specified when labelSelector is not set"])]
    #[case(json!({"topologyKey": "z", "matchLabelKeys": ["a"], "labelSelector": {"matchExpressions": [{"key": "a", "operator": "In", "values": ["1"]}]}}), &[])]
    #[case(
        json!({"topologyKey": "z", "matchLabelKeys": ["a"], "labelSelector": {
            "matchLabels": {"a": "x"}, "matchExpressions": [{"key": "a", "operator": "In", "values": ["1"]}],
        }}),
        &["[0]: Invalid value: \"a\": exists in both matchLabelKeys and labelSelector"]
    )]
    #[case(json!({"topologyKey": "z", "matchLabelKeys": ["b", "a"], "mismatchLabelKeys": ["a", "c d"], "labelSelector": {}}), &[
        ".mismatchLabelKeys[1]: Invalid value: \"c d\"", ".matchLabelKeys[1]: Invalid value: \"a\": exists in both matchLabelKeys and mismatchLabelKeys",
    ])]
    fn beside_other_pods(#[case] term: Value, #[case] want: &[&str]) {
        let errors = affinity("a", &json!({"podAffinity": {REQUIRED: [term]}}));
        let want: Vec<String> = want.iter().map(|w| format!("{POD}{w}")).collect();
        check(
            &errors,
            &want.iter().map(String::as_str).collect::<Vec<_>>(),
        );
    }

    #[test]
    fn apart_from_other_pods() {
        let term = json!({"weight": 0, "podAffinityTerm": {"topologyKey": "a b"}});
        let errors = affinity("a", &json!({"podAntiAffinity": {PREFERRED: [term]}}));
        let at = format!("a.podAntiAffinity.{PREFERRED}[0]");
        let fields: Vec<&str> = errors.iter().map(|e| e.field.as_str()).collect();
        assert_eq!(
            fields,
            [
                format!("{at}.weight"),
                format!("{at}.podAffinityTerm.topologyKey")
            ]
        );
    }
}
