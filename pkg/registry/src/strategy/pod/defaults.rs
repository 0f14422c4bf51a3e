//! What a Pod is given when it does not say (upstream: `SetDefaults_Pod` and its parts), and what admission adds.

mod volume;

use kedge_machinery::Object;
use kedge_machinery::object::child_mut;
use serde_json::{Map, Value, json};

use super::validate::together;
use super::{CONTAINERS, quality};
use crate::check::resource::HUGE_PAGES;
use crate::value::{child, default, field, is_empty, omit_empty, structs_mut, text};

/// Resources that a whole Pod asks for.
const OF_PODS: [&str; 2] = ["cpu", "memory"];
/// Fields that are no pointers in Go: their empty value is the same as their absence.
const PLAIN: &[&str] = &[
    "hostIPC",
    "hostNetwork",
    "hostPID",
    "hostname",
    "nodeName",
    "serviceAccountName",
    "subdomain",
];

/// What told of init containers before there was a field for them; upstream reads it no more and drops it.
const OLD_ANNOTATIONS: [&str; 4] = [
    "pod.alpha.kubernetes.io/init-container-statuses",
    "pod.alpha.kubernetes.io/init-containers",
    "pod.beta.kubernetes.io/init-container-statuses",
    "pod.beta.kubernetes.io/init-containers",
];

pub(super) fn apply(pod: &mut Object) {
    old_annotations(&mut pod.0);
    let spec = child_mut(&mut pod.0, "spec");
    spec_of_template(spec);
    default(spec, "enableServiceLinks", true);
    let host_network = field(spec, "hostNetwork") == &Value::Bool(true);
    for key in CONTAINERS {
        for item in structs_mut(spec, key) {
            requests(item);
            if host_network {
                host_ports(item);
            }
        }
    }
    huge_pages(spec);
    pod_requests(spec);
    status(child_mut(&mut pod.0, "status"));
}

/// What a template is given too; the rest comes when a Pod is made of it.
pub(in crate::strategy) fn template(template: &mut Map<String, Value>) {
    old_annotations(template);
    spec_of_template(child_mut(template, "spec"));
}

/// Of a Pod or a template.
fn old_annotations(of: &mut Map<String, Value>) {
    let Some(Value::Object(metadata)) = of.get_mut("metadata") else {
        return;
    };
    if let Some(Value::Object(annotations)) = metadata.get_mut("annotations") {
        annotations.retain(|key, _| !OLD_ANNOTATIONS.contains(&key.as_str()));
        if annotations.is_empty() {
            metadata.remove("annotations");
        }
    }
}

fn spec_of_template(spec: &mut Map<String, Value>) {
    omit_empty(spec, PLAIN);
    default(spec, "dnsPolicy", "ClusterFirst");
    default(spec, "restartPolicy", "Always");
    default(spec, "schedulerName", "default-scheduler");
    default(spec, "securityContext", json!({}));
    default(spec, "terminationGracePeriodSeconds", 30);
    // The older name of the field is kept equal.
    let account = field(spec, "serviceAccountName").clone();
    let deprecated = field(spec, "serviceAccount").clone();
    if !is_empty(&account) {
        spec.insert("serviceAccount".into(), account);
    } else if !is_empty(&deprecated) {
        spec.insert("serviceAccountName".into(), deprecated);
    }
    for key in CONTAINERS {
        structs_mut(spec, key).for_each(container);
    }
    structs_mut(spec, "volumes").for_each(volume::volume);
}

/// What a container may use at most, it asks for, unless it says otherwise.
fn requests(container: &mut Map<String, Value>) {
    let resources = child_mut(container, "resources");
    let limits = field(resources, "limits").clone();
    if let (Value::Object(limits), false) = (&limits, is_empty(&limits)) {
        let requests = child_mut(resources, "requests");
        for (name, quantity) in limits {
            requests.entry(name).or_insert(quantity.clone());
        }
    }
}

/// A Pod that says something of its resources has at most the huge pages that its containers have together.
fn huge_pages(spec: &mut Map<String, Value>) {
    let own = field(spec, "resources");
    if ["limits", "requests"]
        .iter()
        .all(|key| is_empty(child(own, key)))
    {
        return;
    }
    let requests = child(own, "requests").clone();
    let all = together(&Value::Object(spec.clone()), "limits");
    let huge = all
        .into_iter()
        .filter(|(name, _)| name.starts_with(HUGE_PAGES));
    for (name, amount) in huge.filter(|(name, _)| requests.get(name).is_none()) {
        let limits = child_mut(child_mut(spec, "resources"), "limits");
        limits.entry(name).or_insert(amount.to_string().into());
    }
}

/// A Pod that says what it may use at most asks for what its containers ask for, or else for that (KEP-2837).
fn pod_requests(spec: &mut Map<String, Value>) {
    let limits = field(spec, "resources").get("limits").cloned();
    let Some(Value::Object(limits)) = limits.filter(|limits| !is_empty(limits)) else {
        return;
    };
    let asked = together(&Value::Object(spec.clone()), "requests");
    let requests = child_mut(child_mut(spec, "resources"), "requests");
    for (name, amount) in asked {
        if OF_PODS.contains(&name.as_str()) {
            requests.entry(name).or_insert(amount.to_string().into());
        }
    }
    for (name, amount) in limits {
        if OF_PODS.contains(&name.as_str()) || name.starts_with(HUGE_PAGES) {
            requests.entry(name).or_insert(amount);
        }
    }
}

/// On the node's network a container's port is the node's.
fn host_ports(container: &mut Map<String, Value>) {
    for port in structs_mut(container, "ports") {
        let number = field(port, "containerPort").clone();
        port.entry("hostPort").or_insert(number);
    }
}

fn container(container: &mut Map<String, Value>) {
    omit_empty(container, &["workingDir"]);
    pull_policy(container, "image", "imagePullPolicy");
    default(container, "terminationMessagePath", "/dev/termination-log");
    default(container, "terminationMessagePolicy", "File");
    child_mut(container, "resources");
    for port in structs_mut(container, "ports") {
        omit_empty(port, &["name", "hostPort", "hostIP"]);
        default(port, "protocol", "TCP");
    }
    for variable in structs_mut(container, "env") {
        omit_empty(variable, &["value"]);
        field_ref(variable.get_mut("valueFrom"));
    }
    for key in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if let Some(item) = struct_mut(container, key) {
            probe(item);
        }
    }
    if let Some(lifecycle) = struct_mut(container, "lifecycle") {
        for key in ["postStart", "preStop"] {
            if let Some(get) = struct_mut(lifecycle, key).and_then(|h| struct_mut(h, "httpGet")) {
                http_get(get);
            }
        }
    }
}

/// A struct that is there, for writing.
fn struct_mut<'a>(
    map: &'a mut Map<String, Value>,
    key: &str,
) -> Option<&'a mut Map<String, Value>> {
    map.get_mut(key).and_then(Value::as_object_mut)
}

fn http_get(get: &mut Map<String, Value>) {
    default(get, "path", "/");
    default(get, "scheme", "HTTP");
}

fn pull_policy(map: &mut Map<String, Value>, image: &str, policy: &str) {
    let latest = is_latest(field(map, image).as_str().unwrap_or_default());
    default(map, policy, if latest { "Always" } else { "IfNotPresent" });
}

/// An image without a tag and without a digest means `latest`.
fn is_latest(image: &str) -> bool {
    if image.contains('@') {
        return false;
    }
    let last = image.rsplit('/').next().unwrap_or(image);
    last.split_once(':').is_none_or(|(_, tag)| tag == "latest")
}

fn field_ref(source: Option<&mut Value>) {
    let reference = source
        .and_then(|s| s.get_mut("fieldRef"))
        .and_then(Value::as_object_mut);
    if let Some(reference) = reference {
        default(reference, "apiVersion", "v1");
    }
}

fn probe(probe: &mut Map<String, Value>) {
    for (key, value) in [
        ("timeoutSeconds", 1),
        ("periodSeconds", 10),
        ("successThreshold", 1),
        ("failureThreshold", 3),
    ] {
        if is_empty(field(probe, key)) {
            probe.insert(key.into(), value.into());
        }
    }
    omit_empty(probe, &["initialDelaySeconds"]);
    if let Some(get) = struct_mut(probe, "httpGet") {
        http_get(get);
    }
    if let Some(grpc) = struct_mut(probe, "grpc") {
        grpc.entry("service").or_insert("".into());
    }
}

/// `podIP` is the first of `podIPs`, whichever was given, and stands alone where they differ: who knows no list patches
/// that.
fn status(status: &mut Map<String, Value>) {
    omit_empty(status, &["podIP", "hostIP", "phase", "qosClass"]);
    let plural = field(status, "podIPs")
        .as_array()
        .and_then(|ips| ips.first())
        .map(|ip| text(ip, "ip").to_string());
    match (plural, field(status, "podIP").as_str().map(String::from)) {
        (Some(first), None) => {
            status.insert("podIP".into(), first.into());
        }
        (first, Some(only)) if first.as_ref() != Some(&only) => {
            status.insert("podIPs".into(), json!([{"ip": only}]));
        }
        _ => {}
    }
}

/// What kube-apiserver's default admission adds to a new Pod, where no other object counts for it; and its first status.
pub(super) fn admit(pod: &mut Object) {
    let class = quality::class(field(&pod.0, "spec"));
    let spec = child_mut(&mut pod.0, "spec");
    default(spec, "preemptionPolicy", "PreemptLowerPriority");
    let tolerations = spec.entry("tolerations").or_insert_with(|| json!([]));
    for key in [
        "node.kubernetes.io/not-ready",
        "node.kubernetes.io/unreachable",
    ] {
        let Some(tolerations) = tolerations.as_array_mut() else {
            break;
        };
        if !tolerations.iter().any(|t| tolerates(t, key)) {
            tolerations.push(json!({
                "key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300,
            }));
        }
    }
    pod.0.insert(
        "status".into(),
        json!({"phase": "Pending", "qosClass": class}),
    );
}

fn tolerates(toleration: &Value, key: &str) -> bool {
    let (own, effect) = (text(toleration, "key"), text(toleration, "effect"));
    (own == key || own.is_empty()) && (effect == "NoExecute" || effect.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(spec: Value) -> Object {
        let mut pod = Object::from_value(json!({"spec": spec})).unwrap();
        apply(&mut pod);
        pod
    }

    #[test]
    fn annotations_that_were_init_containers_are_dropped() {
        let mut pod = json!({"metadata": {"name": "p", "annotations": {
            "pod.alpha.kubernetes.io/init-containers": "[]",
            "pod.beta.kubernetes.io/init-container-statuses": "[]",
        }}});
        template(pod.as_object_mut().unwrap());
        assert_eq!(pod["metadata"], json!({"name": "p"}));
        let annotations = json!({"a": "b", "pod.beta.kubernetes.io/init-containers": "[]"});
        let mut pod =
            Object::from_value(json!({"metadata": {"annotations": annotations}})).unwrap();
        apply(&mut pod);
        assert_eq!(pod.0["metadata"], json!({"annotations": {"a": "b"}}));
    }

    #[test]
    fn a_plain_pod() {
        let mut pod = pod(json!({
            "nodeName": "n1",
            "containers": [{"name": "c", "image": "web:1", "ports": [{"containerPort": 8080, "name": "http"}]}],
        }));
        admit(&mut pod);
        let toleration = |key: &str| json!({"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300});
        assert_eq!(
            pod.into_value(),
            json!({
                "spec": {
                    "containers": [{
                        "name": "c", "image": "web:1", "imagePullPolicy": "IfNotPresent", "resources": {},
                        "ports": [{"containerPort": 8080, "name": "http", "protocol": "TCP"}],
                        "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
                    }],
                    "dnsPolicy": "ClusterFirst", "enableServiceLinks": true, "nodeName": "n1",
                    "preemptionPolicy": "PreemptLowerPriority", "restartPolicy": "Always",
                    "schedulerName": "default-scheduler", "securityContext": {}, "terminationGracePeriodSeconds": 30,
                    "tolerations": [toleration("node.kubernetes.io/not-ready"), toleration("node.kubernetes.io/unreachable")],
                },
                "status": {"phase": "Pending", "qosClass": "BestEffort"},
            })
        );
    }

    #[test]
    fn images_without_a_tag_are_pulled_always() {
        for image in ["nginx", "nginx:latest", "host:5000/nginx"] {
            assert!(is_latest(image), "{image}");
        }
        for image in ["nginx:1", "host:5000/nginx:1", "nginx@sha256:00"] {
            assert!(!is_latest(image), "{image}");
        }
    }

    #[test]
    fn a_pod_asks_for_its_containers_or_for_its_limits() {
        let asks = json!({"resources": {"requests": {"cpu": "1", "ephemeral-storage": "1Gi"}}});
        let with = |limits: Value| {
            let pod = pod(json!({"containers": [asks, asks], "resources": {"limits": limits}}));
            let spec = pod.0["spec"].clone();
            (spec["resources"]["requests"].clone(), quality::class(&spec))
        };
        let limits = json!({"cpu": "4", "memory": "1Gi", "hugepages-2Mi": "2Mi"});
        let requests = json!({"cpu": "2", "memory": "1Gi", "hugepages-2Mi": "2Mi"});
        assert_eq!(with(limits), (requests, "Burstable"));
        let all = json!({"cpu": "2", "memory": "1Gi"});
        assert_eq!(with(all.clone()), (all, "Guaranteed"));
        assert_eq!(with(json!({})), (Value::Null, "Burstable"));
    }

    #[test]
    fn a_pod_has_the_huge_pages_of_its_containers() {
        let huge = json!({"resources": {"limits": {"hugepages-2Mi": "2Mi", "cpu": "1"}}});
        let with = |resources: Value| {
            let pod = pod(json!({"containers": [huge, huge], "resources": resources}));
            pod.0["spec"]["resources"].clone()
        };
        let own = with(json!({"requests": {"cpu": "3"}}));
        assert_eq!(own["limits"], json!({"hugepages-2Mi": "4Mi"}));
        assert_eq!(own["requests"], json!({"cpu": "3", "hugepages-2Mi": "4Mi"}));
        assert_eq!(with(json!({})), json!({}));
    }

    #[test]
    fn probes_volumes_and_host_ports() {
        let pod = pod(json!({
            "hostNetwork": true,
            "containers": [{"ports": [{"containerPort": 80}], "livenessProbe": {"httpGet": {"port": 80}}}],
            "volumes": [{"name": "a"}, {"name": "b", "secret": {"secretName": "s"}}],
        }));
        let container = &pod.0["spec"]["containers"][0];
        assert_eq!(container["ports"][0]["hostPort"], 80);
        let probe = json!({
            "httpGet": {"port": 80, "path": "/", "scheme": "HTTP"}, "timeoutSeconds": 1, "periodSeconds": 10,
            "successThreshold": 1, "failureThreshold": 3,
        });
        assert_eq!(container["livenessProbe"], probe);
        let volumes = json!([{"name": "a", "emptyDir": {}}, {"name": "b", "secret": {"secretName": "s", "defaultMode": 420}}]);
        assert_eq!(pod.0["spec"]["volumes"], volumes);
    }

    #[test]
    fn what_runs_at_the_end_has_an_address_too() {
        let pod =
            pod(json!({"containers": [{"lifecycle": {"preStop": {"httpGet": {"port": 80}}}}]}));
        let get = &pod.0["spec"]["containers"][0]["lifecycle"]["preStop"]["httpGet"];
        assert_eq!(get, &json!({"port": 80, "path": "/", "scheme": "HTTP"}));
    }

    #[test]
    fn one_address_is_the_first_of_all() {
        let with = |status: Value| {
            let mut pod = Object::from_value(json!({"status": status})).unwrap();
            apply(&mut pod);
            pod.0["status"].clone()
        };
        let both = json!({"podIP": "10.0.0.1", "podIPs": [{"ip": "10.0.0.1"}]});
        assert_eq!(with(json!({"podIP": "10.0.0.1"})), both);
        assert_eq!(with(json!({"podIPs": [{"ip": "10.0.0.1"}]})), both);
        let others = json!([{"ip": "10.0.0.2"}, {"ip": "2001:db8::1"}]);
        assert_eq!(with(json!({"podIP": "10.0.0.1", "podIPs": others})), both);
        assert_eq!(
            with(json!({"podIP": "", "podIPs": others}))["podIPs"],
            others
        );
    }
}
