//! All controllers, for as long as the process lives.

use std::future::Future;
use std::sync::Arc;

use tokio::task::JoinSet;
use tracing::error;

use crate::aggregation::Aggregation;
use crate::certificates::{Approver, Signer};
use crate::config::{Config, Credentials};
use crate::each_namespace::EachNamespace;
use crate::endpoints::Endpoints;
use crate::engine::supervise;
use crate::events::Recorder;
use crate::expiry::{BootstrapToken, CertificateRequest, Expiry, Pod};
use crate::garbage::Garbage;
use crate::loadbalancer::LoadBalancer;
use crate::mirroring::Mirroring;
use crate::namespace::Namespaces;
use crate::node::Node;
use crate::service_cidrs::ServiceCidrs;
use crate::token_secret::TokenSecrets;

/// Who reports Events (`source.component`).
const COMPONENT: &str = "kedge";

/// Runs every controller until `shutdown`. What was begun is finished by whoever runs next: every controller starts from the state
/// of the objects alone.
pub async fn run(config: Config, shutdown: impl Future<Output = ()>) {
    let Config {
        client,
        node,
        networks,
        load_balancer,
        kinds,
        credentials,
        legacy_endpoints,
    } = config;
    let recorder = Recorder::start(client.clone(), COMPONENT);
    let mut tasks = JoinSet::new();
    let addresses = node.addresses.clone();
    tasks.spawn(supervise(client.clone(), move || {
        Endpoints::new(legacy_endpoints)
    }));
    tasks.spawn(supervise(client.clone(), Mirroring::default));
    tasks.spawn(supervise(client.clone(), Aggregation::default));
    let events = recorder.clone();
    tasks.spawn(supervise(client.clone(), move || {
        ServiceCidrs::new(networks.clone(), events.clone())
    }));
    if let Some(load_balancer) = load_balancer {
        tasks.spawn(supervise(client.clone(), move || {
            LoadBalancer::new(load_balancer.clone(), addresses.clone(), recorder.clone())
        }));
    }
    let name = node.name.clone();
    tasks.spawn(supervise(client.clone(), move || {
        Expiry::of(Pod::of(name.clone()))
    }));
    tasks.spawn(supervise(client.clone(), || Expiry::of(BootstrapToken)));
    tasks.spawn(supervise(client.clone(), || Expiry::of(CertificateRequest)));
    tasks.spawn(supervise(client.clone(), move || Node::new(node.clone())));
    tasks.spawn(supervise(client.clone(), EachNamespace::default_account));
    let Credentials {
        authority,
        token_keys,
    } = credentials;
    tasks.spawn(supervise(client.clone(), Approver::default));
    let signer = Arc::clone(&authority);
    tasks.spawn(supervise(client.clone(), move || {
        Signer::new(Arc::clone(&signer))
    }));
    let root_ca = authority.pem().to_string();
    let own = root_ca.clone();
    tasks.spawn(supervise(client.clone(), move || {
        EachNamespace::root_ca(&own)
    }));
    tasks.spawn(supervise(client.clone(), move || {
        TokenSecrets::new(Arc::clone(&token_keys), &root_ca)
    }));
    let all = kinds.clone();
    let finder = client.clone();
    tasks.spawn(supervise(client.clone(), move || {
        Garbage::new(finder.clone(), &all)
    }));
    let contents = client.clone();
    tasks.spawn(supervise(client, move || {
        Namespaces::new(contents.clone(), &kinds)
    }));
    tokio::select! {
        () = shutdown => {}
        () = watch_over(&mut tasks) => {}
    }
}

/// A controller never ends. One that does has a fault, which must not take the others along.
async fn watch_over(tasks: &mut JoinSet<()>) {
    while let Some(ended) = tasks.join_next().await {
        if let Err(fault) = ended {
            error!("a controller ended: {fault}; restart the server");
        }
    }
}
