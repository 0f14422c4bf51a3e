//! RoleBindings and ClusterRoleBindings.

use kedge_machinery::{FieldError, Object};
use kedge_rbac::GROUP;
use serde_json::{Map, Value, json};

use crate::check;
use crate::strategy::Strategy;
use crate::value::{default, field, structs_mut, text};

const ACCOUNT: &str = "ServiceAccount";
const USER: &str = "User";
const PEOPLE: &str = "Group";

pub(in crate::strategy) struct RoleBinding;

pub(in crate::strategy) struct ClusterRoleBinding;

impl Strategy for RoleBinding {
    fn default(&self, object: &mut Object) {
        defaults(object);
    }

    fn validate(&self, object: &Object) -> Vec<FieldError> {
        validate(object, &["Role", "ClusterRole"], true)
    }

    fn validate_change(&self, new: &Object, old: &Object) -> Vec<FieldError> {
        Vec::from_iter(role_stays(new, old))
    }
}

impl Strategy for ClusterRoleBinding {
    fn default(&self, object: &mut Object) {
        defaults(object);
    }

    fn validate(&self, object: &Object) -> Vec<FieldError> {
        validate(object, &["ClusterRole"], false)
    }

    fn validate_change(&self, new: &Object, old: &Object) -> Vec<FieldError> {
        Vec::from_iter(role_stays(new, old))
    }
}

fn defaults(object: &mut Object) {
    if let Some(role) = object.0.get_mut("roleRef").and_then(Value::as_object_mut) {
        default(role, "apiGroup", GROUP);
    }
    for subject in structs_mut(&mut object.0, "subjects") {
        let kind = field(subject, "kind").as_str().unwrap_or_default();
        if kind == USER || kind == PEOPLE {
            default(subject, "apiGroup", GROUP);
        }
    }
}

fn validate(object: &Object, kinds: &[&str], namespaced: bool) -> Vec<FieldError> {
    let role = field(&object.0, "roleRef");
    let [group, kind, name] = ["apiGroup", "kind", "name"].map(|key| text(role, key));
    let mut errors = Vec::new();
    if group != GROUP {
        errors.push(FieldError::not_supported(
            "roleRef.apiGroup",
            group,
            &[GROUP],
        ));
    }
    if !kinds.contains(&kind) {
        errors.push(FieldError::not_supported("roleRef.kind", kind, kinds));
    }
    if name.is_empty() {
        errors.push(FieldError::required("roleRef.name", ""));
    } else {
        errors.extend(check::path_segment("roleRef.name", name));
    }
    let subjects = field(&object.0, "subjects")
        .as_array()
        .into_iter()
        .flatten();
    for (i, subject) in subjects.enumerate() {
        errors.extend(self::subject(
            &format!("subjects[{i}]"),
            subject,
            namespaced,
        ));
    }
    errors
}

fn subject(path: &str, subject: &Value, namespaced: bool) -> Vec<FieldError> {
    let at = |key: &str| format!("{path}.{key}");
    let [kind, group, name, namespace] =
        ["kind", "apiGroup", "name", "namespace"].map(|key| text(subject, key));
    let mut errors = Vec::new();
    if name.is_empty() {
        errors.push(FieldError::required(at("name"), ""));
    }
    let mut of_group = |wanted: &str| {
        if group != wanted {
            errors.push(FieldError::not_supported(at("apiGroup"), group, &[wanted]));
        }
    };
    match kind {
        ACCOUNT => {
            of_group("");
            if !name.is_empty() {
                errors.extend(check::subdomain(&at("name"), name));
            }
            if !namespaced && namespace.is_empty() {
                errors.push(FieldError::required(at("namespace"), ""));
            }
        }
        USER => of_group(GROUP),
        PEOPLE => of_group(GROUP),
        other => {
            let kinds = [ACCOUNT, USER, PEOPLE];
            errors.push(FieldError::not_supported(at("kind"), other, &kinds));
        }
    }
    if name.is_empty() && (kind == USER || kind == PEOPLE) {
        let detail = format!("{} name cannot be empty", kind.to_lowercase());
        errors.insert(1, FieldError::invalid(at("name"), "", detail));
    }
    errors
}

fn role_stays(new: &Object, old: &Object) -> Option<FieldError> {
    let role = field(&new.0, "roleRef");
    if role == field(&old.0, "roleRef") {
        return None;
    }
    // Told with the names that upstream's inner type has.
    let mut shown = Map::new();
    for (key, name) in [("apiGroup", "APIGroup"), ("kind", "Kind"), ("name", "Name")] {
        shown.insert(name.into(), json!(text(role, key)));
    }
    let detail = "cannot change roleRef";
    Some(FieldError::invalid("roleRef", Value::Object(shown), detail))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn binding(role: Value, subjects: Value) -> Object {
        let mut object =
            Object::from_value(json!({"roleRef": role, "subjects": subjects})).unwrap();
        defaults(&mut object);
        object
    }

    fn reader() -> Value {
        json!({"kind": "ClusterRole", "name": "reader"})
    }

    fn fields(errors: &[FieldError]) -> Vec<&str> {
        errors.iter().map(|e| e.field.as_str()).collect()
    }

    #[test]
    fn groups_are_filled_in() {
        let subjects = json!([
            {"kind": "User", "name": "a"}, {"kind": "Group", "name": "b"}, {"kind": "ServiceAccount", "name": "c"},
        ]);
        let binding = binding(reader(), subjects);
        assert_eq!(binding.at(&["roleRef", "apiGroup"]), Some(&json!(GROUP)));
        let groups: Vec<&str> = field(&binding.0, "subjects")
            .as_array()
            .unwrap()
            .iter()
            .map(|subject| text(subject, "apiGroup"))
            .collect();
        assert_eq!(groups, [GROUP, GROUP, ""]);
    }

    #[rstest]
    #[case(reader(), json!([]), &[], &[])]
    #[case(json!({"kind": "Role", "name": "r"}), json!(null), &[], &["roleRef.kind"])]
    #[case(json!({}), json!(null), &["roleRef.kind", "roleRef.name"], &["roleRef.kind", "roleRef.name"])]
    #[case(json!({"apiGroup": "x", "kind": "ClusterRole", "name": "a/b"}), json!(null),
        &["roleRef.apiGroup", "roleRef.name"], &["roleRef.apiGroup", "roleRef.name"])]
    #[case(reader(), json!([{"kind": "ServiceAccount", "name": "c"}]), &[], &["subjects[0].namespace"])]
    #[case(reader(), json!([{"kind": "ServiceAccount", "name": "C", "namespace": "n"}]),
        &["subjects[0].name"], &["subjects[0].name"])]
    #[case(reader(), json!([{"kind": "User", "name": ""}]),
        &["subjects[0].name", "subjects[0].name"], &["subjects[0].name", "subjects[0].name"])]
    #[case(reader(), json!([{"kind": "Robot", "name": "r"}]), &["subjects[0].kind"], &["subjects[0].kind"])]
    #[case(reader(), json!([{"kind": "Group", "name": "g", "apiGroup": "x"}]),
        &["subjects[0].apiGroup"], &["subjects[0].apiGroup"])]
    fn what_is_wrong(
        #[case] role: Value,
        #[case] subjects: Value,
        #[case] namespaced: &[&str],
        #[case] cluster: &[&str],
    ) {
        let binding = binding(role, subjects);
        assert_eq!(fields(&RoleBinding.validate(&binding)), namespaced);
        assert_eq!(fields(&ClusterRoleBinding.validate(&binding)), cluster);
    }

    #[test]
    fn the_role_stays() {
        let old = binding(reader(), json!(null));
        let new = binding(json!({"kind": "ClusterRole", "name": "other"}), json!(null));
        let errors = RoleBinding.validate_change(&new, &old);
        let text = "roleRef: Invalid value: {\"APIGroup\":\"rbac.authorization.k8s.io\",\"Kind\":\"ClusterRole\",\"Name\":\"other\"}: cannot change roleRef";
        assert_eq!(errors[0].to_string(), text);
        assert!(ClusterRoleBinding.validate_change(&old, &old).is_empty());
    }
}
