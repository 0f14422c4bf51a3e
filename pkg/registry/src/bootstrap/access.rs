//! The roles and bindings that every cluster has: made where they are missing, completed where something of them is.

use futures_util::future::try_join_all;
use kedge_machinery::{Object, Status};
use kedge_rbac::reconcile::{Outcome, reconcile};
use kedge_rbac::{GROUP, Resource, defaults};
use serde_json::Value;

use super::{object, options, settled};
use crate::registry::Registry;
use crate::request::Target;

impl Registry {
    /// Writes what is missing, sharing one flush; nothing where nothing is.
    pub(super) async fn ensure_access(&self) -> Result<(), Status> {
        let mut writes = Vec::new();
        for default in defaults::all() {
            let kind = self.kind(GROUP, plural(default.resource))?;
            let target = Target::new(kind, default.namespace, default.name);
            let there = self.store().get(&target.key());
            let outcome = match &there {
                Some(entry) => {
                    let there: Value = serde_json::from_slice(&entry.value())
                        .map_err(|error| Status::internal(error.to_string()))?;
                    match reconcile(&there, &default.object) {
                        Outcome::Keep => continue,
                        outcome => Some(outcome),
                    }
                }
                None => None,
            };
            writes.push(self.make_so(target, outcome, default.object));
        }
        try_join_all(writes).await.map(|_| ())
    }

    async fn make_so(
        &self,
        target: Target,
        outcome: Option<Outcome>,
        wanted: Value,
    ) -> Result<(), Status> {
        match outcome {
            Some(Outcome::Keep) => return Ok(()),
            Some(Outcome::Update(value)) => {
                let object = Object::from_value(value).unwrap_or_default();
                return self.update(&target, object, &options()).await.map(|_| ());
            }
            Some(Outcome::Recreate) => {
                self.delete(&target, &Default::default()).await?;
            }
            None => {}
        }
        let written = self.create(&target, object(wanted), &options()).await;
        settled(written.map(|_| ()))
    }
}

fn plural(resource: Resource) -> &'static str {
    match resource {
        Resource::ClusterRoles => "clusterroles",
        Resource::ClusterRoleBindings => "clusterrolebindings",
        Resource::Roles => "roles",
        Resource::RoleBindings => "rolebindings",
    }
}
