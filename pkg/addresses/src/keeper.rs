//! Makes the machine have the addresses, routes and rules that it should have, and keeps it so.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ipnet::IpNet;
use tokio::sync::watch;
use tracing::{info, warn};

use crate::announce::announce;
use crate::burst::Bursts;
use crate::cleanup::gone;
use crate::error::Error;
use crate::host::{Host, Link, RouteKind};
use crate::place::Links;
use crate::plan::{Addition, Plan, Wanted, plan};
use crate::route_plan::route_plan;
use crate::rtnl::Rtnl;

/// When to try again what the kernel refused for a reason of which it sends no word (memory, for example).
const RETRY: Duration = Duration::from_secs(10);

/// How soon an address that was just added is added once more: somebody who removes it as fast as it comes must not
/// draw kedge into a race.
const CALM: Duration = Duration::from_secs(1);

/// The addresses for the LAN, and the links that each may be on; nothing as long as nobody knows them.
pub type Wished = Option<Arc<BTreeMap<IpAddr, Links>>>;

/// What a [`Keeper`] keeps beside the addresses for the LAN.
#[derive(Debug, Clone, Default)]
pub struct KeeperConfig {
    /// Ranges of Service addresses that programs on this machine are to reach.
    pub service_cidrs: Vec<IpNet>,
    /// Addresses of the cluster's DNS server, for this machine to own.
    pub dns_addresses: Vec<IpAddr>,
    /// This node's addresses where somebody named them; may be empty.
    pub node_addresses: Vec<IpAddr>,
}

/// Keeps addresses, routes and rules. [`Keeper::run`] does the work.
pub struct Keeper {
    config: KeeperConfig,
    host: watch::Receiver<Arc<Host>>,
    virtual_addresses: watch::Receiver<Wished>,
    ready: watch::Sender<bool>,
    rtnl: Rtnl,
    state: State,
}

/// What is remembered between two rounds.
#[derive(Default)]
struct State {
    /// Where each address for the LAN is or was.
    places: BTreeMap<IpAddr, u32>,
    /// When each address was last added.
    added: BTreeMap<(IpAddr, u32), Instant>,
    bursts: Bursts,
    links: BTreeMap<u32, Link>,
    waiting: BTreeMap<IpAddr, Option<u32>>,
    /// Complaints that the log has already.
    complaints: BTreeSet<String>,
    retry: Option<Instant>,
    /// Families (IPv6?) of which this kernel has no rules.
    without_rules: BTreeSet<bool>,
}

impl Keeper {
    /// Opens what it needs in this thread's network namespace; changes nothing yet.
    pub fn new(
        config: KeeperConfig,
        host: watch::Receiver<Arc<Host>>,
        virtual_addresses: watch::Receiver<Wished>,
    ) -> Result<Self, Error> {
        let rtnl = Rtnl::open()?;
        let ready = watch::Sender::new(false);
        Ok(Self {
            config,
            host,
            virtual_addresses,
            ready,
            rtnl,
            state: State::default(),
        })
    }

    /// Turns true once the addresses and routes of the start are there (or their failure is in the log): from then on
    /// the DNS server can be bound.
    #[must_use]
    pub fn ready(&self) -> watch::Receiver<bool> {
        self.ready.subscribe()
    }

    /// Works until `shutdown`, and leaves everything in place then.
    pub async fn run(mut self, shutdown: impl Future<Output = ()>) {
        let mut shutdown = std::pin::pin!(shutdown);
        loop {
            let host = self.host.borrow_and_update().clone();
            let wished = self.virtual_addresses.borrow_and_update().clone();
            self.round(&host, wished.as_deref()).await;
            self.ready.send_replace(true);
            let wake = self.wake();
            tokio::select! {
                () = &mut shutdown => return,
                changed = self.host.changed() => if changed.is_err() { return },
                changed = self.virtual_addresses.changed() => if changed.is_err() { return },
                () = sleep_until(wake), if wake.is_some() => {}
            }
        }
    }

    /// When there is something to do that no event will tell of.
    fn wake(&self) -> Option<Instant> {
        let calm = self.state.added.values().map(|added| *added + CALM).min();
        [self.state.bursts.next(), self.state.retry, calm]
            .into_iter()
            .flatten()
            .min()
    }

    async fn round(&mut self, host: &Host, wished: Option<&BTreeMap<IpAddr, Links>>) {
        let now = Instant::now();
        self.state.retry = None;
        self.state.added.retain(|_, added| *added + CALM > now);
        let wanted = Wanted {
            announced: wished.cloned(),
            local: self.config.dns_addresses.iter().copied().collect(),
        };
        let mut errors = self.addresses(&wanted, host, now).await;
        errors.extend(self.routes(&wanted.local, host).await);
        self.announce_links(host, now);
        let own = |ip, link| {
            host.addresses
                .iter()
                .any(|a| a.own && a.ip == ip && a.link == link)
        };
        let added = &self.state.added;
        self.state
            .bursts
            .retain(|ip, link| own(ip, link) || added.contains_key(&(ip, link)));
        errors.extend(announce(host, &self.state.bursts.take_due(now)));
        self.complain(&errors, now);
    }

    async fn addresses(&mut self, wanted: &Wanted, host: &Host, now: Instant) -> Vec<Error> {
        let Plan {
            add,
            remove,
            waiting,
        } = plan(wanted, host, &self.state.places);
        let mut errors = Vec::new();
        for addition in add {
            if self.state.added.contains_key(&(addition.ip, addition.link)) {
                continue;
            }
            match self.rtnl.add_address(addition.ip, addition.link).await {
                Ok(()) => self.note_added(&addition, host, now),
                // This picture is older than the address.
                Err(error) if error.is(libc::EEXIST) => {}
                Err(error) => errors.push(error),
            }
        }
        for (ip, link) in remove {
            match gone(self.rtnl.remove_address(ip, link).await) {
                Ok(1) => info!(
                    "removed address {ip} from link {}: no longer wanted there",
                    host.link_name(link)
                ),
                Ok(_) => {}
                Err(error) => errors.push(error),
            }
        }
        self.note_waiting(waiting, host);
        self.note_places(wanted, host);
        errors
    }

    fn note_added(&mut self, addition: &Addition, host: &Host, now: Instant) {
        let Addition { ip, link, reason } = addition;
        info!(
            "added address {ip} to link {}: {reason}",
            host.link_name(*link)
        );
        self.state.added.insert((*ip, *link), now);
        if host.links.get(link).is_some_and(|link| link.announces) {
            self.state.places.insert(*ip, *link);
            self.state.bursts.start(*ip, *link, now);
        }
    }

    fn note_waiting(&mut self, waiting: BTreeMap<IpAddr, Option<u32>>, host: &Host) {
        for (ip, link) in &waiting {
            if self.state.waiting.get(ip) != Some(link) {
                match link {
                    Some(link) => warn!(
                        "address {ip} waits for link {}, which is off",
                        host.link_name(*link)
                    ),
                    None => warn!(
                        "address {ip} waits for a link to be on: this machine has none with an address"
                    ),
                }
            }
        }
        self.state.waiting = waiting;
    }

    fn note_places(&mut self, wanted: &Wanted, host: &Host) {
        let loopback = host.loopback();
        let own = host
            .addresses
            .iter()
            .filter(|address| address.own && Some(address.link) != loopback);
        self.state
            .places
            .extend(own.map(|address| (address.ip, address.link)));
        if let Some(announced) = &wanted.announced {
            self.state.places.retain(|ip, _| announced.contains_key(ip));
        }
    }

    async fn routes(&mut self, local: &BTreeSet<IpAddr>, host: &Host) -> Vec<Error> {
        let mut errors = Vec::new();
        let ipv6 = |net: &IpNet| matches!(net, IpNet::V6(_));
        let served = |net: &&IpNet| !self.state.without_rules.contains(&ipv6(net));
        let cidrs: Vec<IpNet> = self
            .config
            .service_cidrs
            .iter()
            .filter(served)
            .copied()
            .collect();
        let mut plan = route_plan(&cidrs, &self.config.node_addresses, local, host);
        for rule in &plan.remove_rules {
            errors.extend(gone(self.rtnl.remove_rule(rule).await).err());
        }
        for route in &plan.remove_routes {
            errors.extend(gone(self.rtnl.remove_route(route).await).err());
        }
        for rule in &plan.add_rules {
            match self.rtnl.add_rule(rule).await {
                Ok(()) => info!(
                    "programs on this machine reach Services in {} by table {}",
                    rule.destination, rule.table
                ),
                Err(error) if error.is(libc::EEXIST) => {}
                Err(error) if error.is(libc::EOPNOTSUPP) || error.is(libc::EAFNOSUPPORT) => {
                    self.state.without_rules.insert(ipv6(&rule.destination));
                    warn!(
                        "{error}: this kernel has no policy routing for that family; programs on this machine reach \
                         Services in {} only where it has a default route",
                        rule.destination
                    );
                }
                Err(error) => errors.push(error),
            }
        }
        // Without its rule, the route that ends what nobody claims would end everything.
        plan.put_routes
            .retain(|route| !self.state.without_rules.contains(&ipv6(&route.destination)));
        plan.put_routes
            .sort_by_key(|route| route.kind == RouteKind::Unreachable);
        for route in &plan.put_routes {
            errors.extend(self.rtnl.put_route(route).await.err());
        }
        errors
    }

    /// Links that came up, or that have another hardware address now, make their addresses known again.
    fn announce_links(&mut self, host: &Host, now: Instant) {
        for address in host.addresses.iter().filter(|address| address.own) {
            let Some(link) = host
                .links
                .get(&address.link)
                .filter(|link| link.running && link.announces)
            else {
                continue;
            };
            // Not seen before: kedge has just started, and the address has been there all the time.
            let anew = self.state.links.get(&link.index).is_some_and(|old| {
                !old.running || old.mac != link.mac || old.carrier_changes != link.carrier_changes
            });
            if anew {
                info!(
                    "announcing address {} again: link {} came up or changed",
                    address.ip, link.name
                );
                self.state.bursts.start(address.ip, link.index, now);
            }
        }
        self.state.links = host.links.clone();
    }

    fn complain(&mut self, errors: &[Error], now: Instant) {
        let mut complaints = BTreeSet::new();
        for error in errors {
            let text = error.to_string();
            if !self.state.complaints.contains(&text) {
                warn!("{text}");
            }
            complaints.insert(text);
            if matches!(error, Error::Connection { .. }) {
                match Rtnl::open() {
                    Ok(rtnl) => self.rtnl = rtnl,
                    Err(error) => warn!("{error}"),
                }
            }
        }
        self.state.retry = (!errors.is_empty()).then(|| now + RETRY);
        self.state.complaints = complaints;
    }
}

async fn sleep_until(when: Option<Instant>) {
    match when {
        Some(when) => tokio::time::sleep_until(when.into()).await,
        None => std::future::pending().await,
    }
}
