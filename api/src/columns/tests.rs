use super::*;
use crate::Catalog;
use rstest::rstest;
use serde_json::json;

/// The cells of an object whose `apiVersion` and `kind` are served, seen at a fixed instant.
pub(super) fn row(object: Value) -> Vec<Value> {
    let object = Object::from_value(object).unwrap();
    let catalog = Catalog::builtin();
    let (group, version) = object
        .api_version()
        .rsplit_once('/')
        .unwrap_or(("", object.api_version()));
    let kind = catalog.find_kind(group, version, object.kind()).unwrap();
    cells(kind, &object, "2026-01-01T00:10:00Z".parse().unwrap())
}

/// The columns of kube-apiserver: `*` is for `-o wide`, `#` a whole number, `?` yes or no, the others are texts.
#[rstest]
#[case("", "configmaps", "Name|Data|Age")]
#[case("", "endpoints", "Name|Endpoints|Age")]
#[case(
    "",
    "events",
    "Last Seen|Type|Reason|Object|Subobject*|Source*|Message|First Seen*|Count*|Name*"
)]
#[case(
    "events.k8s.io",
    "events",
    "Last Seen|Type|Reason|Object|Subobject*|Source*|Message|First Seen*|Count*|Name*"
)]
#[case("", "namespaces", "Name|Status|Age")]
#[case(
    "",
    "nodes",
    "Name|Status|Roles|Age|Version|Internal-IP*|External-IP*|OS-Image*|Kernel-Version*|Container-Runtime*"
)]
#[case(
    "",
    "pods",
    "Name|Ready|Status|Restarts|Age|IP*|Node*|Nominated Node*|Readiness Gates*"
)]
#[case("", "podtemplates", "Name|Containers|Images|Pod Labels")]
#[case("", "secrets", "Name|Type|Data|Age")]
#[case("", "serviceaccounts", "Name|Secrets|Age")]
#[case(
    "",
    "services",
    "Name|Type|Cluster-IP|External-IP|Port(s)|Age|Selector*"
)]
#[case("apps", "controllerrevisions", "Name|Controller|Revision|Age")]
#[case(
    "apps",
    "daemonsets",
    "Name|Desired#|Current#|Ready#|Up-to-date#|Available#|Node Selector|Age|Containers*|Images*|Selector*"
)]
#[case(
    "apps",
    "deployments",
    "Name|Ready|Up-to-date|Available|Age|Containers*|Images*|Selector*"
)]
#[case(
    "apps",
    "replicasets",
    "Name|Desired#|Current#|Ready#|Age|Containers*|Images*|Selector*"
)]
#[case("apps", "statefulsets", "Name|Ready|Age|Containers*|Images*")]
#[case(
    "batch",
    "cronjobs",
    "Name|Schedule|Timezone|Suspend?|Active#|Last Schedule|Age|Containers*|Images*|Selector*"
)]
#[case(
    "batch",
    "jobs",
    "Name|Status|Completions|Duration|Age|Containers*|Images*|Selector*"
)]
#[case(
    "certificates.k8s.io",
    "certificatesigningrequests",
    "Name|Age|SignerName|Requestor|RequestedDuration|Condition"
)]
#[case("coordination.k8s.io", "leases", "Name|Holder|Age")]
#[case(
    "discovery.k8s.io",
    "endpointslices",
    "Name|AddressType|Ports|Endpoints|Age"
)]
#[case("networking.k8s.io", "ingresses", "Name|Class|Hosts|Address|Ports|Age")]
#[case(
    "networking.k8s.io",
    "ingressclasses",
    "Name|Controller|Parameters|Age"
)]
// Upstream's rows of IPAddresses have an age too, and no column for it.
#[case("networking.k8s.io", "ipaddresses", "Name|ParentRef|Age")]
#[case("networking.k8s.io", "networkpolicies", "Name|Pod-Selector|Age")]
#[case("networking.k8s.io", "servicecidrs", "Name|CIDRs|Age")]
#[case("node.k8s.io", "runtimeclasses", "Name|Handler|Age")]
#[case(
    "policy",
    "poddisruptionbudgets",
    "Name|Min Available|Max Unavailable|Allowed Disruptions#|Age"
)]
#[case(
    "rbac.authorization.k8s.io",
    "clusterrolebindings",
    "Name|Role|Age|Users*|Groups*|ServiceAccounts*"
)]
#[case(
    "rbac.authorization.k8s.io",
    "rolebindings",
    "Name|Role|Age|Users*|Groups*|ServiceAccounts*"
)]
#[case(
    "scheduling.k8s.io",
    "priorityclasses",
    "Name|Value#|Global-Default?|Age|PreemptionPolicy"
)]
#[case(
    "storage.k8s.io",
    "csidrivers",
    "Name|AttachRequired?|PodInfoOnMount?|StorageCapacity?|TokenRequests|RequiresRepublish?|Modes|Age"
)]
#[case("storage.k8s.io", "csinodes", "Name|Drivers#|Age")]
#[case(
    "storage.k8s.io",
    "storageclasses",
    "Name|Provisioner|ReclaimPolicy|VolumeBindingMode|AllowVolumeExpansion|Age"
)]
fn columns_are_those_of_upstream(
    #[case] group: &str,
    #[case] plural: &str,
    #[case] expected: &str,
) {
    let catalog = Catalog::builtin();
    let definitions = definitions(catalog.find(group, "v1", plural).unwrap());
    let mark = |column: &ColumnDefinition| match (column.priority, &*column.kind) {
        (1, "string") => "*",
        (0, "string") => "",
        (0, "integer") => "#",
        (0, "boolean") => "?",
        other => panic!("{other:?}"),
    };
    let found = definitions
        .iter()
        .map(|column| format!("{}{}", column.name, mark(column)));
    assert_eq!(Vec::from_iter(found).join("|"), expected);
    let named = definitions.iter().filter(|column| column.format == "name");
    assert!(named.map(|column| &*column.name).eq(["Name"]));
}

#[test]
fn every_kind_has_a_cell_for_each_column() {
    for kind in Catalog::builtin().kinds() {
        let object = Object::from_value(json!({ "metadata": { "name": "x" } })).unwrap();
        let cells = cells(kind, &object, Timestamp::UNIX_EPOCH);
        let columns = definitions(kind);
        assert_eq!(columns.len(), cells.len(), "{}", kind.kind);
        let named = columns.iter().position(|c| c.format == "name").unwrap();
        assert_eq!(cells[named], "x", "{}", kind.kind);
    }
}

#[test]
fn small_kinds() {
    let meta = json!({ "name": "x", "creationTimestamp": "2026-01-01T00:00:00Z" });
    let map = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": { "a": "" }, "binaryData": { "b": "" } });
    assert_eq!(row(map), [json!("x"), json!(2), json!("10m")]);
    let secret =
        json!({ "apiVersion": "v1", "kind": "Secret", "metadata": meta, "type": "Opaque" });
    assert_eq!(
        row(secret),
        [json!("x"), json!("Opaque"), json!(0), json!("10m")]
    );
    let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "x" }, "status": { "phase": "Active" } });
    assert_eq!(
        row(namespace),
        [json!("x"), json!("Active"), json!("<unknown>")]
    );
    let account = json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta });
    assert_eq!(row(account), [json!("x"), json!(0), json!("10m")]);
}

#[test]
fn lists_are_abbreviated_after_three() {
    let of = |n: usize| abbreviated((0..n).map(|i| i.to_string()));
    assert_eq!(of(0), "");
    assert_eq!(of(3), "0,1,2");
    assert_eq!(of(5), "0,1,2 + 2 more...");
}
