//! All controllers together, over the real registry and store.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use kedge_api::Catalog;
use kedge_client::local::Local;
use kedge_client::{ObjectKey, Resource, SharedClient};
use kedge_controllers::{
    Config, Kind, LoadBalancerConfig, NodeConfig, NodeInfo, VirtualAddresses, run,
};
use kedge_machinery::Object;
use kedge_registry::{DeleteOptions, Propagation, Registry, RegistryConfig, Target};
use kedge_store::{EngineKind, Options, Store};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

struct Server {
    registry: Registry,
    client: SharedClient,
    _folder: TempDir,
}

/// The controllers, until they are stopped.
struct Running {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
    addresses: watch::Receiver<VirtualAddresses>,
}

impl Running {
    async fn stop(self) {
        let _ = self.stop.send(());
        self.task.await.unwrap();
    }
}

impl Server {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = Options {
            path: folder.path().join("store"),
            engine: EngineKind::Sled,
            window: 1000,
        };
        let opened = tokio::task::spawn_blocking(move || Store::open(&options)).await;
        let registry = Registry::new(RegistryConfig {
            store: opened.unwrap().unwrap().0,
            catalog: Catalog::builtin(),
            service_cidrs: vec![
                "10.43.0.0/16".parse().unwrap(),
                "fd43::/112".parse().unwrap(),
            ],
            node_ports: 30000..=32767,
        });
        registry.bootstrap().await.unwrap();
        let node: Vec<IpAddr> = vec!["192.168.1.5".parse().unwrap()];
        registry
            .ensure_kubernetes_service(&node, 6443)
            .await
            .unwrap();
        let client = Arc::new(Local::new(registry.clone(), "kedge"));
        Self {
            registry,
            client,
            _folder: folder,
        }
    }

    fn run(&self) -> Running {
        let (virtual_addresses, addresses) = watch::channel(None);
        let node: Arc<[IpAddr]> = Arc::from(["192.168.1.5".parse().unwrap()]);
        let config = Config {
            client: Arc::clone(&self.client),
            node: NodeConfig {
                name: "edge".into(),
                info: NodeInfo::read("v0.1.0"),
                // The sender may go: the addresses are what they are.
                addresses: watch::channel(node).1,
                labels: BTreeMap::new(),
            },
            load_balancer: Some(LoadBalancerConfig {
                pools: vec!["192.168.1.240-192.168.1.241".parse().unwrap()],
                reserved: Default::default(),
                class: None,
                virtual_addresses,
            }),
            kinds: Kind::builtin(),
            legacy_endpoints: true,
        };
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(run(config, async {
            let _ = stopped.await;
        }));
        Running {
            stop,
            task,
            addresses,
        }
    }

    async fn create(&self, resource: Resource, value: Value) -> Object {
        self.client
            .create(resource, Object::from_value(value).unwrap())
            .await
            .unwrap()
    }

    async fn list(&self, resource: Resource, namespace: &str) -> Vec<Object> {
        self.client.list(resource, namespace).await.unwrap()
    }

    /// Waits for a change of these kinds after which it is so.
    async fn until<F: Future<Output = bool>>(&self, resources: &[Resource], so: impl Fn() -> F) {
        let mut feed = self.client.feed(resources);
        let wait = async {
            loop {
                feed.next_batch().await.unwrap();
                if so().await {
                    return;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(20), wait)
            .await
            .expect("in time");
    }

    /// Waits until nothing has been written for a while; the revision then.
    async fn quiet(&self) -> u64 {
        let rest = async {
            loop {
                let before = self.registry.revision();
                tokio::time::sleep(Duration::from_millis(400)).await;
                if self.registry.revision() == before {
                    return before;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(20), rest)
            .await
            .expect("the controllers come to rest")
    }

    async fn delete(
        &self,
        resource: Resource,
        namespace: &str,
        name: &str,
        propagation: Propagation,
    ) {
        let kind = self
            .registry
            .catalog()
            .find(resource.group, resource.version, resource.plural)
            .unwrap();
        let target = Target::new(Arc::clone(kind), namespace, name);
        let options = DeleteOptions {
            propagation: Some(propagation),
            ..DeleteOptions::default()
        };
        self.registry.delete(&target, &options).await.unwrap();
    }
}

fn service(namespace: &str, name: &str) -> Value {
    json!({
        "metadata": {"namespace": namespace, "name": name},
        "spec": {
            "type": "LoadBalancer", "selector": {"app": name},
            "ports": [{"name": "http", "port": 80, "targetPort": "web"}],
        },
    })
}

fn pod(namespace: &str, name: &str, app: &str) -> Value {
    json!({
        "metadata": {"namespace": namespace, "name": name, "labels": {"app": app}},
        "spec": {
            "nodeName": "edge",
            "containers": [{"name": "c", "image": "none", "ports": [{"name": "web", "containerPort": 8080}]}],
        },
    })
}

/// Says of a Pod what a kubelet would.
async fn report(server: &Server, mut pod: Object, ip: &str) {
    let status = json!({
        "phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}],
        "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}],
    });
    let (Value::Object(status), Some(held)) = (status, pod.0["status"].as_object_mut()) else {
        unreachable!()
    };
    held.extend(status);
    server
        .client
        .update(Resource::PODS, "status", pod)
        .await
        .unwrap();
}

fn endpoints_of(slices: &[Object], service: &str) -> usize {
    let of = |slice: &&Object| {
        slice
            .labels()
            .any(|label| label == ("kubernetes.io/service-name", service))
    };
    slices
        .iter()
        .filter(of)
        .filter_map(|slice| slice.0["endpoints"].as_array())
        .map(Vec::len)
        .sum()
}

fn ingress(service: &Object) -> Option<&str> {
    service
        .at(&["status", "loadBalancer", "ingress"])?
        .get(0)?
        .get("ip")?
        .as_str()
}

fn key(resource: Resource, namespace: &str, name: &str) -> ObjectKey {
    ObjectKey {
        resource,
        namespace: namespace.into(),
        name: name.into(),
    }
}

fn rss() -> String {
    std::fs::read_to_string("/proc/self/status")
        .unwrap()
        .lines()
        .find(|l| l.starts_with("VmRSS"))
        .unwrap()
        .to_string()
}
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn measure() {
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::DEBUG)
        .init();
    let server = Server::start().await;
    let n = 1000;
    use futures_util::StreamExt;
    let s = &server;
    futures_util::stream::iter(0..n).for_each_concurrent(64, |i| async move {
        let mut v = service("default", &format!("web{i}")); v["spec"]["type"] = json!("ClusterIP");
        s.create(Resource::SERVICES, v).await;
        for j in 0..3 {
            let p = s.create(Resource::PODS, pod("default", &format!("p{i}-{j}"), &format!("web{i}"))).await;
            let mut p = p;
            let ip = format!("10.42.{}.{}", (i*3+j)/250, (i*3+j)%250+1);
            let status = json!({"phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}], "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}]});
            let (Value::Object(status), Some(held)) = (status, p.0["status"].as_object_mut()) else { unreachable!() };
            held.extend(status);
            s.client.update(Resource::PODS, "status", p).await.unwrap();
        }
    }).await;
    println!("loaded {}", rss());
    let t = std::time::Instant::now();
    let running = server.run();
    let mut feed = server.client.feed(&[Resource::ENDPOINTSLICES]);
    let mut seen = 0;
    while seen < n + 1 {
        seen += feed.next_batch().await.unwrap().len();
    }
    println!("{n} slices after {:?}", t.elapsed());
    server.quiet().await;
    println!("settled {}", rss());
    let mut lat = vec![];
    for k in 0..50 {
        let mut p = server
            .client
            .get(&key(Resource::PODS, "default", &format!("p{k}-1")))
            .await
            .unwrap();
        p.0["status"]["conditions"][0]["status"] = json!("False");
        let _ = server
            .client
            .update(Resource::PODS, "status", p)
            .await
            .unwrap();
        let t = std::time::Instant::now();
        feed.next_batch().await.unwrap();
        lat.push(t.elapsed());
        if lat[k] > std::time::Duration::from_secs(1) {
            println!("slow at {k}: {:?}", lat[k]);
        }
    }
    lat.sort();
    println!(
        "pod ack -> slice visible: p50 {:?} p90 {:?} max {:?}",
        lat[25], lat[45], lat[49]
    );
    running.stop().await;
    let before = server.registry.revision();
    let running = server.run();
    assert_eq!(server.quiet().await, before);
    running.stop().await;
}
