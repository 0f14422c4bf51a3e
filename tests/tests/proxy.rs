//! `kedge proxy` in kube-proxy's place: the API server is elsewhere, and not always there.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Instant;

use kedge_tests::ask;
use kedge_tests::lab::{CLIENT, Lab, NODE, address};
use kedge_tests::server::{Server, kedge};
use kedge_tests::site::{pods, service};
use kedge_tests::wait::until;
use serde_json::{Value, json};

const SERVER: [&str; 10] = [
    "--node-name",
    "control",
    "--node-ip",
    "192.168.50.100,fd00:50::100",
    "--service-cidr",
    "10.43.0.0/16,fd00:43::/112",
    "--cluster-cidr",
    "10.42.0.0/16,fd00:42::/64",
    "--disable",
    "proxy,dns,loadbalancer",
];

const PROXY: [&str; 8] = [
    "--hostname-override",
    "node",
    "--cluster-cidr",
    "10.42.0.0/16,fd00:42::/64",
    "--service-cidr",
    "10.43.0.0/16,fd00:43::/112",
    "--metrics-bind-address",
    "0.0.0.0:10249",
];

/// The API server runs on the LAN, the dataplane on the node.
struct Apart {
    server: Option<Server>,
    proxy: Option<Server>,
    lab: Lab,
    files: tempfile::TempDir,
}

impl Apart {
    fn new() -> Self {
        let mut apart = Self {
            server: None,
            proxy: None,
            lab: Lab::new().unwrap(),
            files: tempfile::tempdir().unwrap(),
        };
        apart.start_server();
        let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node"}});
        apart.apply(&[vec![node], pods(), vec![web()]].concat());
        let selector = "kubernetes.io/service-name=web";
        for family in ["IPv4", "IPv6"] {
            apart.until(&["endpointslices", "-l", selector], |slice| {
                slice["addressType"] == family
                    && slice["endpoints"].as_array().map_or(0, Vec::len) == 3
            });
        }
        apart.start_proxy();
        apart
    }

    fn data(&self) -> PathBuf {
        self.files.path().join("data")
    }

    fn kubeconfig(&self) -> PathBuf {
        let server = self.server.as_ref().unwrap();
        server.kubeconfig_at(CLIENT[0]).unwrap()
    }

    fn start_server(&mut self) {
        let server = Server::start(&self.lab.client, &self.data(), &SERVER).unwrap();
        self.server = Some(server);
    }

    fn start_proxy(&mut self) {
        let files = self.files.path().join("proxy");
        let proxy = Server::proxy(&self.lab.node, &files, &self.kubeconfig(), &PROXY).unwrap();
        self.proxy = Some(proxy);
    }

    fn apply(&self, manifests: &[Value]) {
        let list = json!({"apiVersion": "v1", "kind": "List", "items": manifests}).to_string();
        let words = ["apply", "--with-status", "-f", "-"];
        kedge(&self.lab.client, &self.kubeconfig(), &words, &list).unwrap();
    }

    fn until(&self, words: &[&str], right: impl Fn(&Value) -> bool) -> Value {
        until(&self.lab.client, &self.kubeconfig(), words, right).unwrap()
    }

    fn cluster_ip(&self) -> SocketAddr {
        let web = self.until(&["service", "web"], |_| true);
        let ip = web["spec"]["clusterIP"].as_str().unwrap();
        (address(ip), 80).into()
    }
}

fn web() -> Value {
    service(
        "web",
        json!({"type": "NodePort", "ports": [{"name": "tcp", "port": 80, "targetPort": 8080, "nodePort": 30080}]}),
    )
}

#[test]
fn services_of_another_api_server_carry_packets() {
    let apart = Apart::new();
    let page = |port: u16, path: &str| {
        ask::page(&apart.lab.client, (address(NODE[0]), port).into(), path).unwrap()
    };
    let to = apart.cluster_ip();
    ask::http(&apart.lab.pods[0], to).unwrap();
    for node in NODE {
        ask::http(&apart.lab.client, (address(node), 30080).into()).unwrap();
    }
    let healthz = page(10256, "/healthz");
    assert!(healthz.starts_with("HTTP/1.1 200"), "{healthz}");
    assert!(healthz.contains("\"nodeEligible\": true"), "{healthz}");
    let mode = page(10249, "/proxyMode");
    assert!(mode.ends_with("nftables"), "{mode}");
    let metrics = page(10249, "/metrics");
    for name in [
        "kubeproxy_sync_proxy_rules_duration_seconds_count",
        "kubeproxy_sync_proxy_rules_last_timestamp_seconds",
        "process_resident_memory_bytes",
    ] {
        assert!(metrics.contains(name), "{name} in {metrics}");
    }

    let taint = json!({
        "apiVersion": "v1", "kind": "Node", "metadata": {"name": "node"},
        "spec": {"taints": [{"key": "ToBeDeletedByClusterAutoscaler", "effect": "NoSchedule"}]},
    });
    apart.apply(&[taint]);
    // What came after the taint is in the rules, so the taint is known.
    apart.apply(&[service(
        "after",
        json!({"type": "NodePort", "ports": [{"port": 80, "targetPort": 8080, "nodePort": 30081}]}),
    )]);
    ask::until_connected(&apart.lab.client, (address(NODE[0]), 30081).into()).unwrap();
    let healthz = page(10256, "/healthz");
    assert!(healthz.starts_with("HTTP/1.1 503"), "{healthz}");
    let livez = page(10256, "/livez");
    assert!(livez.starts_with("HTTP/1.1 200"), "{livez}");
}

/// Weights of Pods and of another Node than the proxy's own.
#[test]
fn weights_of_another_api_server_are_followed() {
    let apart = Apart::new();
    let only = |to: SocketAddr, name: &str| {
        let start = Instant::now();
        let answer = || ask::http(&apart.lab.pods[0], to).unwrap().name;
        while !(0..20).all(|_| answer() == name) {
            assert!(start.elapsed() < ask::PATIENCE, "others than {name} answer");
        }
    };
    let mut slow = pods();
    for pod in &mut slow[..2] {
        pod["metadata"]["annotations"] = json!({"kedge.io/weight": "0"});
    }
    apart.apply(&slow);
    only(apart.cluster_ip(), "web-3");

    let endpoint =
        |n: usize, node: &str| json!({"addresses": [slow[n]["status"]["podIP"]], "nodeName": node});
    let mut far = service(
        "far",
        json!({"type": "NodePort", "ports": [{"port": 80, "nodePort": 30083}]}),
    );
    far["spec"].as_object_mut().unwrap().remove("selector");
    let slice = json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {"name": "far", "namespace": "default", "labels": {"kubernetes.io/service-name": "far"}},
        "ports": [{"name": "", "port": 8080}], "endpoints": [endpoint(0, "elsewhere"), endpoint(1, "node")],
    });
    let elsewhere = json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {"name": "elsewhere", "annotations": {"kedge.io/weight": "0"}},
    });
    apart.apply(&[far, slice, elsewhere]);
    let to = (address(NODE[0]), 30083).into();
    ask::until_connected(&apart.lab.client, to).unwrap();
    only(to, "web-2");
}

#[test]
fn traffic_goes_on_while_the_api_server_is_away() {
    let mut apart = Apart::new();
    let to = apart.cluster_ip();
    apart.server.take().unwrap().kill();
    ask::http(&apart.lab.pods[0], to).unwrap();
    apart.proxy.take().unwrap().kill();
    ask::http(&apart.lab.pods[0], to).unwrap();
    apart.start_server();
    apart.start_proxy();
    ask::http(&apart.lab.pods[0], to).unwrap();

    // The same proxy over another absence: what changed then is found once it is over.
    apart.server.take().unwrap().stop().unwrap();
    apart.start_server();
    let more =
        json!({"type": "NodePort", "ports": [{"port": 80, "targetPort": 8080, "nodePort": 30082}]});
    apart.apply(&[service("more", more)]);
    ask::until_connected(&apart.lab.client, (address(NODE[1]), 30082).into()).unwrap();
    apart.proxy.take().unwrap().stop().unwrap();
    ask::http(&apart.lab.pods[0], to).expect("rules outlive the process");
}
