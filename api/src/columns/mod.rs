//! Printing columns: what `kubectl get` shows of an object, as kube-apiserver 1.36 prints it
//! (`pkg/printers/internalversion`). A server makes the cells of every column; what is shown without `-o wide` is the
//! client's choice, by priority.

use std::borrow::Cow;

use jiff::Timestamp;
use kedge_machinery::Object;
use serde::Serialize;
use serde_json::Value;

use crate::Kind;

mod access;
mod age;
mod apps;
mod batch;
mod custom;
mod endpoints;
mod event;
mod metallb;
mod networking;
mod node;
mod pod;
mod policy;
mod selector;
mod service;
mod storage;

pub use age::human_duration;

/// A `LabelSelector` as `status.selector` of a Scale has it: empty where it selects by nothing.
#[must_use]
pub fn label_selector(selector: &Value) -> String {
    selector::text(selector)
}

/// A column of `meta.k8s.io/v1` `Table`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ColumnDefinition {
    pub name: Cow<'static, str>,
    /// `string`, `integer`, `boolean`, `number` or `date`.
    #[serde(rename = "type")]
    pub kind: Cow<'static, str>,
    /// `name` for the column that identifies the object, otherwise empty.
    pub format: Cow<'static, str>,
    pub description: Cow<'static, str>,
    /// 0 is always shown, 1 with `-o wide`.
    pub priority: i32,
}

/// A column of a built-in kind, written down.
struct Column {
    name: &'static str,
    kind: &'static str,
    priority: i32,
    description: &'static str,
}

/// A column of text that is always shown.
const fn text(name: &'static str, description: &'static str) -> Column {
    Column {
        name,
        kind: "string",
        priority: 0,
        description,
    }
}

/// A column of text for `-o wide`.
const fn wide(name: &'static str, description: &'static str) -> Column {
    Column {
        name,
        kind: "string",
        priority: 1,
        description,
    }
}

/// A column of whole numbers that is always shown.
const fn integer(name: &'static str, description: &'static str) -> Column {
    Column {
        kind: "integer",
        ..text(name, description)
    }
}

/// A column of yes and no that is always shown.
const fn boolean(name: &'static str, description: &'static str) -> Column {
    Column {
        kind: "boolean",
        ..text(name, description)
    }
}

const NAME: Column = text(
    "Name",
    "Name of the object, unique among those of its kind in its namespace.",
);
const AGE: Column = text("Age", "Time since the object was created.");

const CONFIG_MAP: &[Column] = &[
    NAME,
    text("Data", "Number of entries, text and binary."),
    AGE,
];
const LEASE: &[Column] = &[NAME, text("Holder", "Who holds the lease."), AGE];
const NAMESPACE: &[Column] = &[
    NAME,
    text("Status", "Phase of the namespace: Active or Terminating."),
    AGE,
];
const SECRET: &[Column] = &[
    NAME,
    text("Type", "What the secret is for."),
    text("Data", "Number of entries."),
    AGE,
];
const SERVICE_ACCOUNT: &[Column] = &[
    NAME,
    text(
        "Secrets",
        "Number of secrets that pods of this account may use.",
    ),
    AGE,
];
/// Kinds without columns of their own.
const OTHER: &[Column] = &[
    NAME,
    Column {
        name: "Created At",
        kind: "date",
        priority: 0,
        description: "When the object was created.",
    },
];

fn columns(kind: &Kind) -> &'static [Column] {
    match (kind.group.as_str(), kind.kind.as_str()) {
        ("", "ConfigMap") => CONFIG_MAP,
        ("", "Endpoints") => endpoints::ENDPOINTS,
        ("", "Event") => event::COLUMNS,
        ("", "Namespace") => NAMESPACE,
        ("", "Node") => node::COLUMNS,
        ("", "Pod") => pod::COLUMNS,
        ("", "PodTemplate") => apps::POD_TEMPLATE,
        ("", "Secret") => SECRET,
        ("", "Service") => service::COLUMNS,
        ("", "ServiceAccount") => SERVICE_ACCOUNT,
        ("apps", "ControllerRevision") => apps::CONTROLLER_REVISION,
        ("apps", "DaemonSet") => apps::DAEMON_SET,
        ("apps", "Deployment") => apps::DEPLOYMENT,
        ("apps", "ReplicaSet") => apps::REPLICA_SET,
        ("apps", "StatefulSet") => apps::STATEFUL_SET,
        ("batch", "CronJob") => batch::CRON_JOB,
        ("batch", "Job") => batch::JOB,
        ("certificates.k8s.io", "CertificateSigningRequest") => access::CERTIFICATE_REQUEST,
        ("coordination.k8s.io", "Lease") => LEASE,
        ("discovery.k8s.io", "EndpointSlice") => endpoints::ENDPOINT_SLICE,
        ("events.k8s.io", "Event") => event::COLUMNS,
        ("metallb.io", "IPAddressPool") => metallb::IP_ADDRESS_POOL,
        ("metallb.io", "L2Advertisement") => metallb::L2_ADVERTISEMENT,
        ("metallb.io", "ServiceL2Status") => metallb::SERVICE_L2_STATUS,
        ("networking.k8s.io", "IPAddress") => networking::IP_ADDRESS,
        ("networking.k8s.io", "Ingress") => networking::INGRESS,
        ("networking.k8s.io", "IngressClass") => networking::INGRESS_CLASS,
        ("networking.k8s.io", "NetworkPolicy") => networking::NETWORK_POLICY,
        ("networking.k8s.io", "ServiceCIDR") => networking::SERVICE_CIDR,
        ("node.k8s.io", "RuntimeClass") => policy::RUNTIME_CLASS,
        ("policy", "PodDisruptionBudget") => policy::POD_DISRUPTION_BUDGET,
        ("rbac.authorization.k8s.io", "ClusterRoleBinding" | "RoleBinding") => access::BINDING,
        ("scheduling.k8s.io", "PriorityClass") => policy::PRIORITY_CLASS,
        ("storage.k8s.io", "CSIDriver") => storage::CSI_DRIVER,
        ("storage.k8s.io", "CSINode") => storage::CSI_NODE,
        ("storage.k8s.io", "StorageClass") => storage::STORAGE_CLASS,
        _ => OTHER,
    }
}

/// The columns of a kind.
#[must_use]
pub fn definitions(kind: &Kind) -> Vec<ColumnDefinition> {
    if let Some(custom) = &kind.custom {
        return custom::definitions(custom);
    }
    let columns = columns(kind).iter().map(|c| ColumnDefinition {
        name: c.name.into(),
        kind: c.kind.into(),
        format: if c.name == NAME.name {
            "name".into()
        } else {
            "".into()
        },
        description: c.description.into(),
        priority: c.priority,
    });
    columns.collect()
}

/// One cell for each of [`definitions`]. Ages are counted back from `now`.
#[must_use]
pub fn cells(kind: &Kind, object: &Object, now: Timestamp) -> Vec<Value> {
    if let Some(custom) = &kind.custom {
        return custom::cells(custom, object, now);
    }
    let name = || Value::from(object.name());
    let age = || age::since(object.meta().and_then(|m| m.get("creationTimestamp")), now);
    match (kind.group.as_str(), kind.kind.as_str()) {
        ("", "ConfigMap") => {
            let entries = count(object.0.get("data")) + count(object.0.get("binaryData"));
            vec![name(), entries.into(), age()]
        }
        ("", "Endpoints") => endpoints::endpoints(object, age()),
        ("", "Event") => event::cells(object, now),
        ("", "Namespace") => vec![name(), text_at(object, &["status", "phase"]).into(), age()],
        ("", "Node") => node::cells(object, age()),
        ("", "Pod") => pod::cells(object, now, age()),
        ("", "PodTemplate") => apps::pod_template(object),
        ("", "Secret") => {
            vec![
                name(),
                text_at(object, &["type"]).into(),
                count(object.0.get("data")).into(),
                age(),
            ]
        }
        ("", "Service") => service::cells(object, age()),
        ("", "ServiceAccount") => vec![name(), count(object.0.get("secrets")).into(), age()],
        ("apps", "ControllerRevision") => apps::controller_revision(object, age()),
        ("apps", "DaemonSet") => apps::daemon_set(object, age()),
        ("apps", "Deployment") => apps::deployment(object, age()),
        ("apps", "ReplicaSet") => apps::replica_set(object, age()),
        ("apps", "StatefulSet") => apps::stateful_set(object, age()),
        ("batch", "CronJob") => batch::cron_job(object, now, age()),
        ("batch", "Job") => batch::job(object, now, age()),
        ("certificates.k8s.io", "CertificateSigningRequest") => {
            access::certificate_request(object, age())
        }
        ("coordination.k8s.io", "Lease") => {
            vec![
                name(),
                text_at(object, &["spec", "holderIdentity"]).into(),
                age(),
            ]
        }
        ("discovery.k8s.io", "EndpointSlice") => endpoints::endpoint_slice(object, age()),
        ("events.k8s.io", "Event") => event::cells(object, now),
        ("metallb.io", "IPAddressPool") => metallb::ip_address_pool(object),
        ("metallb.io", "L2Advertisement") => metallb::l2_advertisement(object),
        ("metallb.io", "ServiceL2Status") => metallb::service_l2_status(object),
        ("networking.k8s.io", "IPAddress") => networking::ip_address(object, age()),
        ("networking.k8s.io", "Ingress") => networking::ingress(object, age()),
        ("networking.k8s.io", "IngressClass") => networking::ingress_class(object, age()),
        ("networking.k8s.io", "NetworkPolicy") => networking::network_policy(object, age()),
        ("networking.k8s.io", "ServiceCIDR") => networking::service_cidr(object, age()),
        ("node.k8s.io", "RuntimeClass") => policy::runtime_class(object, age()),
        ("policy", "PodDisruptionBudget") => policy::pod_disruption_budget(object, age()),
        ("rbac.authorization.k8s.io", "ClusterRoleBinding" | "RoleBinding") => {
            access::binding(object, age())
        }
        ("scheduling.k8s.io", "PriorityClass") => policy::priority_class(object, age()),
        ("storage.k8s.io", "CSIDriver") => storage::csi_driver(object, age()),
        ("storage.k8s.io", "CSINode") => storage::csi_node(object, age()),
        ("storage.k8s.io", "StorageClass") => storage::storage_class(object, age()),
        _ => vec![name(), object.meta_text("creationTimestamp").into()],
    }
}

/// `conditions` of the row of an object, if it has any.
#[must_use]
pub fn conditions(kind: &Kind, object: &Object) -> Option<Value> {
    let is_pod = kind.group.is_empty() && kind.kind == "Pod";
    is_pod.then(|| pod::ended(object)).flatten()
}

/// The text at a path, or empty.
fn text_at<'a>(object: &'a Object, path: &[&str]) -> &'a str {
    object.at(path).and_then(Value::as_str).unwrap_or_default()
}

/// The whole number at a path, or 0.
fn number_at(object: &Object, path: &[&str]) -> i64 {
    object.at(path).and_then(Value::as_i64).unwrap_or_default()
}

/// The yes or no at a path, or no.
fn flag_at(object: &Object, path: &[&str]) -> bool {
    object.at(path).and_then(Value::as_bool).unwrap_or_default()
}

/// The items of a list at a path.
fn list_at<'a>(object: &'a Object, path: &[&str]) -> &'a [Value] {
    list(object.at(path))
}

fn list(value: Option<&Value>) -> &[Value] {
    value
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default()
}

/// A text field of a value, or empty.
fn field<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn or<'a>(text: &'a str, instead: &'a str) -> &'a str {
    if text.is_empty() { instead } else { text }
}

fn count(value: Option<&Value>) -> usize {
    match value {
        Some(Value::Object(map)) => map.len(),
        Some(Value::Array(list)) => list.len(),
        _ => 0,
    }
}

/// Up to three items, and how many more there are.
fn abbreviated(items: impl Iterator<Item = String>) -> String {
    const SHOWN: usize = 3;
    let mut shown = Vec::with_capacity(SHOWN);
    let mut more = 0;
    for item in items {
        if shown.len() < SHOWN {
            shown.push(item);
        } else {
            more += 1;
        }
    }
    let shown = shown.join(",");
    if more > 0 {
        format!("{shown} + {more} more...")
    } else {
        shown
    }
}

/// `a=1,b=2`, or `<none>`.
fn labels(value: Option<&Value>) -> String {
    let pairs: Vec<String> = value
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
        .collect();
    if pairs.is_empty() {
        "<none>".into()
    } else {
        pairs.join(",")
    }
}

#[cfg(test)]
mod tests;
