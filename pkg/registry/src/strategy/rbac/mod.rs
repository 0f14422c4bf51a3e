//! Roles and their bindings (`pkg/apis/rbac/v1/defaults.go` and `validation`). That nobody gives away more than he has is
//! admission's ([`crate::admission::Escalation`]).

mod binding;
mod role;

pub(super) use binding::{ClusterRoleBinding, RoleBinding};
pub(super) use role::{ClusterRole, Role};
