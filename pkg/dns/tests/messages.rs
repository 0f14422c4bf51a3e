//! Messages: sizes, spelling, errors, and nothing that a stranger sends can break the reader.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::collections::BTreeSet;

use common::{answer, empty, question, service, slice, take};
use domain::base::iana::{OptRcode, Rcode};
use domain::base::{Message, MessageBuilder, Rtype, Ttl};
use domain::rdata::{A, Soa, Srv};
use kedge_dns::message::{
    Answered, Asked, Query, Reply, Scratch, Transport, Unanswerable, answer_alias, relay, respond,
};
use kedge_dns::name::WireName;
use kedge_dns::zone::Zone;
use proptest::prelude::*;
use serde_json::json;

fn zone(endpoints: usize) -> Zone {
    let mut zone = empty();
    take(
        &mut zone,
        service("shop", "db", json!({"clusterIP": "None"})),
    );
    take(
        &mut zone,
        service(
            "shop",
            "out",
            json!({"type": "ExternalName", "externalName": "example.com"}),
        ),
    );
    let all: Vec<_> = (0..endpoints)
        .map(|i| json!({"addresses": [format!("10.42.{}.{}", i / 250, i % 250 + 1)]}))
        .collect();
    take(
        &mut zone,
        slice(
            "shop",
            "db-1",
            "db",
            "IPv4",
            json!(all),
            json!([{"name": "sql", "port": 5432}]),
        ),
    );
    zone
}

fn ask(zone: &Zone, question: &[u8], transport: Transport) -> Message<Vec<u8>> {
    answer(zone, question, transport).unwrap()
}

#[test]
fn the_case_of_the_question_is_kept() {
    let asked = question("DB.shop.SVC.cluster.local", Rtype::A, None);
    let answer = ask(&zone(1), &asked, Transport::Udp);
    let name = answer.sole_question().unwrap().qname().to_string();
    assert_eq!(name, "DB.shop.SVC.cluster.local");
    let owner = answer.answer().unwrap().next().unwrap().unwrap();
    assert_eq!(owner.owner().to_string(), "DB.shop.SVC.cluster.local");
    assert_eq!(answer.header_counts().ancount(), 1);
    assert!(answer.header().aa() && answer.header().ra() && answer.header().id() == 4711);
}

#[test]
fn a_denial_spells_the_zone_as_the_question_does() {
    let asked = question("none.shop.svc.ClUsTeR.lOcAl", Rtype::A, None);
    let answer = ask(&zone(1), &asked, Transport::Udp);
    let soa = answer.authority().unwrap().next().unwrap().unwrap();
    assert_eq!(soa.owner().to_string(), "ClUsTeR.lOcAl");
}

#[test]
fn an_answer_that_does_not_fit_is_cut_and_says_so() {
    let zone = zone(100);
    let name = "db.shop.svc.cluster.local";
    for (edns, transport, most, whole) in [
        (None, Transport::Udp, 512, false),
        (Some(100), Transport::Udp, 512, false),
        (Some(800), Transport::Udp, 800, false),
        (Some(4096), Transport::Udp, 1232, false),
        (Some(4096), Transport::Tcp, 65535, true),
    ] {
        let answer = ask(&zone, &question(name, Rtype::A, edns), transport);
        let size = answer.as_slice().len();
        assert!(size <= most, "{size} over {most}");
        assert_eq!(answer.header().tc(), !whole);
        assert_eq!(answer.opt().is_some(), edns.is_some());
        assert_eq!(answer.header_counts().ancount() == 100, whole);
    }
}

/// A pointer reaches 16 KiB far (RFC 1035, 4.1.4), a length of TCP 64 KiB.
#[test]
fn long_answers_can_be_read_to_their_end() {
    for (endpoints, rtype, name, whole) in [
        (700, Rtype::SRV, "_sql._tcp.db.shop.svc.cluster.local", true),
        (3000, Rtype::A, "db.shop.svc.cluster.local", true),
        (5000, Rtype::A, "db.shop.svc.cluster.local", false),
    ] {
        let answer = ask(
            &zone(endpoints),
            &question(name, rtype, None),
            Transport::Tcp,
        );
        let size = answer.as_slice().len();
        assert!((16_384..=65_535).contains(&size), "{size}");
        assert_eq!(answer.header().tc(), !whole, "{endpoints}");
        let mut owners = BTreeSet::new();
        let records: Vec<_> = answer.answer().unwrap().collect::<Result<_, _>>().unwrap();
        for record in &records {
            owners.insert(record.owner().to_string());
        }
        assert_eq!(owners, [name.to_string()].into());
        assert_eq!(records.len() == endpoints, whole, "{}", records.len());
        if rtype == Rtype::SRV {
            let targets: BTreeSet<String> = records
                .iter()
                .map(|record| record.to_record::<Srv<_>>().unwrap().unwrap())
                .map(|record| record.data().target().to_string())
                .collect();
            assert_eq!(targets.len(), endpoints);
            assert!(
                targets
                    .iter()
                    .all(|target| target.ends_with(".db.shop.svc.cluster.local"))
            );
        }
    }
}

#[test]
fn who_takes_the_first_address_gets_another_one_each_time() {
    let zone = zone(4);
    let firsts: std::collections::BTreeSet<_> = (0..4u8)
        .map(|id| {
            let mut asked = question("db.shop.svc.cluster.local", Rtype::A, None);
            asked[1] = id;
            let answer = ask(&zone, &asked, Transport::Udp);
            let record = answer.answer().unwrap().next().unwrap().unwrap();
            record.to_record::<A>().unwrap().unwrap().data().addr()
        })
        .collect();
    assert_eq!(firsts.len(), 4);
}

#[test]
fn negative_answers_carry_the_soa() {
    for (name, rcode) in [
        ("none.shop.svc.cluster.local", Rcode::NXDOMAIN),
        ("svc.cluster.local", Rcode::NOERROR),
    ] {
        let answer = ask(&zone(1), &question(name, Rtype::A, None), Transport::Udp);
        assert_eq!(answer.header().rcode(), rcode);
        let soa = answer.authority().unwrap().next().unwrap().unwrap();
        assert_eq!(soa.owner().to_string(), "cluster.local");
        assert_eq!((soa.rtype(), soa.ttl()), (Rtype::SOA, Ttl::from_secs(5)));
    }
}

/// A denial by the SOA of a zone that the name is not in is not kept (RFC 2308, 2).
#[test]
fn a_denial_of_a_reverse_name_has_the_soa_of_its_range() {
    let mut zone = zone(1);
    let elsewhere = json!([{"addresses": ["192.168.1.7"]}]);
    let lan = slice("shop", "db-2", "db", "IPv4", elsewhere, json!([]));
    take(&mut zone, lan);
    let added = json!({"spec": {"cidrs": ["10.44.1.0/24"]}});
    let range = common::change(
        kedge_client::Resource::SERVICECIDRS,
        "",
        "more",
        Some(added),
    );
    take(&mut zone, range);
    for (name, rtype, apex) in [
        ("9.9.43.10.in-addr.arpa", Rtype::PTR, "43.10.in-addr.arpa"),
        ("9.1.44.10.in-addr.arpa", Rtype::PTR, "1.44.10.in-addr.arpa"),
        ("1.0.42.10.in-addr.arpa", Rtype::A, "42.10.in-addr.arpa"),
        // In no range, and known all the same.
        (
            "7.1.168.192.in-addr.arpa",
            Rtype::A,
            "7.1.168.192.in-addr.arpa",
        ),
        (
            "9.9.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.2.4.0.0.0.0.d.f.ip6.arpa",
            Rtype::PTR,
            "2.4.0.0.0.0.d.f.ip6.arpa",
        ),
    ] {
        let answer = ask(&zone, &question(name, rtype, None), Transport::Udp);
        let soa = answer.authority().unwrap().next().unwrap().unwrap();
        assert_eq!(
            (soa.owner().to_string().as_str(), soa.rtype()),
            (apex, Rtype::SOA)
        );
    }
}

#[test]
fn edns_is_answered_in_kind() {
    let mut asked = question("db.shop.svc.cluster.local", Rtype::A, Some(4096));
    let flags = asked.len() - 4;
    asked[flags] = 0x80;
    let answer = ask(&zone(1), &asked, Transport::Udp);
    let opt = answer.opt().unwrap();
    assert!(opt.dnssec_ok() && opt.udp_payload_size() == 1232);
    // Another version of EDNS than 0.
    asked[flags - 1] = 1;
    let Err(Unanswerable::Reply(bytes)) = Query::parse(&asked, Transport::Udp) else {
        panic!("answered")
    };
    let refused = Message::from_octets(bytes).unwrap();
    assert_eq!(refused.opt_rcode(), OptRcode::BADVERS);
}

/// Whoever speaks EDNS hears it in errors too, and has one OPT record (RFC 6891, 6.1.1).
#[test]
fn errors_are_in_edns_where_the_question_was() {
    for (edns, rtype, rcode) in [
        (Some(1232), Rtype::AXFR, Rcode::REFUSED),
        (None, Rtype::AXFR, Rcode::REFUSED),
    ] {
        let asked = question("cluster.local", rtype, edns);
        let Err(Unanswerable::Reply(bytes)) = Query::parse(&asked, Transport::Udp) else {
            panic!("answered")
        };
        let refused = Message::from_octets(bytes).unwrap();
        assert_eq!(refused.header().rcode(), rcode);
        assert_eq!(refused.opt().is_some(), edns.is_some());
    }
    let asked = question("db.shop.svc.cluster.local", Rtype::A, Some(800));
    let query = Query::parse(&asked, Transport::Udp).unwrap();
    for error in [query.error(Rcode::SERVFAIL), query.truncated()] {
        let error = Message::from_octets(error).unwrap();
        assert_eq!(error.opt().unwrap().udp_payload_size(), 1232);
        assert_eq!(error.header_counts().arcount(), 1);
    }
    let mut twice = asked.clone();
    let opt = twice[twice.len() - 11..].to_vec();
    twice.extend(opt);
    twice[11] = 2;
    let Err(Unanswerable::Reply(bytes)) = Query::parse(&twice, Transport::Udp) else {
        panic!("answered")
    };
    let refused = Message::from_octets(bytes).unwrap();
    assert_eq!(refused.header().rcode(), Rcode::FORMERR);
}

/// What a resolver says of `example.com`: its address for 60 seconds, and an OPT record of its own.
fn upstream(asked: &Asked) -> Vec<u8> {
    upstream_for(asked, 60)
}

fn upstream_for(asked: &Asked, seconds: u32) -> Vec<u8> {
    let bytes = asked.message(7, true);
    let message = Message::from_octets(bytes).unwrap();
    let mut answer = MessageBuilder::new_vec()
        .start_answer(&message, Rcode::NOERROR)
        .unwrap();
    answer.header_mut().set_aa(true);
    let owner = *message.sole_question().unwrap().qname();
    let address = A::new([192, 0, 2, 1].into());
    let ttl = Ttl::from_secs(seconds);
    answer.push((owner, ttl, address)).unwrap();
    let mut additional = answer.additional();

    additional
        .opt(|opt| {
            opt.set_udp_payload_size(4096);
            Ok(())
        })
        .unwrap();
    additional.finish()
}

#[test]
fn an_alias_keeps_what_its_target_resolved_to() {
    let asked = question("out.shop.svc.cluster.local", Rtype::A, None);
    let query = Query::parse(&asked, Transport::Udp).unwrap();
    let Reply::Elsewhere(chain) = respond(&query, &zone(1), &mut Scratch::default()) else {
        panic!("no alias")
    };
    let asked = Asked::by(&query, &chain);
    assert_eq!(asked.name.to_string(), "example.com");
    let answered = Answered::read(&upstream(&asked)).unwrap();
    let whole = answer_alias(&query, &chain, Some(&answered.aged(10)));
    let message = Message::from_octets(whole).unwrap();
    assert_eq!(
        common::shown(&message, false),
        ["A 192.0.2.1", "CNAME example.com"]
    );
    let alone = Message::from_octets(answer_alias(&query, &chain, None)).unwrap();
    assert_eq!(common::shown(&alone, false), ["CNAME example.com"]);
}

#[test]
fn an_answer_of_another_resolver_is_made_the_askers() {
    let name = WireName::parse("example.com").unwrap();
    for edns in [None, Some(1232)] {
        let bytes = question("Example.COM", Rtype::A, edns);
        let query = Query::parse(&bytes, Transport::Udp).unwrap();
        let asked = Asked {
            name,
            rtype: Rtype::A,
            dnssec_ok: false,
            checking_disabled: false,
        };
        let answer = upstream(&asked);
        assert!(asked.is_answered_by(7, &answer));
        assert!(!asked.is_answered_by(8, &answer));
        let answered = Answered::read(&answer).unwrap();
        assert_eq!(answered.lifetime(), 60);
        for (age, ttl) in [(0, 60), (25, 35), (59, 1), (60, 30)] {
            let relayed = Message::from_octets(relay(&query, answered.aged(age))).unwrap();
            assert_eq!(relayed.header().id(), 4711);
            assert!(!relayed.header().aa(), "it is hearsay");
            let spelled = relayed.sole_question().unwrap().qname().to_string();
            assert_eq!(spelled, "Example.COM");
            let record = relayed.answer().unwrap().next().unwrap().unwrap();
            assert_eq!(record.ttl().as_secs(), ttl, "after {age}");
            assert_eq!(relayed.opt().is_some(), edns.is_some());
            let opt = relayed.opt().map(|opt| opt.udp_payload_size());
            assert!(opt.is_none_or(|size| size == 1232));
        }
    }
}

#[test]
fn an_answer_that_must_not_be_kept_says_so_to_the_asker() {
    let bytes = question("example.com", Rtype::A, None);
    let query = Query::parse(&bytes, Transport::Udp).unwrap();
    let asked = Asked {
        name: query.name,
        rtype: Rtype::A,
        dnssec_ok: false,
        checking_disabled: false,
    };
    let answered = Answered::read(&upstream_for(&asked, 0)).unwrap();
    assert_eq!(answered.lifetime(), 0);
    let relayed = Message::from_octets(relay(&query, answered.aged(0))).unwrap();
    let record = relayed.answer().unwrap().next().unwrap().unwrap();
    assert_eq!(record.ttl(), Ttl::ZERO);
}

#[test]
fn a_denial_is_kept_for_as_long_as_its_soa_says() {
    let bytes = question("none.example.com", Rtype::A, None);
    let asked = Message::from_octets(bytes).unwrap();
    for (ttl, minimum, kept) in [(900, 300, 300), (60, 300, 60), (99_999, 99_999, 1800)] {
        let mut answer = MessageBuilder::new_vec()
            .start_answer(&asked, Rcode::NXDOMAIN)
            .unwrap()
            .authority();
        let name = WireName::parse("example.com").unwrap();
        let (one, minimum) = (Ttl::from_secs(1), Ttl::from_secs(minimum));
        let soa = Soa::new(
            name.as_name(),
            name.as_name(),
            1.into(),
            one,
            one,
            one,
            minimum,
        );
        answer
            .push((name.as_name(), Ttl::from_secs(ttl), soa))
            .unwrap();
        let answered = Answered::read(&answer.finish()).unwrap();
        assert!(answered.is_denial());
        assert_eq!(answered.lifetime(), kept);
    }
    let bare = MessageBuilder::new_vec()
        .start_answer(&asked, Rcode::NXDOMAIN)
        .unwrap();
    assert_eq!(Answered::read(&bare.finish()).unwrap().lifetime(), 0);
}

#[test]
fn what_is_no_question_of_ours_is_refused_or_dropped() {
    let name = "db.shop.svc.cluster.local";
    let dropped = |bytes: &[u8]| Query::parse(bytes, Transport::Udp).unwrap_err();
    let rcode = |bytes: &[u8]| match dropped(bytes) {
        Unanswerable::Reply(bytes) => Message::from_octets(bytes).unwrap().header().rcode(),
        Unanswerable::Drop => panic!("dropped"),
    };
    let plain = question(name, Rtype::A, None);
    let changed = |at: usize, value: u8| {
        let mut bytes = plain.clone();
        bytes[at] = value;
        bytes
    };
    assert_eq!(dropped(b"short"), Unanswerable::Drop);
    assert_eq!(dropped(&changed(2, 0x80)), Unanswerable::Drop);
    for rtype in [Rtype::AXFR, Rtype::IXFR] {
        assert_eq!(
            rcode(&question("cluster.local", rtype, None)),
            Rcode::REFUSED
        );
    }
    // Class CH, opcode NOTIFY, two questions, none.
    assert_eq!(rcode(&changed(plain.len() - 1, 3)), Rcode::REFUSED);
    assert_eq!(rcode(&changed(2, 0x21)), Rcode::NOTIMP);
    assert_eq!(rcode(&changed(5, 2)), Rcode::FORMERR);
    assert_eq!(rcode(&changed(5, 0)), Rcode::FORMERR);
}

#[test]
fn a_long_answer_of_another_resolver_is_cut_for_udp() {
    let bytes = question("example.com", Rtype::A, None);
    let query = Query::parse(&bytes, Transport::Udp).unwrap();
    let relayed = Message::from_octets(relay(&query, vec![0; 600])).unwrap();
    assert!(relayed.header().tc() && relayed.header().id() == 4711);
}

proptest! {
    #[test]
    fn no_bytes_break_the_reader(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let mut scratch = Scratch::default();
        if let Ok(query) = Query::parse(&bytes, Transport::Udp)
            && let Reply::Written(_) = respond(&query, &zone(1), &mut scratch)
        {
            prop_assert!(scratch.answer().len() <= 1232);
        }
        let _ = Answered::read(&bytes);
    }

    #[test]
    fn no_flipped_byte_breaks_the_reader(at in 0usize..80, value: u8) {
        let mut bytes = question("db.shop.svc.cluster.local", Rtype::A, Some(1232));
        let at = at % bytes.len();
        bytes[at] = value;
        if let Ok(query) = Query::parse(&bytes, Transport::Udp) {
            let _ = respond(&query, &zone(1), &mut Scratch::default());
        }
        let asked = Asked { name: WireName::parse("example.com").unwrap(), rtype: Rtype::A, dnssec_ok: false, checking_disabled: false };
        let mut answer = upstream(&asked);
        let at = at % answer.len();
        answer[at] = value;
        if let Some(answered) = Answered::read(&answer) {
            prop_assert!(answered.aged(1).len() <= answer.len());
        }
    }
}

#[test]
fn a_name_that_goes_through_a_ttl_makes_an_answer_unreadable() {
    // Of "a.", with two addresses: the second one's name is where the pointer says.
    let answer = |pointer: u8| {
        let mut bytes = vec![0, 7, 0x81, 0x80, 0, 1, 0, 2, 0, 0, 0, 0];
        bytes.extend([1, b'a', 0, 0, 1, 0, 1]);
        // Its TTL would be the name "b." to who begins to read there.
        bytes.extend([0xc0, 12, 0, 1, 0, 1, 1, b'b', 0, 0, 0, 4, 192, 0, 2, 1]);
        bytes.extend([0xc0, pointer, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 2]);
        bytes
    };
    assert!(Answered::read(&answer(12)).is_some());
    assert!(Answered::read(&answer(25)).is_none());
}
