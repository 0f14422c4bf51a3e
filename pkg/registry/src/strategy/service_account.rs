//! ServiceAccounts (`pkg/registry/core/serviceaccount`).

use kedge_machinery::Object;
use serde_json::{Map, Value};

use super::Strategy;
use crate::value::{field, structs_mut};

/// What was to keep Pods from others' Secrets.
const ENFORCE: &str = "kubernetes.io/enforce-mountable-secrets";

pub(super) struct ServiceAccount;

impl Strategy for ServiceAccount {
    fn prepare_create(&self, new: &mut Object) {
        only_names(&mut new.0);
    }

    fn prepare_update(&self, new: &mut Object, _old: &Object, _subresource: &str) {
        only_names(&mut new.0);
    }

    fn warnings(&self, new: &Object, old: Option<&Object>) -> Vec<String> {
        let enforces = |object: &Object| object.at(&["metadata", "annotations", ENFORCE]).is_some();
        if !enforces(new) || old.is_some_and(enforces) {
            return Vec::new();
        }
        vec![format!(
            "metadata.annotations[{ENFORCE}]: deprecated in v1.32+; \
             prefer separate namespaces to isolate access to mounted secrets"
        )]
    }
}

/// Secrets are those of the account's own namespace: of a reference only the name counts.
fn only_names(account: &mut Map<String, Value>) {
    for secret in structs_mut(account, "secrets") {
        let name = field(secret, "name").clone();
        secret.clear();
        if !name.is_null() {
            secret.insert("name".into(), name);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn references_are_names() {
        let mut account = Object::from_value(
            json!({"secrets": [{"name": "s", "kind": "Secret", "namespace": "other"}, {"kind": "Secret"}]}),
        )
        .unwrap();
        ServiceAccount.prepare_create(&mut account);
        assert_eq!(account.0["secrets"], json!([{"name": "s"}, {}]));
    }

    #[test]
    fn the_annotation_is_told_of_once() {
        let with = |annotations: Value| {
            Object::from_value(json!({"metadata": {"annotations": annotations}})).unwrap()
        };
        let (plain, enforcing) = (with(json!({})), with(json!({ENFORCE: "true"})));
        assert_eq!(ServiceAccount.warnings(&enforcing, None).len(), 1);
        assert_eq!(ServiceAccount.warnings(&enforcing, Some(&plain)).len(), 1);
        assert!(
            ServiceAccount
                .warnings(&enforcing, Some(&enforcing))
                .is_empty()
        );
        assert!(ServiceAccount.warnings(&plain, None).is_empty());
    }
}
