//! Approves what nodes ask for when they join, where roles say that they may (upstream: `csrapproving`,
//! `pkg/controller/certificates/approver`).
//!
//! Whoever may create `certificatesigningrequests/nodeclient` gets a certificate for a node, and a node that may create
//! `certificatesigningrequests/selfnodeclient` renews its own. Everything else waits for a person.

use std::collections::BTreeSet;

use jiff::Timestamp;
use kedge_client::{Change, ObjectKey, Resource, SharedClient};
use kedge_machinery::{Object, Status};
use kedge_rbac::{MASTERS, Policy, Request, Resource as Rbac, Who};
use tracing::{info, warn};

use super::csr::{self, Csr};
use super::signers::Signer;
use crate::engine::{Reconcile, Write};
use crate::view;

const CSRS: Resource = Resource::CERTIFICATESIGNINGREQUESTS;
const SELF: (&str, &str) = (
    "selfnodeclient",
    "Auto approving self kubelet client certificate after SubjectAccessReview.",
);
const OTHER: (&str, &str) = (
    "nodeclient",
    "Auto approving kubelet client certificate after SubjectAccessReview.",
);

/// The controller.
#[derive(Default)]
pub(crate) struct Approver {
    /// Requests of nodes that nobody has decided.
    pending: BTreeSet<ObjectKey>,
    /// Those to look at again.
    due: BTreeSet<ObjectKey>,
}

/// A request of a node that nobody has decided.
fn is_pending(csr: &Csr) -> bool {
    csr.awaits_decision() && Signer::parse(&csr.spec.signer_name) == Some(Signer::KubeletClient)
}

/// What is said when the request is approved; `None` when it is left to a person.
fn approval(csr: &Csr, policy: &Policy) -> Option<&'static str> {
    let request = csr.request().ok()?;
    Signer::KubeletClient
        .check(&request, &csr.spec.usages)
        .ok()?;
    let own = (csr.spec.username == request.common_name).then_some(SELF);
    let mut ways = own.into_iter().chain([OTHER]);
    let (_, message) = ways.find(|(subresource, _)| may(csr, policy, subresource))?;
    Some(message)
}

fn may(csr: &Csr, policy: &Policy, subresource: &str) -> bool {
    let who = Who {
        name: &csr.spec.username,
        groups: &csr.spec.groups,
    };
    let request = Request::Resource {
        verb: "create",
        group: CSRS.group,
        resource: CSRS.plural,
        subresource,
        namespace: "",
        name: "",
    };
    who.groups.iter().any(|group| group == MASTERS) || policy.allows(who, &request).is_some()
}

/// The cluster's roles as they are now. Nothing is kept of them: nodes join rarely.
async fn policy(client: &SharedClient) -> Result<Policy, Status> {
    let mut policy = Policy::default();
    for (resource, kind) in [
        (Resource::CLUSTERROLES, Rbac::ClusterRoles),
        (Resource::CLUSTERROLEBINDINGS, Rbac::ClusterRoleBindings),
    ] {
        for object in client.list(resource, "").await? {
            let name = object.name().to_string();
            policy.put(kind, "", &name, object.into_value().to_string().into());
        }
    }
    Ok(policy)
}

impl Approver {
    async fn judge(
        &self,
        client: &SharedClient,
        policy: &Policy,
        key: &ObjectKey,
        now: Timestamp,
    ) -> Result<Option<Object>, Status> {
        let mut object = client.get(key).await?;
        let csr = serde_json::from_value::<Csr>(object.clone().into_value());
        let csr = csr.ok().filter(is_pending);
        let Some(message) = csr.and_then(|csr| approval(&csr, policy)) else {
            return Ok(None);
        };
        csr::add_condition(&mut object, "Approved", "AutoApproved", message, now);
        info!("approved {}: a node's own", key.name);
        Ok(Some(object))
    }
}

impl Reconcile for Approver {
    const NAME: &'static str = "certificate-approver";

    fn resources(&self) -> Vec<Resource> {
        vec![CSRS, Resource::CLUSTERROLES, Resource::CLUSTERROLEBINDINGS]
    }

    fn observe(&mut self, change: &Change) {
        if change.key.resource != CSRS {
            // What may be has changed.
            self.due.extend(self.pending.iter().cloned());
            return;
        }
        let csr = change.object.as_ref().and_then(view::read::<Csr>);
        if csr.is_some_and(|csr| is_pending(&csr)) {
            self.pending.insert(change.key.clone());
            self.due.insert(change.key.clone());
        } else {
            self.pending.remove(&change.key);
            self.due.remove(&change.key);
        }
    }

    async fn plan(&mut self, client: &SharedClient, now: Timestamp) -> Vec<Write> {
        let due = std::mem::take(&mut self.due);
        if due.is_empty() {
            return Vec::new();
        }
        let policy = match policy(client).await {
            Ok(policy) => policy,
            Err(status) => {
                warn!("cannot read roles: {status}");
                return Vec::new();
            }
        };
        let mut writes = Vec::new();
        for about in due {
            match self.judge(client, &policy, &about, now).await {
                Ok(Some(object)) => writes.push(Write::update(&about, CSRS, "approval", object)),
                Ok(None) => {}
                Err(status) => warn!("cannot judge {}: {status}", about.name),
            }
        }
        writes
    }

    fn again(&mut self, about: &ObjectKey) {
        if self.pending.contains(about) {
            self.due.insert(about.clone());
        }
    }
}

#[cfg(test)]
#[path = "approver_tests.rs"]
mod tests;
