//! The claims that a StatefulSet makes for each of its Pods: volumes that its template may mount
//! (`ValidatePersistentVolumeClaimSpec`, as far as a template has it).

use kedge_machinery::FieldError;
use kedge_machinery::object::child_mut;
use kedge_machinery::quantity::Quantity;
use serde_json::{Value, json};

use crate::check;
use crate::value::{child, list, present, text, texts};

const TEMPLATES: &str = "volumeClaimTemplates";
const MODES: &[&str] = &[
    "ReadOnlyMany",
    "ReadWriteMany",
    "ReadWriteOnce",
    "ReadWriteOncePod",
];
const VOLUME_MODES: &[&str] = &["Block", "Filesystem"];

/// The template as its Pods will be: claims take the place of volumes of the same name, and the controller sets the
/// names of host and subdomain.
pub(super) fn with_volumes(spec: &Value) -> Value {
    let mut template = child(spec, "template").clone();
    let Some(parts) = template.as_object_mut() else {
        return template;
    };
    let names: Vec<&str> = list(spec, TEMPLATES)
        .iter()
        .map(|claim| text(child(claim, "metadata"), "name"))
        .collect();
    let pod = child_mut(parts, "spec");
    pod.remove("hostname");
    pod.remove("subdomain");
    let volumes = pod.entry("volumes").or_insert_with(|| json!([]));
    if let Some(volumes) = volumes.as_array_mut() {
        volumes.retain(|volume| !names.contains(&text(volume, "name")));
        volumes.extend(
            names
                .iter()
                .map(|name| json!({"name": name, "persistentVolumeClaim": {"claimName": name}})),
        );
    }
    template
}

/// What is wrong with the templates of claims.
pub(super) fn validate(spec: &Value) -> Vec<FieldError> {
    list(spec, TEMPLATES)
        .iter()
        .enumerate()
        .flat_map(|(i, claim)| {
            self::claim_spec(&format!("spec.{TEMPLATES}[{i}].spec"), child(claim, "spec"))
        })
        .collect()
}

/// What a claim asks for, which stands at a path.
pub(in crate::strategy) fn claim_spec(at: &str, claim: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let modes = texts(claim, "accessModes");
    if modes.is_empty() {
        let detail = "at least 1 access mode is required";
        errors.push(FieldError::required(format!("{at}.accessModes"), detail));
    }
    if let Some(selector) = present(claim, "selector") {
        errors.extend(check::selector(&format!("{at}.selector"), selector));
    }
    for mode in modes.iter().filter(|mode| !MODES.contains(mode)) {
        let at = format!("{at}.accessModes");
        errors.push(FieldError::not_supported(at, *mode, MODES));
    }
    if modes.len() > 1 && modes.contains(&"ReadWriteOncePod") {
        let detail = "may not use ReadWriteOncePod with other access modes";
        errors.push(FieldError::forbidden(format!("{at}.accessModes"), detail));
    }
    errors.extend(storage(&format!("{at}.resources[storage]"), claim));
    match text(claim, "storageClassName") {
        "" => {}
        class => errors.extend(check::subdomain(&format!("{at}.storageClassName"), class)),
    }
    match text(claim, "volumeMode") {
        "" => {}
        mode if VOLUME_MODES.contains(&mode) => {}
        mode => errors.push(FieldError::not_supported(
            format!("{at}.volumeMode"),
            mode,
            VOLUME_MODES,
        )),
    }
    errors
}

/// How much is asked for: something.
fn storage(at: &str, claim: &Value) -> Option<FieldError> {
    let asked = child(child(child(claim, "resources"), "requests"), "storage");
    let Some(amount) = asked.as_str() else {
        return Some(FieldError::required(at, ""));
    };
    let positive = Quantity::parse(amount).is_ok_and(|amount| amount.is_positive());
    (!positive).then(|| FieldError::invalid(at, amount, "must be greater than zero"))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn good() -> Value {
        json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}})
    }

    #[rstest]
    #[case(good(), &[])]
    #[case(json!({}), &["accessModes", "resources[storage]"])]
    #[case(json!({"accessModes": ["Mine"], "volumeMode": "Tape", "resources": {"requests": {"storage": "0"}}}), &[
        "accessModes", "resources[storage]", "volumeMode",
    ])]
    fn what_is_wrong(#[case] claim: Value, #[case] wrong: &[&str]) {
        let errors = validate(&json!({"volumeClaimTemplates": [{"spec": claim}]}));
        let found: Vec<&str> = errors
            .iter()
            .map(|e| {
                e.field
                    .trim_start_matches("spec.volumeClaimTemplates[0].spec.")
            })
            .collect();
        assert_eq!(found, wrong);
    }

    #[test]
    fn claims_are_volumes() {
        let spec = json!({
            "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": good()}],
            "template": {"spec": {"hostname": "x", "volumes": [{"name": "data", "emptyDir": {}}, {"name": "b", "emptyDir": {}}]}},
        });
        let claim = json!({"name": "data", "persistentVolumeClaim": {"claimName": "data"}});
        assert_eq!(
            with_volumes(&spec)["spec"],
            json!({"volumes": [{"name": "b", "emptyDir": {}}, claim]})
        );
    }
}
