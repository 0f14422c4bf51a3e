//! ServiceCIDRs that people add (KEP-1880; upstream: `pkg/controller/servicecidrs`): each is said to be ready, and stays
//! while Services have addresses that no other range holds.
//!
//! The range `kubernetes` is the server's own: it says itself that it is ready, and does not go.
//!
//! Beyond upstream: a range that this machine has an address of is not ready, so that no Service gets an address of it, and an
//! Event says so; of a range that shares others' addresses with the machine's network an Event tells.

mod range;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use jiff::Timestamp;
use kedge_client::{Change, ObjectKey, Resource, SharedClient};
use kedge_machinery::service_cidr::OVERLAPS;
use kedge_machinery::{Clash, Object, time};
use serde_json::json;
use tokio::sync::watch;

use crate::engine::{Reconcile, Write, key};
use crate::events::{EventType, Recorder};
use crate::view::{self, MetaOnly};
use range::Range;

const OWN: &str = "kubernetes";
const FINALIZER: &str = "networking.k8s.io/service-cidr-finalizer";
/// On an IPAddress: a Service has it.
const MANAGED_BY: (&str, &str) = ("ipaddress.kubernetes.io/managed-by", "ipallocator.k8s.io");
const READY: &str = "Ready";
/// Why a range is not ready, unless it is [`OVERLAPS`], which is the reason of Events too.
const TERMINATING: &str = "Terminating";

/// The controller.
pub(crate) struct ServiceCidrs {
    ranges: BTreeMap<String, Range>,
    /// Those of Services.
    addresses: BTreeSet<IpAddr>,
    /// The machine's own, each with the length of its network's prefix.
    networks: watch::Receiver<Arc<[IpNet]>>,
    recorder: Recorder,
    /// What was said of each range that clashes with them.
    told: BTreeMap<String, String>,
    changed: bool,
}

impl ServiceCidrs {
    pub(crate) fn new(networks: watch::Receiver<Arc<[IpNet]>>, recorder: Recorder) -> Self {
        Self {
            ranges: BTreeMap::new(),
            addresses: BTreeSet::new(),
            networks,
            recorder,
            told: BTreeMap::new(),
            changed: true,
        }
    }

    /// Says of each range what it shares with the machine's networks, once.
    fn tell(&mut self, networks: &[IpNet]) {
        let clash = |range: &Range| range.clash(networks).map(|clash| said(&clash));
        let own = |name: &str| match name {
            OWN => "; start the server with another --service-cidr",
            _ => "; delete it and choose a range that no network here uses",
        };
        let all = self.ranges.iter();
        let now: BTreeMap<String, String> = all
            .filter_map(|(name, range)| Some((name.clone(), clash(range)? + own(name))))
            .collect();
        for (name, text) in &now {
            if self.told.get(name) == Some(text) {
                continue;
            }
            tracing::warn!("the ServiceCIDR {name}: {text}");
            if let Some(range) = self.ranges.get(name) {
                let about = range.about(name);
                self.recorder
                    .record(&about, EventType::Warning, OVERLAPS, text);
            }
        }
        self.told = now;
    }

    /// What the range lacks; one write at a time, as its answer brings the next.
    fn settle(
        &self,
        range: &Range,
        networks: &[IpNet],
        now: Timestamp,
    ) -> Option<(&'static str, Object)> {
        let condition = |status: &str, reason: &str, message: &str| {
            range.with_condition(json!({
                "type": READY, "status": status, "reason": reason, "message": message,
                "lastTransitionTime": time::rfc3339(now),
            }))
        };
        if !range.is_going() {
            if !range.is_held() {
                let held = range.with_finalizers(|all| all.push(FINALIZER.into()));
                return held.map(|object| ("", object));
            }
            let fatal = range.clash(networks).filter(|(_, clash)| clash.is_fatal());
            let ready = match fatal {
                Some(_) if range.is_unready_for(OVERLAPS) => None,
                Some(clash) => condition("False", OVERLAPS, &said(&clash)),
                None if range.ready.is_none() || range.is_unready_for(OVERLAPS) => {
                    condition("True", "", "Kubernetes Service CIDR is ready")
                }
                None => None,
            };
            return ready.map(|object| ("status", object));
        }
        if !range.is_held() {
            None
        } else if self.is_needed(range) {
            let why = "There are still IPAddresses referencing the ServiceCIDR, please remove them or create a new ServiceCIDR";
            let told = range.is_unready_for(TERMINATING);
            let going = (!told).then(|| condition("False", TERMINATING, why));
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

/// What a clash means for who has addresses of the range.
fn said((cidr, clash): &(IpNet, Clash)) -> String {
    let meaning = match clash.is_fatal() {
        true => "it cuts this machine off from its neighbours where it is used",
        false => "what else is there cannot be reached from here",
    };
    format!("{cidr} {clash}: {meaning}")
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
            .and_then(view::read::<MetaOnly>)
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
        let networks = self.networks.borrow_and_update().clone();
        self.tell(&networks);
        let added = self.ranges.iter().filter(|(name, _)| *name != OWN);
        added
            .filter_map(|(name, range)| {
                let (subresource, object) = self.settle(range, &networks, now)?;
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

    /// The machine's networks come and go.
    async fn changed(&mut self) {
        if self.networks.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
        self.changed = true;
    }
}

#[cfg(test)]
mod tests;
