//! Connections that real datagrams made.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use common::in_namespace;
use kedge_nftables::conntrack::{Asked, Filter, Ports, Socket as Conntrack, Status};
use kedge_nftables::expr::{Cmp, Ct, CtKey, Immediate, Meta, MetaKey, Nat, Payload};
use kedge_nftables::{Batch, Chain, ChainType, Family, Hook, Reg, Rule, Socket, Table, Value};

const SERVICE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 53)), 53);

/// Tracks what the node itself sends, marks it by its destination port, and sends what is for
/// SERVICE to `backend`.
fn track(backend: SocketAddr) {
    let mut batch = Batch::new();
    for family in [Family::Ip, Family::Ip6] {
        let table = Table::new(family, "t");
        batch.add_table(&table);
        batch.add_chain(
            &table,
            &Chain::base("out", ChainType::Nat, Hook::Output, -100),
        );
        // The mark's upper half is the port, as the packet has it.
        let mark = Rule::default()
            .with(Meta::load(MetaKey::L4proto, Reg::R1))
            .with(Cmp::eq(Reg::R1, Value::byte(17)))
            .with(Immediate::value(Reg::R0, Value::host(0)))
            .with(Payload::th_dport(Reg::R0))
            .with(Ct::set(CtKey::Mark, Reg::R0));
        batch.add_rule(&table, "out", &mark);
        if family == Family::Ip {
            let dnat = Rule::default()
                .with(Payload::ip_daddr(Reg::R0))
                .with(Cmp::eq(Reg::R0, SERVICE.ip()))
                .with(Meta::load(MetaKey::L4proto, Reg::R0))
                .with(Cmp::eq(Reg::R0, Value::byte(17)))
                .with(Immediate::value(Reg::R0, backend.ip()))
                .with(Immediate::value(Reg::R1, Value::port(backend.port())))
                .with(Nat::dnat(Family::Ip, Reg::R0, Reg::R1));
            batch.add_rule(&table, "out", &dnat);
        }
    }
    Socket::open().unwrap().commit(&batch).unwrap();
}

fn mark_of(port: u16) -> u32 {
    let [a, b] = port.to_be_bytes();
    u32::from_ne_bytes([a, b, 0, 0])
}

fn bound(address: impl Into<IpAddr>) -> UdpSocket {
    UdpSocket::bind(SocketAddr::new(address.into(), 0)).unwrap()
}

/// Sends one datagram there and one back.
fn exchange(client: &UdpSocket, server: &UdpSocket, to: SocketAddr) {
    let mut buffer = [0; 8];
    client.send_to(b"ping", to).unwrap();
    let (_, from) = server.recv_from(&mut buffer).unwrap();
    server.send_to(b"pong", from).unwrap();
    client.recv_from(&mut buffer).unwrap();
}

#[test]
fn flows_are_listed_with_what_was_rewritten_and_deleted_one_by_one() {
    in_namespace(|| {
        let server = bound(Ipv4Addr::LOCALHOST);
        let backend = server.local_addr().unwrap();
        track(backend);
        let clients = [bound(Ipv4Addr::LOCALHOST), bound(Ipv4Addr::LOCALHOST)];
        for client in &clients {
            exchange(client, &server, SERVICE);
        }
        let mut conntrack = Conntrack::open().unwrap();
        let entries = conntrack.entries(Filter::default(), |_| true).unwrap();
        assert_eq!(entries.len(), 2);
        let port = clients[0].local_addr().unwrap().port();
        let entry = *entries
            .iter()
            .find(|e| e.original.source_port() == Some(port))
            .unwrap();
        assert_eq!(entry.original.destination, SERVICE.ip());
        assert_eq!(entry.original.destination_port(), Some(SERVICE.port()));
        assert_eq!(entry.original.protocol, 17);
        assert_eq!(entry.reply.source, backend.ip());
        assert_eq!(
            entry.reply.ports,
            Ports::Ports {
                source: backend.port(),
                destination: port
            }
        );
        assert!(
            entry
                .status
                .contains(Status::DST_NAT | Status::SEEN_REPLY | Status::CONFIRMED)
        );
        assert_eq!(entry.mark, mark_of(SERVICE.port()));
        assert!(entry.id.is_some());
        assert!(entry.timeout.is_some_and(|seconds| seconds > 0));
        assert_eq!(
            conntrack.find(&entry.original).unwrap().unwrap().id,
            entry.id
        );

        assert!(conntrack.delete(&entry).unwrap());
        assert!(!conntrack.delete(&entry).unwrap());
        assert_eq!(conntrack.find(&entry.original).unwrap(), None);
        // A connection of the same tuple with another id is another one.
        exchange(&clients[0], &server, SERVICE);
        let mut later = conntrack.find(&entry.original).unwrap().unwrap();
        later.id = later.id.map(|id| id ^ 1);
        assert!(!conntrack.delete(&later).unwrap());
        let all = conntrack.entries(Filter::default(), |_| true);
        assert_eq!(all.unwrap().len(), 2);
    });
}

#[test]
fn the_kernel_filters_by_mark_and_family() {
    in_namespace(|| {
        let (v4, v6) = (bound(Ipv4Addr::LOCALHOST), bound(Ipv6Addr::LOCALHOST));
        let client6 = bound(Ipv6Addr::LOCALHOST);
        let backend = v4.local_addr().unwrap();
        track(backend);
        exchange(&bound(Ipv4Addr::LOCALHOST), &v4, SERVICE);
        exchange(&bound(Ipv4Addr::LOCALHOST), &v4, backend);
        exchange(&client6, &v6, v6.local_addr().unwrap());
        let mut conntrack = Conntrack::open().unwrap();
        let mut count = |filter: Filter| conntrack.entries(filter, |_| true).unwrap().len();
        assert_eq!(count(Filter::default()), 3);
        assert_eq!(count(Filter::mark(mark_of(SERVICE.port()), u32::MAX)), 1);
        assert_eq!(count(Filter::mark(mark_of(backend.port()), u32::MAX)), 1);
        assert_eq!(count(Filter::mark(0, 0)), 3);
        assert_eq!(
            count(Filter {
                ipv6: Some(true),
                ..Filter::default()
            }),
            1
        );
        assert_eq!(
            count(Filter {
                ipv6: Some(false),
                ..Filter::default()
            }),
            2
        );
        let mut asked = |protocol, destination: Option<SocketAddr>, ipv6| {
            count(Filter {
                ipv6: Some(ipv6),
                asked: Some(Asked {
                    protocol,
                    destination,
                }),
                ..Filter::default()
            })
        };
        assert_eq!(asked(17, None, false), 2);
        assert_eq!(asked(6, None, false), 0);
        assert_eq!(asked(17, Some(SERVICE), false), 1);
        assert_eq!(asked(17, Some(backend), false), 1);
        assert_eq!(asked(17, Some(SocketAddr::new(SERVICE.ip(), 54)), false), 0);
        let to = v6.local_addr().unwrap();
        assert_eq!(asked(17, Some(to), true), 1);
        let other = SocketAddr::new(to.ip(), to.port() ^ 1);
        assert_eq!(asked(17, Some(other), true), 0);

        let entries = conntrack
            .entries(
                Filter {
                    ipv6: Some(true),
                    ..Filter::default()
                },
                |_| true,
            )
            .unwrap();
        assert_eq!(
            entries[0].original.source,
            IpAddr::from(Ipv6Addr::LOCALHOST)
        );
        assert_eq!(entries[0].mark, mark_of(v6.local_addr().unwrap().port()));
        assert!(conntrack.delete(&entries[0]).unwrap());
    });
}

#[test]
fn exactly_the_stale_flows_of_a_thousand_are_deleted() {
    const FLOWS: usize = 1000;
    in_namespace(|| {
        let (old, new) = (bound(Ipv4Addr::LOCALHOST), bound(Ipv4Addr::LOCALHOST));
        track(old.local_addr().unwrap());
        let clients: Vec<UdpSocket> = (0..FLOWS).map(|_| bound(Ipv4Addr::LOCALHOST)).collect();
        for client in &clients {
            exchange(client, &old, SERVICE);
        }
        exchange(&clients[0], &new, new.local_addr().unwrap());
        let mut conntrack = Conntrack::open().unwrap();
        let gone = old.local_addr().unwrap();
        let filter = Filter::mark(mark_of(SERVICE.port()), u32::MAX);
        let deleted = conntrack
            .delete_where(filter, |entry| {
                entry.status.contains(Status::DST_NAT)
                    && entry.reply.source == gone.ip()
                    && entry.reply.source_port() == Some(gone.port())
            })
            .unwrap();
        assert_eq!(deleted, FLOWS);
        let left = conntrack.entries(Filter::default(), |_| true).unwrap();
        assert_eq!(left.len(), 1);
        assert_eq!(
            left[0].original.destination_port(),
            Some(new.local_addr().unwrap().port())
        );
        assert_eq!(conntrack.delete_where(filter, |_| true).unwrap(), 0);
    });
}
