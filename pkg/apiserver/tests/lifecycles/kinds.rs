//! One object of every kind that is stored, and a status where it has one.

use serde_json::{Value, json};

pub struct Row {
    pub api_version: &'static str,
    pub kind: &'static str,
    pub plural: &'static str,
    pub namespaced: bool,
    /// Without metadata.
    pub object: Value,
    /// Null where there is none.
    pub status: Value,
}

fn row(api_version: &'static str, kind: &'static str, plural: &'static str, object: Value) -> Row {
    Row {
        api_version,
        kind,
        plural,
        namespaced: true,
        object,
        status: Value::Null,
    }
}

impl Row {
    fn cluster(mut self) -> Self {
        self.namespaced = false;
        self
    }

    fn status(mut self, status: Value) -> Self {
        self.status = status;
        self
    }
}

/// A Pod's spec, and a template of it.
fn pod(restart: &str) -> Value {
    json!({"containers": [{"name": "c", "image": "example.com/c:1"}], "restartPolicy": restart})
}

fn template(restart: &str) -> Value {
    json!({"metadata": {"labels": {"app": "x"}}, "spec": pod(restart)})
}

fn workload() -> Value {
    json!({"spec": {"replicas": 1, "selector": {"matchLabels": {"app": "x"}}, "template": template("Always")}})
}

fn condition(kind: &str) -> Value {
    json!({"type": kind, "status": "True", "reason": "Tried", "message": "by a test"})
}

/// With the time of its change, which Go's messages always carry.
fn dated(kind: &str) -> Value {
    let mut condition = condition(kind);
    condition["lastTransitionTime"] = "2026-01-01T00:00:00Z".into();
    condition
}

/// As Go writes one that says little of itself.
fn node() -> Value {
    let info = [
        "machineID",
        "systemUUID",
        "bootID",
        "kernelVersion",
        "osImage",
        "containerRuntimeVersion",
        "kubeletVersion",
        "kubeProxyVersion",
        "operatingSystem",
        "architecture",
    ];
    let info: serde_json::Map<String, Value> = info
        .map(|key| (key.into(), "".into()))
        .into_iter()
        .collect();
    json!({
        "spec": {"podCIDR": "", "providerID": "", "unschedulable": true, "externalID": ""},
        "status": {
            "phase": "Running", "nodeInfo": info, "daemonEndpoints": {"kubeletEndpoint": {"Port": 0}},
            "conditions": [{"type": "Ready", "status": "True", "reason": "Tried", "message": "by a test",
                "lastHeartbeatTime": null, "lastTransitionTime": null}],
        },
    })
}

const AUTHZ: &str = "rbac.authorization.k8s.io";

pub fn rows() -> Vec<Row> {
    let rule = json!({"rules": [{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}]});
    let binding = |kind: &str| {
        json!({
            "roleRef": {"apiGroup": AUTHZ, "kind": kind, "name": "r"},
            "subjects": [{"apiGroup": AUTHZ, "kind": "User", "name": "u"}],
        })
    };
    let job = json!({"spec": {"suspend": true, "parallelism": 1, "completions": 1, "template": template("Never")}});
    vec![
        row("v1", "ConfigMap", "configmaps", json!({"data": {"a": "b"}, "binaryData": {"c": "AAE="}})),
        row("v1", "Endpoints", "endpoints", json!({"subsets": [{"addresses": [{"ip": "192.0.2.1"}], "ports": [{"port": 80}]}]})),
        row("v1", "Event", "events", json!({"involvedObject": {"namespace": "default"}, "message": "m", "reason": "R", "type": "Normal", "count": 1})),
        row("v1", "Node", "nodes", node()).cluster().status(json!({"capacity": {"example.com/x": "5"}})),
        row("v1", "Pod", "pods", json!({"spec": pod("Always")})).status(json!({"conditions": [condition("Tried")]})),
        row("v1", "PodTemplate", "podtemplates", json!({"template": template("Always")})),
        row("v1", "Secret", "secrets", json!({"data": {"key": "dmFsdWU="}, "type": "Opaque"})),
        row("v1", "Service", "services", json!({"spec": {"ports": [{"port": 80}], "selector": {"app": "x"}}}))
            .status(json!({"conditions": [dated("Tried")]})),
        row("v1", "ServiceAccount", "serviceaccounts", json!({"automountServiceAccountToken": false})),
        row("apps/v1", "ControllerRevision", "controllerrevisions", json!({"data": {"spec": {"x": [1, 2]}}, "revision": 1})),
        row("apps/v1", "DaemonSet", "daemonsets", json!({"spec": {"selector": {"matchLabels": {"app": "x"}}, "template": template("Always")}}))
            .status(json!({"conditions": [condition("Tried")]})),
        row("apps/v1", "Deployment", "deployments", workload()).status(json!({"conditions": [condition("Tried")]})),
        row("apps/v1", "ReplicaSet", "replicasets", workload()).status(json!({"conditions": [condition("Tried")]})),
        row("apps/v1", "StatefulSet", "statefulsets", workload()).status(json!({"replicas": 0, "conditions": [condition("Tried")]})),
        row("batch/v1", "CronJob", "cronjobs", json!({"spec": {"schedule": "* */1 * * ?", "jobTemplate": {"spec": {"template": template("OnFailure")}}}}))
            .status(json!({"lastScheduleTime": "2026-01-01T00:00:00Z"})),
        row("batch/v1", "Job", "jobs", job).status(json!({"conditions": [condition("Tried")]})),
        row("networking.k8s.io/v1", "IngressClass", "ingressclasses", json!({"spec": {"controller": "example.com/c"}})).cluster(),
        row("networking.k8s.io/v1", "Ingress", "ingresses", json!({"spec": {"defaultBackend": {"service": {"name": "s", "port": {"number": 80}}}}}))
            .status(json!({"loadBalancer": {"ingress": [{"ip": "192.0.2.9"}]}})),
        row("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies", json!({"spec": {"podSelector": {}, "policyTypes": ["Egress"]}})),
        row("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets", json!({"spec": {"minAvailable": "1%", "selector": {"matchLabels": {"app": "x"}}}}))
            .status(json!({"disruptionsAllowed": 0, "currentHealthy": 0, "desiredHealthy": 0, "expectedPods": 0,
                "disruptedPods": {"p": "2026-01-01T00:00:00Z"}})),
        row("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "clusterrolebindings", binding("ClusterRole")).cluster(),
        row("rbac.authorization.k8s.io/v1", "ClusterRole", "clusterroles", rule.clone()).cluster(),
        row("rbac.authorization.k8s.io/v1", "RoleBinding", "rolebindings", binding("Role")),
        row("rbac.authorization.k8s.io/v1", "Role", "roles", rule),
        row("storage.k8s.io/v1", "CSIDriver", "csidrivers",
            json!({"spec": {"volumeLifecycleModes": ["Persistent", "Ephemeral"], "fsGroupPolicy": "ReadWriteOnceWithFSType"}})).cluster(),
        row("storage.k8s.io/v1", "CSINode", "csinodes", json!({"spec": {}})).cluster(),
        row("storage.k8s.io/v1", "StorageClass", "storageclasses", json!({"provisioner": "example.com/p"})).cluster(),
        row("scheduling.k8s.io/v1", "PriorityClass", "priorityclasses", json!({"value": 7})).cluster(),
        row("coordination.k8s.io/v1", "Lease", "leases", json!({"spec": {"holderIdentity": "h", "leaseDurationSeconds": 30,
            "acquireTime": "0001-01-01T00:00:02.000000Z", "renewTime": "0001-01-01T00:00:05.000000Z", "leaseTransitions": 0}})),
        row("node.k8s.io/v1", "RuntimeClass", "runtimeclasses", json!({"handler": "h"})).cluster(),
        row("discovery.k8s.io/v1", "EndpointSlice", "endpointslices", json!({"addressType": "IPv4",
            "endpoints": [{"addresses": ["192.0.2.1"], "conditions": {}}], "ports": [{"name": "", "port": 80, "protocol": "TCP"}]})),
    ]
}
