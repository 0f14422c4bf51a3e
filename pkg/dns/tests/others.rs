//! Answers of other resolvers: how long they may be kept, and what of them a client hears.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::{empty, question, service, take};
use domain::base::iana::Rcode;
use domain::base::{Message, MessageBuilder, Rtype, Ttl};
use domain::rdata::{Cname, Soa};
use kedge_dns::message::{
    Answered, Asked, Query, Reply, Scratch, Transport, answer_alias, relay, respond,
};
use kedge_dns::name::WireName;
use serde_json::json;

fn name(text: &str) -> WireName {
    WireName::parse(text).unwrap()
}

/// What a resolver says of a name that is an alias, for a day, of one that has no such record, or is not there: its SOA
/// is good for `denied` seconds.
fn denial(asked: &Message<Vec<u8>>, rcode: Rcode, alias: Option<&str>, denied: u32) -> Vec<u8> {
    let mut answer = MessageBuilder::new_vec()
        .start_answer(asked, rcode)
        .unwrap();
    answer.header_mut().set_ad(true);
    if let Some(target) = alias {
        let owner = *asked.sole_question().unwrap().qname();
        let data = Cname::new(name(target));
        let record = (
            owner,
            Ttl::from_secs(86_400),
            Cname::new(data.cname().as_name()),
        );
        answer.push(record).unwrap();
    }
    let mut authority = answer.authority();
    let zone = name("example.com");
    let (one, minimum) = (Ttl::from_secs(1), Ttl::from_secs(denied));
    let (server, mailbox) = (zone.as_name(), zone.as_name());
    let soa = Soa::new(server, mailbox, 1.into(), one, one, one, minimum);
    authority
        .push((zone.as_name(), Ttl::from_secs(3600), soa))
        .unwrap();
    authority.finish()
}

/// An alias may be good for a day, but not what it leads to (RFC 2308, 2.2 and 5).
#[test]
fn a_denial_behind_an_alias_is_kept_for_as_long_as_its_soa_says() {
    let asked = Message::from_octets(question("www.example.com", Rtype::AAAA, None)).unwrap();
    for (rcode, alias) in [
        (Rcode::NOERROR, Some("cdn.example.com")),
        (Rcode::NXDOMAIN, Some("cdn.example.com")),
        (Rcode::NOERROR, None),
    ] {
        let answered = Answered::read(&denial(&asked, rcode, alias, 60)).unwrap();
        assert_eq!(answered.lifetime(), 60, "{rcode} {alias:?}");
    }
}

/// AD says that data were found authentic: to who asks for signatures (DO), or says that it knows of AD (RFC 6840, 5.8).
#[test]
fn what_is_authentic_is_told_to_who_understands_it() {
    for (dnssec_ok, asks, told) in [
        (false, false, false),
        (true, false, true),
        (false, true, true),
    ] {
        let mut bytes = question("none.example.com", Rtype::A, Some(1232));
        let flags = bytes.len() - 4;
        bytes[flags] = if dnssec_ok { 0x80 } else { 0 };
        bytes[3] |= if asks { 0x20 } else { 0 };
        let query = Query::parse(&bytes, Transport::Udp).unwrap();
        let asked = Asked {
            name: query.name,
            rtype: Rtype::A,
            dnssec_ok,
            checking_disabled: false,
        };
        let Reply::Elsewhere(chain) = respond(&query, &empty(), &mut Scratch::default()) else {
            panic!("known here")
        };
        assert_eq!(Asked::by(&query, &chain), asked, "remembered for both");
        let sent = Message::from_octets(asked.message(7, true)).unwrap();
        assert!(sent.header().ad(), "the resolver is asked for it");
        assert_eq!(sent.opt().unwrap().dnssec_ok(), dnssec_ok);
        let answered = Answered::read(&denial(&sent, Rcode::NXDOMAIN, None, 60)).unwrap();
        let relayed = Message::from_octets(relay(&query, answered.aged(1))).unwrap();
        assert_eq!(relayed.header().ad(), told, "{dnssec_ok} {asks}");
        assert_eq!(relayed.opt().unwrap().dnssec_ok(), dnssec_ok);
    }
}

/// CD goes on to the resolver, and comes back.
#[test]
fn who_checks_signatures_itself_gets_what_is_there() {
    let mut bytes = question("none.example.com", Rtype::A, Some(1232));
    bytes[3] |= 0x10;
    let query = Query::parse(&bytes, Transport::Udp).unwrap();
    let Reply::Elsewhere(chain) = respond(&query, &empty(), &mut Scratch::default()) else {
        panic!("known here")
    };
    let asked = Asked::by(&query, &chain);
    let sent = Message::from_octets(asked.message(7, true)).unwrap();
    assert!(asked.checking_disabled && sent.header().cd());
    let answered = Answered::read(&denial(&sent, Rcode::NXDOMAIN, None, 60)).unwrap();
    let relayed = Message::from_octets(relay(&query, answered.aged(1))).unwrap();
    assert!(relayed.header().cd());
}

#[test]
fn a_denial_of_an_aliass_target_says_how_long_it_holds() {
    let mut zone = empty();
    let external = json!({"type": "ExternalName", "externalName": "none.example.com"});
    take(&mut zone, service("shop", "out", external));
    let bytes = question("out.shop.svc.cluster.local", Rtype::A, None);
    let query = Query::parse(&bytes, Transport::Udp).unwrap();
    let Reply::Elsewhere(chain) = respond(&query, &zone, &mut Scratch::default()) else {
        panic!("no alias")
    };
    let sent = Message::from_octets(Asked::by(&query, &chain).message(7, true)).unwrap();
    let answered = Answered::read(&denial(&sent, Rcode::NXDOMAIN, None, 60)).unwrap();
    let answer = answer_alias(&query, &chain, Some(&answered.aged(0)));
    let answer = Message::from_octets(answer).unwrap();
    assert_eq!(answer.header().rcode(), Rcode::NXDOMAIN);
    assert_eq!(common::shown(&answer, false), ["CNAME none.example.com"]);
    let soa = answer.authority().unwrap().next().unwrap().unwrap();
    assert_eq!(
        (soa.owner().to_string().as_str(), soa.rtype()),
        ("example.com", Rtype::SOA)
    );
}
