//! The Pod's volumes, each of one source.

use std::collections::{BTreeMap, BTreeSet};

use kedge_machinery::FieldError;
use kedge_machinery::quantity::Quantity;
use serde_json::Value;

use super::{drives, paths, projected};
use crate::check;
use crate::strategy::apps::claim_spec;
use crate::value::{child, list, pairs, present, text};

/// Sources in the order in which the first is taken and others are refused, with the name that upstream refuses each by.
const SOURCES: [(&str, &str); 30] = [
    ("emptyDir", "emptyDir"),
    ("hostPath", "hostPath"),
    ("gitRepo", "gitRepo"),
    ("gcePersistentDisk", "gcePersistentDisk"),
    ("awsElasticBlockStore", "awsElasticBlockStore"),
    ("secret", "secret"),
    ("nfs", "nfs"),
    ("iscsi", "iscsi"),
    ("glusterfs", "glusterfs"),
    ("flocker", "flocker"),
    ("persistentVolumeClaim", "persistentVolumeClaim"),
    ("rbd", "rbd"),
    ("cinder", "cinder"),
    ("cephfs", "cephFS"),
    ("quobyte", "quobyte"),
    ("downwardAPI", "downwarAPI"),
    ("fc", "fc"),
    ("flexVolume", "flexVolume"),
    ("configMap", "configMap"),
    ("azureFile", "azureFile"),
    ("vsphereVolume", "vsphereVolume"),
    ("photonPersistentDisk", "photonPersistentDisk"),
    ("portworxVolume", "portworxVolume"),
    ("azureDisk", "azureDisk"),
    ("storageos", "storageos"),
    ("projected", "projected"),
    ("scaleIO", "scaleIO"),
    ("csi", "csi"),
    ("ephemeral", "ephemeral"),
    ("image", "image"),
];
const HOST_PATHS: &[&str] = &[
    "",
    "BlockDevice",
    "CharDevice",
    "Directory",
    "DirectoryOrCreate",
    "File",
    "FileOrCreate",
    "Socket",
];
const PULL_POLICIES: &[&str] = &["Always", "IfNotPresent", "Never"];
/// What labels and annotations alone may be given to a claim.
const CLAIM_METADATA: [&str; 2] = ["annotations", "labels"];

/// What is wrong with the volumes at a path, and those by name that nothing is wrong with. `pod` is the name of the Pod;
/// none for a template.
pub(super) fn all<'a>(
    path: &str,
    volumes: &'a [Value],
    pod: Option<&str>,
) -> (BTreeMap<&'a str, &'a Value>, Vec<FieldError>) {
    let claim_name = |volume: &str| pod.map(|pod| format!("{pod}-{volume}"));
    let made: BTreeSet<String> = volumes
        .iter()
        .filter(|volume| present(volume, "ephemeral").is_some())
        .filter_map(|volume| claim_name(text(volume, "name")))
        .collect();
    let (mut good, mut errors) = (BTreeMap::new(), Vec::new());
    for (i, volume) in volumes.iter().enumerate() {
        let path = format!("{path}[{i}]");
        let name = text(volume, "name");
        let mut wrong = sources(&path, volume, pod);
        if present(volume, "ephemeral").is_some()
            && let Some(claim) = claim_name(name).filter(|_| !name.is_empty())
        {
            let bad = kedge_machinery::names::dns1123_subdomain(&claim);
            let bad = bad.into_iter().map(|why| {
                let detail = format!("PVC name \"{claim}\": {why}");
                FieldError::invalid(format!("{path}.name"), name, detail)
            });
            wrong.extend(bad);
        }
        match name {
            "" => wrong.push(FieldError::required(format!("{path}.name"), "")),
            name => wrong.extend(check::label(&format!("{path}.name"), name)),
        }
        if good.contains_key(name) {
            wrong.push(FieldError::duplicate(format!("{path}.name"), name));
        }
        if wrong.is_empty() {
            good.insert(name, volume);
        }
        errors.extend(wrong);
        let claim = text(child(volume, "persistentVolumeClaim"), "claimName");
        if made.contains(claim) {
            let at = format!("{path}.persistentVolumeClaim.claimName");
            let detail = "must not reference a PVC that gets created for an ephemeral volume";
            errors.push(FieldError::invalid(at, claim, detail));
        }
    }
    (good, errors)
}

fn sources(path: &str, volume: &Value, pod: Option<&str>) -> Vec<FieldError> {
    let mut given = SOURCES
        .iter()
        .filter_map(|(key, shown)| Some((*key, *shown, present(volume, key)?)));
    let Some((key, _, source)) = given.next() else {
        return vec![FieldError::required(path, "must specify a volume type")];
    };
    let mut errors = self::source(&format!("{path}.{key}"), key, source, pod);
    if key == "iscsi" {
        errors.extend(drives::iscsi_name(path, text(volume, "name"), source));
    }
    errors.extend(given.map(|(_, shown, _)| {
        let detail = "may not specify more than 1 volume type";
        FieldError::forbidden(format!("{path}.{shown}"), detail)
    }));
    errors
}

fn source(path: &str, key: &str, source: &Value, pod: Option<&str>) -> Vec<FieldError> {
    match key {
        "emptyDir" => Vec::from_iter(size(path, source)),
        "hostPath" => host_path(path, source),
        "secret" => projected::of_keys(path, source, "secretName"),
        "configMap" => projected::of_keys(path, source, "name"),
        "downwardAPI" => projected::downward(path, source),
        "projected" => projected::projected(path, source),
        "csi" => csi(path, source),
        "ephemeral" => ephemeral(path, source),
        "image" => image(path, source, pod.is_some()),
        "gitRepo" => {
            let mut errors = drives::drive(path, key, source);
            let at = format!("{path}.directory");
            errors.extend(paths::descending(&at, text(source, "directory")));
            errors
        }
        "flexVolume" => {
            let mut errors = drives::drive(path, key, source);
            errors.extend(flex_options(path, source));
            errors
        }
        _ => drives::drive(path, key, source),
    }
}

fn size(path: &str, source: &Value) -> Option<FieldError> {
    let limit = Quantity::parse(text(source, "sizeLimit")).ok()?;
    let detail = "SizeLimit field must be a valid resource quantity";
    limit
        .is_negative()
        .then(|| FieldError::forbidden(format!("{path}.sizeLimit"), detail))
}

fn host_path(path: &str, source: &Value) -> Vec<FieldError> {
    let at = format!("{path}.path");
    let place = text(source, "path");
    if place.is_empty() {
        return vec![FieldError::required(at, "")];
    }
    let mut errors = Vec::from_iter(paths::without_backsteps(&at, place));
    let kind = text(source, "type");
    if !HOST_PATHS.contains(&kind) {
        let at = format!("{path}.type");
        errors.push(FieldError::not_supported(at, kind, HOST_PATHS));
    }
    errors
}

fn csi(path: &str, source: &Value) -> Vec<FieldError> {
    let mut errors = check::driver_name(&format!("{path}.driver"), text(source, "driver"));
    if let Some(secret) = present(source, "nodePublishSecretRef") {
        match text(secret, "name") {
            "" => {
                let at = format!("{path}.nodePublishSecretRef.name");
                errors.push(FieldError::required(at, ""));
            }
            name => errors.extend(check::subdomain(&format!("{path}.name"), name)),
        }
    }
    errors
}

/// A claim that is made with the Pod, and goes with it.
fn ephemeral(path: &str, source: &Value) -> Vec<FieldError> {
    let path = format!("{path}.volumeClaimTemplate");
    let Some(template) = present(source, "volumeClaimTemplate") else {
        return vec![FieldError::required(path, "")];
    };
    let metadata = child(template, "metadata");
    let annotations = format!("{path}.metadata.annotations");
    let mut errors: Vec<FieldError> = pairs(metadata, "annotations")
        .flat_map(|(key, _)| check::annotation_key(&annotations, key))
        .collect();
    errors.extend(check::labels(
        &format!("{path}.metadata.labels"),
        pairs(metadata, "labels"),
    ));
    let others = metadata.as_object().into_iter().flatten();
    let others = others.filter(|(key, value)| {
        !CLAIM_METADATA.contains(&key.as_str()) && !crate::value::is_empty(value)
    });
    errors.extend(
        others.map(|(key, _)| {
            FieldError::forbidden(format!("{path}.metadata.{key}"), "cannot be set")
        }),
    );
    errors.extend(claim_spec(&format!("{path}.spec"), child(template, "spec")));
    errors
}

/// Files of an image; a template may leave open of which.
fn image(path: &str, source: &Value, of_pod: bool) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if of_pod && text(source, "reference").is_empty() {
        errors.push(FieldError::required(format!("{path}.reference"), ""));
    }
    errors.extend(check::one_of(
        &format!("{path}.pullPolicy"),
        text(source, "pullPolicy"),
        PULL_POLICIES,
    ));
    errors
}

fn flex_options(path: &str, source: &Value) -> Vec<FieldError> {
    let is_own = |key: &&str| {
        let domain = key.split_once('/').map_or(*key, |(domain, _)| domain);
        let domain = format!(".{}", domain.to_lowercase());
        domain.ends_with(".kubernetes.io") || domain.ends_with(".k8s.io")
    };
    let keys = pairs(source, "options").map(|(key, _)| key).filter(is_own);
    let wrong = keys.map(|key| {
        let detail = "kubernetes.io and k8s.io namespaces are reserved";
        FieldError::invalid(format!("{path}.options[{key}]"), key, detail)
    });
    wrong.collect()
}

/// Tokens of the Pod's account in its volumes, which only a Pod that has an account may ask for.
pub(super) fn tokens(path: &str, volumes: &[Value]) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for (i, volume) in volumes.iter().enumerate() {
        let sources = list(child(volume, "projected"), "sources");
        for (j, source) in sources.iter().enumerate() {
            if present(source, "serviceAccountToken").is_some() {
                let at = format!("{path}[{i}].projected.sources[{j}].serviceAccountToken");
                let detail = "must not be specified when serviceAccountName is not set";
                errors.push(FieldError::forbidden(at, detail));
            }
        }
    }
    errors
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn wrong(volumes: Value, pod: Option<&str>) -> Vec<String> {
        let (_, errors) = all("v", volumes.as_array().unwrap(), pod);
        errors.iter().map(ToString::to_string).collect()
    }

    fn check(found: Vec<String>, want: &[&str]) {
        assert_eq!(found.len(), want.len(), "{found:?}");
        for (found, want) in found.iter().zip(want) {
            assert!(found.starts_with(want), "{found}");
        }
    }

    #[rstest]
    #[case(json!({"name": "a", "emptyDir": {"sizeLimit": "1Gi"}}), &[])]
    #[case(json!({"name": "a", "emptyDir": {"sizeLimit": "-1"}}), &["v[0].emptyDir.sizeLimit: Forbidden: "])]
    #[case(json!({"name": "a"}), &["v[0]: Required value: must specify a volume type"])]
    #[case(json!({"name": "", "emptyDir": {}}), &["v[0].name: Required value"])]
    #[case(json!({"name": "a.b", "emptyDir": {}}), &["v[0].name: Invalid value: "])]
    #[case(json!({"name": "a", "emptyDir": {}, "downwardAPI": {}, "image": {}}), &[
        "v[0].downwarAPI: Forbidden: may not specify more than 1 volume type", "v[0].image: Forbidden: ",
    ])]
    #[case(json!({"name": "a", "hostPath": {"path": "/a", "type": "Directory"}}), &[])]
    #[case(json!({"name": "a", "hostPath": {"path": ""}}), &["v[0].hostPath.path: Required value"])]
    #[case(json!({"name": "a", "hostPath": {"path": "/a/../b", "type": "Pipe"}}), &["v[0].hostPath.path: Invalid value: ", "v[0].hostPath.type: Unsupported value: "])]
    #[case(json!({"name": "a", "secret": {}}), &["v[0].secret.secretName: Required value"])]
    #[case(json!({"name": "a", "configMap": {}}), &["v[0].configMap.name: Required value"])]
    #[case(json!({"name": "a", "persistentVolumeClaim": {}}), &["v[0].persistentVolumeClaim.claimName: Required value"])]
    #[case(json!({"name": "a", "csi": {"driver": "Example.com", "nodePublishSecretRef": {"name": "s"}}}), &[])]
    #[case(json!({"name": "a", "csi": {"driver": "", "nodePublishSecretRef": {}}}), &[
        "v[0].csi.driver: Required value", "v[0].csi.driver: Invalid value: ", "v[0].csi.nodePublishSecretRef.name: Required value",
    ])]
    #[case(json!({"name": "a", "flexVolume": {"driver": "d", "options": {"a": "b", "x.K8S.io/y": "z", "kubernetes.io/a": ""}}}), &[
        "v[0].flexVolume.options[kubernetes.io/a]: Invalid value: ", "v[0].flexVolume.options[x.K8S.io/y]: Invalid value: ",
    ])]
    #[case(json!({"name": "a", "gitRepo": {"repository": "", "directory": "/x"}}), &["v[0].gitRepo.repository: Required value", "v[0].gitRepo.directory: Invalid value: "])]
    #[case(json!({"name": "a", "image": {"reference": "i", "pullPolicy": "Always"}}), &[])]
    #[case(json!({"name": "a", "image": {"pullPolicy": "Maybe"}}), &["v[0].image.reference: Required value", "v[0].image.pullPolicy: Unsupported value: "])]
    #[case(json!({"name": "a", "ephemeral": {}}), &["v[0].ephemeral.volumeClaimTemplate: Required value"])]
    #[case(json!({"name": "a", "ephemeral": {"volumeClaimTemplate": {"metadata": {"name": "x", "labels": {"a": "b"}}, "spec": {}}}}), &[
        "v[0].ephemeral.volumeClaimTemplate.metadata.name: Forbidden: cannot be set",
        "v[0].ephemeral.volumeClaimTemplate.spec.accessModes: Required value", "v[0].ephemeral.volumeClaimTemplate.spec.resources[storage]: Required value",
    ])]
    fn of_a_pod(#[case] volume: Value, #[case] want: &[&str]) {
        check(wrong(json!([volume]), Some("pod")), want);
    }

    #[test]
    fn a_name_is_taken_once() {
        let plain = json!({"name": "a", "emptyDir": {}});
        check(
            wrong(json!([plain, plain]), None),
            &["v[1].name: Duplicate value: \"a\""],
        );
        // One with an error has not taken it.
        assert_eq!(
            wrong(json!([{"name": "a", "secret": {}}, plain]), None).len(),
            1
        );
    }

    #[test]
    fn a_template_leaves_an_image_open() {
        let volume = json!([{"name": "a", "image": {"pullPolicy": "Always"}}]);
        assert!(wrong(volume, None).is_empty());
    }

    #[test]
    fn claims_that_are_made_are_named_after_the_pod() {
        let spec = json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}});
        let made = json!({"name": "a", "ephemeral": {"volumeClaimTemplate": {"spec": spec}}});
        let claimed = json!({"name": "b", "persistentVolumeClaim": {"claimName": "pod-a"}});
        assert!(wrong(json!([made]), Some("pod")).is_empty());
        check(
            wrong(json!([made, claimed]), Some("pod")),
            &["v[1].persistentVolumeClaim.claimName: Invalid value: \"pod-a\": must not reference"],
        );
        let long = "x".repeat(253);
        check(
            wrong(json!([made]), Some(&long)),
            &["v[0].name: Invalid value: \"a\": PVC name "],
        );
    }

    #[test]
    fn tokens_have_an_account() {
        let volumes =
            [json!({"projected": {"sources": [{"secret": {}}, {"serviceAccountToken": {}}]}})];
        let errors = tokens("v", &volumes);
        assert_eq!(
            errors[0].field,
            "v[0].projected.sources[1].serviceAccountToken"
        );
    }
}
