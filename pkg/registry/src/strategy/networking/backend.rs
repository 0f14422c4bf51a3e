//! What an Ingress leads to, and references to objects of any kind (`validateIngressBackend` and
//! `validateIngressTypedLocalObjectReference` of `pkg/apis/networking/validation`).

use kedge_machinery::{FieldError, names};
use serde_json::Value;

use crate::check;
use crate::value::{int, present, text};

/// A Service's port, or an object of another kind.
pub(super) fn backend(path: &str, backend: &Value) -> Vec<FieldError> {
    match (present(backend, "service"), present(backend, "resource")) {
        (Some(_), Some(_)) => {
            let detail = "cannot set both resource and service backends";
            vec![FieldError::invalid(path, "", detail)]
        }
        (None, None) => vec![FieldError::invalid(
            path,
            "",
            "resource or service backend is required",
        )],
        (None, Some(resource)) => reference(&format!("{path}.resource"), resource),
        (Some(service), None) => self::service(path, service),
    }
}

fn service(path: &str, service: &Value) -> Vec<FieldError> {
    let (at, name) = (format!("{path}.service.name"), text(service, "name"));
    let mut errors = match name {
        "" => vec![FieldError::required(&at, "")],
        name => check::label(&at, name),
    };
    let port = present(service, "port").unwrap_or(&Value::Null);
    let at = |key: &str| format!("{path}.service.port.{key}");
    match (text(port, "name"), int(port, "number")) {
        ("", 0) => errors.push(FieldError::required(
            path,
            "port name or number is required",
        )),
        ("", number) => errors.extend(check::port(&at("number"), number)),
        (name, 0) => errors.extend(check::invalid(&at("name"), name, names::port_name(name))),
        _ => {
            let detail = "cannot set both port name & port number";
            errors.push(FieldError::invalid(path, "", detail));
        }
    }
    errors
}

/// An object by group, kind and name.
pub(super) fn reference(path: &str, reference: &Value) -> Vec<FieldError> {
    let at = |key: &str| format!("{path}.{key}");
    let mut errors = Vec::new();
    if let Some(group) = present(reference, "apiGroup").and_then(Value::as_str) {
        errors.extend(check::subdomain(&at("apiGroup"), group));
    }
    for key in ["kind", "name"] {
        match text(reference, key) {
            "" => errors.push(FieldError::required(at(key), "")),
            value => errors.extend(check::path_segment(&at(key), value)),
        }
    }
    errors
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case(json!({"service": {"name": "web", "port": {"number": 80}}}), &[])]
    #[case(json!({"service": {"name": "web", "port": {"name": "http"}}}), &[])]
    #[case(json!({"resource": {"apiGroup": "example.com", "kind": "Bucket", "name": "b"}}), &[])]
    #[case(json!({}), &["b"])]
    #[case(json!({"service": {"name": "web"}, "resource": {"kind": "Bucket", "name": "b"}}), &["b"])]
    #[case(json!({"service": {"name": "web"}}), &["b"])]
    #[case(json!({"service": {"name": "web", "port": {"name": "http", "number": 80}}}), &["b"])]
    #[case(json!({"service": {"port": {"number": 70_000}}}), &["b.service.name", "b.service.port.number"])]
    #[case(json!({"service": {"name": "W", "port": {"name": "-"}}}), &["b.service.name", "b.service.port.name", "b.service.port.name"])]
    #[case(json!({"resource": {"apiGroup": "Bad Group", "kind": "a/b"}}), &["b.resource.apiGroup", "b.resource.kind", "b.resource.name"])]
    fn what_is_wrong(#[case] value: Value, #[case] fields: &[&str]) {
        let mut found: Vec<String> = backend("b", &value).into_iter().map(|e| e.field).collect();
        found.dedup();
        let mut fields = fields.to_vec();
        fields.dedup();
        assert_eq!(found, fields);
    }

    #[rstest]
    #[case(json!({}), "b: Invalid value: \"\": resource or service backend is required")]
    #[case(json!({"service": {"name": "web"}}), "b: Required value: port name or number is required")]
    #[case(json!({"service": {"port": {"number": 80}}}), "b.service.name: Required value")]
    #[case(json!({"resource": {"name": "n"}}), "b.resource.kind: Required value")]
    #[case(json!({"resource": {"kind": "K"}}), "b.resource.name: Required value")]
    #[case(json!({"resource": {"kind": "K/", "name": "n"}}), "b.resource.kind: Invalid value: \"K/\": may not contain '/'")]
    fn in_which_words(#[case] value: Value, #[case] said: &str) {
        let errors = backend("b", &value);
        assert_eq!(errors[0].to_string(), said);
        assert_eq!(errors.len(), 1);
    }
}
