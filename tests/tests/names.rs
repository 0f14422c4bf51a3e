//! The cluster's names, asked from pods, the node and the LAN.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod resolved;

use kedge_tests::ask::{self, Resolved};
use kedge_tests::lab::{CLIENT, NODE, address};
use kedge_tests::site::{Site, pods, service};
use kedge_tests::tool::finish;
use serde_json::json;

fn ask(site: &Site, name: &str, kind: &str) -> Resolved {
    ask::dns(&site.lab.pods[0], address("10.43.0.10"), name, kind)
        .unwrap_or_else(|e| panic!("{kind} {name}: {e}"))
}

#[test]
fn services_have_names() {
    let site = Site::new().unwrap();
    site.apply(&pods()).unwrap();
    let alias = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "alias"},
        "spec": {"type": "ExternalName", "externalName": "web.default.svc.cluster.local"}});
    site.apply(&[
        service("web", json!({})),
        service("bare", json!({"clusterIP": "None"})),
        alias,
    ])
    .unwrap();
    site.until_endpoints("bare", "IPv4", 3).unwrap();
    let (v4, v6) = (
        site.cluster_ip("web", true, 80).unwrap().ip(),
        site.cluster_ip("web", false, 80).unwrap().ip(),
    );

    assert_eq!(
        ask(&site, "web.default.svc.cluster.local", "A").records,
        [format!("A {v4}")]
    );
    assert_eq!(
        ask(&site, "web.default.svc.cluster.local", "AAAA").records,
        [format!("AAAA {v6}")]
    );
    let records = ask(&site, "alias.default.svc.cluster.local", "A").records;
    assert_eq!(
        records,
        [
            "CNAME web.default.svc.cluster.local".to_string(),
            format!("A {v4}")
        ]
    );
    // Each answer begins with another address.
    let mut bare = ask(&site, "bare.default.svc.cluster.local", "A").records;
    bare.sort();
    assert_eq!(bare, ["A 10.42.0.11", "A 10.42.0.12", "A 10.42.0.13"]);
    let srv = ask(&site, "_tcp._tcp.web.default.svc.cluster.local", "SRV").records;
    assert_eq!(srv, ["SRV 0 100 80 web.default.svc.cluster.local"]);
    let reverse = v4
        .to_string()
        .split('.')
        .rev()
        .collect::<Vec<_>>()
        .join(".");
    let pointer = ask(&site, &format!("{reverse}.in-addr.arpa"), "PTR").records;
    assert_eq!(pointer, ["PTR web.default.svc.cluster.local"]);
    assert_eq!(
        ask(&site, "none.default.svc.cluster.local", "A").rcode,
        "NXDOMAIN"
    );
    let api = ask(&site, "kubernetes.default.svc.cluster.local", "A").records;
    assert_eq!(api, ["A 10.43.0.1"]);
    // Nobody beyond the lab answers: the question ends, and with an error.
    assert_eq!(
        ask::dns(
            &site.lab.node,
            address("10.43.0.10"),
            "web.default.svc.cluster.local",
            "A"
        )
        .unwrap()
        .records
        .len(),
        1
    );
}

#[test]
fn an_external_name_leads_there_from_everywhere_and_after_a_kill() {
    const ALIAS: &str = "alias.default.svc.cluster.local";
    let mut site = Site::new().unwrap();
    site.apply(&pods()).unwrap();
    let alias = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "alias"},
        "spec": {"type": "ExternalName", "externalName": "web.default.svc.cluster.local"}});
    site.apply(&[service("web", json!({})), alias]).unwrap();
    site.until_endpoints("web", "IPv4", 3).unwrap();
    let to = site.cluster_ip("web", true, 80).unwrap();
    site.lab
        .client
        .ip(&format!("route add 10.43.0.0/16 via {}", NODE[0]))
        .unwrap();
    for killed in [false, true] {
        if killed {
            site.kill();
            site.start().unwrap();
        }
        let lab = &site.lab;
        for from in [&lab.pods[0], &lab.node, &lab.client] {
            let found = ask::dns(from, address("10.43.0.10"), ALIAS, "A").unwrap();
            assert_eq!(
                found.records,
                [
                    "CNAME web.default.svc.cluster.local".to_string(),
                    format!("A {}", to.ip())
                ],
                "from {}",
                from.name()
            );
            ask::http(from, to).unwrap();
        }
    }
}

/// What a client says of an answer: `dig` and `kdig` print alike.
fn status(said: &str) -> &str {
    let (_, rest) = said.split_once("status: ").unwrap_or_default();
    rest.split([',', ';']).next().unwrap_or_default()
}

#[test]
fn dig_and_kdig_understand_the_answers() {
    let site = Site::new().unwrap();
    site.apply(&pods()).unwrap();
    site.apply(&[
        service("web", json!({})),
        service("bare", json!({"clusterIP": "None"})),
    ])
    .unwrap();
    site.until_endpoints("bare", "IPv4", 3).unwrap();
    let web = site.cluster_ip("web", true, 80).unwrap().ip().to_string();
    let pod = &site.lab.pods[0];
    for program in ["dig", "kdig"] {
        let say = |words: &str| {
            let mut command = pod.command(program);
            command.arg("@10.43.0.10").args(words.split(' '));
            String::from_utf8(finish(&mut command).unwrap().stdout).unwrap()
        };
        for transport in ["+notcp", "+tcp"] {
            let short = say(&format!(
                "{transport} +short web.default.svc.cluster.local A"
            ));
            assert_eq!(short.trim(), web, "{program} {transport}");
        }
        for (words, expected) in [
            ("web.default.svc.cluster.local A", "NOERROR"),
            ("web.default.svc.cluster.local ANY +notcp", "NOERROR"),
            ("WEB.default.svc.cluster.local AAAA", "NOERROR"),
            ("none.default.svc.cluster.local A", "NXDOMAIN"),
            ("*.default.svc.cluster.local A", "NXDOMAIN"),
            ("-c CH -t TXT version.bind", "REFUSED"),
        ] {
            let said = say(words);
            assert_eq!(status(&said), expected, "{program} {words}: {said}");
        }
        let many = say("bare.default.svc.cluster.local A +bufsize=512 +short");
        assert_eq!(many.lines().count(), 3, "{many}");
    }
    let transfer = finish(
        pod.command("dig")
            .args(["@10.43.0.10", "cluster.local", "AXFR"]),
    )
    .unwrap();
    let said = String::from_utf8(transfer.stdout).unwrap();
    assert!(said.contains("Transfer failed"), "{said}");
}

#[test]
fn who_is_neither_of_the_cluster_nor_of_the_lan_is_refused() {
    const STRANGER: &str = "198.51.100.5";
    let site = Site::new().unwrap();
    let (client, node) = (&site.lab.client, &site.lab.node);
    client
        .ip_batch(&format!(
            "addr add {STRANGER}/32 dev eth0
             route add 10.43.0.0/16 via {}",
            NODE[0]
        ))
        .unwrap();
    node.ip(&format!("route add {STRANGER} dev eth0")).unwrap();
    for (source, expected) in [(CLIENT[0], "NOERROR"), (STRANGER, "REFUSED")] {
        let mut command = client.command("dig");
        let words = [
            "-b",
            source,
            "@10.43.0.10",
            "kubernetes.default.svc.cluster.local",
        ];
        let said = String::from_utf8(finish(command.args(words)).unwrap().stdout).unwrap();
        assert_eq!(status(&said), expected, "from {source}: {said}");
    }
}
