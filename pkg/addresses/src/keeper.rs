//! Makes the machine have the addresses, routes and rules that it should have, and keeps it so.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ipnet::IpNet;
use tokio::sync::watch;
use tracing::{info, warn};

use crate::cleanup::gone;
use crate::dns_link::DnsLink;
use crate::error::Error;
use crate::host::{Host, RouteKind};
use crate::lan::{Claims, Lan};
use crate::metrics::AnnounceMetrics;
use crate::place::Links;
use crate::plan::Wanted;
use crate::route_plan::route_plan;
use crate::rtnl::Rtnl;

/// When to try again what the kernel refused for a reason of which it sends no word (memory, for example).
const RETRY: Duration = Duration::from_secs(10);

/// The addresses for the LAN, and the links that each may be on; nothing as long as nobody knows them.
pub type Wished = Option<Arc<BTreeMap<IpAddr, Links>>>;

/// What a [`Keeper`] keeps beside the addresses for the LAN.
#[derive(Debug, Clone, Default)]
pub struct KeeperConfig {
    /// Ranges of Service addresses that programs on this machine are to reach.
    pub service_cidrs: Vec<IpNet>,
    /// More of them, as they come and go.
    pub added_cidrs: Option<watch::Receiver<Arc<[IpNet]>>>,
    /// Addresses of the cluster's DNS server, for this machine to own.
    pub dns_addresses: Vec<IpAddr>,
    /// This node's addresses where somebody named them; may be empty.
    pub node_addresses: Vec<IpAddr>,
    /// Whether `dns_addresses` are to be on a link of their own rather than on loopback; once made, that link stays.
    /// Without, there is to be none.
    pub dns_link: Option<watch::Receiver<bool>>,
}

/// Keeps addresses, routes and rules. [`Keeper::run`] does the work.
pub struct Keeper {
    config: KeeperConfig,
    host: watch::Receiver<Arc<Host>>,
    virtual_addresses: watch::Receiver<Wished>,
    ready: watch::Sender<bool>,
    rtnl: Rtnl,
    lan: Lan,
    dns_link: DnsLink,
    state: State,
}

/// What is remembered between two rounds.
#[derive(Default)]
struct State {
    /// Complaints that the log has already.
    complaints: BTreeSet<String>,
    retry: Option<Instant>,
    /// Families (IPv6?) of which this kernel has no rules.
    without_rules: BTreeSet<bool>,
}

impl Keeper {
    /// Opens what it needs in this thread's network namespace; changes nothing yet.
    pub fn new(
        mut config: KeeperConfig,
        host: watch::Receiver<Arc<Host>>,
        virtual_addresses: watch::Receiver<Wished>,
    ) -> Result<Self, Error> {
        let rtnl = Rtnl::open()?;
        let ready = watch::Sender::new(false);
        Ok(Self {
            host,
            virtual_addresses,
            ready,
            rtnl,
            lan: Lan::new(),
            dns_link: DnsLink::new(config.dns_link.take()),
            state: State::default(),
            config,
        })
    }

    /// Turns true once the addresses and routes of the start are there (or their failure is in the log): from then on
    /// the DNS server can be bound.
    #[must_use]
    pub fn ready(&self) -> watch::Receiver<bool> {
        self.ready.subscribe()
    }

    /// What becomes of every address for the LAN.
    #[must_use]
    pub fn claims(&self) -> watch::Receiver<Claims> {
        self.lan.claims()
    }

    /// What is measured of announcements.
    #[must_use]
    pub fn metrics(&self) -> AnnounceMetrics {
        self.lan.metrics()
    }

    /// Works until `shutdown`, and leaves everything in place then.
    pub async fn run(mut self, shutdown: impl Future<Output = ()>) {
        let mut shutdown = std::pin::pin!(shutdown);
        loop {
            let host = self.host.borrow_and_update().clone();
            let wished = self.virtual_addresses.borrow_and_update().clone();
            self.round(&host, wished.as_deref()).await;
            self.ready.send_replace(true);
            let wake = [self.lan.next(), self.state.retry]
                .into_iter()
                .flatten()
                .min();
            tokio::select! {
                () = &mut shutdown => return,
                changed = self.host.changed() => if changed.is_err() { return },
                changed = self.virtual_addresses.changed() => if changed.is_err() { return },
                () = self.lan.heard(&host) => {}
                () = self.dns_link.changed() => {}
                // Whoever told them may have ended: they stay as they are.
                Some(()) = async { self.config.added_cidrs.as_mut()?.changed().await.ok() } => {}
                () = sleep_until(wake), if wake.is_some() => {}
            }
        }
    }

    async fn round(&mut self, host: &Host, wished: Option<&BTreeMap<IpAddr, Links>>) {
        let now = Instant::now();
        self.state.retry = None;
        let wanted = Wanted {
            announced: wished.cloned(),
            local: self.config.dns_addresses.iter().copied().collect(),
        };
        let mut errors = self.lan.round(&self.rtnl, host, &wanted, now).await;
        errors.extend(self.dns_link.round(&self.rtnl, host).await.err());
        errors.extend(self.routes(&wanted.local, host).await);
        self.complain(&errors, now);
    }

    async fn routes(&mut self, local: &BTreeSet<IpAddr>, host: &Host) -> Vec<Error> {
        let mut errors = Vec::new();
        let ipv6 = |net: &IpNet| matches!(net, IpNet::V6(_));
        let served = |net: &IpNet| !self.state.without_rules.contains(&ipv6(net));
        let added = self.config.added_cidrs.as_mut();
        let added = added.map(|ranges| ranges.borrow_and_update().clone());
        let cidrs: Vec<IpNet> = self
            .config
            .service_cidrs
            .iter()
            .chain(added.iter().flat_map(|ranges| ranges.iter()))
            .copied()
            .filter(served)
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
