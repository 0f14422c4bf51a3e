//! Kinds of `networking.k8s.io`.

mod backend;
mod ingress;
mod ingress_class;
mod network_policy;

pub(super) use ingress::Ingress;
pub(super) use ingress_class::IngressClass;
pub(super) use network_policy::NetworkPolicy;
