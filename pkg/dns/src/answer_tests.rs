//! Messages: sizes, errors, and nothing that a stranger sends can break the reader.

use bytes::Bytes;
use kedge_client::{Change, ObjectKey, Resource};
use proptest::prelude::*;
use serde_json::json;

use super::*;

fn zone(endpoints: usize) -> Zone {
    let mut zone = Zone::new("cluster.local", "10.43.0.10".parse().unwrap(), Vec::new());
    let mut put = |resource, name: &str, object: serde_json::Value| {
        zone.apply(Change {
            key: ObjectKey {
                resource,
                namespace: "shop".into(),
                name: name.into(),
            },
            object: Some(Bytes::from(object.to_string())),
        });
    };
    put(
        Resource::SERVICES,
        "db",
        json!({"spec": {"clusterIP": "None"}}),
    );
    put(
        Resource::SERVICES,
        "out",
        json!({"spec": {"type": "ExternalName", "externalName": "example.com"}}),
    );
    let all: Vec<_> = (0..endpoints)
        .map(|i| json!({"addresses": [format!("10.42.{}.{}", i / 250, i % 250 + 1)]}))
        .collect();
    put(
        Resource::ENDPOINTSLICES,
        "db-1",
        json!({"metadata": {"labels": {"kubernetes.io/service-name": "db"}}, "addressType": "IPv4", "endpoints": all}),
    );
    zone
}

fn question(name: &str, rtype: Rtype, edns: Option<u16>) -> Vec<u8> {
    let mut builder = MessageBuilder::new_vec();
    builder.header_mut().set_id(4711);
    builder.header_mut().set_rd(true);
    let mut question = builder.question();
    question
        .push((name.parse::<Name<Vec<u8>>>().unwrap(), rtype))
        .unwrap();
    let mut additional = question.additional();
    if let Some(size) = edns {
        additional
            .opt(|opt| {
                opt.set_udp_payload_size(size);
                Ok(())
            })
            .unwrap();
    }
    additional.finish()
}

fn ask(zone: &Zone, question: &[u8], transport: Transport) -> Message<Vec<u8>> {
    match Query::parse(question, transport).unwrap().answer(zone) {
        Reply::Message(bytes) => Message::from_octets(bytes).unwrap(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_case_of_the_question_is_kept() {
    let answer = ask(
        &zone(1),
        &question("DB.shop.SVC.cluster.local", Rtype::A, None),
        Transport::Udp,
    );
    assert_eq!(
        answer.sole_question().unwrap().qname().to_string(),
        "DB.shop.SVC.cluster.local"
    );
    assert_eq!(answer.header_counts().ancount(), 1);
    assert!(answer.header().aa() && answer.header().ra() && answer.header().id() == 4711);
}

#[test]
fn an_answer_that_does_not_fit_is_cut_and_says_so() {
    let zone = zone(100);
    let name = "db.shop.svc.cluster.local";
    for (edns, transport, most, whole) in [
        (None, Transport::Udp, 512, false),
        (Some(800), Transport::Udp, 800, false),
        (Some(4096), Transport::Udp, 1232, false),
        (Some(4096), Transport::Tcp, 65535, true),
    ] {
        let answer = ask(&zone, &question(name, Rtype::A, edns), transport);
        assert!(
            answer.as_slice().len() <= most,
            "{} over {most}",
            answer.as_slice().len()
        );
        assert_eq!(answer.header().tc(), !whole);
        assert_eq!(answer.opt().is_some(), edns.is_some());
        assert_eq!(answer.header_counts().ancount() == 100, whole);
    }
}

#[test]
fn negative_answers_carry_the_soa() {
    for (name, rcode) in [
        ("none.shop.svc.cluster.local", Rcode::NXDOMAIN),
        ("svc.cluster.local", Rcode::NOERROR),
    ] {
        let answer = ask(&zone(1), &question(name, Rtype::A, None), Transport::Udp);
        assert_eq!(answer.header().rcode(), rcode);
        assert_eq!(answer.header_counts().nscount(), 1);
    }
}

#[test]
fn an_alias_keeps_what_its_target_resolved_to() {
    let query = Query::parse(
        &question("out.shop.svc.cluster.local", Rtype::A, None),
        Transport::Udp,
    )
    .unwrap();
    let Reply::Elsewhere {
        alias: Some((alias, target)),
    } = query.answer(&zone(1))
    else {
        panic!("no alias")
    };
    assert_eq!(target, "example.com");
    let upstream = Message::from_octets(query.for_target(&target).unwrap()).unwrap();
    let mut answer = MessageBuilder::new_vec()
        .start_answer(&upstream, Rcode::NOERROR)
        .unwrap();
    answer
        .push((
            upstream.sole_question().unwrap().qname(),
            Ttl::from_secs(60),
            A::new([192, 0, 2, 1].into()),
        ))
        .unwrap();
    let resolved = answer.finish();
    let message =
        Message::from_octets(query.answer_alias("cluster.local", &alias, Some(&resolved))).unwrap();
    assert_eq!(message.header_counts().ancount(), 2);
    let alone = Message::from_octets(query.answer_alias("cluster.local", &alias, None)).unwrap();
    assert_eq!(alone.header_counts().ancount(), 1);
}

#[test]
fn what_is_no_question_of_ours_is_refused_or_dropped() {
    let mut answer = question("db.shop.svc.cluster.local", Rtype::A, None);
    answer[2] |= 0x80;
    assert_eq!(
        Query::parse(&answer, Transport::Udp).unwrap_err(),
        Unanswerable::Drop
    );
    assert_eq!(
        Query::parse(b"short", Transport::Udp).unwrap_err(),
        Unanswerable::Drop
    );
    let transfer = Query::parse(
        &question("cluster.local", Rtype::AXFR, None),
        Transport::Tcp,
    )
    .unwrap_err();
    let Unanswerable::Reply(bytes) = transfer else {
        panic!("dropped")
    };
    assert_eq!(
        Message::from_octets(bytes).unwrap().header().rcode(),
        Rcode::REFUSED
    );
}

#[test]
fn a_long_answer_of_another_resolver_is_cut_for_udp() {
    let query = Query::parse(&question("example.com", Rtype::A, None), Transport::Udp).unwrap();
    let relayed = Message::from_octets(query.relay(vec![0; 600])).unwrap();
    assert!(relayed.header().tc() && relayed.header().id() == 4711);
}

proptest! {
    #[test]
    fn no_bytes_break_the_reader(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(query) = Query::parse(&bytes, Transport::Udp)
            && let Reply::Message(answer) = query.answer(&zone(1))
        {
            prop_assert!(answer.len() <= 1232);
        }
    }

    #[test]
    fn no_flipped_byte_breaks_the_reader(at in 0usize..40, value: u8) {
        let mut bytes = question("db.shop.svc.cluster.local", Rtype::A, Some(1232));
        let at = at % bytes.len();
        bytes[at] = value;
        if let Ok(query) = Query::parse(&bytes, Transport::Udp) {
            let _ = query.answer(&zone(1));
        }
    }
}
