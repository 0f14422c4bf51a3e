//! Columns of `storage.k8s.io`.

use kedge_machinery::Object;
use serde_json::Value;

use super::{
    AGE, Column, NAME, boolean, count, field, flag_at, integer, list_at, or, text, text_at,
};

pub(super) const CSI_DRIVER: &[Column] = &[
    NAME,
    boolean("AttachRequired", "Whether volumes are attached to nodes."),
    boolean("PodInfoOnMount", "Whether the driver is told of the pod."),
    boolean(
        "StorageCapacity",
        "Whether free space counts for where pods go.",
    ),
    text(
        "TokenRequests",
        "Audiences of tokens that the driver is given.",
    ),
    boolean("RequiresRepublish", "Whether mounts are renewed."),
    text("Modes", "How long volumes live."),
    AGE,
];
pub(super) const CSI_NODE: &[Column] = &[NAME, integer("Drivers", "Drivers on the node."), AGE];
pub(super) const STORAGE_CLASS: &[Column] = &[
    NAME,
    text("Provisioner", "Who makes volumes of this class."),
    text(
        "ReclaimPolicy",
        "What becomes of a volume that was given back.",
    ),
    text("VolumeBindingMode", "When volumes are made."),
    text("AllowVolumeExpansion", "Whether volumes may grow."),
    AGE,
];

/// Annotations that make a class the default.
const IS_DEFAULT: [&str; 2] = [
    "storageclass.kubernetes.io/is-default-class",
    "storageclass.beta.kubernetes.io/is-default-class",
];

pub(super) fn csi_driver(driver: &Object, age: Value) -> Vec<Value> {
    let flag = |key: &str| Value::from(flag_at(driver, &["spec", key]));
    let attached = driver.at(&["spec", "attachRequired"]) != Some(&Value::Bool(false));
    let audiences: Vec<&str> = list_at(driver, &["spec", "tokenRequests"])
        .iter()
        .map(|request| field(request, "audience"))
        .collect();
    let audiences = audiences.join(",");
    let modes: Vec<&str> = list_at(driver, &["spec", "volumeLifecycleModes"])
        .iter()
        .filter_map(Value::as_str)
        .collect();
    vec![
        driver.name().into(),
        attached.into(),
        flag("podInfoOnMount"),
        flag("storageCapacity"),
        or(&audiences, "<unset>").into(),
        flag("requiresRepublish"),
        or(&modes.join(","), "<none>").into(),
        age,
    ]
}

pub(super) fn csi_node(node: &Object, age: Value) -> Vec<Value> {
    let drivers = count(node.at(&["spec", "drivers"]));
    vec![node.name().into(), drivers.into(), age]
}

pub(super) fn storage_class(class: &Object, age: Value) -> Vec<Value> {
    let is_default = IS_DEFAULT
        .iter()
        .any(|key| text_at(class, &["metadata", "annotations", key]) == "true");
    let name = class.name();
    let name = if is_default {
        format!("{name} (default)")
    } else {
        name.to_string()
    };
    vec![
        name.into(),
        text_at(class, &["provisioner"]).into(),
        or(text_at(class, &["reclaimPolicy"]), "Delete").into(),
        or(text_at(class, &["volumeBindingMode"]), "Immediate").into(),
        flag_at(class, &["allowVolumeExpansion"]).into(),
        age,
    ]
}

#[cfg(test)]
mod tests {
    use super::super::tests::row;
    use rstest::rstest;
    use serde_json::{Value, json};

    #[rstest]
    #[case(
        json!({"kind": "StorageClass", "provisioner": "a/b"}),
        json!(["x", "a/b", "Delete", "Immediate", false, "3m20s"])
    )]
    #[case(json!({"kind": "CSINode", "spec": {"drivers": [{}, {}]}}), json!(["x", 2, "3m20s"]))]
    #[case(
        json!({"kind": "CSIDriver", "spec": {"podInfoOnMount": true, "volumeLifecycleModes": ["Persistent", "Ephemeral"]}}),
        json!(["x", true, true, false, "<unset>", false, "Persistent,Ephemeral", "3m20s"])
    )]
    fn cells(#[case] mut object: Value, #[case] expected: Value) {
        object["apiVersion"] = "storage.k8s.io/v1".into();
        object["metadata"] = json!({"name": "x", "creationTimestamp": "2026-01-01T00:06:40Z"});
        assert_eq!(json!(row(object)), expected);
    }

    #[test]
    fn the_default_class_says_so() {
        let class = json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {
            "name": "x", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
        }});
        assert_eq!(row(class)[0], "x (default)");
    }
}
