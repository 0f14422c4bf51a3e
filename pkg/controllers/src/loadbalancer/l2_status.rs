//! ServiceL2Statuses: which node announces a Service, and on which links. One for each Service and node that announces it, made
//! and removed as MetalLB 0.15 does (its `layer2_status_controller.go`).

use std::collections::{BTreeMap, BTreeSet};

use kedge_client::Json;
use kedge_client::{ObjectKey, Resource};
use kedge_machinery::Object;
use serde_json::{Value, json};

use super::outcome::Name;
use crate::engine::{Write, key};
use crate::view;

const RESOURCE: Resource = Resource::SERVICEL2STATUSES;
const NODE: &str = "metallb.io/node";
const SERVICE_NAME: &str = "metallb.io/service-name";
const SERVICE_NAMESPACE: &str = "metallb.io/service-namespace";

/// Where a Service is announced.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Announced {
    /// Of the ServiceL2Status: the pool's, as MetalLB's pools are in the namespace of its own.
    pub namespace: String,
    /// By name.
    pub links: BTreeSet<String>,
}

/// Those of one node.
pub(super) struct L2Statuses {
    node: String,
    had: BTreeMap<ObjectKey, Had>,
}

#[derive(PartialEq, Eq)]
struct Had {
    service: Name,
    bytes: Json,
}

impl L2Statuses {
    pub(super) fn new(node: &str) -> Self {
        Self {
            node: node.into(),
            had: BTreeMap::new(),
        }
    }

    /// Takes a ServiceL2Status in. True where one of this node is another now.
    pub(super) fn observe(&mut self, key: &ObjectKey, bytes: Option<&Json>) -> bool {
        let Some(had) = bytes.and_then(|bytes| self.read(bytes)) else {
            return self.had.remove(key).is_some();
        };
        let changed = self.had.get(key) != Some(&had);
        self.had.insert(key.clone(), had);
        changed
    }

    /// Nothing of one that another node wrote.
    fn read(&self, bytes: &Json) -> Option<Had> {
        let mut labels = super::labels(bytes);
        if labels.get(NODE) != Some(&self.node) {
            return None;
        }
        let service = (
            labels.remove(SERVICE_NAMESPACE)?,
            labels.remove(SERVICE_NAME)?,
        );
        let bytes = bytes.clone();
        Some(Had { service, bytes })
    }

    /// The writes after which there is one for each Service that is announced, and no other; those of Services of which it is
    /// `undecided` stay as they are.
    pub(super) fn writes(
        &self,
        announced: &BTreeMap<Name, Announced>,
        undecided: impl Fn(&Name) -> bool,
    ) -> Vec<Write> {
        let mut writes = Vec::new();
        let mut there = BTreeSet::new();
        for (key, had) in &self.had {
            let service = &had.service;
            let Some(object) = view::read(&had.bytes).and_then(Object::from_value) else {
                continue;
            };
            let wanted = announced
                .get(service)
                .filter(|wanted| wanted.namespace == key.namespace);
            match wanted {
                Some(wanted) if there.insert(service) => {
                    writes.extend(self.update(service, wanted, object));
                }
                None if undecided(service) => {}
                _ => writes.push(Write::delete(&about(service), key.clone(), object.uid())),
            }
        }
        let new = announced.iter().filter(|(name, _)| !there.contains(name));
        writes.extend(new.map(|(service, wanted)| self.create(service, wanted)));
        writes
    }

    fn create(&self, service: &Name, wanted: &Announced) -> Write {
        let (namespace, name) = service;
        let labels = json!({NODE: self.node, SERVICE_NAME: name, SERVICE_NAMESPACE: namespace});
        let mut object = Object::default();
        object
            .0
            .insert("apiVersion".into(), "metallb.io/v1beta1".into());
        object.0.insert("kind".into(), RESOURCE.kind.into());
        let meta = object.meta_mut();
        meta.insert("generateName".into(), "l2-".into());
        meta.insert("namespace".into(), wanted.namespace.clone().into());
        meta.insert("labels".into(), labels);
        Write::create(&about(service), RESOURCE, object)
    }

    fn update(&self, service: &Name, wanted: &Announced, mut object: Object) -> Option<Write> {
        let links: Vec<Value> = wanted.links.iter().map(|l| json!({"name": l})).collect();
        let status = json!({
            "node": self.node,
            "serviceName": service.1,
            "serviceNamespace": service.0,
            "interfaces": links,
        });
        if object.0.get("status") == Some(&status) {
            return None;
        }
        object.0.insert("status".into(), status);
        Some(Write::update(&about(service), RESOURCE, "status", object))
    }
}

/// Steps of the object are not counted as the Service's.
fn about((namespace, name): &Name) -> ObjectKey {
    key(RESOURCE, namespace, name)
}
