//! The names of a small cluster, a row a question: Kubernetes' DNS specification 1.1, and what CoreDNS's plugin
//! `kubernetes` answers where the specification leaves it open.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::{ask, change, empty, service, slice, take};
use domain::base::Rtype;
use kedge_client::Resource;
use kedge_dns::Hosts;
use kedge_dns::name::WireName;
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
        external("alias-number", "number.shop.svc.cluster.local"),
        external("alias-srv", "_http._tcp.web.shop.svc.cluster.local"),
        external("alias-endpoint", "db-0.db.shop.svc.cluster.local"),
        // Named as the end of a name elsewhere is.
        external("com", "web.shop.svc.cluster.local"),
        service(
            "web",
            "alias",
            json!({"type": "ExternalName", "externalName": "web.shop.svc.cluster.local"}),
        ),
        // Two Services choose the same endpoint, and one of them has its port under another name.
        service("shop", "first", json!({"clusterIP": "None"})),
        service("shop", "second", json!({"clusterIP": "None"})),
        slice(
            "shop",
            "first-1",
            "first",
            "IPv4",
            json!([{"addresses": ["10.42.0.71"], "hostname": "both"}]),
            json!([{"name": "http", "port": 80}, {"name": "dns", "protocol": "UDP", "port": 53}]),
        ),
        slice(
            "shop",
            "second-1",
            "second",
            "IPv4",
            json!([{"addresses": ["10.42.0.71"]}]),
            json!([{"port": 81}]),
        ),
        // An endpoint of names, which is none here, and one at the first address of a subnet.
        service("shop", "named", json!({"clusterIP": "None"})),
        slice(
            "shop",
            "named-1",
            "named",
            "FQDN",
            json!([{"addresses": ["host.example.com"]}]),
            json!([]),
        ),
        service("shop", "edge", json!({"clusterIP": "None"})),
        slice(
            "shop",
            "edge-1",
            "edge",
            "IPv6",
            json!([{"addresses": ["fd00:42:7::"]}]),
            json!([{"name": "http", "port": 80}]),
        ),
        // A range that was added: names of its addresses are the cluster's from then on.
        change(
            Resource::SERVICECIDRS,
            "",
            "more",
            Some(json!({"spec": {"cidrs": ["10.44.0.0/24", "fd00:44::/112"]}})),
        ),
        service("shop", "later", json!({"clusterIP": "10.44.0.5"})),
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
#[case("later.shop.svc.cluster.local", Rtype::A, "A 10.44.0.5")]
#[case("web.shop.svc.cluster.local", Rtype::HINFO, "nodata")]
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
#[case("_tcp._tcp.web.shop.svc.cluster.local", Rtype::SRV, "nxdomain")]
#[case("_sctp.web.shop.svc.cluster.local", Rtype::SRV, "nxdomain")]
#[case("west._zone.web.shop.svc.cluster.local", Rtype::A, "nxdomain")]
#[case("west._zone.db.shop.svc.cluster.local", Rtype::A, "nxdomain")]
#[case("west._zone.db.shop.svc.cluster.local", Rtype::SRV, "nxdomain")]
// Services with addresses: their endpoints have names too
#[case("10-42-0-31.web.shop.svc.cluster.local", Rtype::A, "A 10.42.0.31")]
#[case("front.web.shop.svc.cluster.local", Rtype::A, "A 10.42.0.32")]
#[case(
    "front.web.shop.svc.cluster.local",
    Rtype::SRV,
    "SRV 0 100 8080 front.web.shop"
)]
#[case("front.web.shop.svc.cluster.local", Rtype::ANY, "HINFO RFC8482")]
#[case("front.bare.shop.svc.cluster.local", Rtype::A, "nxdomain")]
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
#[case(
    "db.shop.svc.cluster.local",
    Rtype::SRV,
    "SRV 0 33 5432 10-42-0-12.db.shop, SRV 0 33 5432 db-0.db.shop, SRV 0 33 5432 fd00-42--12.db.shop"
)]
#[case(
    "db-0.db.shop.svc.cluster.local",
    Rtype::SRV,
    "SRV 0 100 5432 db-0.db.shop"
)]
#[case(
    "both.first.shop.svc.cluster.local",
    Rtype::SRV,
    "SRV 0 50 53 both.first.shop, SRV 0 50 80 both.first.shop"
)]
#[case(
    "second.shop.svc.cluster.local",
    Rtype::SRV,
    "SRV 0 100 81 10-42-0-71.second.shop"
)]
#[case("_tcp.second.shop.svc.cluster.local", Rtype::SRV, "nxdomain")]
#[case("10-42-0-20.noports.shop.svc.cluster.local", Rtype::SRV, "nodata")]
#[case("nobody.db.shop.svc.cluster.local", Rtype::SRV, "nxdomain")]
#[case("named.shop.svc.cluster.local", Rtype::A, "nxdomain")]
#[case("edge.shop.svc.cluster.local", Rtype::AAAA, "AAAA fd00:42:7::")]
#[case(
    "fd00-42-7--0.edge.shop.svc.cluster.local",
    Rtype::AAAA,
    "AAAA fd00:42:7::"
)]
#[case(
    "_http._tcp.edge.shop.svc.cluster.local",
    Rtype::SRV,
    "SRV 0 100 80 fd00-42-7--0.edge.shop"
)]
#[case("empty.shop.svc.cluster.local", Rtype::AAAA, "nxdomain")]
#[case("empty.shop.svc.cluster.local", Rtype::TXT, "nxdomain")]
#[case("_http._tcp.empty.shop.svc.cluster.local", Rtype::SRV, "nxdomain")]
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
#[case("a.below.out.shop.svc.cluster.local", Rtype::A, "nxdomain")]
#[case("www.example.com.shop.svc.cluster.local", Rtype::A, "nxdomain")]
#[case("alias.web.svc.cluster.local", Rtype::A, "A 10.43.1.1, CNAME web.shop")]
#[case(
    "alias-number.shop.svc.cluster.local",
    Rtype::A,
    "A 192.0.2.7, CNAME number.shop"
)]
#[case(
    "alias-endpoint.shop.svc.cluster.local",
    Rtype::AAAA,
    "AAAA fd00:42::11, CNAME db-0.db.shop"
)]
#[case(
    "alias-srv.shop.svc.cluster.local",
    Rtype::SRV,
    "CNAME _http._tcp.web.shop, SRV 0 100 80 web.shop"
)]
#[case(
    "alias.shop.svc.cluster.local",
    Rtype::SRV,
    "CNAME web.shop, SRV 0 50 443 web.shop, SRV 0 50 80 web.shop"
)]
#[case("out.shop.svc.cluster.local", Rtype::SRV, "elsewhere example.com")]
#[case("lost.shop.svc.cluster.local", Rtype::CNAME, "CNAME gone.shop")]
#[case("round.shop.svc.cluster.local", Rtype::CNAME, "CNAME trip.shop")]
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
    "71.0.42.10.in-addr.arpa",
    Rtype::PTR,
    "PTR 10-42-0-71.second.shop, PTR both.first.shop"
)]
#[case("41.0.42.10.in-addr.arpa", Rtype::PTR, "PTR 10-42-0-41.moving.shop")]
#[case("9.9.43.10.in-addr.arpa", Rtype::A, "nxdomain")]
#[case("5.0.44.10.in-addr.arpa", Rtype::PTR, "PTR later.shop")]
#[case("6.0.44.10.in-addr.arpa", Rtype::PTR, "nxdomain")]
#[case(
    "6.1.44.10.in-addr.arpa",
    Rtype::PTR,
    "elsewhere 6.1.44.10.in-addr.arpa"
)]
#[case("example.org.cluster.local", Rtype::PTR, "nxdomain")]
#[case("1.1.43.10.cluster.local", Rtype::PTR, "nxdomain")]
#[case(
    "web.shop.svc.43.10.in-addr.arpa",
    Rtype::A,
    "elsewhere web.shop.svc.43.10.in-addr.arpa"
)]
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
#[case("web.shop.pod.cluster.local", Rtype::AAAA, "nxdomain")]
#[case("web.shop.pod.cluster.local", Rtype::HINFO, "nxdomain")]
#[case("web.other.pod.cluster.local", Rtype::A, "nxdomain")]
#[case("other.pod.cluster.local", Rtype::A, "nxdomain")]
#[case("x.10-42-0-7.shop.pod.cluster.local", Rtype::A, "nxdomain")]
#[case("10-42-0-7.shop.pod.cluster.local", Rtype::SRV, "nodata")]
#[case("10-42-0-7.shop.pod.cluster.local", Rtype::ANY, "HINFO RFC8482")]
// three dashes, and no IPv4 address all the same
#[case("fd00--2-3.shop.pod.cluster.local", Rtype::AAAA, "AAAA fd00::2:3")]
#[case("fd00--.shop.pod.cluster.local", Rtype::AAAA, "AAAA fd00::")]
// the zone itself and what lies between
#[case(
    "cluster.local",
    Rtype::SOA,
    "SOA ns.dns hostmaster 53 7200 1800 86400 5"
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
#[case("web.shop.pood.cluster.local", Rtype::A, "nxdomain")]
#[case("cluster.local", Rtype::HINFO, "nodata")]
#[case("cluster.local", Rtype::ANY, "HINFO RFC8482")]
#[case("Cluster.LOCAL", Rtype::NS, "NS ns.dns.Cluster.LOCAL")]
#[case("x.dns.cluster.local", Rtype::A, "nxdomain")]
#[case("x.ns.dns.cluster.local", Rtype::A, "nxdomain")]
#[case("x.dns-version.cluster.local", Rtype::TXT, "nxdomain")]
#[case("dns-version.cluster.local", Rtype::ANY, "HINFO RFC8482")]
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
fn names_of_a_range_are_the_clusters_while_it_is_there() {
    let mut zone = cluster();
    let unclaimed = "6.0.44.10.in-addr.arpa";
    assert_eq!(ask(&zone, unclaimed, Rtype::PTR), "nxdomain");
    let moved = json!({"spec": {"cidrs": ["10.45.0.0/24"]}});
    let other = "6.0.45.10.in-addr.arpa";
    // The machine is in it itself: its neighbours have names elsewhere.
    let mut lan = moved.clone();
    lan["status"] = json!({"conditions": [
        {"type": "Ready", "status": "False", "reason": "OverlapsNodeNetwork"}]});
    for (object, expected) in [
        (Some(moved.clone()), "nxdomain".to_string()),
        (Some(lan), format!("elsewhere {other}")),
        (Some(moved), "nxdomain".to_string()),
        (None, format!("elsewhere {other}")),
    ] {
        take(
            &mut zone,
            change(Resource::SERVICECIDRS, "", "more", object),
        );
        let elsewhere = format!("elsewhere {unclaimed}");
        assert_eq!(ask(&zone, unclaimed, Rtype::PTR), elsewhere);
        assert_eq!(ask(&zone, other, Rtype::PTR), expected);
    }
}

/// Resolvers of domains within the cluster's know what it does not; so does the configuration.
#[test]
fn what_the_cluster_does_not_have_may_be_anothers() {
    let domains = ["corp.cluster.local", "web.svc.cluster.local", "local", "."];
    let hosts = [
        "nas.cluster.local=192.168.1.5",
        "web.shop.svc.cluster.local=192.168.1.6",
    ];
    let zone = cluster()
        .with_open(
            domains
                .iter()
                .map(|domain| WireName::parse(domain).unwrap()),
        )
        .with_hosts(Hosts::new(&hosts.map(|host| host.parse().unwrap())));
    for (name, rtype, expected) in [
        (
            "host.corp.cluster.local",
            Rtype::A,
            "elsewhere host.corp.cluster.local",
        ),
        (
            "corp.cluster.local",
            Rtype::A,
            "elsewhere corp.cluster.local",
        ),
        (
            "none.web.svc.cluster.local",
            Rtype::A,
            "elsewhere none.web.svc.cluster.local",
        ),
        ("inner.web.svc.cluster.local", Rtype::A, "A 10.43.1.4"),
        ("inner.web.svc.cluster.local", Rtype::AAAA, "nodata"),
        ("none.shop.svc.cluster.local", Rtype::A, "nxdomain"),
        ("nas.cluster.local", Rtype::A, "A 192.168.1.5"),
        ("nas.cluster.local", Rtype::AAAA, "nodata"),
        ("web.shop.svc.cluster.local", Rtype::A, "A 10.43.1.1"),
    ] {
        assert_eq!(ask(&zone, name, rtype), expected, "{name}");
    }
    // An alias leads there as well.
    let mut zone = cluster().with_open(std::iter::once(
        WireName::parse("svc.cluster.local").unwrap(),
    ));
    assert_eq!(
        ask(&zone, "lost.shop.svc.cluster.local", Rtype::A),
        "elsewhere gone.shop.svc.cluster.local"
    );
    let gone = service("shop", "gone", json!({"clusterIP": "10.43.1.9"}));
    take(&mut zone, gone);
    assert_eq!(
        ask(&zone, "lost.shop.svc.cluster.local", Rtype::A),
        "A 10.43.1.9, CNAME gone.shop"
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
