//! A keeper at work, and what to ask of it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use kedge_addresses::{
    AnnounceMetrics, Claim, Claims, Follower, Host, Keeper, KeeperConfig, Wished,
};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use super::PATIENCE;

pub fn wished(addresses: &[&str]) -> Wished {
    Some(Arc::new(
        addresses
            .iter()
            .map(|text| (text.parse().unwrap(), None))
            .collect(),
    ))
}

/// A keeper at work, in the namespace of this thread.
pub struct Running {
    pub follower: Follower,
    pub wishes: watch::Sender<Wished>,
    pub metrics: AnnounceMetrics,
    claims: watch::Receiver<Claims>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Running {
    pub async fn start(first: Wished) -> Self {
        let follower = Follower::start().await.unwrap();
        let (wishes, virtual_addresses) = watch::channel(first);
        let keeper =
            Keeper::new(KeeperConfig::default(), follower.host(), virtual_addresses).unwrap();
        let (claims, metrics) = (keeper.claims(), keeper.metrics());
        let mut ready = keeper.ready();
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(keeper.run(async {
            let _ = stopped.await;
        }));
        ready.wait_for(|ready| *ready).await.unwrap();
        Self {
            follower,
            wishes,
            metrics,
            claims,
            stop,
            task,
        }
    }

    pub async fn until(&self, what: impl FnMut(&Arc<Host>) -> bool) {
        let mut host = self.follower.host();
        tokio::time::timeout(PATIENCE, host.wait_for(what))
            .await
            .expect("in time")
            .unwrap();
    }

    pub fn claims(&self) -> watch::Receiver<Claims> {
        self.claims.clone()
    }

    /// Waits until this has become of every address; no more are wanted, and none is another's.
    pub async fn until_claims(&self, all: &[(&str, Claim)]) {
        let all = all.iter().cloned();
        let wanted: BTreeMap<IpAddr, Claim> = all
            .map(|(ip, claim)| (ip.parse().unwrap(), claim))
            .collect();
        let mut claims = self.claims.clone();
        let reached = claims.wait_for(|claims| **claims == wanted);
        if tokio::time::timeout(PATIENCE, reached).await.is_err() {
            panic!("{:?} instead of {wanted:?}", self.claims.borrow());
        }
    }

    pub async fn stop(self) {
        let _ = self.stop.send(());
        self.task.await.unwrap();
    }
}

/// On a link of this name.
pub fn announced(link: &str) -> Claim {
    Claim::Announced { link: link.into() }
}

/// Whether the host has this address of kedge's on the link of this name.
pub fn has(host: &Host, text: &str, link: &str) -> bool {
    let ip: IpAddr = text.parse().unwrap();
    host.addresses
        .iter()
        .any(|address| address.own && address.ip == ip && host.links[&address.link].name == link)
}
