//! What a subresource of a Pod takes of a body: the part that it is for, and nothing else.

use kedge_machinery::Object;
use serde_json::{Map, Value};

use crate::value::{copy_field, field, list, list_mut};

/// Metadata that says which object is meant.
const IDENTITY: [&str; 4] = ["name", "namespace", "uid", "resourceVersion"];
/// Metadata that these subresources leave alone (`ResetObjectMetaForStatus`).
const KEPT: [&str; 4] = ["annotations", "finalizers", "labels", "ownerReferences"];
/// Containers that are sized.
const LISTS: [&str; 2] = ["containers", "initContainers"];
/// What of a container is for `resize`.
const RESIZED: [&str; 2] = ["resizePolicy", "resources"];

/// Puts back all that is no container that looks into the Pod.
pub(super) fn keep_all_but_ephemeral(new: &mut Object, old: &Object) {
    let [sent, mut spec] = specs(new, old);
    copy_field(&mut spec, &sent, "ephemeralContainers");
    keep(new, old, spec);
}

/// Puts back all that a resize may not change. Containers that were added, removed, renamed or moved stay as they were sent, to be refused.
pub(super) fn keep_all_but_sizes(new: &mut Object, old: &Object) {
    let [sent, mut spec] = specs(new, old);
    if counts(&sent) != counts(&spec) {
        return;
    }
    for key in LISTS {
        resized(&mut spec, &sent, key);
    }
    copy_field(&mut spec, &sent, "resources");
    keep(new, old, spec);
}

fn specs(new: &Object, old: &Object) -> [Map<String, Value>; 2] {
    [new, old].map(|pod| {
        let spec = field(&pod.0, "spec").as_object();
        spec.cloned().unwrap_or_default()
    })
}

/// The old object with another spec.
fn keep(new: &mut Object, old: &Object, spec: Map<String, Value>) {
    new.0.insert("spec".into(), spec.into());
    copy_field(&mut new.0, &old.0, "status");
    let before = old.meta().cloned().unwrap_or_default();
    for key in KEPT {
        copy_field(new.meta_mut(), &before, key);
    }
}

/// How many containers there are of each kind that is sized.
fn counts(spec: &Map<String, Value>) -> [usize; 2] {
    LISTS.map(|key| field(spec, key).as_array().map_or(0, Vec::len))
}

/// Gives the containers of a list what a resize sent of them; takes those that were sent, if they are others.
fn resized(spec: &mut Map<String, Value>, sent: &Map<String, Value>, key: &str) {
    let now = field(sent, key).as_array().cloned().unwrap_or_default();
    let same = |(old, new): (&Value, &Value)| old.get("name") == new.get("name");
    if !list_mut(spec, key).iter().zip(&now).all(same) {
        return copy_field(spec, sent, key);
    }
    for (old, new) in list_mut(spec, key).iter_mut().zip(&now) {
        if let (Some(old), Some(new)) = (old.as_object_mut(), new.as_object()) {
            for key in RESIZED {
                copy_field(old, new, key);
            }
        }
    }
}

/// Leaves of an apply's configuration the containers that look into the Pod.
pub(super) fn ephemeral(config: &mut Object) {
    let mut kept = Map::new();
    if let Some(spec) = field(&config.0, "spec").as_object() {
        copy_field(&mut kept, spec, "ephemeralContainers");
    }
    narrow(config, kept);
}

/// Leaves of an apply's configuration what the Pod and its containers get.
pub(super) fn sizes(config: &mut Object) {
    let spec = field(&config.0, "spec");
    let mut kept = Map::new();
    if let Some(spec) = spec.as_object() {
        copy_field(&mut kept, spec, "resources");
    }
    for key in LISTS {
        let sized = |container: &Value| {
            let mut sized = container.clone();
            if let Some(fields) = sized.as_object_mut() {
                fields.retain(|key, _| key == "name" || RESIZED.contains(&key.as_str()));
            }
            sized
        };
        let containers: Vec<Value> = list(spec, key).iter().map(sized).collect();
        if !containers.is_empty() {
            kept.insert(key.into(), containers.into());
        }
    }
    narrow(config, kept);
}

/// The object of the same name, with so much of its spec: nothing else is owned by the apply.
fn narrow(config: &mut Object, spec: Map<String, Value>) {
    config.0.remove("status");
    config.0.remove("spec");
    if !spec.is_empty() {
        config.0.insert("spec".into(), spec.into());
    }
    if config.meta().is_some() {
        let meta = config.meta_mut();
        meta.retain(|key, _| IDENTITY.contains(&key.as_str()));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> Object {
        Object::from_value(value).unwrap()
    }

    fn pod() -> Value {
        json!({
            "metadata": {"name": "p", "labels": {"a": "1"}},
            "spec": {"containers": [{"name": "c", "image": "i"}], "nodeName": "n"},
            "status": {"phase": "Running"},
        })
    }

    fn kept(keep: fn(&mut Object, &Object), edit: impl Fn(&mut Value)) -> Value {
        let mut new = pod();
        edit(&mut new);
        let mut new = object(new);
        keep(&mut new, &object(pod()));
        Value::Object(new.0)
    }

    #[test]
    fn only_what_looks_into_a_pod_is_added() {
        let found = kept(keep_all_but_ephemeral, |pod| {
            pod["metadata"]["labels"] = json!({});
            pod["spec"] = json!({"ephemeralContainers": [{"name": "e"}]});
            pod["status"] = json!({});
        });
        let mut expected = pod();
        expected["spec"]["ephemeralContainers"] = json!([{"name": "e"}]);
        assert_eq!(found, expected);
    }

    #[test]
    fn only_sizes_are_changed() {
        let small = json!({"requests": {"cpu": "1"}});
        let found = kept(keep_all_but_sizes, |pod| {
            pod["spec"]["containers"][0]["image"] = "j".into();
            pod["spec"]["containers"][0]["resources"] = small.clone();
            pod["spec"]["nodeName"] = "m".into();
        });
        let mut expected = pod();
        expected["spec"]["containers"][0]["resources"] = small;
        assert_eq!(found, expected);
    }

    #[test]
    fn other_containers_stay_to_be_refused() {
        let renamed = json!([{"name": "d", "image": "j"}]);
        let found = kept(keep_all_but_sizes, |pod| {
            pod["spec"]["containers"] = renamed.clone()
        });
        assert_eq!(found["spec"]["containers"], renamed);
        let more = json!([{"name": "c"}, {"name": "d"}]);
        let found = kept(keep_all_but_sizes, |pod| {
            pod["spec"]["containers"] = more.clone()
        });
        assert_eq!(found["spec"]["containers"], more);
    }

    #[test]
    fn an_apply_owns_the_part_alone() {
        let narrowed = |narrow: fn(&mut Object)| {
            let mut config = object(json!({
                "kind": "Pod", "metadata": {"name": "p", "labels": {"a": "1"}}, "status": {},
                "spec": {
                    "nodeName": "n", "containers": [{"name": "c", "image": "i", "resources": {}}],
                    "ephemeralContainers": [{"name": "e", "image": "i"}],
                },
            }));
            narrow(&mut config);
            Value::Object(config.0)
        };
        let config = |spec: Value| json!({"kind": "Pod", "metadata": {"name": "p"}, "spec": spec});
        let looks = json!({"ephemeralContainers": [{"name": "e", "image": "i"}]});
        assert_eq!(narrowed(ephemeral), config(looks));
        let resize = json!({"containers": [{"name": "c", "resources": {}}]});
        assert_eq!(narrowed(sizes), config(resize));
    }
}
