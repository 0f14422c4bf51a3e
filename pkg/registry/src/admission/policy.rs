//! What roles and bindings allow, for writes that depend on more than their own verb.

use kedge_rbac::{GROUP, Policy, Resource};

use super::View;

/// All roles and bindings, at the moment of the write. Built anew: such writes are rare.
pub(super) fn policy(view: &View<'_>) -> Policy {
    let mut policy = Policy::default();
    for (resource, plural) in [
        (Resource::ClusterRoles, "clusterroles"),
        (Resource::ClusterRoleBindings, "clusterrolebindings"),
        (Resource::Roles, "roles"),
        (Resource::RoleBindings, "rolebindings"),
    ] {
        let Some(kind) = view.catalog().find(GROUP, "v1", plural) else {
            continue;
        };
        for entry in view.entries(GROUP, plural, "") {
            let (namespace, name) = crate::keys::names(kind, &entry.key);
            policy.put(resource, namespace, name, entry.bytes());
        }
    }
    policy
}
