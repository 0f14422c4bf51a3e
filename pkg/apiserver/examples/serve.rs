//! A server on its own, over a store that goes with it: for clients to be tried against.
//!
//!     cargo run -p kedge-apiserver --example serve -- 127.0.0.1:23456
//!
//! Prints the kubeconfig's path and serves until the process is interrupted.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::net::SocketAddr;
use std::sync::Arc;

use jiff::Timestamp;
use kedge_api::Catalog;
use kedge_apiserver::{Limits, Server, ServerConfig, Tokens};
use kedge_pki::{Authority, Kubeconfig, ServerCertificate, SubjectNames};
use kedge_registry::{Registry, RegistryConfig};
use kedge_store::{EngineKind, Options, Store};

#[tokio::main]
async fn main() {
    let address: SocketAddr = std::env::args()
        .nth(1)
        .map_or("127.0.0.1:23456".into(), |a| a)
        .parse()
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let options = Options {
        path: folder.path().join("store"),
        engine: EngineKind::Sled,
        window: 4096,
    };
    let (store, _) = Store::open(&options).unwrap();
    let registry = Registry::new(RegistryConfig {
        store: store.clone(),
        catalog: Catalog::builtin(),
        service_cidrs: vec!["10.43.0.0/16".parse().unwrap()],
        node_ports: 30000..=32767,
        admission: kedge_registry::admission::builtin(),
    });
    registry.bootstrap().await.unwrap();
    tokio::spawn(registry.definitions().unwrap().run());
    let now = Timestamp::now();
    let pki = folder.path().join("pki");
    let authority = Arc::new(Authority::load_or_create(&pki, now).unwrap());
    let names = SubjectNames::new(["localhost"], [address.ip()]);
    let certificate =
        ServerCertificate::load_or_issue(Arc::clone(&authority), &names, now).unwrap();
    let server = Server::bind(ServerConfig {
        listen: vec![address],
        registry,
        certificate,
        client_authorities: vec![authority.certificate().clone()],
        tokens: Arc::new(Tokens::new(
            Arc::new(authority.token_keys().unwrap()),
            Tokens::issuer("cluster.local"),
        )),
        ready: Vec::new(),
        limits: Limits::default(),
        metrics: kedge_telemetry::metrics::Metrics::default(),
        served: Default::default(),
    })
    .unwrap();
    let url = format!("https://{}", server.addresses()[0]);
    let path = folder.path().join("kubeconfig.yaml");
    Kubeconfig::new(&url, &authority, &authority.admin(now).unwrap())
        .write(&path)
        .unwrap();
    println!("kubectl --kubeconfig {}", path.display());
    server
        .serve(async {
            tokio::signal::ctrl_c().await.unwrap();
        })
        .await;
    store.close().await;
}
