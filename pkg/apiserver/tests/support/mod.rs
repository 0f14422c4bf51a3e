//! A server in process, over loopback, with a store of its own.
#![allow(dead_code)]

pub mod node_world;

use std::net::SocketAddr;
use std::sync::Arc;

use jiff::Timestamp;
use kedge_api::Catalog;
use kedge_apiserver::{HealthCheck, Limits, Server, ServerConfig, Tokens};
use kedge_client::http::{HttpClient, Response};
use kedge_pki::{Authority, Kubeconfig, ServerCertificate, SubjectNames};
use kedge_registry::{Registry, RegistryConfig};
use kedge_store::{EngineKind, Options, Store};
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub struct Lab {
    /// In `system:masters`.
    pub admin: HttpClient,
    pub registry: Registry,
    pub authority: Arc<Authority>,
    pub certificate: Arc<ServerCertificate>,
    pub tokens: Arc<Tokens>,
    pub address: SocketAddr,
    pub folder: TempDir,
    stop: Option<oneshot::Sender<()>>,
    server: Option<JoinHandle<()>>,
}

impl Lab {
    pub async fn start() -> Self {
        Self::with(Limits::default(), Vec::new()).await
    }

    pub async fn with(limits: Limits, ready: Vec<HealthCheck>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = Options {
            path: folder.path().join("store"),
            engine: EngineKind::Sled,
            window: 4096,
        };
        let (store, _) = Store::open(&options).unwrap();
        let registry = Registry::new(RegistryConfig {
            store,
            catalog: Catalog::builtin(),
            service_cidrs: vec!["10.43.0.0/16".parse().unwrap()],
            node_ports: 30000..=32767,
            admission: kedge_registry::admission::builtin(),
        });
        registry.bootstrap().await.unwrap();
        tokio::spawn(registry.definitions().unwrap().run());
        let now = Timestamp::now();
        let authority =
            Arc::new(Authority::load_or_create(&folder.path().join("pki"), now).unwrap());
        let names = SubjectNames::new(["localhost"], ["127.0.0.1".parse().unwrap()]);
        let certificate =
            ServerCertificate::load_or_issue(Arc::clone(&authority), &names, now).unwrap();
        let keys = Arc::new(authority.token_keys().unwrap());
        let tokens = Arc::new(Tokens::new(keys, Tokens::issuer("cluster.local")));
        let server = Server::bind(ServerConfig {
            listen: vec!["127.0.0.1:0".parse().unwrap()],
            registry: registry.clone(),
            certificate: certificate.clone(),
            client_authorities: vec![authority.certificate().clone()],
            tokens: Arc::clone(&tokens),
            ready,
            limits,
            metrics: kedge_telemetry::metrics::Metrics::default(),
            served: Default::default(),
        })
        .unwrap();
        let address = server.addresses()[0];
        let (stop, stopped) = oneshot::channel::<()>();
        let server = tokio::spawn(server.serve(async {
            let _ = stopped.await;
        }));
        let admin = client(
            &folder,
            &authority,
            &authority,
            address,
            "admin",
            "kubernetes-admin",
            "system:masters",
        );
        Self {
            admin,
            registry,
            authority,
            certificate,
            tokens,
            address,
            folder,
            stop: Some(stop),
            server: Some(server),
        }
    }

    /// A client with a certificate of the cluster's authority.
    pub fn user(&self, name: &str, group: &str) -> HttpClient {
        client(
            &self.folder,
            &self.authority,
            &self.authority,
            self.address,
            name,
            name,
            group,
        )
    }

    /// A client whose certificate another authority made.
    pub fn stranger(&self) -> HttpClient {
        let other =
            Authority::load_or_create(&self.folder.path().join("other"), Timestamp::now()).unwrap();
        client(
            &self.folder,
            &self.authority,
            &other,
            self.address,
            "stranger",
            "kubernetes-admin",
            "system:masters",
        )
    }

    /// A client with nothing to show but, perhaps, a token.
    pub fn nobody(&self, token: Option<&str>) -> HttpClient {
        HttpClient::new(&kedge_client::kubeconfig::Kubeconfig {
            server: format!("https://{}", self.address),
            authority: self.authority.pem().as_bytes().to_vec(),
            token: token.map(Into::into),
            ..Default::default()
        })
        .unwrap()
    }

    /// Asks the server to stop, and waits until it has.
    pub async fn stop(&mut self) {
        drop(self.stop.take());
        if let Some(server) = self.server.take() {
            server.await.unwrap();
        }
    }
}

fn client(
    folder: &TempDir,
    server: &Authority,
    signer: &Authority,
    address: SocketAddr,
    file: &str,
    name: &str,
    group: &str,
) -> HttpClient {
    let certificate = signer.client(file, name, group, Timestamp::now()).unwrap();
    let path = folder.path().join(format!("{file}.kubeconfig"));
    Kubeconfig::new(&format!("https://{address}"), server, &certificate)
        .write(&path)
        .unwrap();
    HttpClient::from_kubeconfig(&path).unwrap()
}

/// The body as JSON.
pub fn json(response: &Response) -> Value {
    serde_json::from_slice(&response.body)
        .unwrap_or_else(|_| panic!("no JSON: {:?}", response.body))
}

/// Text of a header; empty when there is none.
pub fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response
        .headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}
