//! The names of a small cluster, a row a question.

use bytes::Bytes;
use kedge_client::ObjectKey;
use rstest::rstest;
use serde_json::{Value, json};

use super::*;

fn change(resource: Resource, namespace: &str, name: &str, object: Option<Value>) -> Change {
    Change {
        key: ObjectKey {
            resource,
            namespace: namespace.into(),
            name: name.into(),
        },
        object: object.map(|o| Bytes::from(o.to_string())),
    }
}

fn service(name: &str, spec: Value) -> Change {
    change(
        Resource::SERVICES,
        "shop",
        name,
        Some(json!({"spec": spec})),
    )
}

fn slice(service: &str, endpoints: Value, ports: Value) -> Change {
    let object = json!({
        "metadata": {"labels": {"kubernetes.io/service-name": service}},
        "addressType": "IPv4", "endpoints": endpoints, "ports": ports,
    });
    change(
        Resource::ENDPOINTSLICES,
        "shop",
        &format!("{service}-1"),
        Some(object),
    )
}

fn cluster() -> Zone {
    let mut zone = Zone::new(
        "cluster.local",
        "10.43.0.10".parse().unwrap(),
        vec!["10.43.0.0/16".parse().unwrap()],
    );
    for change in [
        change(Resource::NAMESPACES, "", "shop", Some(json!({}))),
        service(
            "web",
            json!({"clusterIP": "10.43.1.1", "clusterIPs": ["10.43.1.1", "fd00:43::1"],
                   "ports": [{"name": "http", "port": 80}, {"name": "quic", "protocol": "UDP", "port": 443}]}),
        ),
        service(
            "bare",
            json!({"clusterIP": "10.43.1.2", "ports": [{"port": 80}]}),
        ),
        service("db", json!({"clusterIP": "None"})),
        slice(
            "db",
            json!([{"addresses": ["10.42.0.11"], "hostname": "db-0"}, {"addresses": ["10.42.0.12"]}]),
            json!([{"name": "sql", "port": 5432}]),
        ),
        service("empty", json!({"clusterIP": "None"})),
        service(
            "alias",
            json!({"type": "ExternalName", "externalName": "web.shop.svc.cluster.local"}),
        ),
        service(
            "out",
            json!({"type": "ExternalName", "externalName": "example.com"}),
        ),
        service(
            "lost",
            json!({"type": "ExternalName", "externalName": "gone.shop.svc.cluster.local"}),
        ),
        service(
            "round",
            json!({"type": "ExternalName", "externalName": "round.shop.svc.cluster.local"}),
        ),
    ] {
        zone.apply(change);
    }
    zone
}

/// Answers in one line, shorter: the origin is left out.
fn ask(zone: &Zone, name: &str, kind: Kind) -> String {
    let short = |name: &str| {
        name.replace(".svc.cluster.local", "")
            .replace(".cluster.local", "")
    };
    let show = |data: &Data| match data {
        Data::Address(a) => a.to_string(),
        Data::Cname(n) => format!("CNAME {}", short(n)),
        Data::Srv {
            port,
            weight,
            target,
        } => format!("SRV {weight} {port} {}", short(target)),
        Data::Ptr(n) => format!("PTR {}", short(n)),
        Data::Txt(t) => (*t).to_string(),
        Data::Soa => "SOA".to_string(),
        Data::Ns(n) => format!("NS {}", short(n)),
    };
    match zone.lookup(name, kind) {
        Lookup::Elsewhere => "elsewhere".into(),
        Lookup::NoData => "nodata".into(),
        Lookup::NxDomain => "nxdomain".into(),
        Lookup::Found {
            answer, elsewhere, ..
        } => {
            let shown: Vec<String> = answer.iter().map(|r| show(&r.data)).collect();
            let tail = elsewhere
                .map(|name| format!(" -> {name}"))
                .unwrap_or_default();
            format!("{}{tail}", shown.join(", "))
        }
    }
}

#[rstest]
// Services
#[case("web.shop.svc.cluster.local", Kind::A, "10.43.1.1")]
#[case("web.shop.svc.cluster.local", Kind::Aaaa, "fd00:43::1")]
#[case("bare.shop.svc.cluster.local", Kind::Aaaa, "nodata")]
#[case("web.shop.svc.cluster.local", Kind::Txt, "nodata")]
#[case("none.shop.svc.cluster.local", Kind::A, "nxdomain")]
#[case("web.nowhere.svc.cluster.local", Kind::A, "nxdomain")]
// ports
#[case(
    "_http._tcp.web.shop.svc.cluster.local",
    Kind::Srv,
    "SRV 100 80 web.shop"
)]
#[case(
    "_quic._udp.web.shop.svc.cluster.local",
    Kind::Srv,
    "SRV 100 443 web.shop"
)]
#[case("_http._udp.web.shop.svc.cluster.local", Kind::Srv, "nxdomain")]
#[case("_http._tcp.web.shop.svc.cluster.local", Kind::A, "nodata")]
#[case("_tcp.web.shop.svc.cluster.local", Kind::A, "nodata")]
#[case(
    "web.shop.svc.cluster.local",
    Kind::Srv,
    "SRV 50 80 web.shop, SRV 50 443 web.shop"
)]
#[case("bare.shop.svc.cluster.local", Kind::Srv, "nodata")]
#[case(
    "_sql._tcp.db.shop.svc.cluster.local",
    Kind::Srv,
    "SRV 50 5432 10-42-0-12.db.shop, SRV 50 5432 db-0.db.shop"
)]
// headless
#[case("db.shop.svc.cluster.local", Kind::A, "10.42.0.11, 10.42.0.12")]
#[case("db.shop.svc.cluster.local", Kind::Aaaa, "nodata")]
#[case("db-0.db.shop.svc.cluster.local", Kind::A, "10.42.0.11")]
#[case("10-42-0-12.db.shop.svc.cluster.local", Kind::A, "10.42.0.12")]
#[case("10-42-0-11.db.shop.svc.cluster.local", Kind::A, "nxdomain")]
#[case("empty.shop.svc.cluster.local", Kind::A, "nxdomain")]
// aliases
#[case("alias.shop.svc.cluster.local", Kind::A, "CNAME web.shop, 10.43.1.1")]
#[case("alias.shop.svc.cluster.local", Kind::Cname, "CNAME web.shop")]
#[case(
    "out.shop.svc.cluster.local",
    Kind::A,
    "CNAME example.com -> example.com"
)]
#[case("lost.shop.svc.cluster.local", Kind::A, "CNAME gone.shop")]
#[case("below.out.shop.svc.cluster.local", Kind::A, "nxdomain")]
// reverse
#[case("1.1.43.10.in-addr.arpa", Kind::Ptr, "PTR web.shop")]
#[case("11.0.42.10.in-addr.arpa", Kind::Ptr, "PTR db-0.db.shop")]
#[case("9.9.43.10.in-addr.arpa", Kind::Ptr, "nxdomain")]
#[case("4.4.8.8.in-addr.arpa", Kind::Ptr, "elsewhere")]
#[case(
    "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.3.4.0.0.0.0.d.f.ip6.arpa",
    Kind::Ptr,
    "PTR web.shop"
)]
// the zone itself and what lies between
#[case("cluster.local", Kind::Soa, "SOA")]
#[case("cluster.local", Kind::Ns, "NS ns.dns")]
#[case("cluster.local", Kind::A, "nodata")]
#[case("ns.dns.cluster.local", Kind::A, "10.43.0.10")]
#[case("dns-version.cluster.local", Kind::Txt, "1.1.0")]
#[case("svc.cluster.local", Kind::A, "nodata")]
#[case("shop.svc.cluster.local", Kind::A, "nodata")]
#[case("other.svc.cluster.local", Kind::A, "nxdomain")]
#[case("10-42-0-7.shop.pod.cluster.local", Kind::A, "10.42.0.7")]
#[case("10-42-0-7.other.pod.cluster.local", Kind::A, "nxdomain")]
#[case("web.shop.pod.cluster.local", Kind::A, "nxdomain")]
// not ours
#[case("example.com", Kind::A, "elsewhere")]
#[case("notcluster.local", Kind::A, "elsewhere")]
fn names(#[case] name: &str, #[case] kind: Kind, #[case] expected: &str) {
    assert_eq!(ask(&cluster(), name, kind), expected);
}

#[test]
fn an_alias_to_itself_ends() {
    assert!(
        ask(&cluster(), "round.shop.svc.cluster.local", Kind::A).starts_with("CNAME round.shop")
    );
}

#[test]
fn what_is_deleted_has_no_name_left() {
    let mut zone = cluster();
    for (resource, name) in [
        (Resource::SERVICES, "web"),
        (Resource::ENDPOINTSLICES, "db-1"),
    ] {
        zone.apply(change(resource, "shop", name, None));
    }
    assert_eq!(
        ask(&zone, "web.shop.svc.cluster.local", Kind::A),
        "nxdomain"
    );
    assert_eq!(ask(&zone, "1.1.43.10.in-addr.arpa", Kind::Ptr), "nxdomain");
    assert_eq!(
        ask(&zone, "11.0.42.10.in-addr.arpa", Kind::Ptr),
        "elsewhere"
    );
    assert_eq!(ask(&zone, "db.shop.svc.cluster.local", Kind::A), "nxdomain");
}

#[test]
fn a_slice_that_changes_its_service_moves() {
    let mut zone = cluster();
    let mut moved = slice("empty", json!([{"addresses": ["10.42.0.11"]}]), json!([]));
    moved.key.name = "db-1".into();
    zone.apply(moved);
    assert_eq!(
        ask(&zone, "empty.shop.svc.cluster.local", Kind::A),
        "10.42.0.11"
    );
    assert_eq!(ask(&zone, "db.shop.svc.cluster.local", Kind::A), "nxdomain");
    assert_eq!(
        ask(&zone, "11.0.42.10.in-addr.arpa", Kind::Ptr),
        "PTR 10-42-0-11.empty.shop"
    );
}

#[test]
fn srv_targets_come_with_their_addresses() {
    let Lookup::Found { additional, .. } =
        cluster().lookup("_sql._tcp.db.shop.svc.cluster.local", Kind::Srv)
    else {
        panic!("no answer")
    };
    assert_eq!(additional.len(), 2);
}
