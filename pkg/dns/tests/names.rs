//! The names of a small cluster, a row a question: Kubernetes' DNS specification 1.1, and what CoreDNS's plugin
//! `kubernetes` answers where the specification leaves it open.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::{ask, change, empty, service, slice, take};
use domain::base::Rtype;
use kedge_client::Resource;
use kedge_dns::zone::Zone;
use rstest::rstest;
use serde_json::json;

fn cluster() -> Zone {
    let mut zone = empty();
    let external = |name: &str, target: &str| {
        service(
            "shop",
            name,
            json!({"type": "ExternalName", "externalName": target}),
        )
    };
    for change in [
        change(Resource::NAMESPACES, "", "shop", Some(json!({}))),
        change(Resource::NAMESPACES, "", "web", Some(json!({}))),
        service(
            "shop",
            "web",
            json!({"clusterIP": "10.43.1.1", "clusterIPs": ["10.43.1.1", "fd00:43::1"],
                   "ports": [{"name": "http", "port": 80}, {"name": "quic", "protocol": "UDP", "port": 443}]}),
        ),
        service(
            "shop",
            "bare",
            json!({"clusterIP": "10.43.1.2", "ports": [{"port": 80}]}),
        ),
        service(
            "shop",
            "six",
            json!({"clusterIP": "fd00:43::6", "ports": [{"name": "http", "port": 80}]}),
        ),
        service("shop", "portless", json!({"clusterIP": "10.43.1.3"})),
        service(
            "web",
            "inner",
            json!({"clusterIP": "10.43.1.4", "ports": [{"name": "http", "port": 80}]}),
        ),
        slice(
            "shop",
            "web-1",
            "web",
            "IPv4",
            json!([{"addresses": ["10.42.0.31"]}, {"addresses": ["10.42.0.32"], "hostname": "front"}]),
            json!([{"name": "http", "port": 8080}]),
        ),
        service("shop", "db", json!({"clusterIP": "None"})),
        slice(
            "shop",
            "db-1",
            "db",
            "IPv4",
            json!([{"addresses": ["10.42.0.11"], "hostname": "db-0"}, {"addresses": ["10.42.0.12"]}]),
            json!([{"name": "sql", "port": 5432}]),
        ),
        slice(
            "shop",
            "db-2",
            "db",
            "IPv6",
            json!([{"addresses": ["fd00:42::11"], "hostname": "db-0"}, {"addresses": ["fd00:42::12"]}]),
            json!([{"name": "sql", "port": 5432}]),
        ),
        service("shop", "twins", json!({"clusterIP": "None"})),
        slice(
            "shop",
            "twins-1",
            "twins",
            "IPv4",
            json!([{"addresses": ["10.42.0.21"], "hostname": "twin"}, {"addresses": ["10.42.0.22"], "hostname": "twin"}]),
            json!([{"name": "http", "port": 80}]),
        ),
        // The same endpoint in two slices, as while one replaces the other.
        service("shop", "moving", json!({"clusterIP": "None"})),
        slice(
            "shop",
            "moving-1",
            "moving",
            "IPv4",
            json!([{"addresses": ["10.42.0.41"]}]),
            json!([{"name": "http", "port": 80}]),
        ),
        slice(
            "shop",
            "moving-2",
            "moving",
            "IPv4",
            json!([{"addresses": ["10.42.0.41"]}]),
            json!([{"name": "http", "port": 80}]),
        ),
        service("shop", "noports", json!({"clusterIP": "None"})),
        slice(
            "shop",
            "noports-1",
            "noports",
            "IPv4",
            json!([{"addresses": ["10.42.0.20"]}]),
            json!([]),
        ),
        service("shop", "empty", json!({"clusterIP": "None"})),
        service("shop", "waiting", json!({"clusterIP": "None"})),
        slice(
            "shop",
            "waiting-1",
            "waiting",
            "IPv4",
            json!([{"addresses": ["10.42.0.51"], "conditions": {"ready": false}}]),
            json!([]),
        ),
        // What publishNotReadyAddresses makes of a slice: ready, though serving is not.
        service(
            "shop",
            "early",
            json!({"clusterIP": "None", "publishNotReadyAddresses": true}),
        ),
        slice(
            "shop",
            "early-1",
            "early",
            "IPv4",
            json!([{"addresses": ["10.42.0.52"], "conditions": {"ready": true, "serving": false}}]),
            json!([]),
        ),
        // Endpoints of a Service that is not there.
        slice(
            "shop",
            "orphan-1",
            "orphan",
            "IPv4",
            json!([{"addresses": ["10.42.0.61"]}]),
            json!([]),
        ),
        external("alias", "Web.shop.svc.cluster.local."),
        external("alias-db", "db.shop.svc.cluster.local"),
        external("alias-alias", "alias.shop.svc.cluster.local"),
        external("alias-out", "out.shop.svc.cluster.local"),
        external("alias-pod", "10-42-0-7.shop.pod.cluster.local"),
        external("out", "example.com"),
        external("upper", "Example.COM"),
        external("lost", "gone.shop.svc.cluster.local"),
        external("round", "trip.shop.svc.cluster.local"),
        external("trip", "round.shop.svc.cluster.local"),
        external("self", "self.shop.svc.cluster.local"),
        external("number", "192.0.2.7"),
        // Named like a namespace: names below it are that namespace's all the same.
        external("inner", "web.shop.svc.cluster.local"),
    ] {
        take(&mut zone, change);
    }
    zone
}

#[rstest]
// Services: addresses
#[case("web.shop.svc.cluster.local", Rtype::A, "A 10.43.1.1")]
#[case("web.shop.svc.cluster.local", Rtype::AAAA, "AAAA fd00:43::1")]
#[case("WEB.Shop.Svc.CLUSTER.local", Rtype::A, "A 10.43.1.1")]
#[case("six.shop.svc.cluster.local", Rtype::AAAA, "AAAA fd00:43::6")]
#[case("six.shop.svc.cluster.local", Rtype::A, "nodata")]
#[case("bare.shop.svc.cluster.local", Rtype::AAAA, "nodata")]
#[case("portless.shop.svc.cluster.local", Rtype::A, "A 10.43.1.3")]
#[case("inner.web.svc.cluster.local", Rtype::A, "A 10.43.1.4")]
#[case("web.shop.svc.cluster.local", Rtype::TXT, "nodata")]
#[case("web.shop.svc.cluster.local", Rtype::MX, "nodata")]
#[case("web.shop.svc.cluster.local", Rtype::CNAME, "nodata")]
#[case("web.shop.svc.cluster.local", Rtype::SOA, "nodata")]
#[case("web.shop.svc.cluster.local", Rtype::NS, "nodata")]
#[case("web.shop.svc.cluster.local", Rtype::PTR, "nodata")]
#[case("none.shop.svc.cluster.local", Rtype::A, "nxdomain")]
#[case("none.shop.svc.cluster.local", Rtype::AAAA, "nxdomain")]
#[case("web.nowhere.svc.cluster.local", Rtype::A, "nxdomain")]
#[case("orphan.shop.svc.cluster.local", Rtype::A, "nxdomain")]
// Services: ports
#[case(
    "_http._tcp.web.shop.svc.cluster.local",
    Rtype::SRV,
    "SRV 0 100 80 web.shop"
)]
#[case(
    "_quic._udp.web.shop.svc.cluster.local",
    Rtype::SRV,
    "SRV 0 100 443 web.shop"
)]
#[case(
    "_HTTP._Tcp.web.shop.svc.cluster.local",
    Rtype::SRV,
    "SRV 0 100 80 web.shop"
)]
#[case(
    "_http._tcp.six.shop.svc.cluster.local",
    Rtype::SRV,
    "SRV 0 100 80 six.shop"
)]
#[case("_tcp.web.shop.svc.cluster.local", Rtype::SRV, "SRV 0 100 80 web.shop")]
#[case(
    "web.shop.svc.cluster.local",
    Rtype::SRV,
    "SRV 0 50 443 web.shop, SRV 0 50 80 web.shop"
)]
#[case("bare.shop.svc.cluster.local", Rtype::SRV, "SRV 0 100 80 bare.shop")]
#[case("portless.shop.svc.cluster.local", Rtype::SRV, "nodata")]
#[case("_http._udp.web.shop.svc.cluster.local", Rtype::SRV, "nxdomain")]
#[case("_ftp._tcp.web.shop.svc.cluster.local", Rtype::SRV, "nxdomain")]
#[case("_._tcp.web.shop.svc.cluster.local", Rtype::SRV, "nxdomain")]
#[case("http.tcp.web.shop.svc.cluster.local", Rtype::SRV, "nxdomain")]
#[case("_tcp._http.web.shop.svc.cluster.local", Rtype::SRV, "nxdomain")]
#[case("_http._tcp.bare.shop.svc.cluster.local", Rtype::SRV, "nxdomain")]
#[case("_tcp.bare.shop.svc.cluster.local", Rtype::SRV, "nxdomain")]
#[case("_http._tcp.web.shop.svc.cluster.local", Rtype::A, "nodata")]
#[case("_tcp.web.shop.svc.cluster.local", Rtype::A, "nodata")]
#[case("_x._http._tcp.web.shop.svc.cluster.local", Rtype::SRV, "nxdomain")]
// Services with addresses: their endpoints have names too
#[case("10-42-0-31.web.shop.svc.cluster.local", Rtype::A, "A 10.42.0.31")]
#[case("front.web.shop.svc.cluster.local", Rtype::A, "A 10.42.0.32")]
// headless
#[case("db.shop.svc.cluster.local", Rtype::A, "A 10.42.0.11, A 10.42.0.12")]
#[case(
    "db.shop.svc.cluster.local",
    Rtype::AAAA,
    "AAAA fd00:42::11, AAAA fd00:42::12"
)]
#[case("db.shop.svc.cluster.local", Rtype::TXT, "nodata")]
#[case("db-0.db.shop.svc.cluster.local", Rtype::A, "A 10.42.0.11")]
#[case("DB-0.db.shop.svc.cluster.local", Rtype::AAAA, "AAAA fd00:42::11")]
#[case("10-42-0-12.db.shop.svc.cluster.local", Rtype::A, "A 10.42.0.12")]
#[case("10-42-0-12.db.shop.svc.cluster.local", Rtype::AAAA, "nodata")]
#[case(
    "fd00-42--12.db.shop.svc.cluster.local",
    Rtype::AAAA,
    "AAAA fd00:42::12"
)]
#[case("10-42-0-11.db.shop.svc.cluster.local", Rtype::A, "nxdomain")]
#[case("10-42-0-99.db.shop.svc.cluster.local", Rtype::A, "nxdomain")]
#[case("nobody.db.shop.svc.cluster.local", Rtype::A, "nxdomain")]
#[case("nobody.none.shop.svc.cluster.local", Rtype::A, "nxdomain")]
#[case("x.db-0.db.shop.svc.cluster.local", Rtype::A, "nxdomain")]
#[case(
    "twin.twins.shop.svc.cluster.local",
    Rtype::A,
    "A 10.42.0.21, A 10.42.0.22"
)]
#[case("moving.shop.svc.cluster.local", Rtype::A, "A 10.42.0.41")]
#[case("noports.shop.svc.cluster.local", Rtype::A, "A 10.42.0.20")]
#[case("noports.shop.svc.cluster.local", Rtype::SRV, "nodata")]
#[case("10-42-0-20.noports.shop.svc.cluster.local", Rtype::A, "A 10.42.0.20")]
#[case("empty.shop.svc.cluster.local", Rtype::A, "nxdomain")]
#[case("empty.shop.svc.cluster.local", Rtype::SRV, "nxdomain")]
#[case("waiting.shop.svc.cluster.local", Rtype::A, "nxdomain")]
#[case("10-42-0-51.waiting.shop.svc.cluster.local", Rtype::A, "nxdomain")]
#[case("early.shop.svc.cluster.local", Rtype::A, "A 10.42.0.52")]
#[case(
    "_sql._tcp.db.shop.svc.cluster.local",
    Rtype::SRV,
    "SRV 0 33 5432 10-42-0-12.db.shop, SRV 0 33 5432 db-0.db.shop, SRV 0 33 5432 fd00-42--12.db.shop"
)]
#[case(
    "_http._tcp.twins.shop.svc.cluster.local",
    Rtype::SRV,
    "SRV 0 100 80 twin.twins.shop"
)]
#[case(
    "_http._tcp.moving.shop.svc.cluster.local",
    Rtype::SRV,
    "SRV 0 100 80 10-42-0-41.moving.shop"
)]
#[case("_sql._udp.db.shop.svc.cluster.local", Rtype::SRV, "nxdomain")]
#[case("_sql._tcp.db.shop.svc.cluster.local", Rtype::A, "nodata")]
// aliases
#[case(
    "alias.shop.svc.cluster.local",
    Rtype::A,
    "A 10.43.1.1, CNAME web.shop"
)]
#[case(
    "alias.shop.svc.cluster.local",
    Rtype::AAAA,
    "AAAA fd00:43::1, CNAME web.shop"
)]
#[case("alias.shop.svc.cluster.local", Rtype::CNAME, "CNAME web.shop")]
#[case("alias.shop.svc.cluster.local", Rtype::TXT, "CNAME web.shop (nodata)")]
#[case(
    "alias-db.shop.svc.cluster.local",
    Rtype::A,
    "A 10.42.0.11, A 10.42.0.12, CNAME db.shop"
)]
#[case(
    "alias-alias.shop.svc.cluster.local",
    Rtype::A,
    "A 10.43.1.1, CNAME alias.shop, CNAME web.shop"
)]
#[case(
    "alias-pod.shop.svc.cluster.local",
    Rtype::A,
    "A 10.42.0.7, CNAME 10-42-0-7.shop.pod"
)]
#[case("out.shop.svc.cluster.local", Rtype::A, "elsewhere example.com")]
#[case("alias-out.shop.svc.cluster.local", Rtype::A, "elsewhere example.com")]
#[case("upper.shop.svc.cluster.local", Rtype::A, "elsewhere example.com")]
#[case("out.shop.svc.cluster.local", Rtype::CNAME, "CNAME example.com")]
#[case("lost.shop.svc.cluster.local", Rtype::A, "CNAME gone.shop (nxdomain)")]
#[case("self.shop.svc.cluster.local", Rtype::A, "nodata")]
#[case("round.shop.svc.cluster.local", Rtype::A, "CNAME trip.shop (nodata)")]
#[case("number.shop.svc.cluster.local", Rtype::A, "A 192.0.2.7")]
#[case("number.shop.svc.cluster.local", Rtype::AAAA, "nodata")]
#[case("number.shop.svc.cluster.local", Rtype::CNAME, "nodata")]
#[case("below.out.shop.svc.cluster.local", Rtype::A, "nxdomain")]
#[case("below.out.shop.svc.cluster.local", Rtype::CNAME, "nxdomain")]
#[case("_http._tcp.alias.shop.svc.cluster.local", Rtype::SRV, "nxdomain")]
#[case("inner.inner.shop.svc.cluster.local", Rtype::A, "nxdomain")]
// reverse
#[case("1.1.43.10.in-addr.arpa", Rtype::PTR, "PTR web.shop")]
#[case("1.1.43.10.IN-ADDR.arpa", Rtype::PTR, "PTR web.shop")]
#[case("1.1.43.10.in-addr.arpa", Rtype::A, "nodata")]
#[case("11.0.42.10.in-addr.arpa", Rtype::PTR, "PTR db-0.db.shop")]
#[case("12.0.42.10.in-addr.arpa", Rtype::PTR, "PTR 10-42-0-12.db.shop")]
#[case("31.0.42.10.in-addr.arpa", Rtype::PTR, "PTR 10-42-0-31.web.shop")]
#[case("51.0.42.10.in-addr.arpa", Rtype::PTR, "nxdomain")]
#[case("61.0.42.10.in-addr.arpa", Rtype::PTR, "nxdomain")]
#[case("9.9.43.10.in-addr.arpa", Rtype::PTR, "nxdomain")]
#[case("4.4.8.8.in-addr.arpa", Rtype::PTR, "elsewhere 4.4.8.8.in-addr.arpa")]
#[case("43.10.in-addr.arpa", Rtype::PTR, "elsewhere 43.10.in-addr.arpa")]
#[case(
    "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.3.4.0.0.0.0.d.f.ip6.arpa",
    Rtype::PTR,
    "PTR web.shop"
)]
#[case(
    "2.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.2.4.0.0.0.0.d.f.ip6.arpa",
    Rtype::PTR,
    "PTR fd00-42--12.db.shop"
)]
#[case(
    "9.9.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.2.4.0.0.0.0.d.f.ip6.arpa",
    Rtype::PTR,
    "nxdomain"
)]
// pods
#[case("10-42-0-7.shop.pod.cluster.local", Rtype::A, "A 10.42.0.7")]
#[case("fd00-42--7.shop.pod.cluster.local", Rtype::AAAA, "AAAA fd00:42::7")]
#[case("10-42-0-7.shop.pod.cluster.local", Rtype::AAAA, "nodata")]
#[case("10-42-0-7.other.pod.cluster.local", Rtype::A, "nxdomain")]
#[case("web.shop.pod.cluster.local", Rtype::A, "nxdomain")]
#[case("10-42-0.shop.pod.cluster.local", Rtype::A, "nxdomain")]
#[case("10-42-0-256.shop.pod.cluster.local", Rtype::A, "nxdomain")]
// the zone itself and what lies between
#[case(
    "cluster.local",
    Rtype::SOA,
    "SOA ns.dns hostmaster 38 7200 1800 86400 5"
)]
#[case("cluster.local", Rtype::NS, "NS ns.dns")]
#[case("cluster.local", Rtype::A, "nodata")]
#[case("ns.dns.cluster.local", Rtype::A, "A 10.43.0.10")]
#[case("ns.dns.cluster.local", Rtype::AAAA, "nodata")]
#[case("dns.cluster.local", Rtype::A, "nodata")]
#[case("dns-version.cluster.local", Rtype::TXT, "TXT 1.1.0")]
#[case("dns-version.cluster.local", Rtype::A, "nodata")]
#[case("svc.cluster.local", Rtype::A, "nodata")]
#[case("svc.cluster.local", Rtype::NS, "nodata")]
#[case("pod.cluster.local", Rtype::A, "nodata")]
#[case("shop.svc.cluster.local", Rtype::A, "nodata")]
#[case("shop.svc.cluster.local", Rtype::NS, "nodata")]
#[case("shop.pod.cluster.local", Rtype::A, "nodata")]
#[case("other.svc.cluster.local", Rtype::A, "nxdomain")]
#[case("other.svc.cluster.local", Rtype::NS, "nxdomain")]
#[case("other.cluster.local", Rtype::NS, "nxdomain")]
#[case("web.shop.cluster.local", Rtype::A, "nxdomain")]
#[case("a.b.c.d.e.f.g.svc.cluster.local", Rtype::A, "nxdomain")]
// every type at once: little is said (RFC 8482)
#[case("web.shop.svc.cluster.local", Rtype::ANY, "HINFO RFC8482")]
#[case("db.shop.svc.cluster.local", Rtype::ANY, "HINFO RFC8482")]
#[case("_http._tcp.web.shop.svc.cluster.local", Rtype::ANY, "HINFO RFC8482")]
#[case("1.1.43.10.in-addr.arpa", Rtype::ANY, "HINFO RFC8482")]
#[case("alias.shop.svc.cluster.local", Rtype::ANY, "CNAME web.shop")]
#[case("none.shop.svc.cluster.local", Rtype::ANY, "nxdomain")]
// wildcards are names like others
#[case("*.shop.svc.cluster.local", Rtype::A, "nxdomain")]
#[case("web.*.svc.cluster.local", Rtype::A, "nxdomain")]
#[case("*._tcp.web.shop.svc.cluster.local", Rtype::SRV, "nxdomain")]
#[case("_http.*.web.shop.svc.cluster.local", Rtype::SRV, "nxdomain")]
#[case("*.db.shop.svc.cluster.local", Rtype::A, "nxdomain")]
// what a pod's search path makes of another name (ndots:5)
#[case("example.com.shop.svc.cluster.local", Rtype::A, "nxdomain")]
#[case("example.com.svc.cluster.local", Rtype::A, "nxdomain")]
#[case("example.com.cluster.local", Rtype::A, "nxdomain")]
// not ours
#[case("example.com", Rtype::A, "elsewhere example.com")]
#[case("notcluster.local", Rtype::A, "elsewhere notcluster.local")]
#[case(
    "cluster.local.example.com",
    Rtype::A,
    "elsewhere cluster.local.example.com"
)]
#[case("local", Rtype::SOA, "elsewhere local")]
#[case(".", Rtype::NS, "elsewhere .")]
fn names(#[case] name: &str, #[case] rtype: Rtype, #[case] expected: &str) {
    assert_eq!(ask(&cluster(), name, rtype), expected);
}

#[test]
fn what_is_deleted_has_no_name_left() {
    let mut zone = cluster();
    for (resource, name) in [
        (Resource::SERVICES, "web"),
        (Resource::ENDPOINTSLICES, "db-1"),
        (Resource::ENDPOINTSLICES, "db-2"),
    ] {
        take(&mut zone, change(resource, "shop", name, None));
    }
    for (name, rtype) in [
        ("web.shop.svc.cluster.local", Rtype::A),
        ("10-42-0-31.web.shop.svc.cluster.local", Rtype::A),
        ("1.1.43.10.in-addr.arpa", Rtype::PTR),
        ("11.0.42.10.in-addr.arpa", Rtype::PTR),
        ("db.shop.svc.cluster.local", Rtype::A),
    ] {
        assert_eq!(ask(&zone, name, rtype), "nxdomain", "{name}");
    }
    take(&mut zone, change(Resource::NAMESPACES, "", "web", None));
    assert_eq!(
        ask(&zone, "10-42-0-7.web.pod.cluster.local", Rtype::A),
        "nxdomain"
    );
}

#[test]
fn a_slice_that_changes_its_service_moves() {
    let mut zone = cluster();
    let endpoints = json!([{"addresses": ["10.42.0.11"]}]);
    let moved = slice("shop", "db-1", "empty", "IPv4", endpoints, json!([]));
    take(&mut zone, moved);
    for (name, rtype, expected) in [
        ("empty.shop.svc.cluster.local", Rtype::A, "A 10.42.0.11"),
        ("db.shop.svc.cluster.local", Rtype::A, "nodata"),
        (
            "11.0.42.10.in-addr.arpa",
            Rtype::PTR,
            "PTR 10-42-0-11.empty.shop",
        ),
    ] {
        assert_eq!(ask(&zone, name, rtype), expected, "{name}");
    }
}

#[test]
fn a_service_that_changes_its_kind_answers_as_the_new_one() {
    let mut zone = cluster();
    take(
        &mut zone,
        service("shop", "web", json!({"clusterIP": "None"})),
    );
    assert_eq!(
        ask(&zone, "web.shop.svc.cluster.local", Rtype::A),
        "A 10.42.0.31, A 10.42.0.32"
    );
    assert_eq!(ask(&zone, "1.1.43.10.in-addr.arpa", Rtype::PTR), "nxdomain");
}

#[test]
fn targets_come_with_their_addresses() {
    let zone = cluster();
    let additional = |name: &str, rtype| {
        let question = common::question(name, rtype, None);
        let transport = kedge_dns::message::Transport::Tcp;
        common::shown(&common::answer(&zone, &question, transport).unwrap(), true)
    };
    assert_eq!(
        additional("_sql._tcp.db.shop.svc.cluster.local", Rtype::SRV),
        [
            "10-42-0-12.db.shop A 10.42.0.12",
            "db-0.db.shop A 10.42.0.11",
            "db-0.db.shop AAAA fd00:42::11",
            "fd00-42--12.db.shop AAAA fd00:42::12"
        ]
    );
    assert_eq!(
        additional("web.shop.svc.cluster.local", Rtype::SRV),
        ["web.shop A 10.43.1.1", "web.shop AAAA fd00:43::1"]
    );
    assert_eq!(
        additional("cluster.local", Rtype::NS),
        ["ns.dns.cluster.local A 10.43.0.10"]
    );
}

/// Many objects come and go in any order: what is left has its names, nothing else has.
#[test]
fn any_order_of_changes_leads_to_the_same_names() {
    use proptest::prelude::*;
    let steps = proptest::collection::vec((0u8..3, 0u8..4, any::<bool>()), 0..40);
    proptest!(|(steps in steps)| {
        let mut zone = empty();
        let mut there = std::collections::BTreeMap::new();
        let apply = |zone: &mut Zone, kind: u8, number: u8, on: bool| {
            let (name, address) = (format!("s{number}"), format!("10.42.{kind}.{number}"));
            let step = match kind {
                0 => service("shop", &name, json!({"clusterIP": "None"})),
                1 => slice("shop", &format!("{name}-a"), &name, "IPv4", json!([{"addresses": [address]}]), json!([])),
                _ => slice("shop", &format!("{name}-b"), &name, "IPv4", json!([{"addresses": [address]}]), json!([])),
            };
            let object = step.object.filter(|_| on);
            take(zone, kedge_client::Change { object, ..step });
        };
        for (kind, number, on) in steps {
            apply(&mut zone, kind, number, on);
            there.insert((kind, number), on);
        }
        let mut fresh = empty();
        for ((kind, number), on) in there.iter().filter(|(_, on)| **on) {
            apply(&mut fresh, *kind, *number, *on);
        }
        for number in 0..4 {
            let name = format!("s{number}.shop.svc.cluster.local");
            prop_assert_eq!(ask(&zone, &name, Rtype::A), ask(&fresh, &name, Rtype::A));
            for kind in 1..3 {
                let name = format!("{number}.{kind}.42.10.in-addr.arpa");
                prop_assert_eq!(ask(&zone, &name, Rtype::PTR), ask(&fresh, &name, Rtype::PTR));
            }
        }
    });
}
