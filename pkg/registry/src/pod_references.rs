//! The objects that a Pod names (upstream: `pkg/api/v1/pod`, `VisitPodSecretNames` and `VisitPodConfigmapNames`).

use serde_json::Value;

use crate::value::text;

/// What a Pod may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named {
    Secret,
    ConfigMap,
}

/// The names of all objects of a kind in a Pod's spec, wherever it has them: in volumes of every sort, variables, and
/// (Secrets) for pulling images.
#[must_use]
pub fn names(spec: &Value, kind: Named) -> Vec<&str> {
    let mut names = Vec::new();
    walk(spec, kind, &mut names);
    names
}

fn walk<'a>(value: &'a Value, kind: Named, names: &mut Vec<&'a str>) {
    match value {
        Value::Array(list) => list.iter().for_each(|value| walk(value, kind, names)),
        Value::Object(map) => {
            for (key, value) in map {
                names.extend(named(key, value, kind));
                walk(value, kind, names);
            }
        }
        _ => {}
    }
}

/// Every reference to a Secret or ConfigMap that the Pod's schema has stands under one of these keys.
fn named<'a>(key: &str, value: &'a Value, kind: Named) -> Vec<&'a str> {
    let one = |key| Vec::from_iter(Some(text(value, key)).filter(|name| !name.is_empty()));
    match kind {
        Named::Secret if key == "imagePullSecrets" => {
            let list = value.as_array().into_iter().flatten();
            list.map(|secret| text(secret, "name")).collect()
        }
        Named::Secret if key == "secret" => [one("secretName"), one("name")].concat(),
        Named::Secret if key == "azureFile" => one("secretName"),
        Named::Secret
            if key == "secretKeyRef" || key.ends_with("SecretRef") || key == "secretRef" =>
        {
            one("name")
        }
        Named::ConfigMap if ["configMap", "configMapKeyRef", "configMapRef"].contains(&key) => {
            one("name")
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn all_of_them() {
        let spec = json!({
            "imagePullSecrets": [{"name": "a"}],
            "nodeSelector": {"secret": "no", "configMap": "no"},
            "volumes": [
                {"secret": {"secretName": "b"}},
                {"projected": {"sources": [{"secret": {"name": "c"}}, {"configMap": {"name": "m"}}]}},
                {"configMap": {"name": "n"}},
                {"csi": {"nodePublishSecretRef": {"name": "d"}}},
                {"rbd": {"secretRef": {"name": "e"}}},
            ],
            "initContainers": [{"env": [{"valueFrom": {"secretKeyRef": {"name": "f", "key": "x"}}}]}],
            "containers": [{
                "envFrom": [{"secretRef": {"name": "g"}}, {"configMapRef": {"name": "o"}}],
                "env": [{"valueFrom": {"configMapKeyRef": {"name": "p", "key": "x"}}}],
            }],
        });
        let sorted = |kind| {
            let mut names = names(&spec, kind);
            names.sort_unstable();
            names
        };
        assert_eq!(sorted(Named::Secret), ["a", "b", "c", "d", "e", "f", "g"]);
        assert_eq!(sorted(Named::ConfigMap), ["m", "n", "o", "p"]);
    }
}
