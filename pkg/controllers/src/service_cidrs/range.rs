//! One ServiceCIDR: what it says, and what it is written as.

use std::net::IpAddr;

use ipnet::IpNet;
use kedge_client::Json;
use kedge_machinery::object::child_mut;
use kedge_machinery::service_cidr::ServiceCidrSpec;
use kedge_machinery::{Clash, Object};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{FINALIZER, READY};
use crate::events::About;
use crate::view::{self, Meta, nullable};

pub(super) struct Range {
    pub(super) meta: Meta,
    cidrs: Vec<IpNet>,
    /// What it says of itself, and why.
    pub(super) ready: Option<(bool, String)>,
    object: Json,
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
    reason: String,
}

impl Range {
    pub(super) fn read(object: &Json) -> Option<Self> {
        let Whole {
            metadata,
            spec,
            status,
        } = view::read(object)?;
        let ready = status.conditions.into_iter().find(|c| c.kind == READY);
        Some(Self {
            meta: metadata,
            cidrs: spec.cidrs,
            ready: ready.map(|c| (c.status == "True", c.reason)),
            object: object.clone(),
        })
    }

    pub(super) fn is_going(&self) -> bool {
        self.meta.deletion_timestamp.is_some()
    }

    pub(super) fn is_held(&self) -> bool {
        self.meta.finalizers.iter().any(|f| f == FINALIZER)
    }

    pub(super) fn is_unready_for(&self, why: &str) -> bool {
        let ready = self.ready.as_ref();
        ready.is_some_and(|(ready, reason)| !ready && reason == why)
    }

    /// The first cidr that clashes with the machine's networks, one that must not be used before others.
    pub(super) fn clash(&self, networks: &[IpNet]) -> Option<(IpNet, Clash)> {
        let clash = |cidr: &IpNet| Some((*cidr, Clash::of(cidr, networks)?));
        let clashes = || self.cidrs.iter().filter_map(clash);
        let fatal = clashes().find(|(_, clash)| clash.is_fatal());
        fatal.or_else(|| clashes().next())
    }

    pub(super) fn about(&self, name: &str) -> About {
        About {
            api_version: "networking.k8s.io/v1".into(),
            kind: "ServiceCIDR".into(),
            namespace: String::new(),
            name: name.into(),
            uid: self.meta.uid.clone(),
        }
    }

    pub(super) fn contains(&self, address: IpAddr) -> bool {
        self.cidrs.iter().any(|net| net.contains(&address))
    }

    fn object(&self) -> Option<Object> {
        Object::from_value(view::read(&self.object)?)
    }

    pub(super) fn with_finalizers(&self, change: impl FnOnce(&mut Vec<String>)) -> Option<Object> {
        let mut finalizers = self.meta.finalizers.clone();
        change(&mut finalizers);
        let mut object = self.object()?;
        object
            .meta_mut()
            .insert("finalizers".into(), json!(finalizers));
        Some(object)
    }

    pub(super) fn with_condition(&self, condition: Value) -> Option<Object> {
        let mut object = self.object()?;
        let status = child_mut(&mut object.0, "status");
        let conditions = status.entry("conditions").or_insert_with(|| json!([]));
        let conditions = conditions.as_array_mut()?;
        conditions.retain(|c| c.get("type") != condition.get("type"));
        conditions.push(condition);
        Some(object)
    }
}
