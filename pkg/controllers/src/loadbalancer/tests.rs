//! The controller against a server in memory.

use kedge_machinery::{Object, Status};
use serde_json::{Value, json};

use super::*;
use crate::fake::{Fake, Running};

pub(super) struct Bench {
    pub(super) fake: Fake,
    node: watch::Sender<Arc<[IpAddr]>>,
    pub(super) addresses: watch::Receiver<crate::VirtualAddresses>,
    running: Option<Running>,
    pub(super) config: LoadBalancerConfig,
}

impl Bench {
    pub(super) fn new(pools: &[&str]) -> Self {
        let (virtual_addresses, addresses) = watch::channel(None);
        let config = LoadBalancerConfig {
            pools: pools.iter().map(|pool| pool.parse().unwrap()).collect(),
            reserved: [(Transport::Tcp, 6443)].into(),
            class: Some("kedge".into()),
            virtual_addresses,
            lan: None,
            node_name: "edge".into(),
            metrics: LoadBalancerMetrics::default(),
        };
        let node = watch::Sender::new(Arc::from(["192.168.1.5".parse().unwrap()]));
        Self {
            fake: Fake::new(),
            node,
            addresses,
            running: None,
            config,
        }
    }

    pub(super) fn start(&mut self) {
        let (config, node) = (self.config.clone(), self.node.subscribe());
        let recorder = Recorder::start(self.fake.client(), "test");
        self.running = Some(
            self.fake
                .run(move || LoadBalancer::new(config.clone(), node.clone(), recorder.clone())),
        );
    }

    /// Addresses in the status of a Service.
    pub(super) fn ingress(&self, name: &str) -> Vec<String> {
        ingress(&self.fake, name)
    }

    pub(super) fn published(&self) -> Option<Vec<String>> {
        self.addresses
            .borrow()
            .as_ref()
            .map(|set| set.keys().map(ToString::to_string).collect())
    }

    pub(super) async fn until_ingress(&self, name: &str, wanted: &[&str]) {
        self.fake.until(|fake| ingress(fake, name) == wanted).await;
    }
}

fn ingress(fake: &Fake, name: &str) -> Vec<String> {
    let Some(service) = fake.one(Resource::SERVICES, "a", name) else {
        return Vec::new();
    };
    let list = service
        .at(&["status", "loadBalancer", "ingress"])
        .and_then(Value::as_array)
        .cloned();
    list.unwrap_or_default()
        .iter()
        .map(|ingress| ingress["ip"].as_str().unwrap().to_string())
        .collect()
}

pub(super) fn service(name: &str, created: u8, spec: Value) -> Value {
    let mut service = json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"namespace": "a", "name": name, "creationTimestamp": format!("2026-01-01T00:00:{created:02}Z")},
        "spec": {"type": "LoadBalancer", "ipFamilies": ["IPv4"], "ports": [{"port": 80, "protocol": "TCP"}]},
        "status": {"loadBalancer": {}},
    });
    for (key, value) in spec.as_object().unwrap() {
        service["spec"][key] = value.clone();
    }
    service
}

#[tokio::test]
async fn a_service_gets_an_address_and_keeps_it() {
    let mut bench = Bench::new(&["192.168.1.240-192.168.1.241"]);
    bench
        .fake
        .put(Resource::SERVICES, service("web", 1, json!({})));
    assert_eq!(bench.published(), None);
    bench.start();
    bench.until_ingress("web", &["192.168.1.240"]).await;
    assert_eq!(bench.published().unwrap(), ["192.168.1.240"]);
    let status = bench.fake.one(Resource::SERVICES, "a", "web").unwrap().0["status"].clone();
    assert_eq!(
        status,
        json!({"loadBalancer": {"ingress": [{"ip": "192.168.1.240", "ipMode": "VIP"}]}})
    );
    bench.fake.settled().await;

    // After a restart nothing is written and the address is the same, though an older Service is there now.
    bench.running = None;
    bench
        .fake
        .put(Resource::SERVICES, service("aaa", 0, json!({})));
    bench.start();
    bench.until_ingress("aaa", &["192.168.1.241"]).await;
    assert_eq!(bench.ingress("web"), ["192.168.1.240"]);
    let writes = bench.fake.settled().await;
    assert!(
        writes.iter().all(|write| !write.contains("a/web")),
        "{writes:?}"
    );
}

#[tokio::test]
async fn who_waits_is_told_why_and_served_when_an_address_is_free() {
    let mut bench = Bench::new(&["192.168.1.240"]);
    bench
        .fake
        .put(Resource::SERVICES, service("one", 1, json!({})));
    bench
        .fake
        .put(Resource::SERVICES, service("two", 2, json!({})));
    bench.start();
    bench.until_ingress("one", &["192.168.1.240"]).await;
    bench
        .fake
        .until(|fake| {
            fake.all(Resource::EVENTS)
                .iter()
                .any(|event| event.0["type"] == "Warning")
        })
        .await;
    let events = bench.fake.all(Resource::EVENTS);
    let event = events
        .iter()
        .find(|event| event.0["type"] == "Warning")
        .unwrap();
    assert_eq!(
        event.0["message"],
        "no IPv4 address is free in lb-pool (192.168.1.240)"
    );
    assert_eq!(event.0["involvedObject"]["name"], "two");

    bench.fake.remove(Resource::SERVICES, "a", "one");
    bench.until_ingress("two", &["192.168.1.240"]).await;
    bench.fake.remove(Resource::SERVICES, "a", "two");
    let mut addresses = bench.addresses.clone();
    addresses
        .wait_for(|set| set.as_ref().is_some_and(|set| set.is_empty()))
        .await
        .unwrap();
}

#[tokio::test]
async fn another_type_or_class_releases_the_address() {
    let mut bench = Bench::new(&["192.168.1.240"]);
    bench
        .fake
        .put(Resource::SERVICES, service("one", 1, json!({})));
    bench.fake.put(
        Resource::SERVICES,
        service("other", 0, json!({"loadBalancerClass": "somebody/else"})),
    );
    bench.start();
    bench.until_ingress("one", &["192.168.1.240"]).await;
    bench.fake.put(
        Resource::SERVICES,
        service("one", 1, json!({"type": "ClusterIP"})),
    );
    bench.fake.put(
        Resource::SERVICES,
        service("mine", 2, json!({"loadBalancerClass": "kedge"})),
    );
    bench.until_ingress("mine", &["192.168.1.240"]).await;
    assert!(bench.ingress("other").is_empty());
}

#[tokio::test]
async fn a_conflict_is_met_with_the_latest() {
    let mut bench = Bench::new(&["192.168.1.240"]);
    bench.fake.fail(vec![Status::conflict(
        "",
        "services",
        "web",
        "somebody was faster",
    )]);
    bench
        .fake
        .put(Resource::SERVICES, service("web", 1, json!({})));
    bench.start();
    bench.fake.settled().await;
    // What the conflict was about arrives.
    let mut labelled = service("web", 1, json!({}));
    labelled["metadata"]["labels"] = json!({"a": "b"});
    bench.fake.put(Resource::SERVICES, labelled);
    bench.until_ingress("web", &["192.168.1.240"]).await;
}

#[tokio::test]
async fn without_pools_the_nodes_address_is_shared_and_nothing_is_put_on_links() {
    let mut bench = Bench::new(&[]);
    bench
        .fake
        .put(Resource::SERVICES, service("web", 1, json!({})));
    bench
        .fake
        .put(Resource::SERVICES, service("same", 2, json!({})));
    bench.fake.put(
        Resource::SERVICES,
        service(
            "api",
            3,
            json!({"ports": [{"port": 6443, "protocol": "TCP"}]}),
        ),
    );
    bench.start();
    bench.until_ingress("web", &["192.168.1.5"]).await;
    bench
        .fake
        .until(|fake| {
            fake.all(Resource::EVENTS)
                .iter()
                .filter(|e| e.0["type"] == "Warning")
                .count()
                == 2
        })
        .await;
    assert_eq!(bench.published().unwrap(), [""; 0]);
    assert!(bench.ingress("same").is_empty() && bench.ingress("api").is_empty());

    // The node moves, and the Service with it.
    bench
        .node
        .send_replace(Arc::from(["192.168.7.9".parse().unwrap()]));
    bench.until_ingress("web", &["192.168.7.9"]).await;
}

#[tokio::test]
async fn a_service_that_is_made_again_is_told_again() {
    let mut bench = Bench::new(&["192.168.1.240"]);
    for (name, age) in [("one", 1), ("two", 2)] {
        bench
            .fake
            .put(Resource::SERVICES, service(name, age, json!({})));
    }
    bench.start();
    let told = |uid: &str| {
        let events = bench.fake.all(Resource::EVENTS);
        let about = |event: &Object| event.0["involvedObject"]["uid"] == uid;
        events.iter().any(about)
    };
    let first = bench.fake.one(Resource::SERVICES, "a", "two").unwrap();
    bench.fake.until(|_| told(first.uid())).await;
    let mut again = service("two", 3, json!({}));
    again["metadata"]["uid"] = "again".into();
    bench.fake.put(Resource::SERVICES, again);
    bench.fake.until(|_| told("again")).await;
}
