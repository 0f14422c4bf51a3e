//! The roles and bindings that every cluster has, as tables; objects are made of them when they are asked for.

mod parse;

use serde_json::{Value, json};

use crate::{GROUP, Resource, Rule};
use parse::{Line, lines};

const CLUSTER_ROLES: &str = include_str!("cluster_roles.txt");
const CLUSTER_ROLE_BINDINGS: &str = include_str!("cluster_role_bindings.txt");
const ROLES: &str = include_str!("roles.txt");
const ROLE_BINDINGS: &str = include_str!("role_bindings.txt");

const CONTROLLER: &str = "system:controller:";
/// The role whose rules nodes have by their authorizer, not by a binding.
const NODE: &str = "system:node";

/// On roles and bindings that are kept as they are here; `"false"` leaves one alone.
pub const AUTOUPDATE: &str = "rbac.authorization.kubernetes.io/autoupdate";
const AGGREGATE: &str = "rbac.authorization.k8s.io/aggregate-to-";

/// An object that every cluster has.
#[derive(Debug, Clone, PartialEq)]
pub struct Default {
    pub resource: Resource,
    /// Empty for those of the cluster.
    pub namespace: &'static str,
    pub name: &'static str,
    pub object: Value,
}

/// All of them: roles before bindings.
pub fn all() -> impl Iterator<Item = Default> {
    let roles = [
        (Resource::ClusterRoles, CLUSTER_ROLES),
        (Resource::Roles, ROLES),
    ]
    .into_iter()
    .flat_map(|(resource, table)| roles(resource, table));
    let bindings = [
        (Resource::ClusterRoleBindings, CLUSTER_ROLE_BINDINGS),
        (Resource::RoleBindings, ROLE_BINDINGS),
    ]
    .into_iter()
    .flat_map(|(resource, table)| lines(table).map(move |line| binding(resource, &line)));
    let controllers = lines(CLUSTER_ROLES)
        .filter_map(|line| {
            let name = line.name().strip_prefix(CONTROLLER)?;
            let account = vec![subject("account", &format!("kube-system/{name}"))];
            Some(bound(
                Resource::ClusterRoleBindings,
                "",
                line.name(),
                line.name(),
                account,
            ))
        })
        .collect::<Vec<_>>();
    roles.chain(bindings).chain(controllers)
}

/// The rules of every node, whatever bindings there are.
#[must_use]
pub fn node_rules() -> Vec<Rule> {
    lines(CLUSTER_ROLES)
        .skip_while(|line| line.name() != NODE || line.is_rule())
        .skip(1)
        .map_while(|line| line.rule())
        .collect()
}

fn roles(resource: Resource, table: &'static str) -> Vec<Default> {
    let mut roles: Vec<Default> = Vec::new();
    for line in lines(table) {
        let Some(rule) = line.rule() else {
            roles.push(role(resource, &line));
            continue;
        };
        let rules = roles.last_mut().map(|role| &mut role.object["rules"]);
        if let Some(Value::Array(rules)) = rules {
            rules.push(json!(rule));
        }
    }
    roles
}

fn role(resource: Resource, line: &Line) -> Default {
    let (namespace, name) = line.place();
    let mut object = json!({"metadata": metadata(namespace, name), "rules": []});
    for word in line.words() {
        if let Some(whole) = word.strip_prefix('+') {
            object["metadata"]["labels"][format!("{AGGREGATE}{whole}")] = "true".into();
        } else if let Some(own) = word.strip_prefix('=') {
            let label = format!("{AGGREGATE}{own}");
            object["aggregationRule"] =
                json!({"clusterRoleSelectors": [{"matchLabels": {label: "true"}}]});
        }
    }
    Default {
        resource,
        namespace,
        name,
        object,
    }
}

fn binding(resource: Resource, line: &Line) -> Default {
    let (namespace, name) = line.place();
    let (mut role, mut subjects) = (name, Vec::new());
    for word in line.words() {
        if let Some(other) = word.strip_prefix('>') {
            role = other;
        } else if let Some((kind, who)) = word.split_once(':') {
            subjects.push(subject(kind, who));
        }
    }
    bound(resource, namespace, name, role, subjects)
}

fn bound(
    resource: Resource,
    namespace: &'static str,
    name: &'static str,
    role: &str,
    subjects: Vec<Value>,
) -> Default {
    let kind = if resource == Resource::RoleBindings {
        "Role"
    } else {
        "ClusterRole"
    };
    let mut object = json!({
        "metadata": metadata(namespace, name),
        "roleRef": {"apiGroup": GROUP, "kind": kind, "name": role},
    });
    if !subjects.is_empty() {
        object["subjects"] = subjects.into();
    }
    Default {
        resource,
        namespace,
        name,
        object,
    }
}

fn subject(kind: &str, who: &str) -> Value {
    match (kind, who.split_once('/')) {
        ("account", Some((namespace, name))) => {
            json!({"kind": "ServiceAccount", "name": name, "namespace": namespace})
        }
        ("group", _) => json!({"apiGroup": GROUP, "kind": "Group", "name": who}),
        _ => json!({"apiGroup": GROUP, "kind": "User", "name": who}),
    }
}

fn metadata(namespace: &str, name: &str) -> Value {
    let mut metadata = json!({
        "name": name,
        "labels": {"kubernetes.io/bootstrapping": "rbac-defaults"},
        "annotations": {AUTOUPDATE: "true"},
    });
    if !namespace.is_empty() {
        metadata["namespace"] = namespace.into();
    }
    metadata
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn find(resource: Resource, namespace: &str, name: &str) -> Value {
        all()
            .find(|one| one.resource == resource && one.namespace == namespace && one.name == name)
            .unwrap_or_else(|| panic!("{name}"))
            .object
    }

    #[test]
    fn rules_are_sorted_as_upstreams() {
        let node = find(Resource::ClusterRoles, "", "system:node-proxier");
        assert_eq!(
            node["rules"][0],
            json!({"verbs": ["list", "watch"], "apiGroups": [""], "resources": ["endpoints", "services"]})
        );
        assert_eq!(
            node["rules"][2],
            json!({"verbs": ["create", "patch", "update"], "apiGroups": ["", "events.k8s.io"], "resources": ["events"]})
        );
        let root = find(Resource::ClusterRoles, "", "cluster-admin");
        assert_eq!(
            root["rules"],
            json!([
                {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]},
                {"verbs": ["*"], "nonResourceURLs": ["*"]},
            ])
        );
        let signer = find(
            Resource::Roles,
            "kube-public",
            "system:controller:bootstrap-signer",
        );
        assert_eq!(signer["rules"][1]["resourceNames"], json!(["cluster-info"]));
        assert_eq!(signer["metadata"]["namespace"], "kube-public");
    }

    fn rules(role: &str) -> Vec<Value> {
        let role = find(Resource::ClusterRoles, "", role);
        role["rules"].as_array().cloned().unwrap_or_default()
    }

    #[test]
    fn events_of_both_groups_are_everybodys() {
        let groups = json!(["", "events.k8s.io"]);
        for role in [
            "system:aggregate-to-edit",
            "system:aggregate-to-view",
            "system:node",
        ] {
            let about: Vec<_> = rules(role)
                .into_iter()
                .filter(|rule| rule["resources"].to_string().contains("\"events\""))
                .collect();
            assert_eq!(about.len(), 1, "{role}");
            assert_eq!(about[0]["apiGroups"], groups, "{role}");
            assert_eq!(about[0]["resources"], json!(["events"]), "{role}");
        }
    }

    #[test]
    fn who_monitors_reads_flags_states_and_what_kubelets_measure() {
        let rules = rules("system:monitoring");
        let urls = rules[0]["nonResourceURLs"].as_array().unwrap();
        assert!(urls.contains(&json!("/flagz")) && urls.contains(&json!("/statusz")));
        assert_eq!(
            rules[1],
            json!({"verbs": ["get"], "apiGroups": [""], "resources": ["nodes/metrics"]})
        );
    }

    #[test]
    fn the_scheduler_stands_for_election_and_binds_claims() {
        let rules = rules("system:kube-scheduler");
        assert_eq!(rules[3]["resources"], json!(["leasecandidates"]));
        assert_eq!(
            rules.last().unwrap(),
            &json!({"verbs": ["patch", "update"], "apiGroups": ["resource.k8s.io"], "resources": ["resourceclaims/binding"]})
        );
    }

    #[test]
    fn whole_roles_are_made_of_parts() {
        let edit = find(Resource::ClusterRoles, "", "edit");
        let label = |word: &str| format!("rbac.authorization.k8s.io/aggregate-to-{word}");
        assert_eq!(edit["metadata"]["labels"][label("admin")], "true");
        assert_eq!(
            edit["aggregationRule"],
            json!({"clusterRoleSelectors": [{"matchLabels": {label("edit"): "true"}}]})
        );
    }

    #[test]
    fn bindings_name_roles_that_are_there() {
        let roles: BTreeSet<(&str, &str)> = all()
            .filter(|one| matches!(one.resource, Resource::ClusterRoles | Resource::Roles))
            .map(|one| (one.namespace, one.name))
            .collect();
        let mut bindings = 0;
        for one in all() {
            let Some(role) = one.object["roleRef"]["name"].as_str() else {
                continue;
            };
            assert!(roles.contains(&(one.namespace, role)), "{}", one.name);
            bindings += 1;
        }
        assert!(bindings > 30);
        let reader = find(
            Resource::RoleBindings,
            "kube-system",
            "system::extension-apiserver-authentication-reader",
        );
        assert_eq!(reader["roleRef"]["kind"], "Role");
        assert_eq!(
            reader["subjects"][0]["name"],
            "system:kube-controller-manager"
        );
        let job = find(
            Resource::ClusterRoleBindings,
            "",
            "system:controller:job-controller",
        );
        assert_eq!(
            job["subjects"],
            json!([{"kind": "ServiceAccount", "name": "job-controller", "namespace": "kube-system"}])
        );
        assert!(
            find(Resource::ClusterRoleBindings, "", "system:node")
                .get("subjects")
                .is_none()
        );
    }

    #[test]
    fn nobody_twice() {
        let mut seen = BTreeSet::new();
        for one in all() {
            let kind = format!("{:?}", one.resource);
            assert!(seen.insert((kind, one.namespace, one.name)), "{}", one.name);
        }
    }

    #[test]
    fn every_node_has_rules() {
        let rules = node_rules();
        let node = find(Resource::ClusterRoles, "", "system:node");
        assert_eq!(json!(rules), node["rules"]);
    }
}
