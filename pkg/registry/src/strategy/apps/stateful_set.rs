//! StatefulSets (`pkg/apis/apps/v1/defaults.go` and `validation`).

use kedge_machinery::object::child_mut;
use kedge_machinery::{FieldError, Object};
use serde_json::{Value, json};

use super::{claims, counts, status};
use crate::check;
use crate::strategy::Strategy;
use crate::strategy::pod_template::{self, Maker};
use crate::value::{child, default, field, int, present, structs_mut, text};

const RETENTION: &[&str] = &["Delete", "Retain"];
/// Fields of a spec that an update may change.
const MUTABLE: [&str; 7] = [
    "replicas",
    "ordinals",
    "template",
    "updateStrategy",
    "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy",
    "minReadySeconds",
];
const FROZEN: &str = "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', \
    'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden";

const MAKER: Maker = Maker {
    selects: "statefulset",
    makes: "StatefulSet",
    unread: "",
};

pub(in crate::strategy) struct StatefulSet;

impl Strategy for StatefulSet {
    fn default(&self, object: &mut Object) {
        let spec = child_mut(&mut object.0, "spec");
        pod_template::default(spec);
        default(spec, "podManagementPolicy", "OrderedReady");
        let strategy = child_mut(spec, "updateStrategy");
        default(strategy, "type", "RollingUpdate");
        if field(strategy, "type") == "RollingUpdate" {
            default(child_mut(strategy, "rollingUpdate"), "partition", 0);
        }
        let retention = child_mut(spec, "persistentVolumeClaimRetentionPolicy");
        default(retention, "whenDeleted", "Retain");
        default(retention, "whenScaled", "Retain");
        default(spec, "replicas", 1);
        default(spec, "revisionHistoryLimit", 10);
        for claim in structs_mut(spec, "volumeClaimTemplates") {
            default(claim, "apiVersion", "v1");
            default(claim, "kind", "PersistentVolumeClaim");
            child_mut(claim, "metadata");
            let asked = child_mut(claim, "spec");
            default(asked, "volumeMode", "Filesystem");
            child_mut(asked, "resources");
            default(child_mut(claim, "status"), "phase", "Pending");
        }
        let status = child_mut(&mut object.0, "status");
        default(status, "replicas", 0);
        default(status, "availableReplicas", 0);
    }

    fn blank(&self) -> Option<Object> {
        Object::from_value(json!({
            "metadata": {}, "status": empty_status(),
            "spec": {"selector": null, "template": pod_template::blank(), "updateStrategy": {}},
        }))
    }

    fn prepare_create(&self, new: &mut Object) {
        new.0.insert("status".into(), empty_status());
        drop_disabled(new);
    }

    fn prepare_update(&self, new: &mut Object, old: &Object, subresource: &str) {
        let path = ["spec", "updateStrategy", "rollingUpdate", "maxUnavailable"];
        if subresource.is_empty() && old.at(&path).is_none() {
            drop_disabled(new);
        }
    }

    fn validate(&self, object: &Object) -> Vec<FieldError> {
        let spec = field(&object.0, "spec");
        let mut errors = management(text(spec, "podManagementPolicy"));
        errors.extend(strategy(child(spec, "updateStrategy")));
        errors.extend(retention(child(
            spec,
            "persistentVolumeClaimRetentionPolicy",
        )));
        errors.extend(counts(object, "spec", &["replicas", "minReadySeconds"]));
        let start = int(child(spec, "ordinals"), "start");
        errors.extend(check::non_negative("spec.ordinals.start", start));
        match text(spec, "serviceName") {
            "" => {}
            name => errors.extend(check::label("spec.serviceName", name)),
        }
        let template = claims::with_volumes(spec);
        errors.extend(MAKER.validate(spec, &template));
        errors.extend(claims::validate(spec));
        errors
    }

    fn validate_update(&self, new: &Object, old: &Object, subresource: &str) -> Vec<FieldError> {
        if subresource == "status" {
            return status(
                new,
                old,
                &[
                    "replicas",
                    "readyReplicas",
                    "currentReplicas",
                    "updatedReplicas",
                    "observedGeneration",
                    "collisionCount",
                    "availableReplicas",
                ],
                &[
                    ("readyReplicas", "status.replicas"),
                    ("currentReplicas", "status.replicas"),
                    ("updatedReplicas", "status.replicas"),
                    ("availableReplicas", "status.replicas"),
                    ("availableReplicas", "status.readyReplicas"),
                ],
            );
        }
        let mut errors = self.validate(new);
        if frozen(new) != frozen(old) {
            errors.push(FieldError::forbidden("spec", FROZEN));
        }
        errors
    }

    fn warnings(&self, new: &Object, old: Option<&Object>) -> Vec<String> {
        let mut said = pod_template::warnings(&["spec", "template"], new, old);
        if int(field(&new.0, "spec"), "revisionHistoryLimit") < 0 {
            said.push(
                "spec.revisionHistoryLimit: a negative value retains all historical revisions; a value >= 0 is recommended"
                    .into(),
            );
        }
        said
    }
}

fn empty_status() -> Value {
    json!({"replicas": 0, "availableReplicas": 0})
}

/// `maxUnavailable` is behind a gate that is closed by default in 1.36.
fn drop_disabled(object: &mut Object) {
    let rolling = object
        .0
        .get_mut("spec")
        .and_then(|spec| spec.get_mut("updateStrategy"))
        .and_then(|strategy| strategy.get_mut("rollingUpdate"))
        .and_then(Value::as_object_mut);
    if let Some(rolling) = rolling {
        rolling.remove("maxUnavailable");
    }
}

fn frozen(object: &Object) -> Value {
    let mut spec = field(&object.0, "spec").clone();
    if let Some(spec) = spec.as_object_mut() {
        MUTABLE.iter().for_each(|key| {
            spec.remove(*key);
        });
    }
    spec
}

fn management(policy: &str) -> Vec<FieldError> {
    const AT: &str = "spec.podManagementPolicy";
    match policy {
        "OrderedReady" | "Parallel" => Vec::new(),
        "" => vec![FieldError::required(AT, "")],
        other => vec![FieldError::invalid(
            AT,
            other,
            "must be 'OrderedReady' or 'Parallel'",
        )],
    }
}

fn strategy(strategy: &Value) -> Vec<FieldError> {
    const AT: &str = "spec.updateStrategy";
    let rolling = present(strategy, "rollingUpdate");
    match text(strategy, "type") {
        "" => vec![FieldError::required(AT, "")],
        "OnDelete" => rolling
            .map(|rolling| {
                let detail = "only allowed for updateStrategy 'RollingUpdate'";
                FieldError::invalid(format!("{AT}.rollingUpdate"), rolling.clone(), detail)
            })
            .into_iter()
            .collect(),
        "RollingUpdate" => rolling
            .and_then(|rolling| {
                let at = format!("{AT}.rollingUpdate.partition");
                check::non_negative(&at, int(rolling, "partition"))
            })
            .into_iter()
            .collect(),
        _ => vec![FieldError::invalid(
            AT,
            strategy.clone(),
            "must be 'RollingUpdate' or 'OnDelete'",
        )],
    }
}

fn retention(policy: &Value) -> Vec<FieldError> {
    ["whenDeleted", "whenScaled"]
        .into_iter()
        .filter_map(|key| {
            let value = present(policy, key)?.as_str()?;
            let at = format!("spec.persistentVolumeClaimRetentionPolicy.{key}");
            (!RETENTION.contains(&value)).then(|| FieldError::not_supported(at, value, RETENTION))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn set(more: Value) -> Object {
        let mut body = json!({"metadata": {"name": "s"}, "spec": {
            "selector": {"matchLabels": {"app": "s"}}, "serviceName": "s",
            "template": {
                "metadata": {"labels": {"app": "s"}},
                "spec": {"containers": [{"name": "c", "image": "i:1"}]},
            },
        }});
        let spec = body["spec"].as_object_mut().unwrap();
        spec.extend(more.as_object().unwrap().clone());
        let mut object = Object::from_value(body).unwrap();
        StatefulSet.default(&mut object);
        object
    }

    #[rstest]
    #[case(json!({}), &[])]
    #[case(json!({"podManagementPolicy": "Random"}), &["spec.podManagementPolicy"])]
    #[case(json!({"updateStrategy": {"type": "OnDelete", "rollingUpdate": {}}}), &["spec.updateStrategy.rollingUpdate"])]
    #[case(json!({"updateStrategy": {"rollingUpdate": {"partition": -1}}}), &["spec.updateStrategy.rollingUpdate.partition"])]
    #[case(json!({"updateStrategy": {"type": "Other"}}), &["spec.updateStrategy"])]
    #[case(json!({"ordinals": {"start": -1}}), &["spec.ordinals.start"])]
    #[case(json!({"serviceName": "a.b"}), &["spec.serviceName"])]
    #[case(json!({"revisionHistoryLimit": -1}), &[])]
    #[case(json!({"persistentVolumeClaimRetentionPolicy": {"whenScaled": "Keep"}}), &["spec.persistentVolumeClaimRetentionPolicy.whenScaled"])]
    fn what_is_wrong(#[case] spec: Value, #[case] wrong: &[&str]) {
        let errors = StatefulSet.validate(&set(spec));
        let found: Vec<&str> = errors.iter().map(|e| e.field.as_str()).collect();
        assert_eq!(found, wrong);
    }

    #[rstest]
    #[case(json!({"replicas": 3, "minReadySeconds": 5}), 0)]
    #[case(json!({"serviceName": "t"}), 1)]
    #[case(json!({"podManagementPolicy": "Parallel"}), 1)]
    fn what_may_change(#[case] spec: Value, #[case] wrong: usize) {
        let errors = StatefulSet.validate_update(&set(spec), &set(json!({})), "");
        assert_eq!(errors.len(), wrong);
    }
}
