//! What a LAN hears of virtual addresses, frame by frame, and how it finds them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod lab;

use std::net::TcpListener;
use std::time::Duration;

use kedge_addresses::Claim;
use lab::frames::Spoken::{Advertisement, ArpProbe, ArpReply, ArpRequest, Solicitation};
use lab::running::{Running, announced, has, wished};
use lab::skip::skip;
use lab::switch::Switch;
use lab::{Namespace, PATIENCE};

const V4: &str = "192.168.7.240";
const V6: &str = "fd07::240";
const NODE: &[&str] = &["192.168.7.1/24", "fd07::1/64"];
const CLIENT: &[&str] = &["192.168.7.2/24", "fd07::2/64"];

/// Longer than anything that is still to come may take.
const SILENCE: Duration = Duration::from_millis(2500);

/// A node at 192.168.7.1 and a client at 192.168.7.2, both on a switch.
fn lan() -> (Switch, Namespace, Namespace) {
    let switch = Switch::new();
    let (node, client) = (switch.host(NODE), switch.host(CLIENT));
    (switch, node, client)
}

/// Both addresses on a link.
fn both(link: &str) -> [(&'static str, Claim); 2] {
    [(V4, announced(link)), (V6, announced(link))]
}

/// Whether a host that is asked by ARP and by NDP has the addresses: the answer to each.
fn answers(client: &Namespace) -> (bool, bool) {
    let (arp, _) = client.sh(&format!("arping -c 1 -w 1 -I eth0 {V4}"));
    let (ndp, _) = client.sh(&format!("ndisc6 -1 -r 1 -w 500 {V6} eth0"));
    (arp, ndp)
}

#[test]
fn asked_for_three_times_announced_three_times_and_then_silence() {
    let (_switch, node, client) = lan();
    let mac = node.mac("eth0");
    let (arp, ndp) = (client.capture(), client.capture());
    node.block_on(|| async {
        let running = Running::start(wished(&[V4, V6])).await;
        let heard = [(arp, V4), (ndp, V6)].map(|(capture, ip)| {
            tokio::task::spawn_blocking(move || capture.hear(mac, ip, SILENCE))
        });
        let [arp, ndp] = heard;
        let (arp, ndp) = (arp.await.unwrap(), ndp.await.unwrap());
        let said = |heard: &[(lab::frames::Spoken, u128)]| -> Vec<_> {
            heard.iter().map(|(spoken, _)| *spoken).collect()
        };
        let burst = [ArpRequest, ArpReply].repeat(3);
        assert_eq!(said(&arp), [[ArpProbe; 3].to_vec(), burst].concat());
        assert_eq!(said(&ndp), [[Solicitation; 3], [Advertisement; 3]].concat());
        // A second of questions, then announcements a second apart; the first may have been read late.
        let at = |index: usize| arp[index].1;
        for (index, at_least) in [(1, 250), (2, 500), (3, 1000), (5, 2000), (7, 3000)] {
            assert!(at(index) >= at_least - 100, "{arp:?}");
        }
        let mut registry = prometheus_client::registry::Registry::default();
        running.metrics.register(&mut registry);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        let sent = format!("metallb_layer2_gratuitous_sent_total{{ip=\"{V4}\"}} 3\n");
        assert!(text.contains(&sent), "{text}");
        running.stop().await;
    });
}

#[test]
fn hosts_of_the_lan_find_it_until_it_is_released() {
    let (_switch, node, client) = lan();
    node.block_on(|| async {
        let running = Running::start(wished(&[V4, V6])).await;
        running.until_claims(&both("eth0")).await;
        let servers = [V4, V6].map(|ip| TcpListener::bind((ip, 8080)).unwrap());
        assert_eq!(answers(&client), (true, true));
        client.run(&format!("ping -c 1 -W 2 {V4} && ping -c 1 -W 2 {V6}"));
        let mac = client.run("cat /sys/class/net/eth0/address");
        let found = client.run(&format!("arping -c 1 -I eth0 {V4}; ndisc6 -1 {V6} eth0"));
        let node_mac = node
            .run("cat /sys/class/net/eth0/address")
            .trim()
            .to_uppercase();
        assert_ne!(mac.trim().to_uppercase(), node_mac);
        assert_eq!(found.matches(&node_mac).count(), 2, "{found}");
        client.block_on(|| async {
            for server in &servers {
                let address = server.local_addr().unwrap();
                std::net::TcpStream::connect_timeout(&address, PATIENCE).unwrap();
            }
        });
        drop(servers);
        running.wishes.send_replace(wished(&[V6]));
        running.until_claims(&both("eth0")[1..]).await;
        running.until(|host| !has(host, V4, "eth0")).await;
        assert_eq!(answers(&client), (false, true));
        running.wishes.send_replace(wished(&[]));
        running.until(|host| !has(host, V6, "eth0")).await;
        assert_eq!(answers(&client), (false, false));
        running.stop().await;
    });
}

#[test]
fn a_link_that_was_down_asks_again_and_announces_again() {
    let (switch, node, client) = lan();
    let mac = node.mac("eth0");
    node.block_on(|| async {
        let running = Running::start(wished(&[V4, V6])).await;
        running.until_claims(&both("eth0")).await;
        // The cable: the addresses stay, and nobody is told of them any more.
        switch.namespace.ip("link set port1 down");
        let waiting = Claim::Waiting {
            link: Some("eth0".into()),
        };
        running
            .until_claims(&[(V4, waiting.clone()), (V6, waiting.clone())])
            .await;
        assert!(has(&running.follower.host().borrow().clone(), V4, "eth0"));
        let (arp, ndp) = (client.capture(), client.capture());
        switch.namespace.ip("link set port1 up");
        running.until_claims(&both("eth0")).await;
        let heard = tokio::task::spawn_blocking(move || {
            (arp.hear(mac, V4, SILENCE), ndp.hear(mac, V6, SILENCE))
        });
        let (arp, ndp) = heard.await.unwrap();
        let count = |heard: &[(lab::frames::Spoken, u128)], what| {
            heard.iter().filter(|(spoken, _)| *spoken == what).count()
        };
        assert!(
            count(&arp, ArpProbe) >= 1 && count(&arp, ArpRequest) == 3,
            "{arp:?}"
        );
        assert!(
            count(&ndp, Solicitation) >= 1 && count(&ndp, Advertisement) == 3,
            "{ndp:?}"
        );

        // The switch in software: the kernel takes the IPv6 address away, so that it is asked for anew.
        let ndp = client.capture();
        node.ip("link set eth0 down");
        running.until(|host| !has(host, V6, "eth0")).await;
        node.ip("link set eth0 up");
        running.until_claims(&both("eth0")).await;
        let heard = tokio::task::spawn_blocking(move || ndp.hear(mac, V6, SILENCE));
        let ndp = heard.await.unwrap();
        assert_eq!(count(&ndp, Solicitation), 3, "{ndp:?}");
        running.stop().await;
    });
}

/// Two cables from a node's bridge to the switch, of which one is in use.
#[test]
fn on_a_bridge_it_is_the_bridge_that_speaks_and_the_switch_sees_it_move() {
    let (switch, client) = (Switch::new(), Namespace::new());
    switch.plug(&client, "eth0", CLIENT);
    let node = Namespace::new();
    let ports = ["eth0", "eth1"].map(|link| switch.plug(&node, link, &[]));
    node.ip("link add br0 address 02:00:00:00:07:01 type bridge stp_state 0 mcast_snooping 0");
    node.ip("link set eth0 master br0");
    node.ip("link set br0 up");
    for address in NODE {
        node.ip(&format!("addr add {address} dev br0"));
    }
    let mac = node.mac("br0");
    node.block_on(|| async {
        let capture = client.capture();
        let running = Running::start(wished(&[V4, V6])).await;
        running.until_claims(&both("br0")).await;
        let first = tokio::task::spawn_blocking(move || capture.first(mac, V4));
        assert_eq!(first.await.unwrap(), Some(ArpProbe));
        client.run(&format!("ping -c 1 -W 2 {V4} && ping -c 1 -W 2 {V6}"));
        assert_eq!(switch.port_of(mac).as_ref(), Some(&ports[0]));

        let capture = client.capture();
        node.ip("link set eth0 nomaster");
        let waiting = Claim::Waiting {
            link: Some("br0".into()),
        };
        running
            .until_claims(&[(V4, waiting.clone()), (V6, waiting)])
            .await;
        node.ip("link set eth1 master br0");
        running.until_claims(&both("br0")).await;
        let heard = tokio::task::spawn_blocking(move || capture.hear(mac, V4, SILENCE));
        let heard = heard.await.unwrap();
        assert!(
            heard.iter().any(|(spoken, _)| *spoken == ArpRequest),
            "{heard:?}"
        );
        // Nobody but the announcement told the switch.
        assert_eq!(switch.port_of(mac).as_ref(), Some(&ports[1]));
        assert_eq!(answers(&client), (true, true));
        running.stop().await;
    });
}

#[test]
fn another_hardware_address_is_announced() {
    let (_switch, node, client) = lan();
    node.block_on(|| async {
        let running = Running::start(wished(&[V4, V6])).await;
        running.until_claims(&both("eth0")).await;
        client.run(&format!("ping -c 1 -W 2 {V4} && ping -c 1 -W 2 {V6}"));
        let (arp, ndp) = (client.capture(), client.capture());
        node.ip("link set eth0 address 02:00:00:00:07:77");
        let mac = node.mac("eth0");
        let first = tokio::task::spawn_blocking(move || (arp.first(mac, V4), ndp.first(mac, V6)));
        assert_eq!(first.await.unwrap(), (Some(ArpProbe), Some(Solicitation)));
        let told = |ip: &str| {
            client
                .ip(&format!("neigh show {ip}"))
                .contains("02:00:00:00:07:77")
        };
        assert!(told(V4) && told(V6));
        running.stop().await;
    });
}

/// What stands on another link is a link like others: its addresses wait and are announced with the cable beneath it.
#[test]
fn on_links_that_stand_on_others() {
    for (kind, on_both) in [("vlan id 7", true), ("macvlan mode bridge", false)] {
        let switch = Switch::new();
        let (node, client) = (switch.host(&[]), switch.host(&[]));
        let make = format!("link add link eth0 name lan0 type {kind}");
        if !node.sh(&format!("ip {make}")).0 {
            skip(
                "on_links_that_stand_on_others",
                &format!("this kernel has no link of the type {kind}"),
            );
            continue;
        }
        if on_both {
            client.ip(&make);
        }
        let there = if on_both { "lan0" } else { "eth0" };
        for (host, link, addresses) in [(&node, "lan0", NODE), (&client, there, CLIENT)] {
            host.ip(&format!("link set {link} up"));
            for address in addresses {
                host.ip(&format!("addr add {address} dev {link}"));
            }
        }
        let mac = node.mac("lan0");
        node.block_on(|| async {
            let running = Running::start(wished(&[V4, V6])).await;
            running.until_claims(&both("lan0")).await;
            client.run(&format!("ping -c 1 -W 2 {V4} && ping -c 1 -W 2 {V6}"));
            switch.namespace.ip("link set port1 down");
            let waiting = Claim::Waiting {
                link: Some("lan0".into()),
            };
            running
                .until_claims(&[(V4, waiting.clone()), (V6, waiting)])
                .await;
            let capture = client.capture();
            switch.namespace.ip("link set port1 up");
            running.until_claims(&both("lan0")).await;
            let heard = tokio::task::spawn_blocking(move || capture.hear(mac, V6, SILENCE));
            let heard = heard.await.unwrap();
            let announced = heard.iter().any(|(spoken, _)| *spoken == Advertisement);
            assert!(announced, "{kind}: {heard:?}");
            client.run(&format!("ping -c 1 -W 2 {V4} && ping -c 1 -W 2 {V6}"));
            running.stop().await;
        });
    }
}

/// Two cables of one bond, of which one is in use: the other one is announced on once the first is out.
#[test]
fn a_bond_announces_when_another_cable_is_in_use() {
    let (switch, client, node) = (Switch::new(), Namespace::new(), Namespace::new());
    switch.plug(&client, "eth0", CLIENT);
    let ports = ["eth0", "eth1"].map(|link| switch.plug(&node, link, &[]));
    if !node
        .sh("ip link add bond0 type bond mode active-backup miimon 50")
        .0
    {
        return skip(
            "a_bond_announces_when_another_cable_is_in_use",
            "this kernel has no bonds",
        );
    }
    for port in ["eth0", "eth1"] {
        node.ip(&format!("link set {port} down"));
        node.ip(&format!("link set {port} master bond0"));
    }
    node.ip("link set bond0 up");
    for address in NODE {
        node.ip(&format!("addr add {address} dev bond0"));
    }
    let mac = node.mac("bond0");
    node.block_on(|| async {
        let running = Running::start(wished(&[V4, V6])).await;
        running.until_claims(&both("bond0")).await;
        client.run(&format!("ping -c 1 -W 2 {V4} && ping -c 1 -W 2 {V6}"));
        // Whichever the kernel saw a carrier on first.
        let first = switch.port_of(mac).unwrap();
        let other = ports.iter().find(|port| **port != first);
        let capture = client.capture();
        switch.namespace.ip(&format!("link set {first} down"));
        let heard = tokio::task::spawn_blocking(move || capture.hear(mac, V4, SILENCE));
        let heard = heard.await.unwrap();
        let announced = heard.iter().any(|(spoken, _)| *spoken == ArpRequest);
        assert!(announced, "{heard:?}");
        assert_eq!(switch.port_of(mac).as_ref(), other);
        assert_eq!(answers(&client), (true, true));
        running.stop().await;
    });
}
