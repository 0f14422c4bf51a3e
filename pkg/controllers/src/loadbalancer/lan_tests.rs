//! What the LAN makes of addresses, and what becomes of Services then; against a server in memory.

use serde_json::{Value, json};

use super::tests::{Bench, service};
use super::*;

const MAC: &str = "02:00:00:00:00:66";

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn announced() -> OnLan {
    OnLan::Announced {
        link: "eth0".into(),
    }
}

fn taken() -> OnLan {
    OnLan::Taken {
        link: "eth0".into(),
        by: Some(MAC.into()),
    }
}

/// A bench, and what the LAN makes of its addresses.
fn bench(pools: &[&str]) -> (Bench, watch::Sender<Lan>) {
    let (lan, reports) = watch::channel(Lan::default());
    let mut bench = Bench::new(pools);
    bench.config.lan = Some(reports);
    (bench, lan)
}

fn report(lan: &watch::Sender<Lan>, all: &[(&str, OnLan)]) {
    let all = all.iter().map(|(text, state)| (ip(text), state.clone()));
    lan.send_replace(Arc::new(all.collect()));
}

/// How many Events about a Service have this reason and this in their message.
fn told(bench: &Bench, service: &str, reason: &str, text: &str) -> usize {
    let events = bench.fake.all(Resource::EVENTS);
    let says = |event: &&kedge_machinery::Object| {
        event.0["involvedObject"]["name"] == service
            && event.0["reason"] == reason
            && event.0["message"].as_str().unwrap().contains(text)
    };
    events.iter().filter(says).count()
}

async fn until_told(bench: &Bench, service: &str, reason: &str, text: &str) {
    let one = |_: &crate::fake::Fake| told(bench, service, reason, text) == 1;
    bench.fake.until(one).await;
}

async fn until_published(bench: &Bench, wanted: &[&str]) {
    let wanted: Vec<IpAddr> = wanted.iter().map(|text| ip(text)).collect();
    let mut addresses = bench.addresses.clone();
    let same =
        |set: &crate::VirtualAddresses| set.as_ref().is_some_and(|set| set.keys().eq(&wanted));
    let wait = addresses.wait_for(same);
    let wait = tokio::time::timeout(std::time::Duration::from_secs(10), wait);
    wait.await.expect("in time").map(drop).unwrap();
}

#[tokio::test]
async fn an_address_is_in_the_status_once_the_lan_leaves_it_to_this_machine() {
    let (mut bench, lan) = bench(&["10.9.0.1-10.9.0.2"]);
    bench
        .fake
        .put(Resource::SERVICES, service("web", 1, json!({})));
    bench.start();
    until_published(&bench, &["10.9.0.1"]).await;
    report(&lan, &[("10.9.0.1", OnLan::Asking)]);
    bench.fake.settled().await;
    assert!(bench.ingress("web").is_empty());
    report(&lan, &[("10.9.0.1", announced())]);
    bench.until_ingress("web", &["10.9.0.1"]).await;
    until_told(&bench, "web", "IPAllocated", "10.9.0.1").await;
    let text = "announcing 10.9.0.1 from node \"edge\" with protocol \"layer2\" on link \"eth0\"";
    until_told(&bench, "web", "nodeAssigned", text).await;
    // Where no cable is in, it is given all the same.
    bench
        .fake
        .put(Resource::SERVICES, service("api", 2, json!({})));
    until_published(&bench, &["10.9.0.1", "10.9.0.2"]).await;
    report(
        &lan,
        &[("10.9.0.1", announced()), ("10.9.0.2", OnLan::Waiting)],
    );
    bench.until_ingress("api", &["10.9.0.2"]).await;
    assert_eq!(told(&bench, "api", "nodeAssigned", ""), 0);
}

#[tokio::test]
async fn an_address_that_is_asked_about_goes_to_nobody_else() {
    let (mut bench, lan) = bench(&["10.9.0.1-10.9.0.2"]);
    let one = |name: &str| service(name, 1, json!({}));
    bench.fake.put(Resource::SERVICES, one("b"));
    bench.start();
    until_published(&bench, &["10.9.0.1"]).await;
    // As old, and before it by name.
    bench.fake.put(Resource::SERVICES, one("a"));
    until_published(&bench, &["10.9.0.1", "10.9.0.2"]).await;
    report(
        &lan,
        &[("10.9.0.1", announced()), ("10.9.0.2", announced())],
    );
    bench.until_ingress("a", &["10.9.0.2"]).await;
    bench.until_ingress("b", &["10.9.0.1"]).await;
}

#[tokio::test]
async fn an_address_of_another_host_is_passed_over_and_said_so() {
    let (mut bench, lan) = bench(&["10.9.0.1-10.9.0.2"]);
    bench
        .fake
        .put(Resource::SERVICES, service("web", 1, json!({})));
    bench.start();
    until_published(&bench, &["10.9.0.1"]).await;
    report(&lan, &[("10.9.0.1", taken())]);
    until_published(&bench, &["10.9.0.2"]).await;
    let text =
        format!("another host on link eth0 has 10.9.0.1: the one with the hardware address {MAC}");
    until_told(&bench, "web", "AddressConflict", &text).await;
    report(&lan, &[("10.9.0.1", taken()), ("10.9.0.2", announced())]);
    bench.until_ingress("web", &["10.9.0.2"]).await;

    // Who asks for that very address waits for it.
    let wants = service("named", 2, json!({"loadBalancerIP": "10.9.0.1"}));
    bench.fake.put(Resource::SERVICES, wants);
    until_told(
        &bench,
        "named",
        "AllocationFailed",
        "another host on the LAN has 10.9.0.1",
    )
    .await;
    assert!(bench.ingress("named").is_empty());
    report(&lan, &[("10.9.0.2", announced())]);
    until_published(&bench, &["10.9.0.1", "10.9.0.2"]).await;
    report(
        &lan,
        &[("10.9.0.1", announced()), ("10.9.0.2", announced())],
    );
    bench.until_ingress("named", &["10.9.0.1"]).await;
    assert_eq!(bench.ingress("web"), ["10.9.0.2"]);
}

#[tokio::test]
async fn a_conflict_later_moves_the_service_on() {
    let (mut bench, lan) = bench(&["10.9.0.1-10.9.0.2"]);
    bench
        .fake
        .put(Resource::SERVICES, service("web", 1, json!({})));
    bench.start();
    until_published(&bench, &["10.9.0.1"]).await;
    report(&lan, &[("10.9.0.1", announced())]);
    bench.until_ingress("web", &["10.9.0.1"]).await;
    report(&lan, &[("10.9.0.1", taken())]);
    until_told(&bench, "web", "AddressConflict", "10.9.0.1").await;
    until_published(&bench, &["10.9.0.2"]).await;
    report(&lan, &[("10.9.0.1", taken()), ("10.9.0.2", announced())]);
    bench.until_ingress("web", &["10.9.0.2"]).await;
}

/// What ServiceL2Statuses say: their namespace, labels, and status.
fn statuses(fake: &crate::fake::Fake) -> Vec<Value> {
    let all = fake.all(Resource::SERVICEL2STATUSES);
    let said = all.iter().map(|one| {
        json!({"in": one.namespace(), "labels": one.0["metadata"]["labels"], "status": one.0.get("status")})
    });
    said.collect()
}

#[tokio::test]
async fn a_service_l2_status_says_who_announces() {
    let (mut bench, lan) = bench(&["10.9.0.1-10.9.0.2"]);
    bench
        .fake
        .put(Resource::SERVICES, service("web", 1, json!({})));
    // One that another node wrote, and one of a Service that is gone.
    let of = |name: &str, node: &str| {
        let labels = json!({
            "metallb.io/node": node,
            "metallb.io/service-name": name,
            "metallb.io/service-namespace": "a",
        });
        let status = json!({"node": node, "serviceName": name, "serviceNamespace": "a"});
        (labels, status)
    };
    for (name, node) in [("web", "other"), ("gone", "edge")] {
        let (labels, status) = of(name, node);
        let metadata = json!({"namespace": "a", "name": format!("l2-{node}"), "labels": labels});
        let object = json!({"metadata": metadata, "status": status});
        bench.fake.put(Resource::SERVICEL2STATUSES, object);
    }
    let (labels, status) = of("web", "other");
    let others = json!({"in": "a", "labels": labels, "status": status});
    let ours = |links: Value| {
        let (labels, mut status) = of("web", "edge");
        status["interfaces"] = links;
        json!({"in": "a", "labels": labels, "status": status})
    };
    let until = async |bench: &Bench, wanted: &[Value]| {
        let same = |fake: &crate::fake::Fake| {
            let all = statuses(fake);
            all.len() == wanted.len() && wanted.iter().all(|one| all.contains(one))
        };
        bench.fake.until(same).await;
    };
    bench.start();
    until(&bench, std::slice::from_ref(&others)).await;
    for name in ["eth0", "eth1"] {
        let link = name.to_string();
        let wanted = [others.clone(), ours(json!([{"name": name}]))];
        report(&lan, &[("10.9.0.1", OnLan::Announced { link })]);
        until(&bench, &wanted).await;
        // It is asked about once more, as after a restart: nothing is written.
        bench.fake.settled().await;
        bench.fake.take_writes();
        report(&lan, &[("10.9.0.1", OnLan::Asking)]);
        let writes = bench.fake.settled().await;
        assert!(
            writes
                .iter()
                .all(|write| !write.contains("ServiceL2Status")),
            "{writes:?}"
        );
    }
    report(&lan, &[("10.9.0.1", OnLan::Waiting)]);
    until(&bench, &[others]).await;
}

#[tokio::test]
async fn links_that_are_named_and_not_there_are_told() {
    let (mut bench, lan) = bench(&[]);
    let metadata = |name: &str| json!({"namespace": "m", "name": name});
    let pool = json!({"metadata": metadata("lan"), "spec": {"addresses": ["10.9.0.1-10.9.0.9"]}});
    let named = |link: &str| json!({"metadata": metadata("lan"), "spec": {"interfaces": [link]}});
    bench.fake.put(Resource::IPADDRESSPOOLS, pool);
    bench.fake.put(Resource::L2ADVERTISEMENTS, named("eth7"));
    bench
        .fake
        .put(Resource::SERVICES, service("web", 1, json!({})));
    bench.start();
    until_published(&bench, &["10.9.0.1"]).await;
    report(&lan, &[("10.9.0.1", OnLan::NoLink)]);
    // The address is given all the same.
    bench.until_ingress("web", &["10.9.0.1"]).await;
    let text = "10.9.0.1 is not announced: node \"edge\" has none of the links that the L2Advertisements name for it (eth7)";
    until_told(&bench, "web", "announceFailed", text).await;
    // Once; and again only after it was announced.
    report(&lan, &[("10.9.0.1", OnLan::NoLink), ("10.9.0.5", taken())]);
    bench.fake.settled().await;
    assert_eq!(told(&bench, "web", "announceFailed", ""), 1);
    report(&lan, &[("10.9.0.1", announced())]);
    until_told(&bench, "web", "nodeAssigned", "10.9.0.1").await;
    // A cable that is out is no mistake.
    report(&lan, &[("10.9.0.1", OnLan::Waiting)]);
    bench.fake.settled().await;
    assert_eq!(told(&bench, "web", "announceFailed", ""), 1);
}

#[tokio::test]
async fn with_the_policy_local_it_is_announced_where_endpoints_are() {
    let mut bench = Bench::new(&["10.9.0.1-10.9.0.2"]);
    let local = json!({"externalTrafficPolicy": "Local"});
    bench.fake.put(Resource::SERVICES, service("web", 1, local));
    bench
        .fake
        .put(Resource::SERVICES, service("all", 2, json!({})));
    let slice = |endpoints: Value| {
        json!({
            "metadata": {
                "namespace": "a", "name": "web-1", "labels": {"kubernetes.io/service-name": "web"},
            },
            "addressType": "IPv4",
            "endpoints": endpoints,
        })
    };
    let on = |node: &str, ready: bool| json!([{"addresses": ["10.1.0.1"], "nodeName": node, "conditions": {"ready": ready}}]);
    bench.start();
    // It has its address all the same.
    bench.until_ingress("web", &["10.9.0.1"]).await;
    until_published(&bench, &["10.9.0.2"]).await;
    for (endpoints, published) in [
        (on("edge", true), &["10.9.0.1", "10.9.0.2"][..]),
        (on("edge", false), &["10.9.0.2"]),
        (on("edge", true), &["10.9.0.1", "10.9.0.2"]),
        (on("other", true), &["10.9.0.2"]),
    ] {
        bench.fake.put(Resource::ENDPOINTSLICES, slice(endpoints));
        until_published(&bench, published).await;
    }
    assert_eq!(bench.ingress("web"), ["10.9.0.1"]);
}
