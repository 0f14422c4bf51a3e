//! What no two servers share is masked before answers are compared.

use std::collections::BTreeSet;

use serde_json::Value;

/// Keys whose values differ from server to server and from run to run.
const MASKED: [&str; 32] = [
    "uid",
    "resourceVersion",
    "creationTimestamp",
    "deletionTimestamp",
    "time",
    "continue",
    "message",
    "lastTransitionTime",
    "lastTimestamp",
    "firstTimestamp",
    "selfLink",
    "renewTime",
    "acquireTime",
    "eventTime",
    "remainingItemCount",
    "gitVersion",
    "gitCommit",
    "buildDate",
    "goVersion",
    "compiler",
    "platform",
    "gitTreeState",
    "emulationMajor",
    "emulationMinor",
    "minCompatibilityMajor",
    "minCompatibilityMinor",
    "major",
    "minor",
    "storageVersionHash",
    "token",
    "expirationTimestamp",
    "description",
];

/// Every scalar that a request carried: an answer that gives one back is compared with it, not masked.
pub fn collect(body: &Value, found: &mut BTreeSet<String>) {
    match body {
        Value::Object(map) => map.values().for_each(|inner| collect(inner, found)),
        Value::Array(list) => list.iter().for_each(|inner| collect(inner, found)),
        Value::Null => {}
        scalar => drop(found.insert(plain(scalar))),
    }
}

fn plain(scalar: &Value) -> String {
    scalar
        .as_str()
        .map_or_else(|| scalar.to_string(), Into::into)
}

/// What a full control plane adds to every namespace, and the recorded server did not.
pub fn is_house(value: &Value) -> bool {
    let object = value.get("object").unwrap_or(value);
    object
        .pointer("/metadata/name")
        .is_some_and(|name| name == "kube-root-ca.crt")
}

/// The value as it is compared; `key` is the one that it stands at.
pub fn mask(value: &Value, ns: &str, known: &BTreeSet<String>, key: &str) -> Value {
    match value {
        Value::Object(map) => {
            let mut out = serde_json::Map::new();
            for (key, inner) in map {
                let mut masked = mask(inner, ns, known, key);
                let generated = inner
                    .get("generateName")
                    .and_then(Value::as_str)
                    .is_some_and(|name| !name.is_empty());
                if key == "metadata" && generated && inner.get("name").is_some_and(Value::is_string)
                {
                    masked["name"] = "<generated>".into();
                }
                out.insert(key.clone(), masked);
            }
            return Value::Object(out);
        }
        Value::Array(list) => {
            return list
                .iter()
                .filter(|inner| !is_house(inner))
                .map(|inner| mask(inner, ns, known, key))
                .collect();
        }
        _ => {}
    }
    if MASKED.contains(&key) && !value.is_null() {
        return format!("<{key}>").into();
    }
    let text = plain(value);
    match key {
        "clusterIP" | "clusterIPs"
            if !known.contains(&text) && !matches!(text.as_str(), "None" | "") =>
        {
            "<ip>".into()
        }
        "nodePort" | "healthCheckNodePort" if !known.contains(&text) => "<port>".into(),
        "clusterIP" | "clusterIPs" | "nodePort" | "healthCheckNodePort" => value.clone(),
        _ if !value.is_string() => value.clone(),
        _ => {
            let text = text.replace(ns, "{ns}");
            let is_json = text.starts_with('{') && text.contains("\"apiVersion\"");
            if is_json {
                "<json>".into()
            } else {
                text.into()
            }
        }
    }
}
