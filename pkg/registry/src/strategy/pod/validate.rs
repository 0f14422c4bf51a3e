//! What a Pod may say, and the template of one (`ValidatePodSpec` and what it calls), in the order in which upstream looks.

mod affinity;
mod annotations;
mod container;
mod drives;
mod environment;
mod mounts;
mod network;
mod paths;
mod probe;
mod projected;
mod resources;
mod restart;
mod security;
mod spread;
mod volumes;
mod windows;

use std::collections::BTreeSet;

use kedge_machinery::{FieldError, Object};
use serde_json::Value;

use crate::check;
use crate::value::{child, field, list, pairs, present, text};

pub(super) use annotations::changes as annotation_changes;
pub(super) use container::padded_image;
pub(in crate::strategy) use resources::overhead;
pub(super) use resources::together;

const RESTART_POLICIES: &[&str] = &["Always", "OnFailure", "Never"];
const DNS_POLICIES: &[&str] = &["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"];
const PREEMPTION: &[&str] = &["PreemptLowerPriority", "Never"];

/// A Pod, new or changed.
pub(super) fn pod(pod: &Object) -> Vec<FieldError> {
    let (metadata, spec) = (field(&pod.0, "metadata"), field(&pod.0, "spec"));
    let mut errors = own_annotations(pod);
    errors.extend(self::spec("spec", spec, Some(text(metadata, "name"))));
    if text(spec, "serviceAccountName").is_empty() {
        errors.extend(volumes::tokens("spec.volumes", list(spec, "volumes")));
    }
    for key in ["containers", "initContainers"] {
        for (i, container) in list(spec, key).iter().enumerate() {
            errors.extend(padded_image(&format!("spec.{key}[{i}]"), container));
        }
    }
    errors
}

/// What its annotations say.
pub(super) fn own_annotations(pod: &Object) -> Vec<FieldError> {
    let (metadata, spec) = (field(&pod.0, "metadata"), field(&pod.0, "spec"));
    annotations::annotations("metadata.annotations", metadata, spec)
}

/// A new Pod.
pub(super) fn new(pod: &Object) -> Vec<FieldError> {
    let (metadata, spec) = (field(&pod.0, "metadata"), field(&pod.0, "spec"));
    let mut errors = self::pod(pod);
    if !list(spec, "ephemeralContainers").is_empty() {
        let detail = "cannot be set on create";
        errors.push(FieldError::forbidden("spec.ephemeralContainers", detail));
    }
    if !text(spec, "nodeName").is_empty() && !list(spec, "schedulingGates").is_empty() {
        let detail = "cannot be set until all schedulingGates have been cleared";
        errors.push(FieldError::forbidden("spec.nodeName", detail));
    }
    errors.extend(annotations::disagreements("spec", metadata, spec));
    errors
}

/// Annotations and spec of a template at a path. Upstream leaves the metadata out of paths.
pub(in crate::strategy) fn template(at: &str, template: &Value) -> Vec<FieldError> {
    let (metadata, spec) = (child(template, "metadata"), child(template, "spec"));
    let at_spec = format!("{at}.spec");
    let mut errors = annotations::annotations(&format!("{at}.annotations"), metadata, spec);
    errors.extend(self::spec(&at_spec, spec, None));
    errors.extend(annotations::disagreements(&at_spec, metadata, spec));
    errors
}

/// A spec at a path; `pod` is the name of the Pod that it is of, none for a template.
fn spec(at: &str, spec: &Value, pod: Option<&str>) -> Vec<FieldError> {
    let path = |key: &str| format!("{at}.{key}");
    let grace = present(spec, "terminationGracePeriodSeconds").and_then(Value::as_i64);
    let claims = list(spec, "resourceClaims");
    let (known, mut errors) = volumes::all(&path("volumes"), list(spec, "volumes"), pod);
    errors.extend(device_claims(&path("resourceClaims"), claims));
    let around = container::Around {
        volumes: known,
        claims: claims
            .iter()
            .map(|claim| text(claim, "name"))
            .filter(|name| !name.is_empty())
            .collect(),
        grace,
        restart_policy: text(spec, "restartPolicy"),
        host_users: present(spec, "hostUsers") != Some(&Value::Bool(false)),
    };
    errors.extend(container::all(at, spec, &around));
    errors.extend(resources::of_pod(&path("resources"), spec));
    errors.extend(network::host_ports(at, spec, pod.is_some()));
    for (key, words) in [
        ("restartPolicy", RESTART_POLICIES),
        ("dnsPolicy", DNS_POLICIES),
    ] {
        errors.extend(check::one_of(&path(key), text(spec, key), words));
    }
    errors.extend(check::labels(
        &path("nodeSelector"),
        pairs(spec, "nodeSelector"),
    ));
    errors.extend(security::of_pod(at, spec));
    if let Some(affinity) = present(spec, "affinity") {
        errors.extend(affinity::affinity(&path("affinity"), affinity));
    }
    errors.extend(network::dns(at, spec));
    errors.extend(gates(at, spec));
    errors.extend(spread::all(
        &path("topologySpreadConstraints"),
        list(spec, "topologySpreadConstraints"),
    ));
    errors.extend(windows::host_processes(at, spec));
    errors.extend(network::host_users(at, spec));
    errors.extend(scalars(at, spec));
    errors
}

fn scalars(at: &str, spec: &Value) -> Vec<FieldError> {
    let path = |key: &str| format!("{at}.{key}");
    let mut errors = Vec::new();
    let name = |key: &str, rule: fn(&str, &str) -> Vec<FieldError>| match text(spec, key) {
        "" => Vec::new(),
        value => rule(&path(key), value),
    };
    errors.extend(name("serviceAccountName", check::subdomain));
    errors.extend(name("nodeName", check::subdomain));
    let deadline = present(spec, "activeDeadlineSeconds").and_then(Value::as_i64);
    if let Some(seconds) = deadline.filter(|s| !(1..=i64::from(i32::MAX)).contains(s)) {
        let detail = "must be between 1 and 2147483647, inclusive";
        let at = path("activeDeadlineSeconds");
        errors.push(FieldError::invalid(at, seconds, detail));
    }
    errors.extend(name("hostname", check::label));
    errors.extend(name("subdomain", check::label));
    errors.extend(network::hostname_override(at, spec));
    errors.extend(check::tolerations(
        &path("tolerations"),
        list(spec, "tolerations"),
    ));
    errors.extend(network::aliases(
        &path("hostAliases"),
        list(spec, "hostAliases"),
    ));
    errors.extend(name("priorityClassName", check::subdomain));
    if let Some(class) = present(spec, "runtimeClassName").and_then(Value::as_str) {
        errors.extend(check::subdomain(&path("runtimeClassName"), class));
    }
    if let Some(policy) = present(spec, "preemptionPolicy").and_then(Value::as_str) {
        let at = path("preemptionPolicy");
        errors.extend(check::one_of(&at, policy, PREEMPTION));
    }
    if let Some(overhead) = present(spec, "overhead") {
        errors.extend(resources::overhead(&path("overhead"), overhead));
    }
    errors.extend(windows::system(at, spec));
    errors
}

/// Conditions that a Pod waits for: to be ready, to be scheduled.
fn gates(at: &str, spec: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for (i, gate) in list(spec, "readinessGates").iter().enumerate() {
        let at = format!("{at}.readinessGates[{i}].conditionType");
        errors.extend(check::qualified_name(&at, text(gate, "conditionType")));
    }
    let mut seen = BTreeSet::new();
    for (i, gate) in list(spec, "schedulingGates").iter().enumerate() {
        let at = format!("{at}.schedulingGates[{i}]");
        let name = text(gate, "name");
        errors.extend(check::qualified_name(&at, name));
        if !seen.insert(name) {
            errors.push(FieldError::duplicate(at, name));
        }
    }
    errors
}

/// Devices that a Pod claims: by a claim that is there or by the template of one.
fn device_claims(path: &str, claims: &[Value]) -> Vec<FieldError> {
    const SOURCES: [&str; 2] = ["resourceClaimName", "resourceClaimTemplateName"];
    let mut errors = Vec::new();
    let mut seen = BTreeSet::new();
    for (i, claim) in claims.iter().enumerate() {
        let path = format!("{path}[{i}]");
        let at = format!("{path}.name");
        match text(claim, "name") {
            "" => errors.push(FieldError::required(at, "")),
            name if !seen.insert(name) => errors.push(FieldError::duplicate(at, name)),
            name => errors.extend(check::label(&at, name)),
        }
        let given = SOURCES.map(|key| present(claim, key).and_then(Value::as_str));
        let detail = match given {
            [Some(_), Some(_)] => {
                "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified"
            }
            [None, None] => "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`",
            _ => "",
        };
        if !detail.is_empty() {
            errors.push(FieldError::invalid(&path, claim.clone(), detail));
        }
        for (key, name) in SOURCES.iter().zip(given) {
            let bad = name.map(|name| check::subdomain(&format!("{path}.{key}"), name));
            errors.extend(bad.into_iter().flatten());
        }
    }
    errors
}

#[cfg(test)]
mod tests;
