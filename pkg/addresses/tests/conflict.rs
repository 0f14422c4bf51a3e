//! Addresses that somebody else on the LAN has, or wants.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod lab;

use std::time::Duration;

use kedge_addresses::{Claim, Mac};
use lab::Namespace;
use lab::frames::Spoken::{Advertisement, ArpProbe, ArpReply, ArpRequest, Solicitation};
use lab::running::{Running, announced, has, wished};
use lab::switch::Switch;

const V4: &str = "192.168.7.240";
const V6: &str = "fd07::240";
const NEXT: &str = "192.168.7.241";

/// A switch, and on it a node, a client and somebody else.
fn lan() -> (Switch, Namespace, Namespace, Namespace) {
    let switch = Switch::new();
    let node = switch.host(&["192.168.7.1/24", "fd07::1/64"]);
    let client = switch.host(&["192.168.7.2/24", "fd07::2/64"]);
    let rogue = switch.host(&["192.168.7.3/24", "fd07::3/64"]);
    (switch, node, client, rogue)
}

fn taken(rogue: &Namespace) -> Claim {
    Claim::Taken {
        link: "eth0".into(),
        by: Some(Mac(rogue.mac("eth0"))),
    }
}

#[test]
fn the_address_of_another_host_is_never_used() {
    let (_switch, node, client, rogue) = lan();
    rogue.ip(&format!("addr add {V4}/24 dev eth0"));
    rogue.ip(&format!("addr add {V6}/64 dev eth0"));
    let mac = node.mac("eth0");
    let (arp, ndp) = (client.capture(), client.capture());
    node.block_on(|| async {
        let running = Running::start(wished(&[V4, V6])).await;
        running
            .until_claims(&[(V4, taken(&rogue)), (V6, taken(&rogue))])
            .await;
        // What whoever gives addresses does then.
        running.wishes.send_replace(wished(&[NEXT]));
        let all = [
            (V4, taken(&rogue)),
            (V6, taken(&rogue)),
            (NEXT, announced("eth0")),
        ];
        running.until_claims(&all).await;
        let heard = tokio::task::spawn_blocking(move || {
            let silence = Duration::from_millis(500);
            (arp.hear(mac, V4, silence), ndp.hear(mac, V6, silence))
        });
        let (arp, ndp) = heard.await.unwrap();
        assert!(arp.iter().all(|(spoken, _)| *spoken == ArpProbe), "{arp:?}");
        assert!(
            ndp.iter().all(|(spoken, _)| *spoken == Solicitation),
            "{ndp:?}"
        );
        let now = running.follower.host().borrow().clone();
        assert!(!has(&now, V4, "eth0") && !has(&now, V6, "eth0"));
        running.stop().await;
    });
    // Everybody still finds whose it is.
    let found = client.run(&format!("arping -c 2 -I eth0 {V4}; ndisc6 -1 {V6} eth0"));
    let rogue = rogue
        .run("cat /sys/class/net/eth0/address")
        .trim()
        .to_uppercase();
    assert_eq!(found.matches(&rogue).count(), 3, "{found}");
}

/// Makes a host say that it has its addresses, by another hardware address: as many times as there are.
fn claim_by(rogue: &Namespace, macs: &[&str]) {
    for mac in macs {
        rogue.ip(&format!("link set eth0 address {mac}"));
    }
}

#[test]
fn an_address_is_defended_once_and_left_to_who_insists() {
    let (_switch, node, client, rogue) = lan();
    // The kernel announces what a link has when its hardware address changes, if it is told to.
    rogue.run("echo 1 >/proc/sys/net/ipv4/conf/eth0/arp_notify; echo 1 >/proc/sys/net/ipv6/conf/eth0/ndisc_notify");
    let mac = node.mac("eth0");
    node.block_on(|| async {
        let running = Running::start(wished(&[V4, V6])).await;
        running
            .until_claims(&[(V4, announced("eth0")), (V6, announced("eth0"))])
            .await;
        // Until the burst is over.
        let capture = client.capture();
        let over = move || capture.hear(mac, V4, Duration::from_millis(1500));
        tokio::task::spawn_blocking(over).await.unwrap();

        rogue.ip(&format!("addr add {V4}/32 dev eth0"));
        rogue.ip(&format!("addr add {V6}/128 dev eth0 nodad"));
        let (arp, ndp) = (client.capture(), client.capture());
        claim_by(&rogue, &["02:00:00:00:07:61"]);
        let heard = tokio::task::spawn_blocking(move || {
            let silence = Duration::from_millis(1500);
            (arp.hear(mac, V4, silence), ndp.hear(mac, V6, silence))
        });
        let (arp, ndp) = heard.await.unwrap();
        let said: Vec<_> = arp.iter().chain(&ndp).map(|(spoken, _)| *spoken).collect();
        assert_eq!(said, [ArpRequest, ArpReply, Advertisement]);
        let now = running.follower.host().borrow().clone();
        assert!(has(&now, V4, "eth0") && has(&now, V6, "eth0"));

        claim_by(&rogue, &["02:00:00:00:07:62"]);
        running
            .until_claims(&[(V4, taken(&rogue)), (V6, taken(&rogue))])
            .await;
        running
            .until(|host| !has(host, V4, "eth0") && !has(host, V6, "eth0"))
            .await;
        running.stop().await;
    });
}

/// Two machines that want one address at the same moment, and neither has it yet.
#[test]
fn who_asks_at_the_same_moment_gets_it_as_little() {
    let (_switch, node, _client, other) = lan();
    let start = |namespace: &Namespace| {
        namespace.block_on(|| async {
            let running = Running::start(wished(&[V4, V6])).await;
            let mut claims = running.claims();
            let settled = claims.wait_for(|claims| {
                let open = |claim: &Claim| matches!(claim, Claim::Asking { .. });
                claims.len() == 2 && !claims.values().any(open)
            });
            let claims = tokio::time::timeout(lab::PATIENCE, settled).await.unwrap();
            let all = claims.unwrap().clone();
            running.stop().await;
            all
        })
    };
    let (first, second) = std::thread::scope(|scope| {
        let first = scope.spawn(|| start(&node));
        let second = scope.spawn(|| start(&other));
        (first.join().unwrap(), second.join().unwrap())
    });
    for ip in [V4, V6] {
        let ip = ip.parse().unwrap();
        let both = [&first[&ip], &second[&ip]];
        let has = both
            .iter()
            .filter(|claim| matches!(claim, Claim::Announced { .. }));
        assert!(has.count() <= 1, "{both:?}");
    }
}
