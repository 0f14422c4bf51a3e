//! All controllers together, over the real registry and store.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "registry/ends.rs"]
mod ends;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use kedge_api::Catalog;
use kedge_client::local::Local;
use kedge_client::{ObjectKey, Resource, SharedClient};
use kedge_controllers::{
    Config, Credentials, Kind, LoadBalancerConfig, LoadBalancerMetrics, NodeConfig, NodeInfo,
    VirtualAddresses, run,
};
use kedge_machinery::Object;
use kedge_pki::Authority;
use kedge_registry::{DeleteOptions, Propagation, Registry, RegistryConfig, Target};
use kedge_store::{EngineKind, Options, Store};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

struct Server {
    credentials: Credentials,
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
            admission: kedge_registry::admission::builtin(),
        });
        registry.bootstrap().await.unwrap();
        tokio::spawn(registry.definitions().unwrap().run());
        let node: Vec<IpAddr> = vec!["192.168.1.5".parse().unwrap()];
        registry
            .ensure_kubernetes_service(&node, 6443)
            .await
            .unwrap();
        let client = Arc::new(Local::new(registry.clone(), "kedge"));
        let pki = folder.path().join("pki");
        let authority = Authority::load_or_create(&pki, Timestamp::now()).unwrap();
        Self {
            credentials: Credentials {
                token_keys: Arc::new(authority.token_keys().unwrap()),
                authority: Arc::new(authority),
            },
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
            networks: watch::channel(Arc::from(["192.168.1.5/24".parse().unwrap()])).1,
            load_balancer: Some(LoadBalancerConfig {
                pools: vec!["192.168.1.240-192.168.1.241".parse().unwrap()],
                reserved: Default::default(),
                class: None,
                virtual_addresses,
                lan: None,
                node_name: "edge".into(),
                metrics: LoadBalancerMetrics::default(),
            }),
            kinds: Kind::builtin(),
            credentials: self.credentials.clone(),
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
        let catalog = self.registry.catalog();
        let kind = catalog
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_lives_and_dies() {
    let server = Server::start().await;
    let running = server.run();
    server
        .create(Resource::SERVICES, service("default", "web"))
        .await;
    let pod = server
        .create(Resource::PODS, pod("default", "p1", "web"))
        .await;
    report(&server, pod, "10.42.0.5").await;

    server
        .until(&[Resource::ENDPOINTSLICES], || async {
            endpoints_of(
                &server.list(Resource::ENDPOINTSLICES, "default").await,
                "web",
            ) == 1
        })
        .await;
    let web = key(Resource::SERVICES, "default", "web");
    server
        .until(&[Resource::SERVICES], || async {
            ingress(&server.client.get(&web).await.unwrap()) == Some("192.168.1.240")
        })
        .await;
    let published = running.addresses.borrow().clone().unwrap();
    assert_eq!(
        published
            .keys()
            .map(ToString::to_string)
            .collect::<Vec<_>>(),
        ["192.168.1.240"]
    );
    server
        .until(&[Resource::NODES], || async {
            !server.list(Resource::NODES, "").await.is_empty()
        })
        .await;

    // At rest nothing is written, and the next process has nothing to write either.
    let before = server.quiet().await;
    let events = server.list(Resource::EVENTS, "default").await;
    assert!(
        events
            .iter()
            .any(|event| event.0["message"] == "Assigned 192.168.1.240")
    );
    let slices = server.list(Resource::ENDPOINTSLICES, "default").await;
    assert_eq!(slices.len(), 2, "one of web, and the API server's own");
    let endpoints = server.list(Resource::ENDPOINTS, "default").await;
    assert_eq!(endpoints.len(), 2);
    running.stop().await;
    let running = server.run();
    assert_eq!(server.quiet().await, before);

    server
        .delete(
            Resource::SERVICES,
            "default",
            "web",
            Propagation::Background,
        )
        .await;
    server
        .until(&[Resource::ENDPOINTSLICES, Resource::ENDPOINTS], || async {
            server.list(Resource::ENDPOINTSLICES, "default").await.len() == 1
                && server.list(Resource::ENDPOINTS, "default").await.len() == 1
        })
        .await;
    let mut addresses = running.addresses.clone();
    addresses
        .wait_for(|set| set.as_ref().is_some_and(|set| set.is_empty()))
        .await
        .unwrap();
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hand_made_endpoints_are_mirrored() {
    let server = Server::start().await;
    let running = server.run();
    let ports = json!([{"port": 5432}]);
    server
        .create(
            Resource::SERVICES,
            json!({"metadata": {"namespace": "default", "name": "db"}, "spec": {"ports": ports}}),
        )
        .await;
    let subsets = json!([{"addresses": [{"ip": "192.0.2.9"}], "ports": ports}]);
    server
        .create(
            Resource::ENDPOINTS,
            json!({"metadata": {"namespace": "default", "name": "db"}, "subsets": subsets}),
        )
        .await;
    server
        .until(&[Resource::ENDPOINTSLICES], || async {
            endpoints_of(
                &server.list(Resource::ENDPOINTSLICES, "default").await,
                "db",
            ) == 1
        })
        .await;
    let before = server.quiet().await;
    assert_eq!(server.quiet().await, before);
    assert_eq!(
        endpoints_of(
            &server.list(Resource::ENDPOINTSLICES, "default").await,
            "kubernetes"
        ),
        1
    );
    running.stop().await;
}

#[tokio::test]
async fn roles_are_aggregated_once() {
    let server = Server::start().await;
    let running = server.run();
    let role = async |name: &str| {
        let key = key(Resource::CLUSTERROLES, "", name);
        server.client.get(&key).await.unwrap()
    };
    let count = |role: &Object| role.0["rules"].as_array().map_or(0, Vec::len);
    let is_whole = async || count(&role("admin").await) > count(&role("edit").await);
    server.until(&[Resource::CLUSTERROLES], is_whole).await;
    server.quiet().await;
    let (view, edit, admin) = (role("view").await, role("edit").await, role("admin").await);
    assert!(0 < count(&view) && count(&view) < count(&edit) && count(&edit) < count(&admin));
    let managers = admin.at(&["metadata", "managedFields"]).unwrap();
    let own = managers
        .as_array()
        .unwrap()
        .iter()
        .find(|entry| entry["operation"] == "Apply");
    let own = own.unwrap();
    assert_eq!(own["manager"], "clusterrole-aggregation-controller");
    assert_eq!(own["fieldsV1"], json!({"f:rules": {}}));
    running.stop().await;

    // Another start writes nothing of it.
    server.registry.bootstrap().await.unwrap();
    let running = server.run();
    server.quiet().await;
    assert_eq!(
        role("admin").await.resource_version(),
        admin.resource_version()
    );
    running.stop().await;
}

#[tokio::test]
async fn bootstrap_tokens_go_when_they_expire() {
    let server = Server::start().await;
    let soon = Timestamp::now() + jiff::SignedDuration::from_millis(300);
    for (name, expiration) in [
        (
            "bootstrap-token-aaaaaa",
            Some("2026-01-01T00:00:00Z".to_string()),
        ),
        ("bootstrap-token-bbbbbb", Some(soon.to_string())),
        ("bootstrap-token-cccccc", None),
    ] {
        let secret = json!({
            "metadata": {"namespace": "kube-system", "name": name}, "type": "bootstrap.kubernetes.io/token",
            "stringData": expiration.map(|text| json!({"expiration": text})),
        });
        server.create(Resource::SECRETS, secret).await;
    }
    let running = server.run();
    let left = async || {
        let secrets = server.list(Resource::SECRETS, "kube-system").await;
        let names = secrets.iter().map(|secret| secret.name().to_string());
        names.collect::<Vec<_>>() == ["bootstrap-token-cccccc"]
    };
    server.until(&[Resource::SECRETS], left).await;
    running.stop().await;
}

/// KEP-1880: a range that is added serves, and stays while a Service has an address of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_cidr_comes_and_goes() {
    const RANGES: &[Resource] = &[Resource::SERVICECIDRS];
    let server = Server::start().await;
    let running = server.run();
    let range = json!({"metadata": {"name": "more"}, "spec": {"cidrs": ["10.44.0.0/28"]}});
    server.create(Resource::SERVICECIDRS, range).await;
    let more = || async {
        let all = server.list(Resource::SERVICECIDRS, "").await;
        all.into_iter().find(|range| range.name() == "more")
    };
    let is_ready = |range: Option<Object>, status: &str| {
        range.is_some_and(|range| range.0["status"]["conditions"][0]["status"] == status)
    };
    server
        .until(RANGES, || async { is_ready(more().await, "True") })
        .await;
    let mut web = service("default", "web");
    web["spec"]["clusterIP"] = "10.44.0.7".into();
    server.create(Resource::SERVICES, web).await;
    server
        .delete(Resource::SERVICECIDRS, "", "more", Propagation::Background)
        .await;
    server
        .until(RANGES, || async { is_ready(more().await, "False") })
        .await;
    server
        .delete(
            Resource::SERVICES,
            "default",
            "web",
            Propagation::Background,
        )
        .await;
    server
        .until(RANGES, || async { more().await.is_none() })
        .await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn custom_resources_go_with_their_owners_and_their_namespace() {
    const DEFINITIONS: Resource = Resource {
        group: "apiextensions.k8s.io",
        version: "v1",
        plural: "customresourcedefinitions",
        kind: "CustomResourceDefinition",
    };
    const GADGETS: Resource = Resource {
        group: "example.com",
        version: "v1",
        plural: "gadgets",
        kind: "Gadget",
    };
    let server = Server::start().await;
    let running = server.run();
    // The controllers have begun before there is such a kind.
    server.quiet().await;
    let mut kinds = server.registry.catalog_changes();
    let schema = json!({"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}});
    let definition = json!({
        "metadata": {"name": "gadgets.example.com"},
        "spec": {
            "group": "example.com", "scope": "Namespaced", "names": {"kind": "Gadget", "plural": "gadgets"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": schema}],
        },
    });
    server.create(DEFINITIONS, definition).await;
    kinds.changed().await.unwrap();

    let named = |name: &str, owner: Option<(&str, &str, &Object)>| {
        let owners = owner.map(|(api_version, kind, owner)| {
            json!([{"apiVersion": api_version, "kind": kind, "name": owner.name(), "uid": owner.uid()}])
        });
        json!({"metadata": {"namespace": "default", "name": name, "ownerReferences": owners.unwrap_or(json!([]))}})
    };
    let as_gadget = |mut value: Value| {
        value["apiVersion"] = "example.com/v1".into();
        value["kind"] = "Gadget".into();
        value
    };
    let gadget = server
        .create(GADGETS, as_gadget(named("owner", None)))
        .await;
    let owned = named("owned", Some(("example.com/v1", "Gadget", &gadget)));
    server.create(Resource::CONFIGMAPS, owned).await;
    let configmap = server
        .create(Resource::CONFIGMAPS, named("owner", None))
        .await;
    let owned = named("owned", Some(("v1", "ConfigMap", &configmap)));
    server.create(GADGETS, as_gadget(owned)).await;
    server.quiet().await;
    for resource in [GADGETS, Resource::CONFIGMAPS] {
        let owner = key(resource, "default", "owner");
        server.client.delete(&owner, None).await.unwrap();
    }
    server
        .until(&[GADGETS, Resource::CONFIGMAPS], || async {
            let configmaps = server.list(Resource::CONFIGMAPS, "default").await;
            server.list(GADGETS, "default").await.is_empty()
                && !configmaps.iter().any(|object| object.name() == "owned")
        })
        .await;

    server
        .create(Resource::NAMESPACES, json!({"metadata": {"name": "shop"}}))
        .await;
    server
        .create(
            GADGETS,
            as_gadget(json!({"metadata": {"namespace": "shop", "name": "g"}})),
        )
        .await;
    let namespace = key(Resource::NAMESPACES, "", "shop");
    server.client.delete(&namespace, None).await.unwrap();
    server
        .until(&[GADGETS, Resource::NAMESPACES], || async {
            server.client.get(&namespace).await.is_err()
        })
        .await;
    assert!(server.list(GADGETS, "").await.is_empty());
    running.stop().await;
}
