//! Containers of every sort.

use std::collections::{BTreeMap, BTreeSet};

use kedge_machinery::{FieldError, names};
use serde_json::Value;

use super::{environment, mounts, probe, resources, restart, security};
use crate::check;
use crate::value::{child, int, list, present, text};

const PROTOCOLS: &[&str] = &["SCTP", "TCP", "UDP"];
const PULL_POLICIES: &[&str] = &["Always", "IfNotPresent", "Never"];
const MESSAGE_POLICIES: &[&str] = &["File", "FallbackToLogsOnError"];
/// Fields that run a container for as long as its Pod, and so are not for one that is to end.
const LASTING: [&str; 4] = [
    "lifecycle",
    "livenessProbe",
    "readinessProbe",
    "startupProbe",
];
/// What somebody who looks into a Pod has no use for.
const NOT_EPHEMERAL: [&str; 9] = [
    "ports",
    "resources",
    "livenessProbe",
    "readinessProbe",
    "startupProbe",
    "lifecycle",
    "resizePolicy",
    "restartPolicy",
    "restartPolicyRules",
];

/// What a container is looked at beside.
pub(super) struct Around<'a> {
    /// The Pod's volumes that nothing is wrong with, by name.
    pub(super) volumes: BTreeMap<&'a str, &'a Value>,
    /// Names of the Pod's device claims.
    pub(super) claims: BTreeSet<&'a str>,
    /// Seconds that the Pod has to end.
    pub(super) grace: Option<i64>,
    pub(super) restart_policy: &'a str,
    /// False when users of the Pod are others than the node's.
    pub(super) host_users: bool,
}

/// All containers of a spec at a path.
pub(super) fn all(at: &str, spec: &Value, around: &Around<'_>) -> Vec<FieldError> {
    let [running, first, ephemeral] =
        ["containers", "initContainers", "ephemeralContainers"].map(|key| list(spec, key));
    let mut names = BTreeSet::new();
    let mut errors = self::running(&format!("{at}.containers"), running, around, &mut names);
    let initial = format!("{at}.initContainers");
    errors.extend(self::initial(&initial, first, around, &mut names));
    let path = format!("{at}.ephemeralContainers");
    errors.extend(self::ephemeral(&path, ephemeral, around, &mut names));
    errors
}

fn running<'a>(
    path: &str,
    containers: &'a [Value],
    around: &Around<'_>,
    names: &mut BTreeSet<&'a str>,
) -> Vec<FieldError> {
    if containers.is_empty() {
        return vec![FieldError::required(path, "")];
    }
    let mut errors = Vec::new();
    for (i, container) in containers.iter().enumerate() {
        let path = format!("{path}[{i}]");
        errors.extend(common(&path, container, around));
        errors.extend(again(&path, container, names));
        errors.extend(probe::all(&path, container, around.grace));
        errors.extend(restart::restart(&path, container));
    }
    errors.extend(host_ports(path, containers));
    errors
}

fn initial<'a>(
    path: &str,
    containers: &'a [Value],
    around: &Around<'_>,
    names: &mut BTreeSet<&'a str>,
) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for (i, container) in containers.iter().enumerate() {
        let at = format!("{path}[{i}]");
        errors.extend(common(&at, container, around));
        errors.extend(restart::restart(&at, container));
        errors.extend(again(&at, container, names));
        // One runs after the other; upstream's path is that of the first.
        errors.extend(host_ports(path, std::slice::from_ref(container)));
        if text(container, "restartPolicy") == "Always" {
            errors.extend(probe::all(&at, container, around.grace));
        } else {
            let detail = "may not be set for init containers without restartPolicy=Always";
            let given = LASTING
                .iter()
                .filter(|key| present(container, key).is_some());
            errors.extend(given.map(|key| FieldError::forbidden(format!("{at}.{key}"), detail)));
        }
    }
    errors
}

fn ephemeral<'a>(
    path: &str,
    containers: &'a [Value],
    around: &Around<'_>,
    names: &mut BTreeSet<&'a str>,
) -> Vec<FieldError> {
    const DETAIL: &str = "cannot be set for an Ephemeral Container";
    let lasting = names.clone();
    let mut errors = Vec::new();
    for (i, container) in containers.iter().enumerate() {
        let path = format!("{path}[{i}]");
        errors.extend(common(&path, container, around));
        errors.extend(padded_image(&path, container));
        errors.extend(again(&path, container, names));
        match text(container, "targetContainerName") {
            "" => {}
            target if lasting.contains(target) => {}
            target => errors.push(check::not_found(
                &format!("{path}.targetContainerName"),
                target,
            )),
        }
        let is_set = |key: &&&str| {
            let value = child(container, key);
            !value.is_null() && value != &Value::Object(serde_json::Map::new())
        };
        let set = NOT_EPHEMERAL.iter().filter(is_set);
        errors.extend(set.map(|key| FieldError::forbidden(format!("{path}.{key}"), DETAIL)));
        for (i, mount) in list(container, "volumeMounts").iter().enumerate() {
            for key in ["subPath", "subPathExpr"] {
                if !text(mount, key).is_empty() {
                    let at = format!("{path}.volumeMounts[{i}].{key}");
                    errors.push(FieldError::forbidden(at, DETAIL));
                }
            }
        }
    }
    errors
}

/// A name that another container has.
fn again<'a>(
    path: &str,
    container: &'a Value,
    names: &mut BTreeSet<&'a str>,
) -> Option<FieldError> {
    let name = text(container, "name");
    let fresh = name.is_empty() || names.insert(name);
    (!fresh).then(|| FieldError::duplicate(format!("{path}.name"), name))
}

/// What is looked at in a Pod, and not in a template: there a blank image may stand for one to come.
pub(in crate::strategy::pod) fn padded_image(path: &str, container: &Value) -> Option<FieldError> {
    let image = text(container, "image");
    let detail = "must not have leading or trailing whitespace";
    let padded = image.trim() != image;
    padded.then(|| FieldError::invalid(format!("{path}.image"), image, detail))
}

fn common(path: &str, container: &Value, around: &Around<'_>) -> Vec<FieldError> {
    let at = |key: &str| format!("{path}.{key}");
    let mut errors = Vec::new();
    match text(container, "name") {
        "" => errors.push(FieldError::required(at("name"), "")),
        name => errors.extend(check::label(&at("name"), name)),
    }
    if text(container, "image").is_empty() {
        errors.push(FieldError::required(at("image"), ""));
    }
    errors.extend(check::one_of(
        &at("terminationMessagePolicy"),
        text(container, "terminationMessagePolicy"),
        MESSAGE_POLICIES,
    ));
    errors.extend(ports(&at("ports"), list(container, "ports")));
    errors.extend(environment::environment(path, container, &around.volumes));
    errors.extend(mounts::all(path, container, &around.volumes));
    errors.extend(check::one_of(
        &at("imagePullPolicy"),
        text(container, "imagePullPolicy"),
        PULL_POLICIES,
    ));
    let asked = child(container, "resources");
    errors.extend(resources::of_container(
        &at("resources"),
        asked,
        &around.claims,
    ));
    errors.extend(resources::resize(
        &at("resizePolicy"),
        list(container, "resizePolicy"),
        around.restart_policy,
    ));
    if let Some(context) = present(container, "securityContext") {
        let at = at("securityContext");
        errors.extend(security::of_container(&at, context, around.host_users));
    }
    errors
}

fn ports(path: &str, ports: &[Value]) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut seen = BTreeSet::new();
    for (i, port) in ports.iter().enumerate() {
        let at = |key: &str| format!("{path}[{i}].{key}");
        match text(port, "name") {
            "" => {}
            name => {
                let bad = names::port_name(name);
                if bad.is_empty() && !seen.insert(name) {
                    errors.push(FieldError::duplicate(at("name"), name));
                }
                errors.extend(check::invalid(&at("name"), name, bad));
            }
        }
        match int(port, "containerPort") {
            0 => errors.push(FieldError::required(at("containerPort"), "")),
            number => errors.extend(check::port(&at("containerPort"), number)),
        }
        match int(port, "hostPort") {
            0 => {}
            number => errors.extend(check::port(&at("hostPort"), number)),
        }
        errors.extend(check::one_of(
            &at("protocol"),
            text(port, "protocol"),
            PROTOCOLS,
        ));
    }
    errors
}

/// A port of the node is one container's.
fn host_ports(path: &str, containers: &[Value]) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut taken = BTreeSet::new();
    for (i, container) in containers.iter().enumerate() {
        for (j, port) in list(container, "ports").iter().enumerate() {
            let number = int(port, "hostPort");
            let (protocol, ip) = (text(port, "protocol"), text(port, "hostIP"));
            if number != 0 && !taken.insert((protocol, ip, number)) {
                let at = format!("{path}[{i}].ports[{j}].hostPort");
                let shown = format!("{protocol}/{ip}/{number}");
                errors.push(FieldError::duplicate(at, shown));
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

    fn container(name: &str, more: Value) -> Value {
        let mut container = json!({
            "name": name, "image": "i", "terminationMessagePolicy": "File", "imagePullPolicy": "Always", "resources": {},
        });
        let fields = container.as_object_mut().unwrap();
        fields.extend(more.as_object().unwrap().clone());
        container
    }

    fn wrong(spec: Value) -> Vec<String> {
        let around = Around {
            volumes: BTreeMap::new(),
            claims: BTreeSet::new(),
            grace: Some(30),
            restart_policy: "Always",
            host_users: true,
        };
        let errors = all("s", &spec, &around);
        errors.iter().map(ToString::to_string).collect()
    }

    fn check(found: Vec<String>, want: &[&str]) {
        assert_eq!(found.len(), want.len(), "{found:?}");
        for (found, want) in found.iter().zip(want) {
            assert!(found.starts_with(want), "{found}");
        }
    }

    #[rstest]
    #[case(json!({}), &[])]
    #[case(json!({"name": "A"}), &["s.containers[0].name: Invalid value: \"A\""])]
    #[case(json!({"image": ""}), &["s.containers[0].image: Required value"])]
    #[case(json!({"image": " i"}), &[])]
    #[case(json!({"terminationMessagePolicy": "Loud"}), &[
        "s.containers[0].terminationMessagePolicy: Unsupported value: \"Loud\": supported values: \"File\", \"FallbackToLogsOnError\"",
    ])]
    #[case(json!({"imagePullPolicy": "Sometimes"}), &["s.containers[0].imagePullPolicy: Unsupported value: "])]
    #[case(json!({"restartPolicy": "Often"}), &["s.containers[0].restartPolicy: Unsupported value: "])]
    #[case(json!({"ports": [{"containerPort": 1, "hostPort": 9, "protocol": "TCP"}, {"containerPort": 2, "hostPort": 9, "protocol": "TCP"}]}), &[
        "s.containers[0].ports[1].hostPort: Duplicate value: \"TCP//9\"",
    ])]
    #[case(json!({"ports": [{"containerPort": 1, "hostPort": 9, "protocol": "TCP"}, {"containerPort": 2, "hostPort": 9, "protocol": "UDP"}]}), &[])]
    fn one(#[case] more: Value, #[case] want: &[&str]) {
        check(wrong(json!({"containers": [container("c", more)]})), want);
    }

    #[rstest]
    #[case(json!({}), &[])]
    #[case(json!({"lifecycle": {}, "startupProbe": {}}), &[
        "s.initContainers[0].lifecycle: Forbidden: may not be set", "s.initContainers[0].startupProbe: Forbidden: ",
    ])]
    #[case(json!({"restartPolicy": "Always", "readinessProbe": {"grpc": {"port": 1}}}), &[])]
    #[case(json!({"restartPolicy": "Always", "livenessProbe": {}}), &[
        "s.initContainers[0].livenessProbe: Required value: must specify a handler type",
        "s.initContainers[0].livenessProbe.successThreshold: ",
    ])]
    #[case(json!({"name": "main"}), &["s.initContainers[0].name: Duplicate value: \"main\""])]
    fn one_that_comes_first(#[case] more: Value, #[case] want: &[&str]) {
        let spec = json!({"containers": [container("main", json!({}))], "initContainers": [container("c", more)]});
        check(wrong(spec), want);
    }

    #[test]
    fn ports_of_the_node_are_taken_one_after_another() {
        let port = json!({"ports": [{"containerPort": 1, "hostPort": 9, "protocol": "TCP"}]});
        let [a, b, c] = ["a", "b", "c"].map(|name| container(name, port.clone()));
        assert!(wrong(json!({"containers": [a], "initContainers": [b, c]})).is_empty());
        check(
            wrong(json!({"containers": [a, b]})),
            &["s.containers[1].ports[0].hostPort: Duplicate value: \"TCP//9\""],
        );
    }

    #[rstest]
    #[case(json!({"targetContainerName": "main"}), &[])]
    #[case(json!({"targetContainerName": "none"}), &["s.ephemeralContainers[0].targetContainerName: Not found: \"none\""])]
    #[case(json!({"image": "i "}), &["s.ephemeralContainers[0].image: Invalid value: \"i \": must not have leading"])]
    #[case(json!({"ports": [{"containerPort": 1, "protocol": "TCP"}]}), &["s.ephemeralContainers[0].ports: Forbidden: cannot be set for an Ephemeral Container"])]
    #[case(json!({"restartPolicy": "Always"}), &["s.ephemeralContainers[0].restartPolicy: Forbidden: "])]
    #[case(json!({"resources": {"limits": {"cpu": "1"}}}), &["s.ephemeralContainers[0].resources: Forbidden: "])]
    fn one_that_looks(#[case] more: Value, #[case] want: &[&str]) {
        let spec = json!({"containers": [container("main", json!({}))], "ephemeralContainers": [container("c", more)]});
        check(wrong(spec), want);
    }
}
