//! This machine as one that announces: which addresses, on which links, and what is said about it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use kedge_client::Json;
use kedge_client::ObjectKey;

use super::advertisement::{self, Advertisements, Links};
use super::entry::Entry;
use super::l2_status::{Announced, L2Statuses};
use super::lan::{OnLan, Reports, Taken};
use super::local::LocalEndpoints;
use super::metrics::LoadBalancerMetrics;
use super::outcome::{Name, Outcome};
use super::pool::Labels;
use super::pools::Pools;
use crate::engine::Write;
use crate::events::{EventType, Recorder};
use crate::ownership::owner;

/// On a Node: it takes no traffic of load balancers (`k8s.io/api/core/v1`, `LabelNodeExcludeBalancers`).
const EXCLUDED: &str = "node.kubernetes.io/exclude-from-external-load-balancers";

pub(super) struct Speaker {
    /// The name of this machine's Node.
    node: String,
    labels: Labels,
    advertisements: Advertisements,
    local: LocalEndpoints,
    pub(super) lan: Reports,
    /// What Events say already: the link of each Service's address.
    announced: BTreeMap<(Name, IpAddr), String>,
    /// Conflicts that Events tell of already.
    conflicts: BTreeSet<(Name, IpAddr)>,
    /// Addresses without a link that Events tell of already.
    homeless: BTreeSet<(Name, IpAddr)>,
    statuses: L2Statuses,
}

/// What Services have.
pub(super) type Outcomes = BTreeMap<Name, Outcome>;

impl Speaker {
    pub(super) fn new(node: &str, lan: Reports) -> Self {
        Self {
            node: node.into(),
            labels: Labels::new(),
            advertisements: Advertisements::default(),
            local: LocalEndpoints::default(),
            lan,
            announced: BTreeMap::new(),
            conflicts: BTreeSet::new(),
            homeless: BTreeSet::new(),
            statuses: L2Statuses::new(node),
        }
    }

    /// Takes a Node in. True where it is this machine's, and its labels are others now.
    pub(super) fn observe_node(&mut self, name: &str, labels: Option<Labels>) -> bool {
        if name != self.node {
            return false;
        }
        let labels = labels.unwrap_or_default();
        let changed = self.labels != labels;
        self.labels = labels;
        changed
    }

    pub(super) fn observe_advertisement(&mut self, key: &ObjectKey, bytes: Option<&Json>) -> bool {
        self.advertisements.observe(key, bytes)
    }

    pub(super) fn observe_slice(&mut self, key: &ObjectKey, bytes: Option<&Json>) -> bool {
        self.local.observe(key, bytes, &self.node)
    }

    pub(super) fn observe_status(&mut self, key: &ObjectKey, bytes: Option<&Json>) -> bool {
        self.statuses.observe(key, bytes)
    }

    /// The addresses that this machine announces, and where.
    pub(super) fn announces(
        &self,
        services: &BTreeMap<Name, Entry>,
        pools: &Pools,
        outcomes: &Outcomes,
    ) -> BTreeMap<IpAddr, Links> {
        let mut announced = BTreeMap::new();
        if self.labels.contains_key(EXCLUDED) {
            return announced;
        }
        for (name, outcome) in outcomes {
            let Some(ours) = services.get(name).and_then(Entry::ours) else {
                continue;
            };
            if ours.request.local && !self.local.of(name) {
                continue;
            }
            for ip in &outcome.addresses {
                if let Some(links) = self.links(*ip, &ours.request.labels, pools) {
                    advertisement::add(&mut announced, *ip, links);
                }
            }
        }
        // Of the machines that may; there is this one.
        let node = self.node.as_str();
        announced.retain(|ip, _| owner(*ip, [node]) == Some(node));
        announced
    }

    /// Where an address of a Service with these labels is announced from here; `None` where it is not.
    fn links(&self, ip: IpAddr, labels: &Labels, pools: &Pools) -> Option<Links> {
        static NONE: Labels = Labels::new();
        let pool = pools.all().iter().find(|pool| pool.contains(ip))?;
        let pool_labels = pools.labels(pool).unwrap_or(&NONE);
        self.advertisements
            .links(pool, pool_labels, &self.labels, labels)
    }

    /// Tells of every address who announces it and on which link, and of those that Services were to have and other hosts
    /// have, or that no link of those named is there for. `before` is what Services had until now.
    pub(super) fn tell(
        &mut self,
        services: &BTreeMap<Name, Entry>,
        before: &Outcomes,
        now: &Outcomes,
        pools: &Pools,
        recorder: &Recorder,
        metrics: &LoadBalancerMetrics,
    ) {
        self.tell_conflicts(services, before, recorder);
        self.tell_homeless(services, now, pools, recorder);
        let mut announced = BTreeMap::new();
        for (name, outcome) in now {
            for ip in &outcome.addresses {
                if let Some(link) = self.lan.link(*ip) {
                    announced.insert((name.clone(), *ip), link.to_owned());
                }
            }
        }
        for ((name, ip), link) in &announced {
            let known = self.announced.get(&(name.clone(), *ip));
            let Some(entry) = services.get(name).filter(|_| known != Some(link)) else {
                continue;
            };
            let node = &self.node;
            recorder.record(
                &entry.about(name),
                EventType::Normal,
                "nodeAssigned",
                format!("announcing {ip} from node \"{node}\" with protocol \"layer2\" on link \"{link}\""),
            );
        }
        metrics.set_announced(&self.node, announced.keys());
        self.announced = announced;
    }

    /// The writes after which ServiceL2Statuses say what is announced, as Events do; of Services that are `undecided` they say
    /// what they said.
    pub(super) fn statuses(&self, pools: &Pools, undecided: impl Fn(&Name) -> bool) -> Vec<Write> {
        let mut announced: BTreeMap<Name, Announced> = BTreeMap::new();
        for ((name, ip), link) in &self.announced {
            let pool = pools.all().iter().find(|pool| pool.contains(*ip));
            // The pool of the settings is in no namespace.
            let namespace = pool.map_or("", |pool| &pool.namespace);
            let namespace = if namespace.is_empty() {
                &name.0
            } else {
                namespace
            };
            let all = announced.entry(name.clone()).or_default();
            all.namespace = namespace.into();
            all.links.insert(link.clone());
        }
        self.statuses.writes(&announced, undecided)
    }

    /// Without names nobody is told: a machine that has no address yet will have one.
    fn tell_homeless(
        &mut self,
        services: &BTreeMap<Name, Entry>,
        now: &Outcomes,
        pools: &Pools,
        recorder: &Recorder,
    ) {
        let mut homeless = BTreeSet::new();
        for (name, outcome) in now {
            let Some(entry) = services.get(name) else {
                continue;
            };
            for ip in &outcome.addresses {
                let named = entry
                    .ours()
                    .filter(|_| self.lan.of(*ip) == Some(&OnLan::NoLink))
                    .and_then(|ours| self.links(*ip, &ours.request.labels, pools).flatten());
                let Some(links) = named else { continue };
                let one = (name.clone(), *ip);
                if !self.homeless.contains(&one) {
                    let links: Vec<String> = links.into_iter().collect();
                    let text = format!(
                        "{ip} is not announced: node \"{}\" has none of the links that the L2Advertisements name for it ({})",
                        self.node,
                        links.join(", ")
                    );
                    let about = entry.about(name);
                    recorder.record(&about, EventType::Warning, "announceFailed", text);
                }
                homeless.insert(one);
            }
        }
        self.homeless = homeless;
    }

    fn tell_conflicts(
        &mut self,
        services: &BTreeMap<Name, Entry>,
        before: &Outcomes,
        recorder: &Recorder,
    ) {
        let lan = &self.lan;
        self.conflicts
            .retain(|(_, ip)| matches!(lan.of(*ip), Some(OnLan::Taken { .. })));
        for (name, outcome) in before {
            for ip in &outcome.addresses {
                let (Some(OnLan::Taken { link, by }), Some(entry)) =
                    (self.lan.of(*ip), services.get(name))
                else {
                    continue;
                };
                let ip = *ip;
                if self.conflicts.insert((name.clone(), ip)) {
                    let by = by.as_deref();
                    let text = Taken { ip, link, by }.to_string();
                    let about = entry.about(name);
                    recorder.record(&about, EventType::Warning, "AddressConflict", text);
                }
            }
        }
    }
}
