//! The picture of a machine's network, against a real kernel.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod lab;

use std::net::IpAddr;

use kedge_addresses::{Follower, Severity, forwarding, probe};
use lab::{Namespace, PATIENCE};

#[test]
fn addresses_and_links_are_followed() {
    let (node, other) = (Namespace::new(), Namespace::new());
    node.block_on(|| async {
        let follower = Follower::start().await.unwrap();
        assert!(follower.node_addresses().borrow().is_empty());
        node.connect(&other, "eth0", &["192.168.7.1/24", "fd07::1/64"], &[]);
        let mut nodes = follower.node_addresses();
        let expected: [IpAddr; 2] = ["192.168.7.1".parse().unwrap(), "fd07::1".parse().unwrap()];
        tokio::time::timeout(PATIENCE, nodes.wait_for(|nodes| **nodes == expected))
            .await
            .unwrap()
            .unwrap();

        let host = follower.host().borrow().clone();
        let link = host
            .links
            .values()
            .find(|link| link.name == "eth0")
            .unwrap();
        assert_eq!(
            (link.kind.as_str(), link.mtu, link.announces),
            ("veth", 1500, true)
        );
        assert_eq!(link.mac.unwrap().0, node.mac("eth0"));

        let mut until = async |count: usize| {
            let there = nodes.wait_for(|nodes| nodes.len() == count);
            let waited = tokio::time::timeout(PATIENCE, there).await;
            drop(waited.unwrap().unwrap());
        };
        node.ip("link set eth0 down");
        until(0).await;
        // The kernel keeps IPv4 addresses of a link that is down.
        node.ip("link set eth0 up");
        until(1).await;
        // It vanishes, addresses and all.
        node.ip("link del eth0");
        until(0).await;
        let mut host = follower.host();
        let gone = host.wait_for(|host| host.links.values().all(|link| link.name != "eth0"));
        let waited = tokio::time::timeout(PATIENCE, gone).await;
        drop(waited.unwrap().unwrap());
    });
}

#[test]
fn lost_notifications_are_made_up_for() {
    let node = Namespace::new();
    node.ip("link add eth0 type veth peer name eth1");
    node.ip("link set eth0 up");
    node.block_on(|| async {
        let follower = Follower::start().await.unwrap();
        // This blocks the only thread, so nobody reads the socket while its buffer runs over.
        let adding = "for a in 1 2 3 4; do for b in $(seq 250); do echo addr add 10.9.$a.$b/32 dev eth0; done; done";
        let (ok, said) = node.sh(&format!("({adding}) | ip -batch -; for i in $(seq 300); do echo link set eth0 alias n$i; done | ip -batch -"));
        assert!(ok, "{said}");
        let mut nodes = follower.node_addresses();
        tokio::time::timeout(PATIENCE, nodes.wait_for(|nodes| nodes.len() == 1000)).await.unwrap().unwrap();
        // And it goes on following.
        node.ip("addr add 10.9.9.9/32 dev eth0");
        tokio::time::timeout(PATIENCE, nodes.wait_for(|nodes| nodes.len() == 1001)).await.unwrap().unwrap();
    });
}

#[test]
fn forwarding_is_turned_on_once_and_said() {
    let node = Namespace::new();
    node.block_on(|| async {
        let said: Vec<_> = forwarding::enable()
            .unwrap()
            .iter()
            .map(ToString::to_string)
            .collect();
        assert!(
            said.contains(&"net.ipv6.conf.all.forwarding was 0, is 1".into()),
            "{said:?}"
        );
        assert!(
            said.contains(&"net.ipv6.conf.lo.accept_ra was 1, is 2".into()),
            "{said:?}"
        );
        assert_eq!(forwarding::enable().unwrap(), []);
    });
    assert_eq!(node.sh("cat /proc/sys/net/ipv4/ip_forward").1, "1\n");
}

#[test]
fn a_machine_that_can_run_tests_lacks_nothing_fatal() {
    let node = Namespace::new();
    let findings = node.block_on(probe);
    assert!(
        findings
            .iter()
            .all(|finding| finding.severity < Severity::Fatal),
        "{findings:?}"
    );
}
