//! Where a container has the Pod's volumes.

use std::collections::{BTreeMap, BTreeSet};

use kedge_machinery::FieldError;
use serde_json::Value;

use super::paths;
use crate::check;
use crate::value::{child, flag, list, present, text};

const PROPAGATIONS: &[&str] = &["Bidirectional", "HostToContainer", "None"];
const READ_ONLY_BELOW: &[&str] = &["Disabled", "Enabled", "IfPossible"];

/// The mounts and devices of a container; the later of two mounts of a volume counts beside devices.
pub(super) fn all(
    path: &str,
    container: &Value,
    volumes: &BTreeMap<&str, &Value>,
) -> Vec<FieldError> {
    let places = |key: &str, place: &str| -> BTreeMap<&str, &str> {
        let items = list(container, key).iter();
        items
            .map(|item| (text(item, "name"), item.get(place).and_then(Value::as_str)))
            .map(|(name, place)| (name, place.unwrap_or_default()))
            .collect()
    };
    let mounted = places("volumeMounts", "mountPath");
    let devices = places("volumeDevices", "devicePath");
    let mut errors = mounts(path, container, volumes, &devices);
    errors.extend(self::devices(path, container, volumes, &mounted));
    errors
}

fn mounts(
    path: &str,
    container: &Value,
    volumes: &BTreeMap<&str, &Value>,
    devices: &BTreeMap<&str, &str>,
) -> Vec<FieldError> {
    let list_at = format!("{path}.volumeMounts");
    let mut errors = Vec::new();
    let mut targets = BTreeSet::new();
    for (i, mount) in list(container, "volumeMounts").iter().enumerate() {
        let at = |key: &str| format!("{list_at}[{i}].{key}");
        let (name, target) = (text(mount, "name"), text(mount, "mountPath"));
        if name.is_empty() {
            errors.push(FieldError::required(at("name"), ""));
        }
        if !volumes.contains_key(name) {
            errors.push(check::not_found(&at("name"), name));
        }
        if target.is_empty() {
            errors.push(FieldError::required(at("mountPath"), ""));
        }
        let mut wrong = |key: &str, value: &str, detail: &str| {
            errors.push(FieldError::invalid(at(key), value, detail));
        };
        if !targets.insert(target) {
            wrong("mountPath", target, "must be unique");
        }
        if devices.contains_key(name) {
            wrong("name", name, "must not already exist in volumeDevices");
        }
        if devices.values().any(|device| *device == target) {
            let detail = "must not already exist as a path in volumeDevices";
            wrong("mountPath", target, detail);
        }
        let [part, expression] = ["subPath", "subPathExpr"].map(|key| text(mount, key));
        if !part.is_empty() && !expression.is_empty() {
            let detail = "subPathExpr and subPath are mutually exclusive";
            wrong("subPathExpr", expression, detail);
        }
        // Upstream leaves the mount's place out from here on.
        errors.extend(paths::descending(&format!("{list_at}.subPath"), part));
        let below = format!("{list_at}.subPathExpr");
        errors.extend(paths::descending(&below, expression));
        errors.extend(propagation(&list_at, mount, container));
        errors.extend(read_only_below(&list_at, mount));
    }
    errors
}

fn propagation(list_at: &str, mount: &Value, container: &Value) -> Vec<FieldError> {
    let at = format!("{list_at}.mountPropagation");
    let Some(propagation) = present(mount, "mountPropagation").and_then(Value::as_str) else {
        return Vec::new();
    };
    let mut errors = Vec::new();
    if !PROPAGATIONS.contains(&propagation) {
        errors.push(FieldError::not_supported(&at, propagation, PROPAGATIONS));
    }
    if propagation == "Bidirectional" && !flag(child(container, "securityContext"), "privileged") {
        let detail = "Bidirectional mount propagation is available only to privileged containers";
        errors.push(FieldError::forbidden(at, detail));
    }
    errors
}

fn read_only_below(list_at: &str, mount: &Value) -> Vec<FieldError> {
    let at = format!("{list_at}.recursiveReadOnly");
    let mut errors = Vec::new();
    match present(mount, "recursiveReadOnly").and_then(Value::as_str) {
        None | Some("Disabled") => {}
        Some("Enabled" | "IfPossible") => {
            let propagation = text(mount, "mountPropagation");
            if !flag(mount, "readOnly") {
                let detail = "may only be specified when readOnly is true";
                errors.push(FieldError::forbidden(&at, detail));
            }
            if !matches!(propagation, "" | "None") {
                let detail = "may only be specified when mountPropagation is None or not specified";
                errors.push(FieldError::forbidden(at, detail));
            }
        }
        Some(other) => errors.push(FieldError::not_supported(at, other, READ_ONLY_BELOW)),
    }
    errors
}

/// Volumes that a container has as block devices: those that are claimed.
fn devices(
    path: &str,
    container: &Value,
    volumes: &BTreeMap<&str, &Value>,
    mounted: &BTreeMap<&str, &str>,
) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let (mut names, mut targets) = (BTreeSet::new(), BTreeSet::new());
    for (i, device) in list(container, "volumeDevices").iter().enumerate() {
        let at = |key: &str| format!("{path}.volumeDevices[{i}].{key}");
        let (name, target) = (text(device, "name"), text(device, "devicePath"));
        let claimed = |volume: &Value| {
            ["persistentVolumeClaim", "ephemeral"]
                .iter()
                .any(|source| present(volume, source).is_some())
        };
        if name.is_empty() {
            errors.push(FieldError::required(at("name"), ""));
        } else if !names.insert(name) {
            errors.push(FieldError::invalid(at("name"), name, "must be unique"));
        }
        match volumes.get(name) {
            Some(volume) if !claimed(volume) => {
                let detail = "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode";
                errors.push(FieldError::invalid(at("name"), name, detail));
            }
            Some(_) => {}
            None => errors.push(check::not_found(&at("name"), name)),
        }
        if target.is_empty() {
            errors.push(FieldError::required(at("devicePath"), ""));
        }
        let mut wrong = |key: &str, value: &str, detail: &str| {
            errors.push(FieldError::invalid(at(key), value, detail));
        };
        if targets.contains(target) {
            wrong("devicePath", target, "must be unique");
        }
        if paths::without_backsteps("", target).is_some() {
            wrong("devicePath", target, "can not contain backsteps ('..')");
        } else {
            targets.insert(target);
        }
        if mounted.contains_key(name) {
            wrong("name", name, "must not already exist in volumeMounts");
        }
        if mounted.values().any(|mount| *mount == target) {
            let detail = "must not already exist as a path in volumeMounts";
            wrong("devicePath", target, detail);
        }
    }
    errors
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn wrong(container: Value) -> Vec<String> {
        let (plain, claim) = (
            json!({"emptyDir": {}}),
            json!({"persistentVolumeClaim": {}}),
        );
        let volumes = BTreeMap::from([("a", &plain), ("b", &plain), ("claim", &claim)]);
        let errors = all("c", &container, &volumes);
        errors.iter().map(ToString::to_string).collect()
    }

    fn check(found: Vec<String>, want: &[&str]) {
        assert_eq!(found.len(), want.len(), "{found:?}");
        for (found, want) in found.iter().zip(want) {
            assert!(found.starts_with(want), "{found}");
        }
    }

    #[rstest]
    #[case(json!([{"name": "a", "mountPath": "/a", "subPath": "x"}, {"name": "a", "mountPath": "/b"}]), &[])]
    #[case(json!([{"name": "none", "mountPath": "/a"}]), &["c.volumeMounts[0].name: Not found: \"none\""])]
    #[case(json!([{"name": "", "mountPath": ""}]), &[
        "c.volumeMounts[0].name: Required value", "c.volumeMounts[0].name: Not found: \"\"",
        "c.volumeMounts[0].mountPath: Required value",
    ])]
    #[case(json!([{"name": "a", "mountPath": "/a"}, {"name": "b", "mountPath": "/a"}]), &[
        "c.volumeMounts[1].mountPath: Invalid value: \"/a\": must be unique",
    ])]
    #[case(json!([{"name": "a", "mountPath": "/a", "subPath": "/x"}]), &["c.volumeMounts.subPath: Invalid value: \"/x\": must be a relative path"])]
    #[case(json!([{"name": "a", "mountPath": "/a", "subPathExpr": "$(A)/.."}]), &["c.volumeMounts.subPathExpr: Invalid value: "])]
    #[case(json!([{"name": "a", "mountPath": "/a", "subPath": "x", "subPathExpr": "y"}]), &["c.volumeMounts[0].subPathExpr: Invalid value: "])]
    #[case(json!([{"name": "a", "mountPath": "/a", "mountPropagation": "HostToContainer"}]), &[])]
    #[case(json!([{"name": "a", "mountPath": "/a", "mountPropagation": "Sideways"}]), &["c.volumeMounts.mountPropagation: Unsupported value: "])]
    #[case(json!([{"name": "a", "mountPath": "/a", "mountPropagation": "Bidirectional"}]), &["c.volumeMounts.mountPropagation: Forbidden: "])]
    #[case(json!([{"name": "a", "mountPath": "/a", "recursiveReadOnly": "Enabled", "readOnly": true}]), &[])]
    #[case(json!([{"name": "a", "mountPath": "/a", "recursiveReadOnly": "IfPossible", "mountPropagation": "HostToContainer"}]), &[
        "c.volumeMounts.recursiveReadOnly: Forbidden: may only be specified when readOnly is true",
        "c.volumeMounts.recursiveReadOnly: Forbidden: may only be specified when mountPropagation",
    ])]
    #[case(json!([{"name": "a", "mountPath": "/a", "recursiveReadOnly": "Maybe"}]), &["c.volumeMounts.recursiveReadOnly: Unsupported value: "])]
    fn of_files(#[case] mounts: Value, #[case] want: &[&str]) {
        check(wrong(json!({"volumeMounts": mounts})), want);
    }

    #[test]
    fn a_privileged_container_may_show_its_mounts() {
        let mount = json!([{"name": "a", "mountPath": "/a", "mountPropagation": "Bidirectional"}]);
        let container = json!({"volumeMounts": mount, "securityContext": {"privileged": true}});
        assert!(wrong(container).is_empty());
    }

    #[rstest]
    #[case(json!([{"name": "claim", "devicePath": "/dev/x"}]), &[])]
    #[case(json!([{"name": "a", "devicePath": "/dev/x"}]), &["c.volumeDevices[0].name: Invalid value: \"a\": can only use"])]
    #[case(json!([{"name": "claim", "devicePath": "/dev/x"}, {"name": "claim", "devicePath": "/dev/x"}]), &[
        "c.volumeDevices[1].name: Invalid value: \"claim\": must be unique", "c.volumeDevices[1].devicePath: Invalid value: \"/dev/x\": must be unique",
    ])]
    #[case(json!([{"name": "none", "devicePath": ""}]), &["c.volumeDevices[0].name: Not found", "c.volumeDevices[0].devicePath: Required value"])]
    #[case(json!([{"name": "claim", "devicePath": "/dev/../x"}]), &["c.volumeDevices[0].devicePath: Invalid value: \"/dev/../x\": can not contain"])]
    fn of_blocks(#[case] devices: Value, #[case] want: &[&str]) {
        check(wrong(json!({"volumeDevices": devices})), want);
    }

    #[test]
    fn a_volume_is_files_or_blocks() {
        let both = json!({
            "volumeMounts": [{"name": "claim", "mountPath": "/x"}], "volumeDevices": [{"name": "claim", "devicePath": "/x"}],
        });
        check(
            wrong(both),
            &[
                "c.volumeMounts[0].name: Invalid value: \"claim\": must not already exist in volumeDevices",
                "c.volumeMounts[0].mountPath: Invalid value: \"/x\": must not already exist as a path in volumeDevices",
                "c.volumeDevices[0].name: Invalid value: \"claim\": must not already exist in volumeMounts",
                "c.volumeDevices[0].devicePath: Invalid value: \"/x\": must not already exist as a path in volumeMounts",
            ],
        );
    }
}
