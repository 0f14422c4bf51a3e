//! What an access review asks about: `resourceAttributes` or `nonResourceAttributes` (upstream:
//! `pkg/apis/authorization/validation`, `pkg/registry/authorization/util`).

use kedge_machinery::selector::{FieldSelector, LabelSelector};
use kedge_machinery::{FieldError, names};
use serde_json::{Map, Value};

use crate::request_info::RequestInfo;

const RESOURCE: &str = "resourceAttributes";
const PATH: &str = "nonResourceAttributes";

/// The question as a request, and what of it could not be read.
pub(super) struct Attributes {
    pub request: RequestInfo,
    pub errors: Vec<String>,
}

/// A member that is there and not null.
pub(super) fn member<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    value.get(key).filter(|value| !value.is_null())
}

/// Paths as upstream tells of them: its inner type names its members so.
pub(super) fn shown(path: &Value) -> Value {
    let mut shown = Map::new();
    for (key, name) in [("path", "Path"), ("verb", "Verb")] {
        shown.insert(name.into(), text(path, key).into());
    }
    shown.into()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    let list = value.get(key).and_then(Value::as_array);
    list.map(Vec::as_slice).unwrap_or_default()
}

/// What is wrong with the question.
pub(super) fn validate(spec: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    match (member(spec, RESOURCE), member(spec, PATH)) {
        (Some(_), Some(path)) => errors.push(FieldError::invalid(
            format!("spec.{PATH}"),
            shown(path),
            "cannot be specified in combination with resourceAttributes",
        )),
        (None, None) => errors.push(FieldError::invalid(
            format!("spec.{RESOURCE}"),
            Value::Null,
            "exactly one of nonResourceAttributes or resourceAttributes must be specified",
        )),
        _ => {}
    }
    for key in ["fieldSelector", "labelSelector"] {
        let attributes = member(spec, RESOURCE);
        if let Some(selector) = attributes.and_then(|attributes| member(attributes, key)) {
            errors.extend(selectors(&format!("spec.{RESOURCE}.{key}"), selector, key));
        }
    }
    errors
}

fn selectors(path: &str, selector: &Value, key: &str) -> Vec<FieldError> {
    let (raw, requirements) = (
        text(selector, "rawSelector"),
        list(selector, "requirements"),
    );
    let mut errors = Vec::new();
    if !raw.is_empty() && !requirements.is_empty() {
        let detail = "may not specified at the same time as requirements";
        errors.push(FieldError::invalid(
            format!("{path}.rawSelector"),
            raw,
            detail,
        ));
    }
    if raw.is_empty() && requirements.is_empty() {
        let detail = format!("when {path} is specified, requirements or rawSelector is required");
        errors.push(FieldError::required(format!("{path}.requirements"), detail));
    }
    for (i, requirement) in requirements.iter().enumerate() {
        let at = |member: &str| format!("{path}.requirements[{i}].{member}");
        let (name, values) = (text(requirement, "key"), list(requirement, "values"));
        if name.is_empty() && key == "fieldSelector" {
            errors.push(FieldError::required(at("key"), "must be specified"));
        }
        match text(requirement, "operator") {
            "In" | "NotIn" if values.is_empty() => {
                let detail = "must be specified when `operator` is 'In' or 'NotIn'";
                errors.push(FieldError::required(at("values"), detail));
            }
            "Exists" | "DoesNotExist" if !values.is_empty() => {
                let detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
                errors.push(FieldError::forbidden(at("values"), detail));
            }
            // A newer client may know more of them.
            _ => {}
        }
        if key == "labelSelector" {
            let wrong = names::qualified_name(name).into_iter();
            errors.extend(wrong.map(|detail| FieldError::invalid(at("key"), name, detail)));
        }
    }
    errors
}

/// The question as a request. Selectors that cannot be read are left out, and said to be: that asks for more.
pub(super) fn read(spec: &Value) -> Attributes {
    let mut errors = Vec::new();
    let request = match member(spec, RESOURCE) {
        Some(resource) => {
            let of = |key: &str| text(resource, key).to_string();
            let field_selector = fields(resource, &mut errors);
            labels(resource, &mut errors);
            RequestInfo {
                is_resource: true,
                verb: of("verb"),
                group: of("group"),
                version: of("version"),
                namespace: of("namespace"),
                resource: of("resource"),
                subresource: of("subresource"),
                name: of("name"),
                field_selector,
                ..RequestInfo::default()
            }
        }
        None => {
            let path = spec.get(PATH).unwrap_or(&Value::Null);
            RequestInfo {
                verb: text(path, "verb").into(),
                path: text(path, "path").into(),
                ..RequestInfo::default()
            }
        }
    };
    Attributes { request, errors }
}

/// The field selector's text.
fn fields(resource: &Value, errors: &mut Vec<String>) -> String {
    let Some(selector) = member(resource, "fieldSelector") else {
        return String::new();
    };
    let requirements = list(selector, "requirements");
    if requirements.is_empty() {
        let raw = text(selector, "rawSelector");
        if FieldSelector::parse(raw).is_ok() {
            return raw.into();
        }
        errors.push(ignored("fieldSelector", false));
        return String::new();
    }
    let terms: Vec<String> = requirements
        .iter()
        .filter_map(|requirement| {
            let [value] = list(requirement, "values") else {
                return None;
            };
            let operator = match text(requirement, "operator") {
                "In" => "=",
                "NotIn" => "!=",
                _ => return None,
            };
            let key = text(requirement, "key");
            Some(format!("{key}{operator}{}", value.as_str()?))
        })
        .collect();
    if terms.len() < requirements.len() {
        errors.push(ignored("fieldSelector", !terms.is_empty()));
    }
    terms.join(",")
}

/// Nobody decides by labels; only what cannot be read is told.
fn labels(resource: &Value, errors: &mut Vec<String>) {
    let Some(selector) = member(resource, "labelSelector") else {
        return;
    };
    let requirements = list(selector, "requirements");
    if requirements.is_empty() {
        if LabelSelector::parse(text(selector, "rawSelector")).is_err() {
            errors.push(ignored("labelSelector", false));
        }
        return;
    }
    let good = requirements.iter().filter(|requirement| {
        let alone = serde_json::json!({"matchExpressions": [requirement]});
        LabelSelector::from_json(&alone).is_ok()
    });
    let good = good.count();
    if good < requirements.len() {
        errors.push(ignored("labelSelector", good > 0));
    }
}

fn ignored(selector: &str, partially: bool) -> String {
    let how = if partially { "partially " } else { "" };
    format!("spec.{RESOURCE}.{selector} {how}ignored due to parse error")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    #[rstest]
    #[case(json!({"resourceAttributes": {}}), &[])]
    #[case(json!({"nonResourceAttributes": {}}), &[])]
    #[case(json!({}), &["spec.resourceAttributes: Invalid value: null: exactly one of nonResourceAttributes or resourceAttributes must be specified"])]
    #[case(json!({"resourceAttributes": {}, "nonResourceAttributes": {"path": "/a", "verb": "get"}}),
        &["spec.nonResourceAttributes: Invalid value: {\"Path\":\"/a\",\"Verb\":\"get\"}: cannot be specified in combination with resourceAttributes"])]
    #[case(json!({"resourceAttributes": {"fieldSelector": {}}}),
        &["spec.resourceAttributes.fieldSelector.requirements: Required value: when spec.resourceAttributes.fieldSelector is specified, requirements or rawSelector is required"])]
    #[case(json!({"resourceAttributes": {"labelSelector": {"rawSelector": "a", "requirements": [{"key": "a", "operator": "In"}]}}}),
        &["spec.resourceAttributes.labelSelector.rawSelector: Invalid value: \"a\": may not specified at the same time as requirements",
          "spec.resourceAttributes.labelSelector.requirements[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'"])]
    fn what_is_wrong(#[case] spec: Value, #[case] expected: &[&str]) {
        let found: Vec<String> = validate(&spec).iter().map(ToString::to_string).collect();
        assert_eq!(found, expected);
    }

    #[rstest]
    #[case(json!({"fieldSelector": {"rawSelector": "spec.nodeName=n"}}), "spec.nodeName=n", &[])]
    #[case(json!({"fieldSelector": {"rawSelector": "&"}}), "", &["spec.resourceAttributes.fieldSelector ignored due to parse error"])]
    #[case(json!({"fieldSelector": {"requirements": [
        {"key": "a", "operator": "In", "values": ["b"]}, {"key": "c", "operator": "NotIn", "values": ["d"]},
    ]}}), "a=b,c!=d", &[])]
    #[case(json!({"fieldSelector": {"requirements": [
        {"key": "a", "operator": "In", "values": ["b"]}, {"key": "c", "operator": "Exists"},
    ]}}), "a=b", &["spec.resourceAttributes.fieldSelector partially ignored due to parse error"])]
    #[case(json!({"labelSelector": {"requirements": [{"key": "a", "operator": "Odd"}]}}), "",
        &["spec.resourceAttributes.labelSelector ignored due to parse error"])]
    fn selectors_are_read(#[case] resource: Value, #[case] text: &str, #[case] errors: &[&str]) {
        let found = read(&json!({"resourceAttributes": resource}));
        assert_eq!(found.request.field_selector, text);
        assert_eq!(found.errors, errors);
    }
}
