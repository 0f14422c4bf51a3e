//! ServiceCIDRs that people add (KEP-1880; upstream: `pkg/controller/servicecidrs`): each is said to be ready, and stays
//! while Services have addresses that no other range holds.
//!
//! The range `kubernetes` is the server's own: it says itself that it is ready, and does not go.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use bytes::Bytes;
use ipnet::IpNet;
use jiff::Timestamp;
use kedge_client::{Change, ObjectKey, Resource, SharedClient};
use kedge_machinery::object::child_mut;
use kedge_machinery::service_cidr::ServiceCidrSpec;
use kedge_machinery::{Object, time};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::engine::{Reconcile, Write, key};
use crate::view::{self, Meta, MetaOnly, nullable};

const OWN: &str = "kubernetes";
const FINALIZER: &str = "networking.k8s.io/service-cidr-finalizer";
/// On an IPAddress: a Service has it.
const MANAGED_BY: (&str, &str) = ("ipaddress.kubernetes.io/managed-by", "ipallocator.k8s.io");
const READY: &str = "Ready";

/// The controller.
#[derive(Default)]
pub(crate) struct ServiceCidrs {
    ranges: BTreeMap<String, Range>,
    /// Those of Services.
    addresses: BTreeSet<IpAddr>,
    changed: bool,
}

struct Range {
    meta: Meta,
    cidrs: Vec<IpNet>,
    /// What it says of itself.
    ready: Option<bool>,
    object: Bytes,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Whole {
    metadata: Meta,
    spec: ServiceCidrSpec,
    status: Status,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Status {
    #[serde(deserialize_with = "nullable")]
    conditions: Vec<Condition>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Condition {
    #[serde(rename = "type")]
    kind: String,
    status: String,
}

impl Range {
    fn read(object: &Bytes) -> Option<Self> {
        let Whole {
            metadata,
            spec,
            status,
        } = view::read(object)?;
        let ready = status.conditions.iter().find(|c| c.kind == READY);
        Some(Self {
            meta: metadata,
            cidrs: spec.cidrs,
            ready: ready.map(|c| c.status == "True"),
            object: object.clone(),
        })
    }

    fn is_going(&self) -> bool {
        self.meta.deletion_timestamp.is_some()
    }

    fn is_held(&self) -> bool {
        self.meta.finalizers.iter().any(|f| f == FINALIZER)
    }

    fn contains(&self, address: IpAddr) -> bool {
        self.cidrs.iter().any(|net| net.contains(&address))
    }

    fn object(&self) -> Option<Object> {
        Object::from_value(view::read(&self.object)?)
    }

    fn with_finalizers(&self, change: impl FnOnce(&mut Vec<String>)) -> Option<Object> {
        let mut finalizers = self.meta.finalizers.clone();
        change(&mut finalizers);
        let mut object = self.object()?;
        object
            .meta_mut()
            .insert("finalizers".into(), json!(finalizers));
        Some(object)
    }

    fn with_condition(&self, condition: Value) -> Option<Object> {
        let mut object = self.object()?;
        let status = child_mut(&mut object.0, "status");
        let conditions = status.entry("conditions").or_insert_with(|| json!([]));
        let conditions = conditions.as_array_mut()?;
        conditions.retain(|c| c.get("type") != condition.get("type"));
        conditions.push(condition);
        Some(object)
    }
}

impl ServiceCidrs {
    /// What the range lacks; one write at a time, as its answer brings the next.
    fn settle(&self, range: &Range, now: Timestamp) -> Option<(&'static str, Object)> {
        let condition = |status: &str, reason: &str, message: &str| {
            range.with_condition(json!({
                "type": READY, "status": status, "reason": reason, "message": message,
                "lastTransitionTime": time::rfc3339(now),
            }))
        };
        if !range.is_going() {
            return if !range.is_held() {
                let held = range.with_finalizers(|all| all.push(FINALIZER.into()));
                held.map(|object| ("", object))
            } else if range.ready.is_none() {
                let ready = condition("True", "", "Kubernetes Service CIDR is ready");
                ready.map(|object| ("status", object))
            } else {
                None
            };
        }
        if !range.is_held() {
            None
        } else if self.is_needed(range) {
            let why = "There are still IPAddresses referencing the ServiceCIDR, please remove them or create a new ServiceCIDR";
            let going =
                (range.ready != Some(false)).then(|| condition("False", "Terminating", why));
            going.flatten().map(|object| ("status", object))
        } else {
            let freed = range.with_finalizers(|all| all.retain(|f| f != FINALIZER));
            freed.map(|object| ("", object))
        }
    }

    /// True while a Service has an address of the range that no range which stays holds.
    fn is_needed(&self, range: &Range) -> bool {
        let stays = |address: &IpAddr| {
            let mut staying = self.ranges.values().filter(|other| !other.is_going());
            staying.any(|other| other.contains(*address))
        };
        let mut own = self.addresses.iter().filter(|a| range.contains(**a));
        own.any(|address| !stays(address))
    }
}

impl Reconcile for ServiceCidrs {
    const NAME: &'static str = "service-cidrs";

    fn resources(&self) -> Vec<Resource> {
        vec![Resource::SERVICECIDRS, Resource::IPADDRESSES]
    }

    fn observe(&mut self, change: &Change) {
        let name = &change.key.name;
        if change.key.resource == Resource::SERVICECIDRS {
            match change.object.as_ref().and_then(Range::read) {
                Some(range) => self.ranges.insert(name.clone(), range),
                None => self.ranges.remove(name),
            };
            self.changed = true;
            return;
        }
        let Ok(address) = name.parse() else { return };
        let object = change.object.as_ref();
        let of_service = object
            .and_then(|bytes| view::read::<MetaOnly>(bytes))
            .is_some_and(|object| {
                object.metadata.labels.get(MANAGED_BY.0).map(String::as_str) == Some(MANAGED_BY.1)
            });
        if of_service {
            self.addresses.insert(address);
        } else {
            self.changed |= self.addresses.remove(&address);
        }
    }

    async fn plan(&mut self, _: &SharedClient, now: Timestamp) -> Vec<Write> {
        if !std::mem::take(&mut self.changed) {
            return Vec::new();
        }
        let added = self.ranges.iter().filter(|(name, _)| *name != OWN);
        added
            .filter_map(|(name, range)| {
                let (subresource, object) = self.settle(range, now)?;
                let about = key(Resource::SERVICECIDRS, "", name);
                Some(Write::update(
                    &about,
                    Resource::SERVICECIDRS,
                    subresource,
                    object,
                ))
            })
            .collect()
    }

    fn again(&mut self, _: &ObjectKey) {
        self.changed = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::Fake;

    fn range(name: &str, cidr: &str) -> Value {
        json!({"metadata": {"name": name}, "spec": {"cidrs": [cidr]}})
    }

    fn going(mut range: Value) -> Value {
        range["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
        range["metadata"]["finalizers"] = json!([FINALIZER]);
        range
    }

    fn address(name: &str, labels: Value) -> Value {
        json!({"metadata": {"name": name, "labels": labels}})
    }

    fn ready(fake: &Fake, name: &str) -> Option<String> {
        let range = fake.one(Resource::SERVICECIDRS, "", name)?;
        let conditions = range.at(&["status", "conditions"])?.as_array()?;
        let ready = conditions.iter().find(|c| c["type"] == READY)?;
        ready["status"].as_str().map(Into::into)
    }

    #[tokio::test]
    async fn a_range_that_is_added_is_held_and_ready() {
        let fake = Fake::new();
        fake.put(Resource::SERVICECIDRS, range(OWN, "10.43.0.0/16"));
        fake.put(Resource::SERVICECIDRS, range("more", "10.44.0.0/28"));
        let _running = fake.run(ServiceCidrs::default);
        fake.until(|fake| ready(fake, "more").as_deref() == Some("True"))
            .await;
        let range = fake.one(Resource::SERVICECIDRS, "", "more").unwrap();
        assert_eq!(range.finalizers().collect::<Vec<_>>(), [FINALIZER]);
        let writes = fake.settled().await;
        assert!(writes.iter().all(|w| !w.contains(OWN)), "{writes:?}");
    }

    #[tokio::test]
    async fn a_range_goes_after_the_last_address_that_it_alone_holds() {
        let fake = Fake::new();
        let of_service = json!({MANAGED_BY.0: MANAGED_BY.1});
        fake.put(Resource::SERVICECIDRS, going(range("more", "10.44.0.0/28")));
        fake.put(Resource::SERVICECIDRS, range("within", "10.44.0.8/29"));
        for (name, labels) in [
            ("10.44.0.1", of_service.clone()),
            ("10.44.0.9", of_service.clone()),
            ("10.44.0.10", of_service),
            ("10.44.0.2", json!({})),
        ] {
            fake.put(Resource::IPADDRESSES, address(name, labels));
        }
        let _running = fake.run(ServiceCidrs::default);
        fake.until(|fake| ready(fake, "more").as_deref() == Some("False"))
            .await;
        fake.remove(Resource::IPADDRESSES, "", "10.44.0.1");
        fake.until(|fake| fake.one(Resource::SERVICECIDRS, "", "more").is_none())
            .await;
        assert!(fake.one(Resource::SERVICECIDRS, "", "within").is_some());
    }
}
