//! The volume with a Pod's token, and where its containers find it.

use kedge_machinery::names;
use serde_json::{Map, Value, json};

use crate::registry::random;
use crate::value::{field, structs_mut, text};

/// Where programs look for their token.
const PATH: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
const PREFIX: &str = "kube-api-access-";
/// An hour, and seven seconds by which kube-apiserver knows a token that was not asked for by hand.
const SECONDS: i64 = 3607;

/// Mounts the token in every container that has nothing else there.
pub(super) fn token(spec: &mut Map<String, Value>) {
    let known = field(spec, "volumes").as_array().into_iter().flatten();
    let mut names = known.map(|volume| text(volume, "name"));
    let existing = names
        .find(|name| name.starts_with(PREFIX))
        .map(String::from);
    let name = existing
        .clone()
        .unwrap_or_else(|| names::generate(PREFIX, random()));
    let mut needed = false;
    for key in ["initContainers", "containers"] {
        for container in structs_mut(spec, key) {
            needed |= mount(container, &name);
        }
    }
    if needed
        && existing.is_none()
        && let Some(volumes) = array(spec, "volumes")
    {
        volumes.push(volume(&name));
    }
}

/// True when the container had nothing at the path.
fn mount(container: &mut Map<String, Value>, name: &str) -> bool {
    let mounts = field(container, "volumeMounts")
        .as_array()
        .into_iter()
        .flatten();
    if mounts
        .into_iter()
        .any(|mount| text(mount, "mountPath") == PATH)
    {
        return false;
    }
    if let Some(mounts) = array(container, "volumeMounts") {
        mounts.push(json!({"mountPath": PATH, "name": name, "readOnly": true}));
    }
    true
}

/// The list under `key`, made when there is none.
fn array<'a>(map: &'a mut Map<String, Value>, key: &str) -> Option<&'a mut Vec<Value>> {
    let slot = map.entry(key).or_insert_with(|| json!([]));
    if slot.is_null() {
        *slot = json!([]);
    }
    slot.as_array_mut()
}

fn volume(name: &str) -> Value {
    json!({
        "name": name,
        "projected": {
            "defaultMode": 0o644,
            "sources": [
                {"serviceAccountToken": {"expirationSeconds": SECONDS, "path": "token"}},
                {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
                {"downwardAPI": {"items": [
                    {"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}},
                ]}},
            ],
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::list;

    fn mounted(spec: Value) -> Value {
        let Value::Object(mut spec) = spec else {
            unreachable!()
        };
        token(&mut spec);
        Value::Object(spec)
    }

    #[test]
    fn every_container_finds_its_token() {
        let spec = mounted(json!({
            "initContainers": [{"name": "i"}],
            "containers": [{"name": "a", "volumeMounts": [{"mountPath": "/data", "name": "d"}]}],
            "volumes": [{"name": "d"}],
        }));
        let name = spec["volumes"][1]["name"].as_str().unwrap();
        assert!(
            name.starts_with(PREFIX) && name.len() == PREFIX.len() + 5,
            "{name}"
        );
        let expected = json!({"mountPath": PATH, "name": name, "readOnly": true});
        assert_eq!(spec["initContainers"][0]["volumeMounts"], json!([expected]));
        assert_eq!(spec["containers"][0]["volumeMounts"][1], expected);
        let sources = list(&spec["volumes"][1]["projected"], "sources");
        assert_eq!(sources[0]["serviceAccountToken"]["expirationSeconds"], 3607);
    }

    #[test]
    fn what_mounts_something_there_keeps_it() {
        let own = json!({"containers": [{"name": "a", "volumeMounts": [{"mountPath": PATH, "name": "own"}]}]});
        assert_eq!(mounted(own.clone()), own);
        let known =
            json!({"containers": [{"name": "a"}], "volumes": [{"name": "kube-api-access-mine1"}]});
        let spec = mounted(known);
        assert_eq!(
            spec["containers"][0]["volumeMounts"][0]["name"],
            "kube-api-access-mine1"
        );
        assert_eq!(list(&spec, "volumes").len(), 1);
    }
}
