//! The machine's network, followed live.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::AbortHandle;
use tracing::{info, warn};

use crate::error::Error;
use crate::host::Host;
use crate::rtnl::{Events, Rtnl, Stale};

/// How long to leave the kernel alone after it refused a socket or a dump.
const PAUSE: Duration = Duration::from_secs(1);

/// Follows the links, addresses and routes of the network namespace that it was started in, until it is dropped.
pub struct Follower {
    host: watch::Receiver<Arc<Host>>,
    node_addresses: watch::Receiver<Arc<[IpAddr]>>,
    task: AbortHandle,
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Follower {
    /// Reads everything once, so that what it publishes is whole from the start, and follows it from there.
    pub async fn start() -> Result<Self, Error> {
        let mut source = Source::open()?;
        let mut host = Host::default();
        source.refresh(&mut host, Stale::ALL).await?;
        let nodes: Arc<[IpAddr]> = host.node_addresses().into();
        let (host_sender, host) = watch::channel(Arc::new(host));
        let (node_sender, node_addresses) = watch::channel(nodes);
        let task = tokio::spawn(follow(source, host_sender, node_sender)).abort_handle();
        Ok(Self {
            host,
            node_addresses,
            task,
        })
    }

    /// The whole picture; changes only when something in it changed.
    #[must_use]
    pub fn host(&self) -> watch::Receiver<Arc<Host>> {
        self.host.clone()
    }

    /// [`Host::node_addresses`], in its order.
    #[must_use]
    pub fn node_addresses(&self) -> watch::Receiver<Arc<[IpAddr]>> {
        self.node_addresses.clone()
    }
}

/// Where the picture comes from: news, and answers to questions.
struct Source {
    events: Events,
    rtnl: Rtnl,
}

impl Source {
    /// Subscribes first: what changes while the picture is read makes it stale again.
    fn open() -> Result<Self, Error> {
        Ok(Self {
            events: Events::open()?,
            rtnl: Rtnl::open()?,
        })
    }

    async fn refresh(&mut self, host: &mut Host, stale: Stale) -> Result<(), Error> {
        if stale.links {
            host.links = self
                .rtnl
                .links()
                .await?
                .into_iter()
                .map(|link| (link.index, link))
                .collect();
        }
        if stale.addresses {
            host.addresses = self.rtnl.addresses().await?;
        }
        if stale.routes {
            host.routes = self.rtnl.routes().await?;
        }
        if stale.rules {
            host.rules = self.rtnl.rules().await?;
        }
        Ok(())
    }
}

async fn follow(
    mut source: Source,
    hosts: watch::Sender<Arc<Host>>,
    nodes: watch::Sender<Arc<[IpAddr]>>,
) {
    let mut host = Host::clone(&hosts.borrow());
    loop {
        let followed = match source.events.next().await {
            Some(stale) => source.refresh(&mut host, stale).await,
            None => Err(Error::Connection {
                what: "follow the network".into(),
                why: "end of notifications".into(),
            }),
        };
        if let Err(error) = followed {
            // Where the runtime ends, the connections' tasks may go while this one is at work. Then it does not come back from here,
            // and there is nothing to tell.
            tokio::task::yield_now().await;
            warn!("{error}; reading the machine's links and addresses anew");
            (source, host) = reopen().await;
        }
        publish(&host, &hosts, &nodes);
    }
}

/// Does not give up: without the picture neither node ports nor virtual addresses follow the machine.
async fn reopen() -> (Source, Host) {
    loop {
        tokio::time::sleep(PAUSE).await;
        let mut host = Host::default();
        let opened = match Source::open() {
            Ok(mut source) => source.refresh(&mut host, Stale::ALL).await.map(|()| source),
            Err(error) => Err(error),
        };
        match opened {
            Ok(source) => return (source, host),
            Err(error) => warn!("{error}; trying again"),
        }
    }
}

fn publish(host: &Host, hosts: &watch::Sender<Arc<Host>>, nodes: &watch::Sender<Arc<[IpAddr]>>) {
    let addresses = host.node_addresses();
    hosts.send_if_modified(|old| {
        let changed = **old != *host;
        if changed {
            *old = Arc::new(host.clone());
        }
        changed
    });
    nodes.send_if_modified(|old| {
        let changed = **old != *addresses;
        if changed {
            info!(addresses = ?addresses, "this node's addresses changed");
            *old = addresses.into();
        }
        changed
    });
}
