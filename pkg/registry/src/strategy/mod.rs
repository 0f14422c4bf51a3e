//! What a kind obeys beyond the common rules: data in [`Rules`], functions in [`Strategy`].

use std::collections::BTreeSet;

use kedge_api::Kind;
use kedge_machinery::{FieldError, Object, Status};

use crate::allocate::{Claim, Environment};
use crate::user::User;

mod apps;
mod batch;
pub(crate) mod certificates;
mod configmap;
pub(crate) mod definition;
mod endpoints;
mod endpointslice;
pub(crate) mod event;
mod lease;
pub(crate) mod looks;
mod metallb;
pub(crate) mod namespace;
mod networking;
mod node;
mod node_labels;
pub(crate) mod pod;
mod pod_disruption_budget;
mod pod_template;
pub(crate) mod priority_class;
mod rbac;
pub(crate) mod rules;
mod runtime_class;
mod secret;
pub(crate) mod service;
mod service_account;
mod storage;

pub(crate) use rules::{Dependents, NameRule, Rules};

/// The functions of a kind. Every one has a default that does nothing, which is what a kind without
/// rules of its own obeys.
///
/// A write calls them in the order they stand in here.
pub(crate) trait Strategy: Send + Sync {
    /// Fills what the client did not say. These fields belong to the client in `managedFields`.
    fn default(&self, object: &mut Object) {
        let _ = object;
    }

    /// What a new object is compared with to tell who owns what, where the empty object of Go's types
    /// is more than empty structs: a list that is there and null is not one that the client adds.
    fn blank(&self) -> Option<Object> {
        None
    }

    /// What leaves of an apply's configuration the part that a subresource takes; `None` where that is no part of the spec.
    fn narrow(&self, subresource: &str) -> Option<fn(&mut Object)> {
        let _ = subresource;
        None
    }

    /// Takes out what this request may not say, before anybody is told to own it. The common part (status kept on an
    /// update, all but status kept on a status update) has been done.
    fn reset(&self, new: &mut Object, old: Option<&Object>, subresource: &str) {
        let _ = (new, old, subresource);
    }

    /// Takes numbers from ranges; fields set from here on belong to nobody.
    fn allocate(
        &self,
        new: &mut Object,
        old: Option<&Object>,
        world: &Environment<'_>,
    ) -> Result<(), Status> {
        let _ = (new, old, world);
        Ok(())
    }

    /// Writes down who asks for a new object; nobody when it is kedge itself.
    fn ask(&self, new: &mut Object, user: Option<&User>) {
        let _ = (new, user);
    }

    /// Sets what the server owns in a new object.
    fn prepare_create(&self, new: &mut Object) {
        let _ = new;
    }

    /// Takes from the old object what this request may not change. The common part (status kept on an update,
    /// all but status kept on a status update) has been done.
    fn prepare_update(&self, new: &mut Object, old: &Object, subresource: &str) {
        let _ = (new, old, subresource);
    }

    /// What is wrong with an object, its metadata apart.
    fn validate(&self, object: &Object) -> Vec<FieldError> {
        let _ = object;
        Vec::new()
    }

    /// What is wrong with a changed object, its metadata apart.
    fn validate_update(&self, new: &Object, old: &Object, subresource: &str) -> Vec<FieldError> {
        let _ = old;
        if subresource.is_empty() {
            self.validate(new)
        } else {
            Vec::new()
        }
    }

    /// What is wrong with the change itself: fields that stay as they were. [`looks::at_change`] says when it is told.
    fn validate_change(&self, new: &Object, old: &Object) -> Vec<FieldError> {
        let _ = (new, old);
        Vec::new()
    }

    /// What is taken and may surprise: texts for `Warning` headers. `old` is what an update changes.
    fn warnings(&self, new: &Object, old: Option<&Object>) -> Vec<String> {
        let _ = (new, old);
        Vec::new()
    }

    /// The same of an update of the status.
    fn status_warnings(&self, new: &Object) -> Vec<String> {
        let _ = new;
        Vec::new()
    }

    /// What the object holds of ranges: claimed and released with it.
    fn claims(&self, object: &Object) -> BTreeSet<Claim> {
        let _ = object;
        BTreeSet::new()
    }

    /// Keys of what goes with an object that is deleted.
    fn companions(&self, object: &Object) -> Vec<String> {
        let _ = object;
        Vec::new()
    }

    /// False while more than `metadata.finalizers` holds an object that is to go.
    fn is_released(&self, object: &Object) -> bool {
        let _ = object;
        true
    }

    /// Seconds of grace of a deletion; `None` for a kind that knows no grace.
    fn grace(&self, object: &Object, asked: Option<i64>) -> Option<i64> {
        let _ = (object, asked);
        None
    }
}

/// A kind without rules of its own.
struct Generic;

impl Strategy for Generic {}

/// The strategy of a kind.
pub(crate) fn of(kind: &Kind) -> &'static dyn Strategy {
    match (kind.group.as_str(), kind.kind.as_str()) {
        ("", "ConfigMap") => &configmap::ConfigMap,
        ("", "Endpoints") => &endpoints::Endpoints,
        ("", "Event") | ("events.k8s.io", "Event") => &event::Event,
        ("", "Namespace") => &namespace::Namespace,
        ("", "Node") => &node::Node,
        ("", "Pod") => &pod::Pod,
        ("", "PodTemplate") => &pod_template::PodTemplate,
        ("", "Secret") => &secret::Secret,
        ("", "Service") => &service::Service,
        ("", "ServiceAccount") => &service_account::ServiceAccount,
        ("apiextensions.k8s.io", "CustomResourceDefinition") => &definition::Definition,
        ("apps", "ControllerRevision") => &apps::ControllerRevision,
        ("apps", "DaemonSet") => &apps::DaemonSet,
        ("apps", "Deployment") => &apps::Deployment,
        ("apps", "ReplicaSet") => &apps::ReplicaSet,
        ("apps", "StatefulSet") => &apps::StatefulSet,
        ("batch", "CronJob") => &batch::CronJob,
        ("batch", "Job") => &batch::Job,
        ("certificates.k8s.io", "CertificateSigningRequest") => {
            &certificates::CertificateSigningRequest
        }
        ("coordination.k8s.io", "Lease") => &lease::Lease,
        ("discovery.k8s.io", "EndpointSlice") => &endpointslice::EndpointSlice,
        ("metallb.io", "IPAddressPool") => &metallb::IpAddressPool,
        ("metallb.io", "L2Advertisement") => &metallb::L2Advertisement,
        ("networking.k8s.io", "IPAddress") => &networking::IpAddress,
        ("networking.k8s.io", "Ingress") => &networking::Ingress,
        ("networking.k8s.io", "IngressClass") => &networking::IngressClass,
        ("networking.k8s.io", "NetworkPolicy") => &networking::NetworkPolicy,
        ("networking.k8s.io", "ServiceCIDR") => &networking::ServiceCidr,
        ("node.k8s.io", "RuntimeClass") => &runtime_class::RuntimeClass,
        ("policy", "PodDisruptionBudget") => &pod_disruption_budget::PodDisruptionBudget,
        ("rbac.authorization.k8s.io", "ClusterRole") => &rbac::ClusterRole,
        ("rbac.authorization.k8s.io", "ClusterRoleBinding") => &rbac::ClusterRoleBinding,
        ("rbac.authorization.k8s.io", "Role") => &rbac::Role,
        ("rbac.authorization.k8s.io", "RoleBinding") => &rbac::RoleBinding,
        ("scheduling.k8s.io", "PriorityClass") => &priority_class::PriorityClass,
        ("storage.k8s.io", "CSIDriver") => &storage::CsiDriver,
        ("storage.k8s.io", "CSINode") => &storage::CsiNode,
        ("storage.k8s.io", "StorageClass") => &storage::StorageClass,
        _ => &Generic,
    }
}
