//! This machine as a Node.
//!
//! It is written when something about the machine changes and at no other time: no heartbeat, as nobody would
//! miss it on a cluster of one, and a write a minute wears flash.

mod config;
mod info;

use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;
use kedge_client::{Change, ObjectKey, Resource, SharedClient};
use kedge_machinery::object::child_mut;
use kedge_machinery::{Object, time};
use serde_json::{Map, Value, json};

use crate::engine::{Reconcile, Write, key};
use crate::view;

pub use config::NodeConfig;
pub use info::NodeInfo;

/// The controller.
pub(crate) struct Node {
    config: NodeConfig,
    /// The Node as it is; nothing when there is none.
    node: Option<Object>,
    stale: bool,
}

impl Node {
    pub(crate) fn new(config: NodeConfig) -> Self {
        Self {
            config,
            node: None,
            stale: true,
        }
    }

    fn key(&self) -> ObjectKey {
        key(Resource::NODES, "", &self.config.name)
    }
}

impl Reconcile for Node {
    const NAME: &'static str = "node";

    fn resources(&self) -> Vec<Resource> {
        vec![Resource::NODES]
    }

    fn observe(&mut self, change: &Change) {
        if change.key.name == self.config.name {
            self.node = change
                .object
                .as_ref()
                .and_then(|bytes| Object::from_value(view::read(bytes)?));
            self.stale = true;
        }
    }

    async fn plan(&mut self, _: &SharedClient, now: Timestamp) -> Vec<Write> {
        if !std::mem::take(&mut self.stale) {
            return Vec::new();
        }
        let addresses: Arc<[IpAddr]> = self.config.addresses.borrow_and_update().clone();
        let about = self.key();
        let Some(node) = &self.node else {
            let node = with_status(
                with_labels(empty(&self.config.name), &self.config),
                &self.config,
                &addresses,
                now,
            );
            return vec![Write::create(&about, Resource::NODES, node)];
        };
        let mut writes = Vec::new();
        let labelled = with_labels(node.clone(), &self.config);
        let reported = with_status(node.clone(), &self.config, &addresses, now);
        // One at a time: what the first answers is what the second goes by.
        if labelled != *node {
            writes.push(Write::update(&about, Resource::NODES, "", labelled));
        } else if reported != *node {
            writes.push(Write::update(&about, Resource::NODES, "status", reported));
        }
        writes
    }

    fn again(&mut self, _: &ObjectKey) {
        self.stale = true;
    }

    async fn changed(&mut self) {
        if self.config.addresses.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
        self.stale = true;
    }
}

fn empty(name: &str) -> Object {
    let mut node = Object::default();
    node.0.insert("apiVersion".into(), "v1".into());
    node.0.insert("kind".into(), "Node".into());
    node.meta_mut().insert("name".into(), name.into());
    node
}

/// The Node with our labels among its own.
fn with_labels(mut node: Object, config: &NodeConfig) -> Object {
    let info = &config.info;
    let labels = child_mut(node.meta_mut(), "labels");
    let mut set = |key: &str, value: &str| labels.insert(key.into(), value.into());
    set("kubernetes.io/hostname", &config.name);
    set("kubernetes.io/os", NodeInfo::OPERATING_SYSTEM);
    set("kubernetes.io/arch", &info.architecture);
    for (key, value) in &config.labels {
        set(key, value);
    }
    node
}

/// The Node with the status that the machine has.
fn with_status(
    mut node: Object,
    config: &NodeConfig,
    addresses: &[IpAddr],
    now: Timestamp,
) -> Object {
    let capacity = config.info.capacity();
    let status = child_mut(&mut node.0, "status");
    // Before DHCP and with the cable out: what was there is more use than nothing.
    if !addresses.is_empty() || !status.contains_key("addresses") {
        status.insert("addresses".into(), self::addresses(&config.name, addresses));
    }
    status.insert("capacity".into(), capacity.clone());
    status.insert("allocatable".into(), capacity);
    status.insert("nodeInfo".into(), config.info.to_value());
    ready(status, now);
    node
}

/// The main address of each family, and the name.
fn addresses(name: &str, addresses: &[IpAddr]) -> Value {
    let first = |ipv6: bool| addresses.iter().find(|ip| ip.is_ipv6() == ipv6);
    let mut list: Vec<Value> = Vec::new();
    let mut internal: Vec<&IpAddr> = [first(false), first(true)].into_iter().flatten().collect();
    // The family of the very first address is the node's primary one.
    internal.sort_by_key(|ip| addresses.iter().position(|other| other == *ip));
    list.extend(
        internal
            .iter()
            .map(|ip| json!({"type": "InternalIP", "address": ip.to_string()})),
    );
    list.push(json!({"type": "Hostname", "address": name}));
    list.into()
}

/// Sets the condition `Ready`; its times stay while it stays true.
fn ready(status: &mut Map<String, Value>, now: Timestamp) {
    let conditions = status.entry("conditions").or_insert_with(|| json!([]));
    if !conditions.is_array() {
        *conditions = json!([]);
    }
    let Some(list) = conditions.as_array_mut() else {
        return;
    };
    let is_ready =
        |condition: &Value| condition.get("type").and_then(Value::as_str) == Some("Ready");
    let there = list.iter().position(is_ready);
    if there.is_some_and(|at| list[at].get("status").and_then(Value::as_str) == Some("True")) {
        return;
    }
    let now = time::rfc3339(now);
    let condition = json!({
        "type": "Ready", "status": "True", "reason": "KedgeReady", "message": "kedge runs on this node",
        "lastHeartbeatTime": now, "lastTransitionTime": now,
    });
    match there {
        Some(at) => list[at] = condition,
        None => list.push(condition),
    }
}

#[cfg(test)]
mod tests;
