//! An API server's feed in memory, and the proxy that follows it.

use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use ipnet::IpNet;
use kedge_client::{BoxFuture, Change, Client, Feed, ObjectKey, Resource};
use kedge_machinery::{Object, Status};
use kedge_proxy::{Proxy, ProxyConfig};
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot, watch};

use super::host::Host;

/// A running proxy on a node.
pub struct Api {
    changes: mpsc::UnboundedSender<Vec<Change>>,
    pub addresses: watch::Sender<Arc<[IpAddr]>>,
    /// Ranges of cluster IPs beside those of the settings.
    pub ranges: watch::Sender<Arc<[IpNet]>>,
    held: mpsc::UnboundedSender<Box<dyn FnOnce() + Send>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Settings of the lab's proxy.
pub fn config() -> ProxyConfig {
    ProxyConfig {
        node_name: "node".into(),
        service_cidrs: vec![
            "10.43.0.0/16".parse().unwrap(),
            "fd43::/112".parse().unwrap(),
        ],
        cluster_cidrs: vec![
            "10.42.0.0/16".parse().unwrap(),
            "fd42::/16".parse().unwrap(),
        ],
        ..ProxyConfig::default()
    }
}

impl Api {
    /// Starts a proxy on `node` with these objects, and waits until it is ready.
    pub fn start(
        node: &Host,
        config: ProxyConfig,
        objects: impl IntoIterator<Item = Value>,
    ) -> Self {
        // Only the first of a process's tests can.
        let _ = tracing_subscriber::fmt().with_test_writer().try_init();
        let (changes, receiver) = mpsc::unbounded_channel();
        changes
            .send(objects.into_iter().map(put).collect())
            .unwrap();
        let own: [IpAddr; 2] = ["192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap()];
        let addresses = watch::Sender::new(Arc::from(own));
        let followed = addresses.subscribe();
        let ranges = watch::Sender::new(Arc::from([]));
        let added = ranges.subscribe();
        let (held, mut holds) = mpsc::unbounded_channel::<Box<dyn FnOnce() + Send>>();
        let (stop, stopped) = oneshot::channel::<()>();
        let (ready, is_ready) = std::sync::mpsc::channel();
        let thread = node.spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async move {
                let client = Arc::new(Fake(Mutex::new(Some(receiver))));
                let proxy = Proxy::new(config, client, followed).with_added_cidrs(added);
                tokio::spawn(async move {
                    while let Some(hold) = holds.recv().await {
                        hold();
                    }
                });
                let mut state = proxy.ready();
                let running = tokio::spawn(proxy.run(async {
                    let _ = stopped.await;
                }));
                state.wait_for(|ready| *ready).await.unwrap();
                ready.send(()).unwrap();
                running.await.unwrap().unwrap();
            });
        });
        is_ready
            .recv_timeout(Duration::from_secs(10))
            .expect("the proxy is not ready");
        Self {
            changes,
            addresses,
            ranges,
            held,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// Does something on the node while the proxy hears nothing, and these objects afterwards.
    pub fn hold(
        &self,
        during: impl FnOnce() + Send + 'static,
        objects: impl IntoIterator<Item = Value>,
    ) {
        let batch = objects.into_iter().map(put).collect();
        let changes = self.changes.clone();
        let (done, is_done) = std::sync::mpsc::channel();
        let hold = move || {
            during();
            changes.send(batch).unwrap();
            done.send(()).unwrap();
        };
        assert!(self.held.send(Box::new(hold)).is_ok());
        is_done.recv().unwrap();
    }

    pub fn apply(&self, objects: impl IntoIterator<Item = Value>) {
        self.changes
            .send(objects.into_iter().map(put).collect())
            .unwrap();
    }

    pub fn delete(&self, object: &Value) {
        let mut change = put(object.clone());
        change.object = None;
        self.changes.send(vec![change]).unwrap();
    }

    /// Ends the proxy; its rules stay.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        self.end();
    }
}

/// An object as the feed tells of it.
pub fn put(object: Value) -> Change {
    let resource = match object["kind"].as_str().unwrap() {
        "Service" => Resource::SERVICES,
        "EndpointSlice" => Resource::ENDPOINTSLICES,
        "Node" => Resource::NODES,
        other => panic!("{other}"),
    };
    Change {
        key: ObjectKey {
            resource,
            namespace: if resource == Resource::NODES {
                ""
            } else {
                "default"
            }
            .into(),
            name: object["metadata"]["name"].as_str().unwrap().into(),
        },
        object: Some(object.to_string().into()),
    }
}

/// A Service with port 80 of TCP, UDP and SCTP; `spec` is merged in.
pub fn service(name: &str, ips: &[&str], spec: Value) -> Value {
    let mut all = json!({
        "clusterIP": ips[0], "clusterIPs": ips,
        "ports": [{"name": "tcp", "port": 80}, {"name": "udp", "port": 80, "protocol": "UDP"},
                  {"name": "sctp", "port": 80, "protocol": "SCTP"}],
    });
    let more = spec.as_object().unwrap().clone();
    all.as_object_mut().unwrap().extend(more);
    json!({"kind": "Service", "metadata": {"name": name}, "spec": all})
}

/// The same with addresses of a load balancer.
pub fn balanced(mut service: Value, ips: &[&str]) -> Value {
    let ingress: Vec<Value> = ips.iter().map(|ip| json!({"ip": ip})).collect();
    service["status"] = json!({"loadBalancer": {"ingress": ingress}});
    service
}

/// One port of TCP, UDP and SCTP that is asked at a node port too.
pub fn node_ports(number: u16) -> Value {
    let port = |name: &str| json!({"name": name, "protocol": name.to_uppercase(), "port": 80, "nodePort": number});
    json!([port("tcp"), port("udp"), port("sctp")])
}

/// The lab's node, in a zone.
pub fn node(zone: &str) -> Value {
    json!({"kind": "Node", "metadata": {"name": "node", "labels": {"topology.kubernetes.io/zone": zone}}})
}

/// A slice of a Service with the pods of these numbers, or another address, on port 8080. `node` is
/// where all of them are.
pub fn slice(service: &str, family: &str, endpoints: &[&str], node: Option<&str>) -> Value {
    let endpoints: Vec<Value> = endpoints
        .iter()
        .map(|address| json!({"addresses": [address], "nodeName": node}))
        .collect();
    json!({
        "kind": "EndpointSlice",
        "metadata": {"name": format!("{service}-{}", family.to_lowercase()),
                     "labels": {"kubernetes.io/service-name": service}},
        "addressType": family, "endpoints": endpoints,
        "ports": [{"name": "tcp", "port": 8080}, {"name": "udp", "port": 8080, "protocol": "UDP"},
                  {"name": "sctp", "port": 8080, "protocol": "SCTP"}],
    })
}

/// A client that can only be followed.
struct Fake(Mutex<Option<mpsc::UnboundedReceiver<Vec<Change>>>>);

struct FakeFeed(mpsc::UnboundedReceiver<Vec<Change>>);

impl Feed for FakeFeed {
    fn next_batch(&mut self) -> BoxFuture<'_, Result<Vec<Change>, Status>> {
        Box::pin(async {
            match self.0.recv().await {
                Some(batch) => Ok(batch),
                None => std::future::pending().await,
            }
        })
    }
}

fn unused<'a, T>() -> BoxFuture<'a, Result<T, Status>> {
    Box::pin(async { unreachable!("the proxy only follows") })
}

impl Client for Fake {
    fn get<'a>(&'a self, _: &'a ObjectKey) -> BoxFuture<'a, Result<Object, Status>> {
        unused()
    }

    fn list<'a>(&'a self, _: Resource, _: &'a str) -> BoxFuture<'a, Result<Vec<Object>, Status>> {
        unused()
    }

    fn create(&self, _: Resource, _: Object) -> BoxFuture<'_, Result<Object, Status>> {
        unused()
    }

    fn update<'a>(
        &'a self,
        _: Resource,
        _: &'a str,
        _: Object,
    ) -> BoxFuture<'a, Result<Object, Status>> {
        unused()
    }

    fn apply<'a>(
        &'a self,
        _: Resource,
        _: &'a str,
        _: Object,
    ) -> BoxFuture<'a, Result<Object, Status>> {
        unused()
    }

    fn delete<'a>(
        &'a self,
        _: &'a ObjectKey,
        _: Option<&'a str>,
    ) -> BoxFuture<'a, Result<(), Status>> {
        unused()
    }

    fn feed(&self, _: &[Resource]) -> Box<dyn Feed> {
        Box::new(FakeFeed(self.0.lock().unwrap().take().unwrap()))
    }
}
