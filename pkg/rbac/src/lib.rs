//! Role based access control: rules and what they allow, bindings and whom they mean, and the roles that every cluster
//! has; pure.
//!
//! Begin at [`Policy`], which answers whether somebody may do something. What upstream decides in
//! `plugin/pkg/auth/authorizer/rbac` and `pkg/registry/rbac/validation` is decided here the same.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod binding;
mod cover;
pub mod defaults;
mod policy;
pub mod reconcile;
mod request;
mod rule;

pub use binding::{Binding, RoleKind, RoleRef, Subject, SubjectKind};
pub use cover::{compact, missing};
pub use policy::{Grant, Policy, Resource, RulesFor};
pub use request::{Request, Who};
pub use rule::Rule;

/// The API group of the four kinds.
pub const GROUP: &str = "rbac.authorization.k8s.io";
/// What stands for every verb, group, resource and path.
pub const ALL: &str = "*";
/// The group that may do everything, whatever the rules say.
pub const MASTERS: &str = "system:masters";
