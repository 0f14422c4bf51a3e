//! Addresses for LoadBalancer Services, as people ask for them with kubectl.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use kedge_tests::ask;
use kedge_tests::kubectl::Kubectl;
use kedge_tests::lab::{Lab, NODE, address};
use kedge_tests::site::{Site, pods, service};
use kedge_tests::skip::skip;
use serde_json::{Value, json};

/// A site, or nothing where there is no kubectl.
fn site(test: &str, make: impl FnOnce(Lab) -> Site) -> Option<Site> {
    if kedge_tests::kubectl::find().is_none() {
        skip(test, "there is no kubectl on the PATH nor in $KUBECTL");
        return None;
    }
    Some(make(Lab::new().unwrap()))
}

/// Runs kubectl and fails with its words.
fn ok(kubectl: &Kubectl<'_>, words: &[&str]) -> String {
    kubectl.run(words).unwrap_or_else(|e| panic!("{e}"))
}

/// A LoadBalancer Service of one family with one port; `spec` is laid over it.
fn balanced(name: &str, port: u16, spec: Value) -> Value {
    let mut one = service(
        name,
        json!({
            "type": "LoadBalancer", "ipFamilyPolicy": "SingleStack",
            "ports": [{"port": port, "targetPort": 8080}],
        }),
    );
    let fields = one["spec"].as_object_mut().unwrap();
    fields.extend(spec.as_object().unwrap().clone());
    one
}

fn annotated(mut service: Value, annotations: Value) -> Value {
    service["metadata"]["annotations"] = annotations;
    service
}

/// Addresses in the status.
fn addresses(service: &Value) -> Vec<&str> {
    let ingress = service["status"]["loadBalancer"]["ingress"].as_array();
    let all = ingress.into_iter().flatten();
    all.map(|ingress| ingress["ip"].as_str().unwrap()).collect()
}

/// Waits until a Service has exactly these addresses.
fn until(site: &Site, name: &str, wanted: &[&str]) -> Value {
    let right = |service: &Value| addresses(service) == wanted;
    site.until(&["service", name], right)
        .unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// Waits for an Event about a Service that says this.
fn told(site: &Site, name: &str, reason: &str, text: &str) {
    let right = |event: &Value| {
        event["involvedObject"]["name"] == name
            && event["reason"] == reason
            && event["message"].as_str().unwrap().contains(text)
    };
    site.until(&["events"], right)
        .unwrap_or_else(|e| panic!("{reason} {text}: {e}"));
}

const METALLB: &str = "
apiVersion: v1
kind: Namespace
metadata:
  name: metallb-system
---
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata:
  name: first-pool
  namespace: metallb-system
spec:
  addresses:
  - 192.168.50.224/29
  - 192.168.50.240-192.168.50.241
  - fd00:50::/124
  avoidBuggyIPs: true
---
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata:
  name: example
  namespace: metallb-system
spec:
  ipAddressPools:
  - first-pool
";

#[test]
fn manifests_of_metallb_serve_a_lan_client() {
    let Some(site) = site("manifests_of_metallb_serve_a_lan_client", |lab| {
        Site::without_pool(lab, &[]).unwrap()
    }) else {
        return;
    };
    let kubectl = site.kubectl().unwrap();
    site.apply(&pods()).unwrap();
    site.apply(&[balanced(
        "web",
        80,
        json!({"ipFamilyPolicy": "RequireDualStack"}),
    )])
    .unwrap();
    // Before there is a pool the node's own addresses serve.
    until(&site, "web", &NODE);
    kubectl.with_input(&["apply"], METALLB).unwrap();
    let web = until(&site, "web", &["192.168.50.224", "fd00:50::"]);
    assert_eq!(web["status"]["loadBalancer"]["ingress"][0]["ipMode"], "VIP");
    site.until_endpoints("web", "IPv4", 3).unwrap();
    let to = (address("192.168.50.224"), 80).into();
    ask::http(&site.lab.client, to).unwrap();

    let shown = ok(&kubectl, &["get", "ipaddresspools,l2advertisements", "-A"]);
    for words in [
        "AUTO ASSIGN   AVOID BUGGY IPS   ADDRESSES",
        "first-pool   true          true              [\"192.168.50.224/29\",\"192.168.50.240-192.168.50.241\",\"fd00:50::/124\"]",
        "IPADDRESSPOOLS   IPADDRESSPOOL SELECTORS   INTERFACES",
        "example   [\"first-pool\"]",
    ] {
        assert!(shown.contains(words), "{words} in\n{shown}");
    }
    let pool = site
        .until(&["ipaddresspools", "-n", "metallb-system"], |pool| {
            pool["status"]["assignedIPv4"] == 1
        })
        .unwrap();
    assert_eq!(
        pool["status"],
        json!({"assignedIPv4": 1, "assignedIPv6": 1, "availableIPv4": 9, "availableIPv6": 15})
    );
    let metrics = ok(&kubectl, &["get", "--raw", "/metrics"]);
    for line in [
        "metallb_allocator_addresses_in_use_total{pool=\"first-pool\"} 2",
        "metallb_allocator_addresses_total{pool=\"first-pool\"} 26",
    ] {
        assert!(
            metrics.lines().any(|had| had == line),
            "{line} in\n{metrics}"
        );
    }
    let explained = ok(
        &kubectl,
        &["explain", "ipaddresspool.spec.serviceAllocation"],
    );
    assert!(
        explained.contains("GROUP:      metallb.io")
            && explained.contains("namespaceSelectors\t<[]LabelSelector>"),
        "{explained}"
    );
    let described = ok(
        &kubectl,
        &[
            "describe",
            "ipaddresspool",
            "first-pool",
            "-n",
            "metallb-system",
        ],
    );
    assert!(described.contains("assignedIPv4:   1"), "{described}");
    told(&site, "web", "IPAllocated", "192.168.50.224");
    let described = ok(&kubectl, &["describe", "service", "web"]);
    assert!(described.contains("IPAllocated"), "{described}");

    // Applied again, nothing is another; a pool may not take what is another's.
    let again = kubectl.with_input(&["apply"], METALLB).unwrap();
    assert_eq!(again.matches("unchanged").count(), 3, "{again}");
    let second = METALLB
        .replace("first-pool", "second-pool")
        .replace("192.168.50.224/29", "192.168.50.230-192.168.50.235");
    let refused = kubectl
        .with_input(&["apply"], &second)
        .unwrap_err()
        .to_string();
    assert!(
        refused
            .contains("192.168.50.230-192.168.50.235 overlaps with 192.168.50.224-192.168.50.231"),
        "{refused}"
    );

    // No advertisement, no announcement; no pool, no address of it.
    ok(
        &kubectl,
        &[
            "delete",
            "l2advertisements",
            "--all",
            "-n",
            "metallb-system",
        ],
    );
    until(&site, "web", &["192.168.50.224", "fd00:50::"]);
    ok(
        &kubectl,
        &["delete", "ipaddresspools", "--all", "-n", "metallb-system"],
    );
    until(&site, "web", &NODE);
}

#[test]
fn who_waits_is_told_and_served_when_an_address_is_freed() {
    let Some(mut site) = site(
        "who_waits_is_told_and_served_when_an_address_is_freed",
        |lab| Site::without_pool(lab, &["--lb-pool", "192.168.50.240"]).unwrap(),
    ) else {
        return;
    };
    let all = [1, 2, 3].map(|i| balanced(&format!("lb-{i}"), 80, json!({})));
    for one in all {
        site.apply(&[one]).unwrap();
    }
    let address = ["192.168.50.240"];
    until(&site, "lb-1", &address);
    let full = "no IPv4 address is free in lb-pool (192.168.50.240)";
    told(&site, "lb-2", "AllocationFailed", full);
    let kubectl = site.kubectl().unwrap();
    let described = ok(&kubectl, &["describe", "service", "lb-2"]);
    assert!(
        described.contains("AllocationFailed") && described.contains(full),
        "{described}"
    );
    // Freed by another type.
    let patch = r#"{"spec": {"type": "ClusterIP"}}"#;
    ok(&kubectl, &["patch", "service", "lb-1", "-p", patch]);
    until(&site, "lb-2", &address);
    told(&site, "lb-2", "IPAllocated", "192.168.50.240");
    assert!(addresses(&site.service("lb-1").unwrap()).is_empty());
    // Kept over a crash, though an older Service wants one again.
    let patch = r#"{"spec": {"type": "LoadBalancer"}}"#;
    ok(&kubectl, &["patch", "service", "lb-1", "-p", patch]);
    drop(kubectl);
    site.kill();
    site.start().unwrap();
    site.apply(&[balanced("lb-4", 80, json!({}))]).unwrap();
    told(&site, "lb-4", "AllocationFailed", full);
    assert_eq!(addresses(&site.service("lb-2").unwrap()), address);
    // Freed by deletion: the oldest is next.
    let kubectl = site.kubectl().unwrap();
    ok(&kubectl, &["delete", "service", "lb-2"]);
    until(&site, "lb-1", &address);
    assert!(addresses(&site.service("lb-3").unwrap()).is_empty());
}

#[test]
fn addresses_are_asked_for_and_shared_and_left_to_other_classes() {
    let Some(site) = site(
        "addresses_are_asked_for_and_shared_and_left_to_other_classes",
        |lab| Site::with(lab, &["--lb-class", "kedge.example/lan"]).unwrap(),
    ) else {
        return;
    };
    let kubectl = site.kubectl().unwrap();
    let class = |name: &str, class: &str| balanced(name, 80, json!({"loadBalancerClass": class}));
    let sharer = |name: &str, port, key: &str, spec| {
        annotated(
            balanced(name, port, spec),
            json!({"metallb.io/allow-shared-ip": key}),
        )
    };
    let both = json!({"metallb.io/loadBalancerIPs": "192.168.50.249,fd00:50::f9"});
    site.apply(&[
        class("theirs", "other.example/lb"),
        class("ours", "kedge.example/lan"),
        sharer("dns-tcp", 53, "dns", json!({})),
        sharer(
            "dns-udp",
            53,
            "dns",
            json!({"ports": [{"port": 53, "protocol": "UDP"}]}),
        ),
        balanced("field", 80, json!({"loadBalancerIP": "192.168.50.250"})),
        annotated(
            balanced("both", 80, json!({"ipFamilyPolicy": "RequireDualStack"})),
            both,
        ),
        annotated(
            balanced("old", 81, json!({})),
            json!({"metallb.universe.tf/loadBalancerIPs": "192.168.50.248"}),
        ),
    ])
    .unwrap();
    until(&site, "ours", &["192.168.50.240"]);
    until(&site, "dns-tcp", &["192.168.50.241"]);
    until(&site, "dns-udp", &["192.168.50.241"]);
    until(&site, "field", &["192.168.50.250"]);
    until(&site, "both", &["192.168.50.249", "fd00:50::f9"]);
    until(&site, "old", &["192.168.50.248"]);
    assert!(addresses(&site.service("theirs").unwrap()).is_empty());

    // Refused: the same port, other endpoints, no key, an address of nobody's.
    let on = |name: &str, port, key: &str, spec: Value| {
        let mut one = sharer(name, port, key, spec);
        one["spec"]["loadBalancerIP"] = json!("192.168.50.241");
        one
    };
    site.apply(&[
        on("port", 53, "dns", json!({})),
        on(
            "local",
            54,
            "dns",
            json!({"externalTrafficPolicy": "Local"}),
        ),
        on("key", 55, "other", json!({})),
        on("none", 56, "", json!({})),
        balanced("outside", 80, json!({"loadBalancerIP": "192.168.50.9"})),
        annotated(
            balanced("pool", 80, json!({})),
            json!({"metallb.io/address-pool": "lan"}),
        ),
    ])
    .unwrap();
    for (name, why) in [
        (
            "port",
            "port 53/TCP of 192.168.50.241 belongs to Service default/dns-tcp",
        ),
        (
            "local",
            "whose externalTrafficPolicy or selector is another",
        ),
        ("key", "which shares it with the key \"dns\""),
        ("none", "192.168.50.241 belongs to Service default/dns-"),
        ("outside", "192.168.50.9 is in no address pool"),
        ("pool", "there is no address pool lan"),
    ] {
        told(&site, name, "AllocationFailed", why);
    }
    // The port is free, and the one that waits for it is served.
    ok(&kubectl, &["delete", "service", "dns-tcp"]);
    until(&site, "port", &["192.168.50.241"]);
    // Another address is asked for, and the first one is free again.
    let patch = r#"{"spec": {"loadBalancerIP": "192.168.50.247"}}"#;
    ok(&kubectl, &["patch", "service", "field", "-p", patch]);
    until(&site, "field", &["192.168.50.247"]);
}

#[test]
fn without_a_pool_ports_of_the_node_are_shared_out() {
    let Some(site) = site("without_a_pool_ports_of_the_node_are_shared_out", |lab| {
        Site::without_pool(lab, &[]).unwrap()
    }) else {
        return;
    };
    let kubectl = site.kubectl().unwrap();
    site.apply(&pods()).unwrap();
    let node_port =
        json!({"type": "NodePort", "ports": [{"port": 80, "targetPort": 8080, "nodePort": 30080}]});
    for one in [
        balanced("web", 80, json!({})),
        balanced("tls", 443, json!({})),
        balanced("late", 80, json!({})),
        balanced("open", 80, node_port),
        balanced("taken", 30080, json!({})),
        balanced("api", 6443, json!({})),
        balanced("health", 10256, json!({})),
    ] {
        site.apply(&[one]).unwrap();
    }
    let node = [NODE[0]];
    until(&site, "web", &node);
    until(&site, "tls", &node);
    for (name, why) in [
        (
            "late",
            "port 80/TCP of the node's addresses belongs to Service default/web",
        ),
        (
            "taken",
            "port 30080/TCP of the node's addresses belongs to Service default/open",
        ),
        (
            "api",
            "port 6443/TCP of the node's addresses is in use by this machine",
        ),
        (
            "health",
            "port 10256/TCP of the node's addresses is in use by this machine",
        ),
    ] {
        told(&site, name, "AllocationFailed", why);
        assert!(addresses(&site.service(name).unwrap()).is_empty(), "{name}");
    }
    site.until_endpoints("web", "IPv4", 3).unwrap();
    ask::http(&site.lab.client, (address(NODE[0]), 80).into()).unwrap();
    ok(&kubectl, &["delete", "service", "web", "open"]);
    until(&site, "late", &node);
    until(&site, "taken", &node);
}
