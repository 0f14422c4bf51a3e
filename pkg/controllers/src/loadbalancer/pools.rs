//! The pools that there are: that of the settings, and IPAddressPools.

use std::collections::BTreeMap;

use kedge_client::Json;
use kedge_client::{ObjectKey, Resource};
use kedge_machinery::selector::LabelSelector;
use kedge_machinery::{AddressRange, Object};
use serde_json::{Value, json};

use super::outcome::Name;
use super::pool::{Labels, Pool, ServiceAllocation};
use crate::engine::{Write, key};
use crate::view::{self, AddressPool, PoolStatus};

/// Pools in the order in which they are asked where nothing else says: the settings' first, then by namespace and name.
pub(super) struct Pools {
    settings: Option<Pool>,
    objects: BTreeMap<Name, PoolObject>,
    all: Vec<Pool>,
}

/// An IPAddressPool.
struct PoolObject {
    pool: Pool,
    labels: Labels,
    status: Option<PoolStatus>,
    bytes: Json,
}

impl Pools {
    pub(super) fn new(settings: &[AddressRange]) -> Self {
        let mut pools = Self {
            settings: (!settings.is_empty()).then(|| Pool::of_settings(settings)),
            objects: BTreeMap::new(),
            all: Vec::new(),
        };
        pools.collect();
        pools
    }

    pub(super) fn all(&self) -> &[Pool] {
        &self.all
    }

    /// Labels of the IPAddressPool that a pool is.
    pub(super) fn labels(&self, pool: &Pool) -> Option<&Labels> {
        let name = (pool.namespace.clone(), pool.name.clone());
        self.objects.get(&name).map(|object| &object.labels)
    }

    /// Takes an IPAddressPool in. True where a pool is another now; not where only its status is.
    pub(super) fn observe(&mut self, key: &ObjectKey, bytes: Option<&Json>) -> bool {
        let name = (key.namespace.clone(), key.name.clone());
        let object = bytes.and_then(PoolObject::read);
        let told = |object: &PoolObject| (object.pool.clone(), object.labels.clone());
        let new = object.as_ref().map(told);
        let old = match object {
            Some(object) => self.objects.insert(name, object),
            None => self.objects.remove(&name),
        };
        let changed = old.as_ref().map(told) != new;
        if changed {
            self.collect();
        }
        changed
    }

    fn collect(&mut self) {
        let objects = self.objects.values().map(|object| &object.pool);
        self.all = self.settings.iter().chain(objects).cloned().collect();
    }

    /// The writes that bring what IPAddressPools say of their use up to date.
    pub(super) fn statuses(&self, used: &BTreeMap<Name, PoolStatus>) -> Vec<Write> {
        let objects = self.objects.iter();
        objects
            .filter_map(|(name, object)| {
                let status = used
                    .get(name)
                    .filter(|s| object.status.as_ref() != Some(s))?;
                object.write(name, status)
            })
            .collect()
    }
}

impl PoolObject {
    /// Reads an IPAddressPool. What it says that cannot be is left out: the server that took it in has said so.
    fn read(bytes: &Json) -> Option<Self> {
        let AddressPool {
            metadata,
            spec,
            status,
        } = view::read(bytes)?;
        let allocation = spec.service_allocation.map(|allocation| ServiceAllocation {
            priority: allocation.priority,
            namespaces: allocation.namespaces.into_iter().collect(),
            namespace_selectors: selectors(&allocation.namespace_selectors),
            service_selectors: selectors(&allocation.service_selectors),
        });
        let texts = spec.addresses.iter();
        let pool = Pool {
            namespace: metadata.namespace,
            name: metadata.name,
            ranges: texts.filter_map(|text| text.parse().ok()).collect(),
            auto_assign: spec.auto_assign.unwrap_or(true),
            avoid_buggy_ips: spec.avoid_buggy_ips,
            allocation,
        };
        Some(Self {
            pool,
            labels: metadata.labels,
            status,
            bytes: bytes.clone(),
        })
    }

    fn write(&self, (namespace, name): &Name, status: &PoolStatus) -> Option<Write> {
        let mut object = Object::from_value(view::read(&self.bytes)?)?;
        let counts = json!({
            "assignedIPv4": status.assigned_ipv4,
            "assignedIPv6": status.assigned_ipv6,
            "availableIPv4": status.available_ipv4,
            "availableIPv6": status.available_ipv6,
        });
        object.0.insert("status".into(), counts);
        let resource = Resource::IPADDRESSPOOLS;
        Some(Write::update(
            &key(resource, namespace, name),
            resource,
            "status",
            object,
        ))
    }
}

/// Selectors of which any may match.
pub(super) fn selectors(values: &[Value]) -> Vec<LabelSelector> {
    let read = |value| LabelSelector::from_json(value).ok();
    values.iter().filter_map(read).collect()
}
