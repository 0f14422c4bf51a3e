//! This machine's network: followed live, given what kedge adds to it, and the parts that work on it.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use ipnet::IpNet;
use kedge_addresses::{Claim, Claims, Follower, Host, Keeper, KeeperConfig, Wished, forwarding};
use kedge_client::SharedClient;
use kedge_controllers::{
    Credentials, Kind, Lan, LoadBalancerConfig, LoadBalancerMetrics, NodeConfig, NodeInfo, OnLan,
    Transport,
};
use kedge_proxy::Proxy;
use kedge_resolved::Teller;
use kedge_telemetry::metrics::Metrics;
use tokio::sync::watch;

use super::{NODE_VERSION, ServerError, service_cidrs};
use crate::config::Config;
use crate::dataplane;
use crate::settings::Part;
use crate::tasks::Tasks;

/// A machine that nobody can log in to any more is worse than a Service without an address.
const SSH: u16 = 22;

/// Addresses for the LAN: which there are to be, and what becomes of them.
pub struct Balancer {
    wished: watch::Sender<Wished>,
    lan: watch::Receiver<Lan>,
}

/// The machine as it is, and as the configuration names it.
pub struct Network {
    follower: Follower,
    /// The node's addresses: those of the configuration, else those of the host as they come and go.
    node: watch::Receiver<Arc<[IpAddr]>>,
    /// The machine's own addresses, each with the length of its network's prefix, as they come and go.
    networks: watch::Receiver<Arc<[IpNet]>>,
    /// Kept so that a fixed set of addresses is never taken for one whose teller went away.
    _fixed: Option<watch::Sender<Arc<[IpAddr]>>>,
    balancer_metrics: LoadBalancerMetrics,
}

impl Network {
    /// Reads the machine's links and addresses, and follows them from here on.
    pub async fn follow(config: &Config) -> Result<Self, ServerError> {
        let follower = Follower::start().await?;
        let networks = derived(&follower, |host| host.node_networks().into());
        if config.node_ips.is_empty() {
            let node = follower.node_addresses();
            return Ok(Self {
                follower,
                node,
                networks,
                _fixed: None,
                balancer_metrics: LoadBalancerMetrics::default(),
            });
        }
        let (fixed, node) = watch::channel(Arc::from(config.node_ips.as_slice()));
        Ok(Self {
            follower,
            node,
            networks,
            _fixed: Some(fixed),
            balancer_metrics: LoadBalancerMetrics::default(),
        })
    }

    pub fn node_addresses(&self) -> Vec<IpAddr> {
        self.node.borrow().to_vec()
    }

    pub fn watch(&self) -> watch::Receiver<Arc<[IpAddr]>> {
        self.node.clone()
    }

    pub fn networks(&self) -> watch::Receiver<Arc<[IpNet]>> {
        self.networks.clone()
    }

    /// The subnets of the links, and the machine's own addresses, as they come and go.
    pub fn subnets(&self) -> watch::Receiver<Arc<[IpNet]>> {
        derived(&self.follower, |host| {
            let addresses = host.addresses.iter();
            addresses
                .map(|address| address.subnet().unwrap_or(address.ip.into()))
                .collect()
        })
    }

    /// Who tells systemd-resolved of the cluster's names, once the DNS address has its link.
    fn names_of_the_node(&self, config: &Config) -> Teller {
        let ranges = [config.service_cidrs.clone(), config.cluster_cidrs.clone()].concat();
        let settings = kedge_resolved::Settings {
            servers: vec![config.cluster_dns],
            domains: kedge_resolved::domains(&config.cluster_domain, &ranges),
        };
        let address = config.cluster_dns;
        let link = derived(&self.follower, move |host| {
            let there = host
                .dns_link()
                .filter(|link| host.has_own(address, link.index));
            there.map(|link| kedge_resolved::Link {
                index: link.index,
                name: link.name.clone(),
            })
        });
        Teller::new(settings, link)
    }

    /// Turns forwarding on, puts addresses and routes in place, and returns once the rules are in the kernel.
    pub async fn start(
        &self,
        config: &Config,
        client: &SharedClient,
        metrics: &Metrics,
        tasks: &mut Tasks,
    ) -> Result<Balancer, ServerError> {
        if config.has(Part::Loadbalancer) {
            metrics.add(|registry| self.balancer_metrics.register(registry));
        }
        for changed in forwarding::enable()? {
            tracing::info!("forwarding: {changed}");
        }
        let (balancer, wished) = watch::channel(None);
        let dns = if config.has(Part::Dns) {
            vec![config.cluster_dns]
        } else {
            Vec::new()
        };
        let names = (config.has(Part::Dns) && config.has(Part::Resolved))
            .then(|| self.names_of_the_node(config));
        let added_cidrs = service_cidrs::follow(client, &config.service_cidrs);
        let added_cidrs = service_cidrs::beside(added_cidrs, self.networks());
        let keeper = Keeper::new(
            KeeperConfig {
                service_cidrs: config.service_cidrs.clone(),
                added_cidrs: Some(added_cidrs.clone()),
                dns_addresses: dns,
                node_addresses: config.node_ips.clone(),
                dns_link: names.as_ref().map(Teller::found),
            },
            self.follower.host(),
            wished,
        )?;
        if config.has(Part::Loadbalancer) {
            let announcements = keeper.metrics();
            metrics.add(|registry| announcements.register(registry));
        }
        let mut claims = keeper.claims();
        let (told, lan) = watch::channel(Lan::default());
        tasks.spawn("addresses", |shutdown| async move {
            let tell = async {
                while claims.changed().await.is_ok() {
                    told.send_replace(on_lan(&claims.borrow_and_update()));
                }
            };
            tokio::join!(keeper.run(shutdown), tell);
            Ok(())
        });
        if let Some(names) = names {
            tasks.spawn("systemd-resolved's settings", |shutdown| async move {
                names.run(shutdown).await;
                Ok(())
            });
        }
        if config.has(Part::Proxy) {
            let node = if config.node_port_addresses.cidrs.is_empty() {
                self.node.clone()
            } else {
                self.follower.node_addresses()
            };
            let proxy =
                Proxy::new(config.proxy(), client.clone(), node).with_added_cidrs(added_cidrs);
            dataplane::start(proxy, config.pages, metrics, tasks).await?;
        }
        Ok(Balancer {
            wished: balancer,
            lan,
        })
    }

    /// Starts what makes objects from objects; addresses for the LAN go to `balancer`.
    pub fn start_controllers(
        &self,
        config: &Config,
        client: &SharedClient,
        balancer: Balancer,
        port: u16,
        credentials: Credentials,
        tasks: &mut Tasks,
    ) {
        let Balancer { wished, lan } = balancer;
        let load_balancer = config.has(Part::Loadbalancer).then(|| LoadBalancerConfig {
            pools: config.lb_pools.clone(),
            reserved: reserved(config, port),
            class: config.lb_class.clone(),
            virtual_addresses: wished.clone(),
            lan: Some(lan),
            node_name: config.node_name.clone(),
            metrics: self.balancer_metrics.clone(),
        });
        if load_balancer.is_none() {
            // Nobody is to have addresses: those of a former run go.
            wished.send_replace(Some(Arc::default()));
        }
        let config = kedge_controllers::Config {
            client: client.clone(),
            node: NodeConfig {
                name: config.node_name.clone(),
                info: NodeInfo::read(NODE_VERSION),
                addresses: self.node.clone(),
                labels: Default::default(),
            },
            networks: self.networks(),
            load_balancer,
            kinds: Kind::builtin(),
            credentials,
            legacy_endpoints: true,
        };
        tasks.spawn("the controllers", |shutdown| async move {
            kedge_controllers::run(config, shutdown).await;
            // While this lives the addresses are wished for, whoever tells which.
            drop(wished);
            Ok(())
        });
    }
}

/// What became of addresses, in the words of those who give them.
fn on_lan(claims: &Claims) -> Lan {
    let state = |claim: &Claim| match claim {
        Claim::Waiting { link: Some(_) } => OnLan::Waiting,
        Claim::Waiting { link: None } => OnLan::NoLink,
        Claim::Asking { .. } => OnLan::Asking,
        Claim::Announced { link } => OnLan::Announced { link: link.clone() },
        Claim::Taken { link, by } => OnLan::Taken {
            link: link.clone(),
            by: by.map(|mac| mac.to_string()),
        },
    };
    let all = claims.iter().map(|(ip, claim)| (*ip, state(claim)));
    Arc::new(all.collect())
}

/// Ports of the node's own addresses that no Service takes over: others listen there too, but these are known to.
fn reserved(config: &Config, port: u16) -> BTreeSet<(Transport, u16)> {
    let pages = [config.pages.healthz, config.pages.metrics];
    let reachable = |page: &SocketAddr| !page.ip().is_loopback();
    let pages = pages.into_iter().flatten().filter(reachable);
    let ports = pages.map(|page| page.port()).chain([port, SSH]);
    ports.map(|port| (Transport::Tcp, port)).collect()
}

/// Something that follows from the machine's network, as it changes.
fn derived<T>(
    follower: &Follower,
    of: impl Fn(&Host) -> T + Send + Sync + 'static,
) -> watch::Receiver<T>
where
    T: PartialEq + Send + Sync + 'static,
{
    let mut host = follower.host();
    let (sender, receiver) = watch::channel(of(&host.borrow_and_update()));
    tokio::spawn(async move {
        while host.changed().await.is_ok() && !sender.is_closed() {
            let now = of(&host.borrow_and_update());
            sender.send_if_modified(|old| {
                let changed = *old != now;
                *old = now;
                changed
            });
        }
    });
    receiver
}
