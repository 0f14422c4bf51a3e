//! What a node has for itself: the DNS address, and a way to Service addresses, in a real kernel.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod lab;

use std::collections::BTreeSet;
use std::io::Read;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
use kedge_addresses::{Follower, Host, Keeper, KeeperConfig, cleanup, forwarding};
use lab::Namespace;
use rtnetlink::MulticastGroup;
use tokio::sync::watch;

fn config() -> KeeperConfig {
    KeeperConfig {
        service_cidrs: vec![
            "10.43.0.0/16".parse().unwrap(),
            "fd43::/112".parse().unwrap(),
        ],
        dns_addresses: vec!["10.43.0.10".parse().unwrap()],
        ..KeeperConfig::default()
    }
}

/// Keeps until the machine is as `enough` wants it.
async fn keep_until(enough: impl FnMut(&Arc<Host>) -> bool) {
    let follower = Follower::start().await.unwrap();
    let (_wishes, wishes) = watch::channel(None);
    let keeper = Keeper::new(config(), follower.host(), wishes).unwrap();
    let mut host = follower.host();
    keeper
        .run(async { drop(host.wait_for(enough).await.unwrap()) })
        .await;
}

fn complete(host: &Arc<Host>) -> bool {
    host.routes.iter().filter(|route| route.own).count() == 4
        && host.rules.len() == 2
        && host.addresses.iter().any(|address| address.own)
}

/// Service addresses 10.43.0.1 and fd43::1 lead to the LAN host, as the dataplane would have it.
const SERVICES: &str = "nft -f - <<'END'
table ip t {
 chain out { type nat hook output priority -100; ip daddr 10.43.0.1 tcp dport 80 dnat to 192.168.7.2:8080; }
}
table ip6 t {
 chain out { type nat hook output priority -100; ip6 daddr fd43::1 tcp dport 80 dnat to [fd07::2]:8080; }
}
END";

#[test]
fn a_program_on_the_node_reaches_services_without_a_default_route() {
    let (node, backend) = (Namespace::new(), Namespace::new());
    node.connect(
        &backend,
        "eth0",
        &["192.168.7.1/24", "fd07::1/64"],
        &["192.168.7.2/24", "fd07::2/64"],
    );
    assert!(node.sh(SERVICES).0);
    node.block_on(|| keep_until(complete));

    for (listen, service, source) in [
        ("192.168.7.2:8080", "10.43.0.1:80", "192.168.7.1"),
        ("[fd07::2]:8080", "[fd43::1]:80", "fd07::1"),
    ] {
        let listener = backend.block_on(|| async { TcpListener::bind(listen).unwrap() });
        let server = std::thread::spawn(move || {
            let (stream, peer) = listener.accept().unwrap();
            drop(stream);
            peer.ip().to_string()
        });
        node.block_on(|| async {
            let target = service.parse().unwrap();
            let mut stream = TcpStream::connect_timeout(&target, Duration::from_secs(5)).unwrap();
            stream.read_to_end(&mut Vec::new()).unwrap();
        });
        assert_eq!(
            server.join().unwrap(),
            source,
            "the backend can answer the node's own address"
        );
    }
    // The segment size is that of the LAN, not of lo.
    assert!(node.ip("route get 10.43.0.1").contains("mtu 1500"));
}

#[test]
fn what_no_service_claims_ends_here() {
    let (node, client) = (Namespace::new(), Namespace::new());
    node.connect(
        &client,
        "eth0",
        &["192.168.7.1/24", "fd07::1/64"],
        &["192.168.7.2/24"],
    );
    // A router that sends the range to the node, to which the node's default route leads back.
    client.ip("route add 10.43.0.0/16 via 192.168.7.1");
    node.ip("route add default via 192.168.7.2");
    node.block_on(|| async {
        forwarding::enable().unwrap();
        keep_until(complete).await;
    });
    let refused = client.block_on(|| async {
        let target = "10.43.9.9:9".parse().unwrap();
        TcpStream::connect_timeout(&target, Duration::from_secs(5))
            .unwrap_err()
            .kind()
    });
    assert_eq!(refused, std::io::ErrorKind::HostUnreachable);

    // From the node: at most the packet itself and its refusal over lo, none onto the LAN.
    let through_lo = || {
        let (_, count) = node.sh("cat /sys/class/net/lo/statistics/rx_packets");
        count.trim().parse::<u32>().unwrap()
    };
    let before = through_lo();
    let capture = client.capture();
    let astray = b"a datagram that goes astray";
    node.block_on(|| async {
        let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
        socket.send_to(astray, "10.43.9.9:9").unwrap();
    });
    assert!(!capture.sees_within(astray, Duration::from_millis(300)));
    assert!(through_lo() - before <= 2);
}

#[test]
fn the_dns_address_is_the_nodes_and_stays_off_the_lan() {
    let (node, other) = (Namespace::new(), Namespace::new());
    node.connect(
        &other,
        "eth0",
        &["192.168.7.1/24", "fd07::1/64"],
        &["192.168.7.2/24"],
    );
    let capture = other.capture();
    node.block_on(|| async {
        keep_until(complete).await;
        let server = UdpSocket::bind("10.43.0.10:53").unwrap();
        let client = UdpSocket::bind("0.0.0.0:0").unwrap();
        client.send_to(b"?", "10.43.0.10:53").unwrap();
        server
            .set_read_timeout(Some(Duration::from_secs(5)))
            .unwrap();
        assert_eq!(server.recv_from(&mut [0; 8]).unwrap().0, 1);
    });
    let mac = node.mac("eth0");
    let ip = [10, 43, 0, 10];
    let parts: &[&[u8]] = &[
        &[0xff; 6],
        &mac,
        &[8, 6, 0, 1, 8, 0, 6, 4, 0, 1],
        &mac,
        &ip,
        &[0; 6],
        &ip,
    ];
    assert!(!capture.sees_within(&parts.concat(), Duration::from_millis(300)));
}

#[test]
fn the_source_follows_the_nodes_address() {
    let (node, other) = (Namespace::new(), Namespace::new());
    node.connect(&other, "eth0", &["192.168.7.1/24"], &["192.168.7.2/24"]);
    node.block_on(|| async {
        let follower = Follower::start().await.unwrap();
        let (_wishes, wishes) = watch::channel(None);
        let keeper = Keeper::new(config(), follower.host(), wishes).unwrap();
        let mut host = follower.host();
        let source = |host: &Host, ip: &str| {
            host.routes
                .iter()
                .any(|route| route.own && route.source == Some(ip.parse().unwrap()))
        };
        let story = async {
            drop(
                host.wait_for(|host| source(host, "192.168.7.1"))
                    .await
                    .unwrap(),
            );
            // The kernel removes the routes whose source goes.
            node.ip("addr del 192.168.7.1/24 dev eth0");
            drop(
                host.wait_for(|host| source(host, "10.43.0.10"))
                    .await
                    .unwrap(),
            );
            node.ip("addr add 192.168.9.1/24 dev eth0");
            drop(
                host.wait_for(|host| source(host, "192.168.9.1"))
                    .await
                    .unwrap(),
            );
            node.ip("route flush table 27493");
            drop(
                host.wait_for(|host| !source(host, "192.168.9.1"))
                    .await
                    .unwrap(),
            );
            drop(
                host.wait_for(|host| source(host, "192.168.9.1"))
                    .await
                    .unwrap(),
            );
        };
        keeper.run(story).await;
    });
}

#[test]
fn what_is_there_already_is_not_written_again() {
    const EVERYTHING: [MulticastGroup; 7] = [
        MulticastGroup::Link,
        MulticastGroup::Ipv4Ifaddr,
        MulticastGroup::Ipv6Ifaddr,
        MulticastGroup::Ipv4Route,
        MulticastGroup::Ipv6Route,
        MulticastGroup::Ipv4Rule,
        MulticastGroup::Ipv6Rule,
    ];
    let (node, other) = (Namespace::new(), Namespace::new());
    node.connect(
        &other,
        "eth0",
        &["192.168.7.1/24", "fd07::1/64"],
        &["192.168.7.2/24"],
    );
    // Link-local addresses of the veth pair arrive in their own time.
    std::thread::sleep(Duration::from_secs(3));
    node.block_on(|| async {
        keep_until(complete).await;
        let (connection, _, mut changes) =
            rtnetlink::new_multicast_connection(&EVERYTHING).unwrap();
        let listening = tokio::spawn(connection);
        // The first round of the next process, and some time for what it might set off.
        keep_until(complete).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        let change = changes.next().now_or_never();
        assert!(change.is_none(), "{change:?}");
        listening.abort();
    });
}

/// The links that carry the DNS addresses.
fn carriers(host: &Host) -> Vec<String> {
    let dns = ["10.43.0.10", "fd43::a"].map(|ip| ip.parse().unwrap());
    let own = host.addresses.iter().filter(|address| address.own);
    let dns = own.filter(|address| dns.contains(&address.ip));
    dns.map(|address| host.link_name(address.link)).collect()
}

fn link_index(host: &Host) -> Option<u32> {
    host.dns_link().map(|link| link.index)
}

fn is_on(host: &Host) -> bool {
    host.dns_link().is_some_and(|link| link.up)
}

/// The ranges that the kernel has routes for, and those that it has rules for.
fn ranges(host: &Host) -> [BTreeSet<String>; 2] {
    let routes = host.routes.iter().filter(|route| route.own);
    let routes = routes.map(|route| route.destination.to_string()).collect();
    let rules = host.rules.iter();
    [
        routes,
        rules.map(|rule| rule.destination.to_string()).collect(),
    ]
}

#[test]
fn a_range_that_is_added_has_its_route_until_it_goes() {
    let node = Namespace::new();
    node.block_on(|| async {
        let follower = Follower::start().await.unwrap();
        let (_wishes, wishes) = watch::channel(None);
        let (add, added) = watch::channel(Arc::from([]));
        let config = KeeperConfig {
            added_cidrs: Some(added),
            ..config()
        };
        let keeper = Keeper::new(config, follower.host(), wishes).unwrap();
        let mut host = follower.host();
        let story = async {
            for (more, rules) in [
                (&["10.44.0.0/24"][..], 3),
                (&["10.45.0.0/24", "fd45::/112"], 4),
                (&[], 2),
            ] {
                add.send_replace(more.iter().map(|range| range.parse().unwrap()).collect());
                let there = |host: &Arc<Host>| {
                    let [routes, ruled] = ranges(host);
                    let all = more
                        .iter()
                        .all(|range| routes.contains(*range) && ruled.contains(*range));
                    all && ruled.len() == rules && routes.len() == rules
                };
                drop(host.wait_for(there).await.unwrap());
            }
        };
        keeper.run(story).await;
    });
}

#[test]
fn the_dns_addresses_get_a_link_of_their_own_once_that_is_wanted() {
    let node = Namespace::new();
    node.ip("link add group 7 name other type veth peer name other-end");
    node.block_on(|| async {
        let follower = Follower::start().await.unwrap();
        let (_wishes, wishes) = watch::channel(None);
        let (want, wanted) = watch::channel(false);
        let config = KeeperConfig {
            dns_addresses: vec!["10.43.0.10".parse().unwrap(), "fd43::a".parse().unwrap()],
            dns_link: Some(wanted),
            ..config()
        };
        let keeper = Keeper::new(config.clone(), follower.host(), wishes.clone()).unwrap();
        let mut host = follower.host();
        let (mut changes, mut pictures) = (follower.host(), follower.host());
        let mut until = async |names: &[&str]| {
            let there = |host: &Arc<Host>| carriers(host) == names;
            drop(host.wait_for(there).await.unwrap());
        };
        let story = async {
            until(&["lo", "lo"]).await;
            want.send_replace(true);
            until(&["kedge-dns", "kedge-dns"]).await;
            // As systemd-resolved counts: not of the scope of a link, not deprecated. Nothing speaks there.
            let shown = node.ip("addr show dev kedge-dns");
            assert!(
                shown.contains("10.43.0.10/32") && shown.contains("scope site"),
                "{shown}"
            );
            assert!(
                shown.contains("fd43::a/128") && shown.contains("scope global"),
                "{shown}"
            );
            assert!(!shown.contains("deprecated"), "{shown}");
            assert!(
                shown.contains("NOARP") && shown.contains("LOWER_UP"),
                "{shown}"
            );
            assert!(!shown.contains("MULTICAST"), "{shown}");
            let server = UdpSocket::bind("10.43.0.10:53").unwrap();
            // Made again: another link, which only a new picture shows.
            let first = link_index(&changes.borrow());
            node.ip("link del kedge-dns");
            let again = |host: &Arc<Host>| {
                link_index(host) != first && carriers(host) == ["kedge-dns", "kedge-dns"]
            };
            drop(changes.wait_for(again).await.unwrap());
            // A socket that was bound before is still there.
            let client = UdpSocket::bind("0.0.0.0:0").unwrap();
            client.send_to(b"?", "10.43.0.10:53").unwrap();
            let patience = Some(Duration::from_secs(5));
            server.set_read_timeout(patience).unwrap();
            let (_, from) = server.recv_from(&mut [0; 8]).unwrap();
            assert_eq!(from.ip().to_string(), "10.43.0.10");
            want.send_replace(false);
        };
        keeper.run(story).await;

        // The next process finds it there, turns it on, and leaves it until it is to be gone.
        node.ip("link set kedge-dns down");
        drop(pictures.wait_for(|host| !is_on(host)).await.unwrap());
        let keeper = Keeper::new(config.clone(), follower.host(), wishes.clone()).unwrap();
        let on = |host: &Arc<Host>| is_on(host) && carriers(host) == ["kedge-dns", "kedge-dns"];
        let story = async { drop(pictures.wait_for(on).await.unwrap()) };
        keeper.run(story).await;
        let off = KeeperConfig {
            dns_link: None,
            ..config.clone()
        };
        let keeper = Keeper::new(off, follower.host(), wishes.clone()).unwrap();
        keeper.run(until(&["lo", "lo"])).await;
        assert!(!node.ip("link show").contains("kedge-dns"));

        // All of it goes with cleanup; another's pair stays.
        want.send_replace(true);
        let keeper = Keeper::new(config, follower.host(), wishes).unwrap();
        keeper.run(until(&["kedge-dns", "kedge-dns"])).await;
        let removed = cleanup().await.unwrap();
        assert_eq!((removed.links, removed.addresses), (1, 2));
        let left = node.ip("link show");
        assert!(
            !left.contains("kedge-dns") && left.contains("other-end"),
            "{left}"
        );
    });
}
