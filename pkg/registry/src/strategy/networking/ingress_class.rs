//! IngressClasses (`pkg/apis/networking/v1/defaults.go` and `validation`).

use kedge_machinery::status::FieldErrorKind;
use kedge_machinery::{FieldError, Object};
use serde_json::Value;

use super::backend::reference;
use crate::check;
use crate::strategy::Strategy;
use crate::value::{field, present, text};

/// Bytes of `spec.controller`.
const MAX_CONTROLLER: usize = 250;
const SCOPES: &[&str] = &["Cluster", "Namespace"];

pub(in crate::strategy) struct IngressClass;

impl Strategy for IngressClass {
    fn default(&self, object: &mut Object) {
        let spec = object.0.get_mut("spec").and_then(Value::as_object_mut);
        let parameters = spec.and_then(|spec| spec.get_mut("parameters"));
        if let Some(parameters) = parameters.and_then(Value::as_object_mut)
            && field(parameters, "scope").is_null()
        {
            parameters.insert("scope".into(), "Cluster".into());
        }
    }

    fn validate(&self, object: &Object) -> Vec<FieldError> {
        let spec = field(&object.0, "spec");
        let controller = text(spec, "controller");
        let mut errors = Vec::new();
        if controller.len() > MAX_CONTROLLER {
            let detail = format!("may not be more than {MAX_CONTROLLER} bytes");
            let kind = FieldErrorKind::TooLong;
            errors.push(FieldError::new(kind, "spec.controller", None, detail));
        }
        errors.extend(check::prefixed_path("spec.controller", controller));
        if let Some(parameters) = present(spec, "parameters") {
            errors.extend(self::parameters(parameters));
        }
        errors
    }

    fn validate_change(&self, new: &Object, old: &Object) -> Vec<FieldError> {
        let controller = |object: &Object| object.at(&["spec", "controller"]).cloned();
        let moved = check::immutable(
            "spec.controller",
            controller(new).as_ref(),
            controller(old).as_ref(),
        );
        Vec::from_iter(moved)
    }
}

fn parameters(parameters: &Value) -> Vec<FieldError> {
    const AT: &str = "spec.parameters";
    let mut errors = reference(AT, parameters);
    let (at_scope, at_namespace) = (format!("{AT}.scope"), format!("{AT}.namespace"));
    let namespace = present(parameters, "namespace").and_then(Value::as_str);
    match text(parameters, "scope") {
        "Cluster" if namespace.is_some() => {
            let detail = "`parameters.scope` is set to 'Cluster'";
            errors.push(FieldError::forbidden(at_namespace, detail));
        }
        "Cluster" => {}
        "Namespace" => match namespace {
            None => {
                let detail = "`parameters.scope` is set to 'Namespace'";
                errors.push(FieldError::required(at_namespace, detail));
            }
            Some(namespace) => errors.extend(check::label(&at_namespace, namespace)),
        },
        other => errors.push(FieldError::not_supported(at_scope, other, SCOPES)),
    }
    errors
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn class(spec: Value) -> Object {
        Object::from_value(json!({"metadata": {"name": "c"}, "spec": spec})).unwrap()
    }

    #[rstest]
    #[case(json!({"controller": "example.com/ingress"}), &[])]
    #[case(json!({}), &["spec.controller"])]
    #[case(json!({"controller": "example.com"}), &["spec.controller"])]
    #[case(json!({"controller": "Example/ingress"}), &["spec.controller"])]
    #[case(json!({"controller": "example.com/a b"}), &["spec.controller"])]
    #[case(json!({"controller": "a/b", "parameters": {"kind": "K", "name": "n"}}), &[])]
    #[case(json!({"controller": "a/b", "parameters": {"kind": "K", "name": "n", "namespace": "x"}}), &["spec.parameters.namespace"])]
    #[case(json!({"controller": "a/b", "parameters": {"kind": "K", "name": "n", "scope": "Namespace"}}), &["spec.parameters.namespace"])]
    #[case(json!({"controller": "a/b", "parameters": {"kind": "K", "name": "n", "scope": "Namespace", "namespace": "x"}}), &[])]
    #[case(json!({"controller": "a/b", "parameters": {"kind": "K", "name": "n", "scope": "Namespace", "namespace": ""}}), &["spec.parameters.namespace"])]
    #[case(json!({"controller": "a/b", "parameters": {"kind": "K", "name": "n", "scope": ""}}), &["spec.parameters.scope"])]
    #[case(json!({"controller": "a/b", "parameters": {"apiGroup": "A b", "kind": "a/b", "name": "%"}}), &["spec.parameters.apiGroup", "spec.parameters.kind", "spec.parameters.name"])]
    #[case(json!({"controller": format!("a/{}", "b".repeat(249))}), &["spec.controller"])]
    #[case(json!({"controller": "a/b", "parameters": {"scope": "Node"}}), &["spec.parameters.kind", "spec.parameters.name", "spec.parameters.scope"])]
    fn what_is_wrong(#[case] spec: Value, #[case] wrong: &[&str]) {
        let mut object = class(spec);
        IngressClass.default(&mut object);
        let found: Vec<String> = IngressClass
            .validate(&object)
            .into_iter()
            .map(|e| e.field)
            .collect();
        assert_eq!(found, wrong);
    }

    #[test]
    fn the_controller_stays() {
        let (old, new) = (
            class(json!({"controller": "a/b"})),
            class(json!({"controller": "a/c"})),
        );
        assert_eq!(
            IngressClass.validate_change(&new, &old)[0].field,
            "spec.controller"
        );
        assert!(IngressClass.validate_change(&old, &old).is_empty());
    }
}
