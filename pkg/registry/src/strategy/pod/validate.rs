//! What a Pod may say. The parts that endpoints, kubectl and the dataplane rest on; what only a kubelet
//! would act on is stored as it is.

use std::collections::BTreeSet;

use kedge_machinery::{FieldError, Object};
use serde_json::Value;

use super::sysctls::sysctls;
use crate::check;
use crate::value::{field, int, list, present, text};

const PROTOCOLS: &[&str] = &["SCTP", "TCP", "UDP"];
const RESTART_POLICIES: &[&str] = &["Always", "Never", "OnFailure"];
const DNS_POLICIES: &[&str] = &["ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"];
const PULL_POLICIES: &[&str] = &["Always", "IfNotPresent", "Never"];
const MESSAGE_POLICIES: &[&str] = &["FallbackToLogsOnError", "File"];

pub(super) fn pod(pod: &Object) -> Vec<FieldError> {
    spec("spec", field(&pod.0, "spec"))
}

/// A Pod's spec, or that of a template, at a path.
pub(in crate::strategy) fn spec(at: &str, spec: &Value) -> Vec<FieldError> {
    let path = |key: &str| format!("{at}.{key}");
    let mut errors = Vec::new();
    let volumes = volumes(&path("volumes"), list(spec, "volumes"), &mut errors);
    let mut names = BTreeSet::new();
    if list(spec, "containers").is_empty() {
        errors.push(FieldError::required(path("containers"), ""));
    }
    for key in ["containers", "initContainers", "ephemeralContainers"] {
        for (i, item) in list(spec, key).iter().enumerate() {
            let path = format!("{at}.{key}[{i}]");
            errors.extend(container(&path, item, &volumes));
            let name = text(item, "name");
            if !name.is_empty() && !names.insert(name) {
                errors.push(FieldError::duplicate(format!("{path}.name"), name));
            }
        }
    }
    for (key, words) in [
        ("restartPolicy", RESTART_POLICIES),
        ("dnsPolicy", DNS_POLICIES),
    ] {
        errors.extend(check::one_of(&path(key), text(spec, key), words));
    }
    for (key, rule) in [
        (
            "nodeName",
            check::subdomain as fn(&str, &str) -> Vec<FieldError>,
        ),
        ("serviceAccountName", check::subdomain),
        ("hostname", check::label),
        ("subdomain", check::label),
    ] {
        match text(spec, key) {
            "" => {}
            value => errors.extend(rule(&path(key), value)),
        }
    }
    errors.extend(check::labels(
        &path("nodeSelector"),
        crate::value::pairs(spec, "nodeSelector"),
    ));
    errors.extend(check::tolerations(
        &path("tolerations"),
        list(spec, "tolerations"),
    ));
    errors.extend(sysctls(at, spec));
    errors.extend(numbers(at, spec));
    errors
}

fn numbers(at: &str, spec: &Value) -> Vec<FieldError> {
    let number = |key: &str| present(spec, key).and_then(Value::as_i64);
    let mut errors = Vec::new();
    if let Some(seconds) = number("activeDeadlineSeconds")
        && !(1..=i64::from(i32::MAX)).contains(&seconds)
    {
        let detail = "must be between 1 and 2147483647, inclusive";
        let at = format!("{at}.activeDeadlineSeconds");
        errors.push(FieldError::invalid(at, seconds, detail));
    }
    if let Some(seconds) = number("terminationGracePeriodSeconds") {
        let at = format!("{at}.terminationGracePeriodSeconds");
        errors.extend(check::non_negative(&at, seconds));
    }
    errors
}

fn volumes<'a>(at: &str, volumes: &'a [Value], errors: &mut Vec<FieldError>) -> BTreeSet<&'a str> {
    let mut names = BTreeSet::new();
    for (i, volume) in volumes.iter().enumerate() {
        let path = format!("{at}[{i}]");
        match text(volume, "name") {
            "" => errors.push(FieldError::required(format!("{path}.name"), "")),
            name => {
                errors.extend(check::label(&format!("{path}.name"), name));
                if !names.insert(name) {
                    errors.push(FieldError::duplicate(format!("{path}.name"), name));
                }
            }
        }
        let sources = volume
            .as_object()
            .map_or(0, |v| v.keys().filter(|key| *key != "name").count());
        if sources > 1 {
            errors.push(FieldError::forbidden(
                &path,
                "may not specify more than 1 volume type",
            ));
        }
    }
    names
}

fn container(path: &str, container: &Value, volumes: &BTreeSet<&str>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let at = |key: &str| format!("{path}.{key}");
    match text(container, "name") {
        "" => errors.push(FieldError::required(at("name"), "")),
        name => errors.extend(check::label(&at("name"), name)),
    }
    let image = text(container, "image");
    if image.is_empty() {
        errors.push(FieldError::required(at("image"), ""));
    } else if image.trim() != image {
        errors.push(FieldError::invalid(
            at("image"),
            image,
            "must not have leading or trailing whitespace",
        ));
    }
    for (key, words) in [
        ("terminationMessagePolicy", MESSAGE_POLICIES),
        ("imagePullPolicy", PULL_POLICIES),
    ] {
        errors.extend(check::one_of(&at(key), text(container, key), words));
    }
    errors.extend(ports(&at("ports"), list(container, "ports")));
    for (i, variable) in list(container, "env").iter().enumerate() {
        let path = format!("{path}.env[{i}].name");
        match text(variable, "name") {
            "" => errors.push(FieldError::required(path, "")),
            name if !is_printable(name) => {
                let detail = "a valid environment variable name must consist only of printable ASCII characters other than '='";
                errors.push(FieldError::invalid(path, name, detail));
            }
            _ => {}
        }
    }
    let mut paths = BTreeSet::new();
    for (i, mount) in list(container, "volumeMounts").iter().enumerate() {
        let at = |key: &str| format!("{path}.volumeMounts[{i}].{key}");
        let (name, target) = (text(mount, "name"), text(mount, "mountPath"));
        match name {
            "" => errors.push(FieldError::required(at("name"), "")),
            name if !volumes.contains(name) => {
                let kind = kedge_machinery::status::FieldErrorKind::NotFound;
                errors.push(FieldError::new(kind, at("name"), Some(name.into()), ""));
            }
            _ => {}
        }
        if target.is_empty() {
            errors.push(FieldError::required(at("mountPath"), ""));
        } else if !paths.insert(target) {
            errors.push(FieldError::invalid(
                at("mountPath"),
                target,
                "must be unique",
            ));
        }
    }
    errors
}

fn is_printable(name: &str) -> bool {
    name.bytes().all(|b| (0x20..0x7f).contains(&b) && b != b'=')
}

fn ports(path: &str, ports: &[Value]) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut names = BTreeSet::new();
    for (i, port) in ports.iter().enumerate() {
        let at = |key: &str| format!("{path}[{i}].{key}");
        match text(port, "name") {
            "" => {}
            name => {
                let bad = kedge_machinery::names::port_name(name);
                if bad.is_empty() && !names.insert(name) {
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

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::super::defaults;
    use super::*;

    fn with(spec: Value) -> Vec<String> {
        let mut object = Object::from_value(json!({"spec": spec})).unwrap();
        defaults::apply(&mut object);
        pod(&object).into_iter().map(|e| e.field).collect()
    }

    #[rstest]
    #[case(json!({"containers": [{"name": "c", "image": "i"}]}), &[])]
    #[case(json!({"containers": []}), &["spec.containers"])]
    #[case(json!({"containers": [{}]}), &["spec.containers[0].name", "spec.containers[0].image"])]
    #[case(
        json!({"containers": [{"name": "c", "image": "i"}], "initContainers": [{"name": "c", "image": "i"}]}),
        &["spec.initContainers[0].name"]
    )]
    #[case(
        json!({"containers": [{"name": "c", "image": "i", "ports": [
            {}, {"containerPort": 70000}, {"containerPort": 1, "protocol": "X", "name": "a"}, {"containerPort": 2, "name": "a"},
        ]}]}),
        &[
            "spec.containers[0].ports[0].containerPort", "spec.containers[0].ports[1].containerPort",
            "spec.containers[0].ports[2].protocol", "spec.containers[0].ports[3].name",
        ]
    )]
    #[case(
        json!({
            "containers": [{"name": "c", "image": "i", "volumeMounts": [{"name": "none", "mountPath": "/a"}], "env": [{"name": "a=b"}]}],
            "volumes": [{"name": "v", "emptyDir": {}, "secret": {}}, {"name": "v"}],
        }),
        &["spec.volumes[0]", "spec.volumes[1].name", "spec.containers[0].env[0].name", "spec.containers[0].volumeMounts[0].name"]
    )]
    #[case(
        json!({"containers": [{"name": "c", "image": "i"}], "restartPolicy": "Often", "dnsPolicy": "Mine", "hostname": "a.b"}),
        &["spec.restartPolicy", "spec.dnsPolicy", "spec.hostname"]
    )]
    fn validation(#[case] spec: Value, #[case] want: &[&str]) {
        assert_eq!(with(spec), want);
    }
}
