//! The Secrets that a Pod names, and those that its account lets it use.

use kedge_machinery::Object;
use serde_json::Value;

use crate::value::{list, text};

/// Lists of containers, and how upstream names one of each.
const CONTAINERS: [(&str, &str); 2] = [
    ("initContainers", "init container"),
    ("containers", "container"),
];

/// Every Secret that a Pod names.
pub(super) fn all(spec: &Value) -> impl Iterator<Item = String> {
    let volumes = list(spec, "volumes").iter().flat_map(|volume| {
        let projected = volume.get("projected").into_iter();
        let sources = projected.flat_map(|projected| list(projected, "sources"));
        sources
            .filter_map(|source| Some(text(source.get("secret")?, "name")))
            .chain(
                volume
                    .get("secret")
                    .map(|secret| text(secret, "secretName")),
            )
    });
    let pull = list(spec, "imagePullSecrets")
        .iter()
        .map(|secret| text(secret, "name"));
    let variables = CONTAINERS
        .into_iter()
        .flat_map(|(key, _)| list(spec, key))
        .flat_map(|container| variables(container).chain(sources(container)));
    volumes.chain(pull).chain(variables).map(String::from)
}

/// Secrets of single variables.
fn variables(container: &Value) -> impl Iterator<Item = &str> {
    list(container, "env").iter().filter_map(reference)
}

fn reference(variable: &Value) -> Option<&str> {
    Some(text(
        variable.get("valueFrom")?.get("secretKeyRef")?,
        "name",
    ))
}

/// Secrets whose every key is a variable.
fn sources(container: &Value) -> impl Iterator<Item = &str> {
    list(container, "envFrom")
        .iter()
        .filter_map(|source| Some(text(source.get("secretRef")?, "name")))
}

/// What is said of the first Secret that the Pod names and its account does not list.
pub(super) fn unlisted(spec: &Value, account: &Object) -> Option<String> {
    let owner = account.name();
    let listed = |key: &str, name: &str| {
        let list = account.0.get(key).and_then(Value::as_array);
        list.into_iter()
            .flatten()
            .any(|secret| text(secret, "name") == name)
    };
    let stranger = |name: &&str| !listed("secrets", name);
    let mut volumes = list(spec, "volumes")
        .iter()
        .filter_map(|volume| Some(text(volume.get("secret")?, "secretName")));
    if let Some(name) = volumes.find(stranger) {
        return Some(format!(
            "volume with secret.secretName=\"{name}\" is not allowed because service account {owner} does not reference that secret"
        ));
    }
    for (key, word) in CONTAINERS {
        for container in list(spec, key) {
            let tell = |what: String, name: &str| {
                format!(
                    "{word} {} with {what} referencing secret.secretName=\"{name}\" is not allowed because service account {owner} does not reference that secret",
                    text(container, "name")
                )
            };
            for variable in list(container, "env") {
                if let Some(name) = reference(variable).filter(stranger) {
                    return Some(tell(format!("envVar {}", text(variable, "name")), name));
                }
            }
            if let Some(name) = sources(container).find(stranger) {
                return Some(tell("envFrom".into(), name));
            }
        }
    }
    let pull = list(spec, "imagePullSecrets").iter().enumerate();
    let mut pull = pull.map(|(index, secret)| (index, text(secret, "name")));
    let (index, name) = pull.find(|(_, name)| !listed("imagePullSecrets", name))?;
    Some(format!(
        "imagePullSecrets[{index}].name=\"{name}\" is not allowed because service account {owner} does not reference that imagePullSecret"
    ))
}
