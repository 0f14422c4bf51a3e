//! Where the Pods are that a Service selects: EndpointSlices, and Endpoints for those who still read them.
//!
//! They are made as kube-controller-manager makes them (`pkg/controller/endpointslice`, `pkg/controller/endpoint`), with one
//! difference: a Pod whose Node is not there is an endpoint all the same, since here Pods may be made by hand.

mod desired;
mod model;
pub(crate) mod pack;
pub(crate) mod slice;
mod subsets;

use std::collections::BTreeSet;

use jiff::Timestamp;
use kedge_client::{Change, ObjectKey, Resource, SharedClient};

use crate::engine::{Reconcile, Write, key};
use crate::view::Service;
use model::Model;
use slice::{Owned, Template};

/// `endpointslice.kubernetes.io/managed-by` of the slices that this controller makes.
const MANAGER: &str = "endpointslice-controller.k8s.io";

/// Endpoints in a slice, at most: upstream's `--max-endpoints-per-slice`.
pub(crate) const MAX_ENDPOINTS: usize = 100;

/// Writes that are planned at once: what is planned is in memory as trees, and a start may have thousands.
const BATCH: usize = 128;

/// The controller.
pub(crate) struct Endpoints {
    model: Model,
    dirty: BTreeSet<ObjectKey>,
    /// Makes Endpoints too.
    legacy: bool,
}

impl Endpoints {
    pub(crate) fn new(legacy: bool) -> Self {
        Self {
            model: Model::new(MANAGER),
            dirty: BTreeSet::new(),
            legacy,
        }
    }

    fn reconcile(&self, about: &ObjectKey) -> Vec<Write> {
        let mut writes = Vec::new();
        let service = self.model.service(&about.namespace, &about.name);
        if let Some(service) = service.filter(Service::selects) {
            if service.metadata.gives_up_dependents() {
                return writes;
            }
            writes.extend(self.slices(about, &service));
            if self.legacy {
                writes.extend(self.subsets(about, &service));
            }
        } else if let Some(endpoints) = self.model.endpoints(&about.namespace, &about.name) {
            // Of a Service that is gone; what is left without a selector is its author's.
            let orphaned = self.model.service(&about.namespace, &about.name).is_none();
            writes.extend(subsets::removal(about, &endpoints).filter(|_| orphaned));
        }
        writes
    }

    fn slices(&self, about: &ObjectKey, service: &Service) -> Vec<Write> {
        let template = Template {
            namespace: &about.namespace,
            service: &about.name,
            manager: MANAGER,
            labels: slice::service_labels(service),
            annotations: Default::default(),
            owner: Owned {
                api_version: "v1",
                kind: "Service",
                name: &about.name,
                uid: &service.metadata.uid,
            },
        };
        let groups = desired::groups(
            service,
            self.model.selected(&about.namespace, &about.name),
            |node| self.model.zone(node),
        );
        let changed_at =
            desired::changed_at(service, self.model.selected(&about.namespace, &about.name));
        slice::writes(
            about,
            &template,
            groups,
            self.model.slices(&about.namespace, &about.name),
            &changed_at,
        )
    }

    fn subsets(&self, about: &ObjectKey, service: &Service) -> Option<Write> {
        let subsets = subsets::subsets(service, self.model.selected(&about.namespace, &about.name));
        let existing = self.model.endpoints(&about.namespace, &about.name);
        subsets::write(about, service, subsets, existing)
    }
}

impl Reconcile for Endpoints {
    const NAME: &'static str = "endpoints";

    fn resources(&self) -> Vec<Resource> {
        let mut kinds = vec![
            Resource::SERVICES,
            Resource::PODS,
            Resource::NODES,
            Resource::ENDPOINTSLICES,
        ];
        if self.legacy {
            kinds.push(Resource::ENDPOINTS);
        }
        kinds
    }

    fn observe(&mut self, change: &Change) {
        let touched = self.model.observe(change);
        self.dirty.extend(
            touched
                .into_iter()
                .map(|(namespace, name)| key(Resource::SERVICES, &namespace, &name)),
        );
    }

    async fn plan(&mut self, _: &SharedClient, _: Timestamp) -> Vec<Write> {
        let mut writes = Vec::new();
        while writes.len() < BATCH
            && let Some(about) = self.dirty.pop_first()
        {
            writes.extend(self.reconcile(&about));
        }
        writes
    }

    fn again(&mut self, about: &ObjectKey) {
        self.dirty.insert(about.clone());
    }
}

#[cfg(test)]
mod tests;
