//! Columns of `apps`, and of what else has Pods made by a template.

use kedge_machinery::Object;
use serde_json::Value;

use super::selector::selector;
use super::{AGE, Column, NAME, field, integer, labels, list_at, number_at, text, wide};

const CONTAINERS: Column = wide("Containers", "Names of the containers in the template.");
const IMAGES: Column = wide("Images", "Images of the containers in the template.");
const SELECTOR: Column = wide("Selector", "Labels of the pods that are its own.");

pub(super) const POD_TEMPLATE: &[Column] = &[
    NAME,
    text("Containers", CONTAINERS.description),
    text("Images", IMAGES.description),
    text("Pod Labels", "Labels of pods made from it."),
];
pub(super) const CONTROLLER_REVISION: &[Column] = &[
    NAME,
    text("Controller", "Whose state it is."),
    text("Revision", "Its number."),
    AGE,
];
pub(super) const DAEMON_SET: &[Column] = &[
    NAME,
    integer("Desired", "Nodes that should run its pod."),
    integer("Current", "Nodes that run its pod and should."),
    integer("Ready", "Nodes whose pod is ready."),
    integer("Up-to-date", "Nodes whose pod is of the latest template."),
    integer("Available", "Nodes whose pod has been ready long enough."),
    text("Node Selector", "Labels of the nodes that it is for."),
    AGE,
    CONTAINERS,
    IMAGES,
    SELECTOR,
];
pub(super) const DEPLOYMENT: &[Column] = &[
    NAME,
    text("Ready", "Pods that are ready, of those wanted."),
    text("Up-to-date", "Pods of the latest template."),
    text("Available", "Pods that have been ready long enough."),
    AGE,
    CONTAINERS,
    IMAGES,
    SELECTOR,
];
pub(super) const REPLICA_SET: &[Column] = &[
    NAME,
    integer("Desired", "Pods that are wanted."),
    integer("Current", "Pods that there are."),
    integer("Ready", "Pods that are ready."),
    AGE,
    CONTAINERS,
    IMAGES,
    SELECTOR,
];
pub(super) const STATEFUL_SET: &[Column] = &[
    NAME,
    text("Ready", "Pods that are ready, of those wanted."),
    AGE,
    CONTAINERS,
    IMAGES,
];

/// Names and images of the containers of the pod whose spec is at a path.
pub(super) fn containers(object: &Object, path: &[&str]) -> [Value; 2] {
    let mut path = path.to_vec();
    path.push("containers");
    let containers = list_at(object, &path);
    ["name", "image"].map(|key| {
        let words: Vec<&str> = containers.iter().map(|c| field(c, key)).collect();
        words.join(",").into()
    })
}

fn template(object: &Object) -> [Value; 2] {
    containers(object, &["spec", "template", "spec"])
}

/// The pods that it selects.
pub(super) fn selected(object: &Object, path: &[&str]) -> Value {
    selector(object.at(path).unwrap_or(&Value::Null)).into()
}

fn own(object: &Object) -> Value {
    selected(object, &["spec", "selector"])
}

/// `ready/wanted`.
fn ready(object: &Object) -> Value {
    let ready = number_at(object, &["status", "readyReplicas"]);
    let wanted = number_at(object, &["spec", "replicas"]);
    format!("{ready}/{wanted}").into()
}

pub(super) fn pod_template(object: &Object) -> Vec<Value> {
    let [names, images] = containers(object, &["template", "spec"]);
    let labels = labels(object.at(&["template", "metadata", "labels"]));
    vec![object.name().into(), names, images, labels.into()]
}

pub(super) fn controller_revision(revision: &Object, age: Value) -> Vec<Value> {
    let owners = list_at(revision, &["metadata", "ownerReferences"]);
    let controller = owners
        .iter()
        .find(|owner| owner.get("controller") == Some(&Value::Bool(true)));
    let controller = controller.map_or("<none>".to_string(), |owner| {
        let kind = field(owner, "kind").to_lowercase();
        let name = field(owner, "name");
        match field(owner, "apiVersion").split_once('/') {
            Some((group, _)) => format!("{kind}.{group}/{name}"),
            None => format!("{kind}/{name}"),
        }
    });
    let number = number_at(revision, &["revision"]);
    vec![
        revision.name().into(),
        controller.into(),
        number.into(),
        age,
    ]
}

pub(super) fn daemon_set(set: &Object, age: Value) -> Vec<Value> {
    let [names, images] = template(set);
    let mut cells = vec![Value::from(set.name())];
    cells.extend(
        [
            "desiredNumberScheduled",
            "currentNumberScheduled",
            "numberReady",
            "updatedNumberScheduled",
            "numberAvailable",
        ]
        .map(|key| Value::from(number_at(set, &["status", key]))),
    );
    let nodes = labels(set.at(&["spec", "template", "spec", "nodeSelector"]));
    cells.extend([nodes.into(), age, names, images, own(set)]);
    cells
}

pub(super) fn deployment(deployment: &Object, age: Value) -> Vec<Value> {
    let [names, images] = template(deployment);
    let count = |key: &str| Value::from(number_at(deployment, &["status", key]));
    vec![
        deployment.name().into(),
        ready(deployment),
        count("updatedReplicas"),
        count("availableReplicas"),
        age,
        names,
        images,
        own(deployment),
    ]
}

pub(super) fn replica_set(set: &Object, age: Value) -> Vec<Value> {
    let [names, images] = template(set);
    vec![
        set.name().into(),
        number_at(set, &["spec", "replicas"]).into(),
        number_at(set, &["status", "replicas"]).into(),
        number_at(set, &["status", "readyReplicas"]).into(),
        age,
        names,
        images,
        own(set),
    ]
}

pub(super) fn stateful_set(set: &Object, age: Value) -> Vec<Value> {
    let [names, images] = template(set);
    vec![set.name().into(), ready(set), age, names, images]
}

#[cfg(test)]
mod tests {
    use super::super::tests::row;
    use serde_json::{Value, json};

    fn spec() -> Value {
        json!({
            "replicas": 3, "selector": {"matchLabels": {"app": "web"}},
            "template": {"spec": {
                "nodeSelector": {"disk": "ssd"},
                "containers": [{"name": "a", "image": "a:1"}, {"name": "b", "image": "b:2"}],
            }},
        })
    }

    fn cells(kind: &str, status: Value) -> Value {
        json!(row(json!({
            "apiVersion": "apps/v1", "kind": kind, "spec": spec(), "status": status,
            "metadata": {"name": "web", "creationTimestamp": "2026-01-01T00:06:40Z"},
        })))
    }

    #[test]
    fn what_has_pods_by_a_template() {
        let status = json!({"replicas": 3, "readyReplicas": 2, "updatedReplicas": 1, "availableReplicas": 2});
        assert_eq!(
            cells("Deployment", status.clone()),
            json!(["web", "2/3", 1, 2, "3m20s", "a,b", "a:1,b:2", "app=web"])
        );
        assert_eq!(
            cells("ReplicaSet", status.clone()),
            json!(["web", 3, 3, 2, "3m20s", "a,b", "a:1,b:2", "app=web"])
        );
        assert_eq!(
            cells("StatefulSet", status),
            json!(["web", "2/3", "3m20s", "a,b", "a:1,b:2"])
        );
        let status = json!({"desiredNumberScheduled": 5, "currentNumberScheduled": 4, "numberReady": 3,
            "updatedNumberScheduled": 2, "numberAvailable": 1});
        assert_eq!(
            cells("DaemonSet", status),
            json!([
                "web", 5, 4, 3, 2, 1, "disk=ssd", "3m20s", "a,b", "a:1,b:2", "app=web"
            ])
        );
    }

    #[test]
    fn a_template_and_a_revision() {
        let template = json!({
            "apiVersion": "v1", "kind": "PodTemplate", "metadata": {"name": "t"},
            "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}},
        });
        assert_eq!(json!(row(template)), json!(["t", "c", "i", "a=b"]));
        let revision = json!({
            "apiVersion": "apps/v1", "kind": "ControllerRevision", "revision": 4,
            "metadata": {"name": "r", "creationTimestamp": "2026-01-01T00:06:40Z", "ownerReferences": [
                {"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "d", "controller": true},
            ]},
        });
        assert_eq!(
            json!(row(revision)),
            json!(["r", "daemonset.apps/d", 4, "3m20s"])
        );
    }
}
