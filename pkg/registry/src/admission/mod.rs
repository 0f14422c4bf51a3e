//! What a write obeys beyond the rules of its kind: who asks, and what else there is.
//!
//! Upstream's admission plugins, in the same two rounds: [`Admission::change`] after the fields that the client set
//! have their owner, before numbers are allocated; [`Admission::check`] after validation, before the commit. A
//! write that lost a race goes through both again, from the latest state.

use kedge_machinery::{Object, Status};

use crate::request::Target;
use crate::user::User;

mod certificate_decision;
mod certificate_subject;
mod default_ingress_class;
mod escalation;
mod held_address;
mod node_restriction;
mod overlapping_pools;
mod pod_topology_labels;
mod policy;
mod priority;
mod runtime_class;
mod service_account;
mod view;

pub use certificate_decision::{CertificateApproval, CertificateSigning};
pub use certificate_subject::CertificateSubjectRestriction;
pub use default_ingress_class::DefaultIngressClass;
pub use escalation::Escalation;
pub use held_address::HeldAddress;
pub use node_restriction::NodeRestriction;
pub use overlapping_pools::OverlappingPools;
pub use pod_topology_labels::PodTopologyLabels;
pub use priority::Priority;
pub use runtime_class::RuntimeClass;
pub use service_account::ServiceAccount;
pub use view::View;

/// What is about to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    Create,
    Update,
    Delete,
}

/// One write, as admission sees it.
pub struct Attributes<'a> {
    pub operation: Operation,
    /// With the object's name, also where the server chose it.
    pub target: &'a Target,
    /// `None`: kedge itself, which nothing is refused.
    pub user: Option<&'a User>,
    /// What stands there now; `None` for a create.
    pub old: Option<&'a Object>,
    pub dry_run: bool,
    /// Everything else, at the moment of the write.
    pub view: View<'a>,
}

/// One concern of admission. Both rounds are called for every kind, subresource and operation.
pub trait Admission: Send + Sync {
    /// kube-apiserver's name for it, by which people leave it out; `None` for what no setting disables.
    fn plugin(&self) -> Option<&'static str> {
        None
    }

    /// Changes what is to be written. Not called for a delete. An error is the request's answer.
    fn change(&self, attributes: &Attributes<'_>, object: &mut Object) -> Result<(), Status> {
        let _ = (attributes, object);
        Ok(())
    }

    /// Refuses a write; `object` is what would be stored, `None` for a delete.
    fn check(&self, attributes: &Attributes<'_>, object: Option<&Object>) -> Result<(), Status> {
        let _ = (attributes, object);
        Ok(())
    }
}

/// Everything, in the order in which it is asked.
#[must_use]
pub fn all() -> Vec<Box<dyn Admission>> {
    vec![
        Box::new(ServiceAccount),
        Box::new(Priority),
        Box::new(RuntimeClass),
        Box::new(CertificateApproval),
        Box::new(CertificateSigning),
        Box::new(CertificateSubjectRestriction),
        Box::new(DefaultIngressClass),
        Box::new(PodTopologyLabels),
        Box::new(NodeRestriction),
        Box::new(Escalation),
        Box::new(HeldAddress),
        Box::new(OverlappingPools),
    ]
}

/// What asks for nothing that a controller must have made first: all but [`ServiceAccount`].
#[must_use]
pub fn builtin() -> Vec<Box<dyn Admission>> {
    let mut all = all();
    all.retain(|admission| admission.plugin() != ServiceAccount.plugin());
    all
}
