//! Virtual addresses in a real kernel: a node and a host of its LAN, each a network namespace.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod lab;

use std::net::IpAddr;
use std::sync::Arc;

use kedge_addresses::{Follower, Keeper, KeeperConfig, Wished, cleanup};
use lab::running::{Running, announced, has, wished};
use lab::{Namespace, PATIENCE};
use tokio::sync::watch;

const V4: &str = "192.168.7.240";
const V6: &str = "fd07::240";

/// A node at 192.168.7.1 and a LAN host at 192.168.7.2.
fn lan() -> (Namespace, Namespace) {
    let (node, host) = (Namespace::new(), Namespace::new());
    node.connect(
        &host,
        "eth0",
        &["192.168.7.1/24", "fd07::1/64"],
        &["192.168.7.2/24", "fd07::2/64"],
    );
    (node, host)
}

#[test]
fn a_virtual_address_is_there_and_reachable() {
    let (node, host) = lan();
    node.block_on(|| async {
        let running = Running::start(wished(&[V4, V6])).await;
        running
            .until_claims(&[(V4, announced("eth0")), (V6, announced("eth0"))])
            .await;
        assert!(
            running
                .follower
                .node_addresses()
                .borrow()
                .iter()
                .all(|ip| ip.to_string() != V4)
        );
        running.stop().await;
    });
    // The process is gone; its addresses answer.
    host.block_on(|| async {
        for address in [V4, V6] {
            // Nobody listens there: an answer all the same.
            let target = (address.parse::<IpAddr>().unwrap(), 9).into();
            let answer = std::net::TcpStream::connect_timeout(&target, PATIENCE).unwrap_err();
            assert_eq!(
                answer.kind(),
                std::io::ErrorKind::ConnectionRefused,
                "{address}"
            );
        }
    });
    // Nothing that this machine sends by itself leaves with a virtual address as its source.
    assert!(node.ip("route get 192.168.7.2").contains("src 192.168.7.1"));
    assert!(node.ip("route get fd07::2").contains("src fd07::1"));
}

#[test]
fn the_next_process_adopts_them_and_removes_what_is_no_longer_wanted() {
    let (node, _host) = lan();
    node.block_on(|| async {
        let first = Running::start(wished(&[V4, V6])).await;
        first
            .until(|host| has(host, V4, "eth0") && has(host, V6, "eth0"))
            .await;
        first.stop().await;

        // It does not know yet what is wanted: everything stays.
        let second = Running::start(None).await;
        let now = second.follower.host().borrow().clone();
        assert!(has(&now, V4, "eth0") && has(&now, V6, "eth0"));

        second.wishes.send_replace(wished(&[V6]));
        second.until(|host| !has(host, V4, "eth0")).await;
        assert!(has(&second.follower.host().borrow().clone(), V6, "eth0"));
        second.wishes.send_replace(wished(&[]));
        second
            .until(|host| !host.addresses.iter().any(|address| address.own))
            .await;
        second.stop().await;
    });
}

#[test]
fn an_address_that_somebody_deletes_comes_back() {
    let (node, _host) = lan();
    node.block_on(|| async {
        let running = Running::start(wished(&[V4])).await;
        for _ in 0..2 {
            running.until(|host| has(host, V4, "eth0")).await;
            node.ip("addr del 192.168.7.240/32 dev eth0");
            running.until(|host| !has(host, V4, "eth0")).await;
        }
        running.until(|host| has(host, V4, "eth0")).await;
        running.stop().await;
    });
}

#[test]
fn a_link_that_appears_later_gets_its_addresses() {
    let (node, host) = (Namespace::new(), Namespace::new());
    node.block_on(|| async {
        let running = Running::start(wished(&[V4])).await;
        assert!(
            !running
                .follower
                .host()
                .borrow()
                .addresses
                .iter()
                .any(|address| address.own)
        );
        node.connect(&host, "eth7", &["192.168.7.1/24"], &["192.168.7.2/24"]);
        running.until(|host| has(host, V4, "eth7")).await;
        running.stop().await;
    });
}

#[test]
fn cleanup_removes_what_is_kedges_and_nothing_else() {
    let (node, _host) = lan();
    node.ip("addr add 192.168.7.77/32 dev eth0");
    node.ip("rule add to 10.99.0.0/16 lookup 99");
    node.ip("route add 10.98.0.0/16 via 192.168.7.2");
    let picture = || {
        [
            node.ip("-o addr show"),
            node.ip("route show table all"),
            node.ip("rule show"),
        ]
    };
    let before = picture();
    node.block_on(|| async {
        let follower = Follower::start().await.unwrap();
        let (_wishes, wishes) = watch::channel(wished(&[V4, V6]));
        let config = KeeperConfig {
            service_cidrs: vec![
                "10.43.0.0/16".parse().unwrap(),
                "fd43::/112".parse().unwrap(),
            ],
            dns_addresses: vec!["10.43.0.10".parse().unwrap()],
            ..KeeperConfig::default()
        };
        let keeper = Keeper::new(config, follower.host(), wishes).unwrap();
        let mut host = follower.host();
        let done = async {
            host.wait_for(|host| host.addresses.iter().filter(|a| a.own).count() == 3)
                .await
                .unwrap();
            host.wait_for(|host| host.routes.iter().filter(|r| r.own).count() == 4)
                .await
                .unwrap();
        };
        keeper.run(done).await;
        let removed = cleanup().await.unwrap();
        assert_eq!(
            (removed.addresses, removed.routes, removed.rules),
            (3, 4, 2)
        );
        assert_eq!(
            cleanup().await.unwrap().to_string(),
            "0 addresses, 0 routes, 0 routing rules and 0 links"
        );
    });
    assert_eq!(picture(), before);
}

#[test]
fn an_address_is_on_the_links_that_it_may_be_on() {
    let (node, host) = lan();
    node.connect(&host, "eth1", &["192.168.8.1/24"], &["192.168.8.2/24"]);
    let on = |links: Option<&[&str]>| -> Wished {
        let names = links.map(|names| names.iter().map(ToString::to_string).collect());
        Some(Arc::new([(V4.parse().unwrap(), names)].into()))
    };
    node.block_on(|| async move {
        let running = Running::start(on(Some(&["eth1"]))).await;
        running.until(|host| has(host, V4, "eth1")).await;
        running.wishes.send_replace(on(Some(&["eth1", "eth0"])));
        running
            .until(|host| has(host, V4, "eth0") && !has(host, V4, "eth1"))
            .await;
        // A link that is not there: nowhere.
        running.wishes.send_replace(on(Some(&["eth7"])));
        running.until(|host| !has(host, V4, "eth0")).await;
        running.wishes.send_replace(on(None));
        running.until(|host| has(host, V4, "eth0")).await;
        running.stop().await;
    });
}
