//! DNS messages: questions of anybody, answers of resolvers that nobody vouches for.

use std::sync::LazyLock;

use kedge_client::{Change, ObjectKey, Resource};
use kedge_dns::message::{
    Answered, Query, Reply, Scratch, Transport, Unanswerable, answer_alias, relay, respond,
};
use kedge_dns::name::WireName;
use kedge_dns::zone::{Update, Zone};
use serde_json::{Value, json};

/// A cluster with one of everything.
static ZONE: LazyLock<Zone> = LazyLock::new(|| {
    let origin = WireName::parse("cluster.local").unwrap_or(WireName::root());
    let mut zone = Zone::new(&origin, [10, 43, 0, 10].into(), Vec::new(), 1);
    let endpoints: Vec<Value> = (0..60)
        .map(
            |i| json!({"addresses": [format!("10.42.0.{i}")], "hostname": format!("db-{}", i % 7)}),
        )
        .collect();
    let slice = json!({
        "metadata": {"labels": {"kubernetes.io/service-name": "db"}}, "addressType": "IPv4",
        "endpoints": endpoints, "ports": [{"name": "sql", "port": 5432}],
    });
    let alias = json!({"spec": {"type": "ExternalName", "externalName": "example.com"}});
    let web = json!({"spec": {"clusterIP": "10.43.1.1", "ports": [{"name": "http", "port": 80}]}});
    for (resource, name, object) in [
        (Resource::NAMESPACES, "shop", json!({})),
        (
            Resource::SERVICES,
            "db",
            json!({"spec": {"clusterIP": "None"}}),
        ),
        (Resource::SERVICES, "out", alias),
        (Resource::SERVICES, "web", web),
        (Resource::ENDPOINTSLICES, "db-1", slice),
    ] {
        let key = ObjectKey {
            resource,
            namespace: "shop".into(),
            name: name.into(),
        };
        let object = Some(object.to_string().into());
        if let Some(update) = Update::read(Change { key, object }) {
            zone.take(update);
        }
    }
    zone
});

fn question(name: &str, rtype: u8, edns: bool) -> Vec<u8> {
    let mut bytes = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, u8::from(edns)];
    bytes.extend_from_slice(WireName::parse(name).unwrap_or(WireName::root()).as_bytes());
    bytes.extend([0, rtype, 0, 1]);
    if edns {
        bytes.extend([0, 0, 41, 16, 0, 0, 0, 0x80, 0, 0, 0]);
    }
    bytes
}

pub(super) fn question_seeds() -> Vec<Vec<u8>> {
    [
        ("db.shop.svc.cluster.local", 1),
        ("_sql._tcp.db.shop.svc.cluster.local", 33),
        ("db-0.db.shop.svc.cluster.local", 255),
        ("out.shop.svc.cluster.local", 1),
        ("10-42-0-1.shop.pod.cluster.local", 1),
        ("1.1.43.10.in-addr.arpa", 12),
        ("dns-version.cluster.local", 16),
        ("cluster.local", 6),
    ]
    .iter()
    .flat_map(|(name, rtype)| [question(name, *rtype, false), question(name, *rtype, true)])
    .collect()
}

/// An answer fits, is of the question, and can be read again; an error is no longer than what it is about.
pub(super) fn ask(input: &[u8]) {
    for (transport, most) in [(Transport::Udp, 1232), (Transport::Tcp, 65_535)] {
        let query = match Query::parse(input, transport) {
            Ok(query) => query,
            Err(Unanswerable::Drop) => continue,
            Err(Unanswerable::Reply(error)) => {
                assert!(
                    error.len() <= input.len() + 11,
                    "an error of {} octets",
                    error.len()
                );
                continue;
            }
        };
        let mut scratch = Scratch::default();
        match respond(&query, &ZONE, &mut scratch) {
            Reply::Written(_) => {
                let answer = scratch.answer();
                assert!(answer.len() <= most, "{} octets", answer.len());
                assert_eq!(answer.get(..2), input.get(..2), "another id");
                assert!(
                    Answered::read(answer).is_some(),
                    "an answer that cannot be read"
                );
            }
            Reply::Elsewhere(chain) => {
                let alone = answer_alias(&query, &chain, None);
                assert!(alone.len() <= most);
            }
        }
    }
}

pub(super) fn answer_seeds() -> Vec<Vec<u8>> {
    let answers = question_seeds().into_iter().map(|bytes| {
        let mut scratch = Scratch::default();
        if let Ok(query) = Query::parse(&bytes, Transport::Tcp) {
            let _ = respond(&query, &ZONE, &mut scratch);
        }
        scratch.answer().to_vec()
    });
    answers.filter(|answer| !answer.is_empty()).collect()
}

/// What is kept of an answer is no longer than it was, and can be read again.
pub(super) fn answered(input: &[u8]) {
    let Some(answered) = Answered::read(input) else {
        return;
    };
    for age in [0, 1, u32::MAX] {
        let aged = answered.aged(age);
        assert!(aged.len() <= input.len());
        assert!(Answered::read(&aged).is_some(), "it was read before");
        let asked = question("out.shop.svc.cluster.local", 1, true);
        if let Ok(query) = Query::parse(&asked, Transport::Udp) {
            assert!(relay(&query, aged.clone()).len() <= 1232);
            let mut scratch = Scratch::default();
            if let Reply::Elsewhere(chain) = respond(&query, &ZONE, &mut scratch) {
                assert!(answer_alias(&query, &chain, Some(&aged)).len() <= 1232);
            }
        }
    }
}
