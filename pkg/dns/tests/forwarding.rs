//! Names that are not the cluster's: a server on a port of loopback, resolvers beside it that say what the test wants.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;
mod fake;

use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use domain::base::iana::Rcode;
use domain::base::{Message, Rtype};
use fake::{Behaviour, Fake, Node};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

fn records(message: &Message<Vec<u8>>) -> Vec<String> {
    common::shown(message, false)
}

#[tokio::test]
async fn an_answer_is_asked_for_once_and_remembered() {
    let fake = Fake::start(Behaviour::Answer).await;
    let node = Node::start(&[fake.upstream("")]).await;
    for spelled in ["Host.example", "host.EXAMPLE"] {
        let answer = node.ask(spelled, Rtype::A).await;
        assert_eq!(records(&answer), ["A 192.0.2.1"]);
        let name = answer.sole_question().unwrap().qname().to_string();
        assert_eq!(name, spelled);
    }
    assert_eq!(fake.asked_for("host.example"), 1);
    let denied = node.ask("none.example", Rtype::A).await;
    assert_eq!(denied.header().rcode(), Rcode::NXDOMAIN);
    node.ask("none.example", Rtype::A).await;
    assert_eq!(
        fake.asked_for("none.example"),
        1,
        "denials are remembered too"
    );
}

#[tokio::test]
async fn the_same_question_of_many_is_asked_once() {
    let fake = Fake::start(Behaviour::Slow(Duration::from_millis(100))).await;
    let node = Node::start(&[fake.upstream("")]).await;
    let asked = (0..20).map(|_| node.ask("host.example", Rtype::A));
    for answer in futures_util::future::join_all(asked).await {
        assert_eq!(records(&answer), ["A 192.0.2.1"]);
    }
    assert_eq!(fake.asked_for("host.example"), 1);
}

#[tokio::test]
async fn each_domain_has_its_resolvers() {
    let (all, corp, deeper, beside, lan) = (
        Fake::start(Behaviour::Answer).await,
        Fake::start(Behaviour::Answer).await,
        Fake::start(Behaviour::Answer).await,
        Fake::start(Behaviour::Answer).await,
        Fake::start(Behaviour::Answer).await,
    );
    let node = Node::start(&[
        all.upstream(""),
        corp.upstream("corp.example="),
        deeper.upstream("lab.corp.example="),
        // Within the cluster's own domain: what that does not have.
        beside.upstream("corp.cluster.local="),
        lan.upstream("192.168.0.0/16="),
    ])
    .await;
    for (name, fake) in [
        ("host.example", &all),
        ("host.corp.example", &corp),
        ("corp.example", &corp),
        ("notcorp.example", &all),
        ("host.lab.corp.example", &deeper),
        ("host.corp.cluster.local", &beside),
        ("7.1.168.192.in-addr.arpa", &lan),
        ("7.1.169.192.in-addr.arpa", &all),
    ] {
        node.ask(name, Rtype::A).await;
        assert_eq!(fake.asked_for(name), 1, "{name}");
    }
    assert_eq!(
        node.ask("host.shop.svc.cluster.local", Rtype::A)
            .await
            .header()
            .rcode(),
        Rcode::NXDOMAIN
    );
}

#[tokio::test]
async fn another_resolver_answers_when_one_is_silent_or_fails() {
    for behaviour in [
        Behaviour::Silent,
        Behaviour::Fail(Rcode::SERVFAIL),
        Behaviour::Fail(Rcode::REFUSED),
    ] {
        let (bad, good) = (
            Fake::start(behaviour).await,
            Fake::start(Behaviour::Answer).await,
        );
        let node = Node::start(&[bad.upstream(""), good.upstream("")]).await;
        let answer = node.ask("host.example", Rtype::A).await;
        assert_eq!(records(&answer), ["A 192.0.2.1"], "{behaviour:?}");
        assert!(bad.asked_for("host.example") >= 1);
    }
}

#[tokio::test]
async fn nobody_there_is_an_error_at_once_and_for_everybody() {
    let node = Node::start(&[]).await;
    let answer = node.ask("host.example", Rtype::A).await;
    assert_eq!(answer.header().rcode(), Rcode::SERVFAIL);
    let own = node.ask("ns.dns.cluster.local", Rtype::A).await;
    assert_eq!(
        own.header().rcode(),
        Rcode::NOERROR,
        "the cluster's names need nobody"
    );
}

#[tokio::test]
async fn an_answer_whose_time_is_over_serves_while_nobody_answers() {
    let fake = Fake::start(Behaviour::Brief).await;
    let node = Node::start(&[fake.upstream("")]).await;
    node.ask("host.example", Rtype::A).await;
    fake.set(Behaviour::Fail(Rcode::SERVFAIL));
    // The answer was good for one second: asked until it is not fresh any more.
    let stale = loop {
        let answer = node.ask("host.example", Rtype::A).await;
        if fake.asked_for("host.example") > 1 {
            break answer;
        }
    };
    assert_eq!(records(&stale), ["A 192.0.2.1"]);
    let record = stale.answer().unwrap().next().unwrap().unwrap();
    assert_eq!(record.ttl().as_secs(), 30);
    let asked = fake.asked_for("host.example");
    node.ask("host.example", Rtype::A).await;
    assert_eq!(
        fake.asked_for("host.example"),
        asked,
        "nobody is asked for a while"
    );
}

#[tokio::test]
async fn what_does_not_fit_a_datagram_is_asked_for_over_tcp() {
    let fake = Fake::start(Behaviour::Large).await;
    let node = Node::start(&[fake.upstream("")]).await;
    let short = node.ask("host.example", Rtype::TXT).await;
    assert!(short.header().tc() && short.as_slice().len() <= 512);
    assert_eq!(fake.tcp.load(Ordering::Relaxed), 1);
    let whole = node.ask_tcp("host.example", Rtype::TXT).await;
    assert!(whole.as_slice().len() > 1232 && !whole.header().tc());
    assert_eq!(
        fake.tcp.load(Ordering::Relaxed),
        1,
        "it was remembered whole"
    );
}

#[tokio::test]
async fn what_was_cut_is_passed_on_where_tcp_is_not_served() {
    let fake = Fake::start(Behaviour::Answer).await;
    let node = Node::start(&[fake.upstream("")]).await;
    fake.set(Behaviour::Cut);
    // Once over UDP and once over TCP each time: it is not remembered.
    for (name, records_of_it, asked) in [
        ("host.example", vec!["A 192.0.2.1"], 2),
        ("host.example", vec!["A 192.0.2.1"], 4),
        (
            "out.shop.svc.cluster.local",
            vec!["A 192.0.2.1", "CNAME host.example"],
            6,
        ),
    ] {
        let cut = node.ask(name, Rtype::A).await;
        assert!(cut.header().tc(), "{name}");
        assert_eq!(records(&cut), records_of_it);
        assert_eq!(fake.asked_for("host.example"), asked);
    }
    let whole = node.ask_tcp("host.example", Rtype::A).await;
    assert_eq!(whole.header().rcode(), Rcode::SERVFAIL, "nobody has it");
}

#[tokio::test]
async fn a_resolver_that_is_named_twice_is_one() {
    let fake = Fake::start(Behaviour::Fail(Rcode::REFUSED)).await;
    let node = Node::start(&[fake.upstream(""), fake.upstream("")]).await;
    let answer = node.ask("host.example", Rtype::A).await;
    assert_eq!(answer.header().rcode(), Rcode::SERVFAIL);
    assert_eq!(fake.asked_for("host.example"), 1);
}

#[tokio::test]
async fn a_resolver_that_knows_no_edns_is_asked_without() {
    let fake = Fake::start(Behaviour::NoEdns).await;
    let node = Node::start(&[fake.upstream("")]).await;
    let answer = node.ask("host.example", Rtype::A).await;
    assert_eq!(records(&answer), ["A 192.0.2.1"]);
}

#[tokio::test]
async fn a_forged_answer_is_not_believed() {
    let fake = Fake::start(Behaviour::Forged).await;
    let node = Node::start(&[fake.upstream("")]).await;
    let answer = node.ask("host.example", Rtype::A).await;
    assert_eq!(
        records(&answer),
        ["A 192.0.2.1"],
        "the forged ones came first"
    );
}

#[tokio::test]
async fn a_resolver_that_leads_back_here_is_left_out() {
    let fake = Fake::start(Behaviour::Silent).await;
    let node = Node::start(&[fake.upstream("")]).await;
    fake.set(Behaviour::Forward(node.address()));
    let answer = node.ask("host.example", Rtype::A).await;
    assert_eq!(answer.header().rcode(), Rcode::SERVFAIL);
    let asked = fake.asked();
    assert_eq!(
        node.ask("other.example", Rtype::A).await.header().rcode(),
        Rcode::SERVFAIL
    );
    assert_eq!(fake.asked(), asked, "it is asked no more");
}

#[tokio::test]
async fn a_question_that_is_lost_is_sent_again() {
    let fake = Fake::start(Behaviour::Lossy).await;
    let node = Node::start(&[fake.upstream("")]).await;
    let begun = Instant::now();
    let answer = node.ask("host.example", Rtype::A).await;
    assert_eq!(records(&answer), ["A 192.0.2.1"]);
    assert_eq!(fake.asked_for("host.example"), 2);
    assert!(begun.elapsed() < Duration::from_secs(2));
}

/// An address of loopback that is this process's alone, as a file names resolvers without their ports.
fn loopback(last: u8) -> SocketAddr {
    let [.., high, low] = std::process::id().to_be_bytes();
    SocketAddr::from(([127, high, low, last], 53))
}

#[tokio::test]
async fn a_list_of_resolvers_that_changes_counts_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("resolv.conf");
    let node = Node::start_with_file(&file).await;
    let lost = node.ask("host.example", Rtype::A).await;
    assert_eq!(lost.header().rcode(), Rcode::SERVFAIL, "there is no file");
    let resolver = loopback(53);
    let fake = Fake::start_at(resolver, Behaviour::Answer).await;
    // The first to be named does not answer.
    let text = format!(
        "nameserver {}\nnameserver {}\n",
        loopback(54).ip(),
        resolver.ip()
    );
    std::fs::write(&file, text).unwrap();
    // The file is read when the kernel says that it changed, which no answer tells of: each question has another name, as failures
    // are remembered.
    let mut names = (0..).map(|i| format!("host-{i}.example"));
    let asked = async {
        loop {
            let answer = node.ask(&names.next().unwrap(), Rtype::A).await;
            if answer.header().rcode() == Rcode::NOERROR {
                return records(&answer);
            }
        }
    };
    let found = tokio::time::timeout(Duration::from_secs(10), asked).await;
    assert_eq!(found.unwrap(), ["A 192.0.2.1"]);
    assert_eq!(fake.asked(), 1);
    // What was said to be unknown while there was nobody is asked for again.
    let answer = node.ask("host.example", Rtype::A).await;
    assert_eq!(records(&answer), ["A 192.0.2.1"]);
}

#[tokio::test]
async fn questions_of_one_connection_do_not_wait_for_each_other() {
    let fake = Fake::start(Behaviour::Slow(Duration::from_millis(300))).await;
    let node = Node::start(&[fake.upstream("")]).await;
    let mut stream = TcpStream::connect(node.address()).await.unwrap();
    // One that another resolver has to help with, one that is known here, and half of a third.
    let questions = [
        ("host.example", Rtype::A),
        ("ns.dns.cluster.local", Rtype::A),
        ("other.example", Rtype::A),
    ];
    let mut octets = Vec::new();
    for (id, (name, rtype)) in (1..).zip(questions) {
        let mut question = common::question(name, rtype, None);
        question[..2].copy_from_slice(&u16::to_be_bytes(id));
        octets.extend(u16::try_from(question.len()).unwrap().to_be_bytes());
        octets.extend(question);
    }
    let (first, rest) = octets.split_at(octets.len() - 9);
    stream.write_all(first).await.unwrap();
    let id = async |stream: &mut TcpStream| {
        let message = Message::from_octets(fake::read(stream).await).unwrap();
        assert_eq!(message.header_counts().ancount(), 1);
        message.header().id()
    };
    assert_eq!(id(&mut stream).await, 2, "known at once");
    stream.write_all(rest).await.unwrap();
    // Who says no more still hears the answers, then the end.
    stream.shutdown().await.unwrap();
    assert_eq!(id(&mut stream).await, 1);
    assert_eq!(id(&mut stream).await, 3);
    assert_eq!(stream.read(&mut [0; 1]).await.unwrap(), 0);
}

#[tokio::test]
async fn a_connection_without_a_question_ends() {
    let node = Node::start(&[]).await;
    let (mut silent, mut slow) = (
        TcpStream::connect(node.address()).await.unwrap(),
        TcpStream::connect(node.address()).await.unwrap(),
    );
    // A question that never ends is none.
    slow.write_all(&[0, 40, 1, 2]).await.unwrap();
    let begun = Instant::now();
    for stream in [&mut silent, &mut slow] {
        let end = tokio::time::timeout(Duration::from_secs(20), stream.read(&mut [0; 1])).await;
        assert_eq!(end.unwrap().unwrap(), 0);
    }
    assert!(
        begun.elapsed() > Duration::from_secs(5),
        "who thinks is not cut off"
    );
}

#[tokio::test]
async fn an_alias_to_another_name_is_followed() {
    let fake = Fake::start(Behaviour::Answer).await;
    let node = Node::start(&[fake.upstream("")]).await;
    let answer = node.ask("out.shop.svc.cluster.local", Rtype::A).await;
    assert_eq!(records(&answer), ["A 192.0.2.1", "CNAME host.example"]);
    let again = node.ask("out.shop.svc.cluster.local", Rtype::A).await;
    assert_eq!(records(&again).len(), 2);
    assert_eq!(fake.asked_for("host.example"), 1);
    fake.set(Behaviour::Silent);
    let nobody = node.ask("lost.shop.svc.cluster.local", Rtype::A).await;
    assert_eq!(
        records(&nobody),
        ["CNAME lost.example"],
        "the alias itself is known"
    );
}

#[tokio::test]
async fn hosts_of_the_configuration_are_names() {
    let node = Node::start(&[]).await;
    assert_eq!(
        records(&node.ask("NAS.lan", Rtype::A).await),
        ["A 192.168.1.5"]
    );
    let other = node.ask("nas.lan", Rtype::AAAA).await;
    assert_eq!(
        (other.header().rcode(), other.header_counts().ancount()),
        (Rcode::NOERROR, 0)
    );
    let pointer = node.ask("5.1.168.192.in-addr.arpa", Rtype::PTR).await;
    assert_eq!(records(&pointer), ["PTR files.lan", "PTR nas.lan"]);
}
