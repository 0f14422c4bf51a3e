//! Volumes whose files are parts of other objects.

use std::collections::BTreeSet;

use kedge_machinery::FieldError;
use serde_json::Value;

use super::{environment, paths};
use crate::check;
use crate::value::{int, list, present, text};

/// Fields of a Pod that a file may have, all labels and annotations among them.
const FIELDS: &[&str] = &[
    "metadata.annotations",
    "metadata.labels",
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
];
/// Seconds that a token may live.
const TOKEN_LIFE: [i64; 2] = [600, 1 << 32];

/// A Secret or a ConfigMap that is named by a field.
pub(super) fn of_keys(path: &str, source: &Value, name: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if text(source, name).is_empty() {
        errors.push(FieldError::required(format!("{path}.{name}"), ""));
    }
    errors.extend(default_mode(path, source));
    errors.extend(keys(path, source));
    errors
}

pub(super) fn downward(path: &str, source: &Value) -> Vec<FieldError> {
    let mut errors = Vec::from_iter(default_mode(path, source));
    errors.extend(files(path, source));
    errors
}

fn mode_of(value: &Value, key: &str) -> Option<i64> {
    present(value, key).and_then(Value::as_i64)
}

fn default_mode(path: &str, source: &Value) -> Option<FieldError> {
    paths::mode(
        format!("{path}.defaultMode"),
        mode_of(source, "defaultMode"),
    )
}

fn keys(path: &str, source: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for (i, item) in list(source, "items").iter().enumerate() {
        let at = |key: &str| format!("{path}.items[{i}].{key}");
        let empty = ["key", "path"].into_iter();
        let empty = empty.filter(|key| text(item, key).is_empty());
        errors.extend(empty.map(|key| FieldError::required(at(key), "")));
        errors.extend(paths::unreserved(&at("path"), text(item, "path")));
        errors.extend(paths::mode(at("mode"), mode_of(item, "mode")));
    }
    errors
}

/// Files with fields of the Pod. Upstream's paths leave their place out.
fn files(path: &str, source: &Value) -> Vec<FieldError> {
    let at = |key: &str| format!("{path}.{key}");
    let mut errors = Vec::new();
    for item in list(source, "items") {
        if text(item, "path").is_empty() {
            errors.push(FieldError::required(at("path"), ""));
        }
        errors.extend(paths::unreserved(&at("path"), text(item, "path")));
        match (present(item, "fieldRef"), present(item, "resourceFieldRef")) {
            (Some(field), resource) => {
                errors.extend(environment::field_ref(&at("fieldRef"), field, FIELDS));
                if resource.is_some() {
                    let detail =
                        "fieldRef and resourceFieldRef can not be specified simultaneously";
                    errors.push(FieldError::invalid(path, "resource", detail));
                }
            }
            (None, Some(resource)) => {
                let at = at("resourceFieldRef");
                errors.extend(environment::resource_ref(&at, resource, true));
            }
            (None, None) => {
                let detail = "one of fieldRef and resourceFieldRef is required";
                errors.push(FieldError::required(path, detail));
            }
        }
        errors.extend(paths::mode(at("mode"), mode_of(item, "mode")));
    }
    errors
}

/// Several sources in one volume: no two write one file.
pub(super) fn projected(path: &str, volume: &Value) -> Vec<FieldError> {
    let mut errors = Vec::from_iter(default_mode(path, volume));
    let mut written = BTreeSet::new();
    for (i, source) in list(volume, "sources").iter().enumerate() {
        let place = format!("{path}.sources[{i}]");
        let mut count = 0;
        let mut found = |key: &str| {
            let found = present(source, key).map(|part| (format!("{place}.{key}"), part));
            count += usize::from(found.is_some());
            found
        };
        let mut twice = |file: &'_ str, shown: &str| {
            let fresh = file.is_empty() || written.insert(file.to_string());
            (!fresh).then(|| FieldError::invalid(path, shown, "conflicting duplicate paths"))
        };
        for key in ["secret", "configMap"] {
            let Some((at, part)) = found(key) else {
                continue;
            };
            let name = text(part, "name");
            if name.is_empty() {
                errors.push(FieldError::required(format!("{at}.name"), ""));
            }
            errors.extend(keys(&at, part));
            let items = list(part, "items").iter();
            errors.extend(items.filter_map(|item| twice(text(item, "path"), name)));
        }
        if let Some((at, part)) = found("downwardAPI") {
            errors.extend(files(&at, part));
            let items = list(part, "items").iter().map(|item| text(item, "path"));
            errors.extend(items.filter_map(|file| twice(file, file)));
        }
        if let Some((at, part)) = found("serviceAccountToken") {
            errors.extend(token(path, &at, part));
        }
        if let Some((at, part)) = found("clusterTrustBundle") {
            errors.extend(bundle(&at, part));
            let file = text(part, "path");
            errors.extend(twice(file, file));
        }
        if count > 1 {
            let detail = "may not specify more than 1 volume type per source";
            errors.push(FieldError::forbidden(place, detail));
        }
    }
    errors
}

/// A token of the Pod's account. Upstream's path of its file is that of the volume.
fn token(volume: &str, at: &str, token: &Value) -> Vec<FieldError> {
    let [least, most] = TOKEN_LIFE;
    let seconds = int(token, "expirationSeconds");
    let mut errors = Vec::new();
    let detail = if seconds < least {
        "may not specify a duration less than 10 minutes"
    } else if seconds > most {
        "may not specify a duration larger than 2^32 seconds"
    } else {
        ""
    };
    if !detail.is_empty() {
        let at = format!("{at}.expirationSeconds");
        errors.push(FieldError::invalid(at, seconds, detail));
    }
    let at = format!("{volume}.path");
    match text(token, "path") {
        "" => errors.push(FieldError::required(at, "")),
        file => errors.extend(paths::unreserved(&at, file)),
    }
    errors
}

/// Certificates that are trusted, by their name or by who signs with them.
fn bundle(path: &str, bundle: &Value) -> Vec<FieldError> {
    let at = |key: &str| format!("{path}.{key}");
    let selector = present(bundle, "labelSelector");
    let mut errors = Vec::new();
    match (present(bundle, "name"), present(bundle, "signerName")) {
        (Some(_), Some(_)) => {
            let detail = "only one of name and signerName may be used";
            errors.push(FieldError::invalid(path, bundle.clone(), detail));
        }
        (Some(_), None) => {
            if text(bundle, "name").is_empty() {
                let detail = "must be a valid object name";
                errors.push(FieldError::required(at("name"), detail));
            }
            if let Some(selector) = selector {
                let detail = "labelSelector must be unset if name is specified";
                let at = at("labelSelector");
                errors.push(FieldError::invalid(at, selector.clone(), detail));
            }
        }
        (None, Some(_)) => {
            let signer = text(bundle, "signerName");
            if signer.is_empty() {
                let detail = "must be a valid signer name";
                errors.push(FieldError::required(at("signerName"), detail));
            }
            if let Some(selector) = selector {
                errors.extend(check::selector(&at("labelSelector"), selector));
            }
        }
        (None, None) => {
            let detail = "either name or signerName must be specified";
            errors.push(FieldError::required(path, detail));
        }
    }
    if text(bundle, "path").is_empty() {
        errors.push(FieldError::required(at("path"), ""));
    }
    errors.extend(paths::unreserved(&at("path"), text(bundle, "path")));
    errors
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

    #[rstest]
    #[case(json!({"name": "a", "items": [{"key": "k", "path": "a/b", "mode": 0o400}]}), &[])]
    #[case(json!({"name": "", "defaultMode": 512}), &["v.name: Required value", "v.defaultMode: Invalid value: 512: must be a number between 0 and 0777"])]
    #[case(json!({"name": "a", "items": [{"key": "", "path": ""}]}), &["v.items[0].key: Required value", "v.items[0].path: Required value"])]
    #[case(json!({"name": "a", "items": [{"key": "k", "path": "/etc/../x", "mode": -1}]}), &[
        "v.items[0].path: Invalid value: \"/etc/../x\": must be a relative path", "v.items[0].path: Invalid value: \"/etc/../x\": must not contain '..'",
        "v.items[0].mode: Invalid value: -1",
    ])]
    fn keys_of_a_map(#[case] source: Value, #[case] want: &[&str]) {
        check(&of_keys("v", &source, "name"), want);
    }

    fn field(path: &str) -> Value {
        json!({"apiVersion": "v1", "fieldPath": path})
    }

    #[rstest]
    #[case(json!({"path": "labels", "fieldRef": field("metadata.labels")}), &[])]
    #[case(json!({"path": "cpu", "resourceFieldRef": {"containerName": "c", "resource": "limits.cpu"}}), &[])]
    #[case(json!({"path": "cpu", "resourceFieldRef": {"resource": "limits.cpu"}}), &["v.resourceFieldRef.containerName: Required value"])]
    #[case(json!({"path": "ip", "fieldRef": field("status.podIP")}), &["v.fieldRef.fieldPath: Unsupported value: \"status.podIP\""])]
    #[case(json!({"path": ""}), &["v.path: Required value", "v: Required value: one of fieldRef and resourceFieldRef is required"])]
    #[case(json!({"path": "..a", "fieldRef": field("metadata.name"), "resourceFieldRef": {}, "mode": 1000}), &[
        "v.path: Invalid value: \"..a\": must not start with '..'", "v: Invalid value: \"resource\": fieldRef and", "v.mode: Invalid value: 1000",
    ])]
    fn fields_of_the_pod(#[case] item: Value, #[case] want: &[&str]) {
        check(&downward("v", &json!({"items": [item]})), want);
    }

    #[rstest]
    #[case(json!([{"secret": {"name": "a"}}, {"configMap": {"name": "b"}}, {"serviceAccountToken": {"path": "token", "expirationSeconds": 600}}]), &[])]
    #[case(json!([{"secret": {"name": ""}, "configMap": {"name": "b"}}]), &[
        "v.sources[0].secret.name: Required value", "v.sources[0]: Forbidden: may not specify more than 1 volume type per source",
    ])]
    #[case(
        json!([
            {"secret": {"name": "a", "items": [{"key": "k", "path": "x"}]}},
            {"downwardAPI": {"items": [{"path": "x", "fieldRef": field("metadata.name")}]}},
        ]),
        &["v: Invalid value: \"x\": conflicting duplicate paths"]
    )]
    #[case(json!([{"serviceAccountToken": {"path": "", "expirationSeconds": 599}}]), &[
        "v.sources[0].serviceAccountToken.expirationSeconds: Invalid value: 599: may not specify a duration less than 10 minutes", "v.path: Required value",
    ])]
    #[case(json!([{"serviceAccountToken": {"path": "../a", "expirationSeconds": 4_294_967_297_i64}}]), &[
        "v.sources[0].serviceAccountToken.expirationSeconds: Invalid value: 4294967297: ", "v.path: Invalid value: ",
    ])]
    #[case(json!([{"clusterTrustBundle": {"name": "a", "path": "ca"}}]), &[])]
    #[case(json!([{"clusterTrustBundle": {"path": "ca"}}]), &["v.sources[0].clusterTrustBundle: Required value: either name or signerName"])]
    #[case(json!([{"clusterTrustBundle": {"name": "a", "labelSelector": {}, "path": ""}}]), &[
        "v.sources[0].clusterTrustBundle.labelSelector: Invalid value: ", "v.sources[0].clusterTrustBundle.path: Required value",
    ])]
    fn several_sources(#[case] sources: Value, #[case] want: &[&str]) {
        check(
            &projected("v", &json!({"sources": sources, "defaultMode": 420})),
            want,
        );
    }
}
