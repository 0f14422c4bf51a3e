//! What a volume is given when its source does not say.

use kedge_machinery::object::child_mut;
use serde_json::{Map, Value, json};

use super::{field_ref, pull_policy, struct_mut};
use crate::value::{default, list_mut};

/// 0644.
const FILE_MODE: i64 = 420;
/// What drives and servers are taken to be.
const DRIVES: [(&str, &[(&str, &str)]); 4] = [
    ("iscsi", &[("iscsiInterface", "default")]),
    (
        "rbd",
        &[
            ("pool", "rbd"),
            ("user", "admin"),
            ("keyring", "/etc/ceph/keyring"),
        ],
    ),
    (
        "azureDisk",
        &[
            ("cachingMode", "ReadWrite"),
            ("kind", "Shared"),
            ("fsType", "ext4"),
        ],
    ),
    (
        "scaleIO",
        &[("storageMode", "ThinProvisioned"), ("fsType", "xfs")],
    ),
];

pub(super) fn volume(volume: &mut Map<String, Value>) {
    if volume.keys().all(|key| key == "name") {
        volume.insert("emptyDir".into(), json!({}));
    }
    for key in ["secret", "configMap", "downwardAPI", "projected"] {
        let Some(source) = volume.get_mut(key).and_then(Value::as_object_mut) else {
            continue;
        };
        default(source, "defaultMode", FILE_MODE);
        if key == "projected" {
            // Go writes this list even when nobody gave it.
            source.entry("sources").or_insert(Value::Null);
        }
        for item in list_mut(source, "items") {
            field_ref(Some(item));
        }
        for part in list_mut(source, "sources") {
            if let Some(token) = part
                .get_mut("serviceAccountToken")
                .and_then(Value::as_object_mut)
            {
                default(token, "expirationSeconds", 3600);
            }
            if let Some(downward) = part.get_mut("downwardAPI").and_then(Value::as_object_mut) {
                list_mut(downward, "items")
                    .iter_mut()
                    .for_each(|item| field_ref(Some(item)));
            }
        }
    }
    if let Some(path) = struct_mut(volume, "hostPath") {
        path.entry("type").or_insert("".into());
    }
    for (key, defaults) in DRIVES {
        if let Some(drive) = struct_mut(volume, key) {
            defaults
                .iter()
                .for_each(|(key, word)| default(drive, key, *word));
        }
    }
    if let Some(disk) = struct_mut(volume, "azureDisk") {
        default(disk, "readOnly", false);
    }
    if let Some(image) = struct_mut(volume, "image") {
        pull_policy(image, "reference", "pullPolicy");
    }
    let template = struct_mut(volume, "ephemeral");
    if let Some(template) = template.and_then(|e| struct_mut(e, "volumeClaimTemplate")) {
        child_mut(template, "metadata");
        let asked = child_mut(template, "spec");
        default(asked, "volumeMode", "Filesystem");
        child_mut(asked, "resources");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drives_and_images() {
        let claim = json!({"volumeClaimTemplate": {"spec": {}}});
        let mut volumes = json!([
            {"name": "a", "iscsi": {}}, {"name": "b", "rbd": {"pool": "p"}}, {"name": "c", "azureDisk": {}}, {"name": "d", "scaleIO": {}},
            {"name": "e", "image": {"reference": "i"}}, {"name": "f", "image": {"reference": "i:1"}}, {"name": "g", "ephemeral": claim},
            {"name": "h", "projected": {}},
        ]);
        let all = volumes.as_array_mut().unwrap().iter_mut();
        all.filter_map(Value::as_object_mut).for_each(volume);
        let want = json!([
            {"name": "a", "iscsi": {"iscsiInterface": "default"}},
            {"name": "b", "rbd": {"pool": "p", "user": "admin", "keyring": "/etc/ceph/keyring"}},
            {"name": "c", "azureDisk": {"cachingMode": "ReadWrite", "kind": "Shared", "fsType": "ext4", "readOnly": false}},
            {"name": "d", "scaleIO": {"storageMode": "ThinProvisioned", "fsType": "xfs"}},
            {"name": "e", "image": {"reference": "i", "pullPolicy": "Always"}},
            {"name": "f", "image": {"reference": "i:1", "pullPolicy": "IfNotPresent"}},
            {"name": "g", "ephemeral": {"volumeClaimTemplate": {"metadata": {}, "spec": {"resources": {}, "volumeMode": "Filesystem"}}}},
            {"name": "h", "projected": {"defaultMode": 420, "sources": null}},
        ]);
        assert_eq!(volumes, want);
    }
}
