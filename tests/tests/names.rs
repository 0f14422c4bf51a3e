//! The cluster's names, asked from pods, the node and the LAN.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod resolved;

use std::fmt::Debug;
use std::net::UdpSocket;
use std::time::{Duration, Instant};

use kedge_tests::ask::{self, Resolved};
use kedge_tests::lab::{CLIENT, Lab, NODE, address};
use kedge_tests::netns::Netns;
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
            ("-x 10.43.0.1", "NOERROR"),
            ("-x 10.43.99.99", "NXDOMAIN"),
            ("_tcp._tcp.web.default.svc.cluster.local SRV", "NOERROR"),
            ("none._tcp.web.default.svc.cluster.local SRV", "NXDOMAIN"),
            ("web.default.svc.cluster.local A +dnssec +cdflag", "NOERROR"),
            ("cluster.local SOA", "NOERROR"),
            ("host.example A", "SERVFAIL"),
        ] {
            let said = say(words);
            assert_eq!(status(&said), expected, "{program} {words}: {said}");
        }
        let many = say("bare.default.svc.cluster.local A +bufsize=512 +short");
        assert_eq!(many.lines().count(), 3, "{many}");
    }
    // What kdig has no words for: operations, versions of EDNS, a message without a question.
    for (words, expected) in [
        ("+opcode=NOTIFY web.default.svc.cluster.local A", "NOTIMP"),
        ("+opcode=UPDATE cluster.local SOA", "NOTIMP"),
        (
            "+edns=1 +noednsneg web.default.svc.cluster.local A",
            "BADVERS",
        ),
        ("+ednsopt=100 web.default.svc.cluster.local A", "NOERROR"),
        ("+header-only", "FORMERR"),
    ] {
        let mut command = pod.command("dig");
        command.arg("@10.43.0.10").args(words.split(' '));
        let said = String::from_utf8(finish(&mut command).unwrap().stdout).unwrap();
        assert_eq!(status(&said), expected, "{words}: {said}");
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

#[test]
fn questions_are_in_the_log_where_that_is_wanted() {
    let name = "asked-for.default.svc.cluster.local";
    let quiet = Site::new().unwrap();
    assert_eq!(ask(&quiet, name, "A").rcode, "NXDOMAIN");
    assert!(!quiet.server().log().contains("asked-for"));
    let flags = ["--log-level", "info,kedge_dns::queries=debug"];
    let site = Site::with(Lab::new().unwrap(), &flags).unwrap();
    ask(&site, name, "A");
    let asked = |log: &str| log.contains(name) && log.contains("10.42.0.11");
    site.server().until_logged(asked).unwrap();
}

/// Until the answer is right; it is asked for again and again, as nothing tells of it.
fn until<T: Debug>(answer: impl Fn() -> T, right: impl Fn(&T) -> bool) {
    let begun = Instant::now();
    loop {
        let said = answer();
        if right(&said) {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(10), "{said:?}");
    }
}

/// Until `ip` says so of a machine.
fn until_said(netns: &Netns, words: &str, right: impl Fn(&str) -> bool) {
    until(|| netns.ip(words).unwrap(), |said| right(said));
}

#[test]
fn a_range_that_is_added_is_the_clusters_until_it_goes() {
    let site = Site::new().unwrap();
    site.apply(&pods()).unwrap();
    let unclaimed = "9.0.44.10.in-addr.arpa";
    assert_eq!(ask(&site, unclaimed, "PTR").rcode, "SERVFAIL", "nobody's");
    let range = json!({"apiVersion": "networking.k8s.io/v1", "kind": "ServiceCIDR",
        "metadata": {"name": "more"}, "spec": {"cidrs": ["10.44.0.0/24"]}});
    let later = json!({"clusterIP": "10.44.0.5", "clusterIPs": ["10.44.0.5"],
        "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack"});
    site.apply(&[range]).unwrap();
    site.apply(&[service("later", later)]).unwrap();
    assert_eq!(ask(&site, unclaimed, "PTR").rcode, "NXDOMAIN");
    let pointer = ask(&site, "5.0.44.10.in-addr.arpa", "PTR").records;
    assert_eq!(pointer, ["PTR later.default.svc.cluster.local"]);
    let node = &site.lab.node;
    until_said(node, "rule show", |rules| rules.contains("to 10.44.0.0/24"));
    until_said(node, "route show", |routes| {
        routes.contains("unreachable 10.44.0.0/24")
    });
    site.until_endpoints("later", "IPv4", 3).unwrap();
    let to = site.cluster_ip("later", true, 80).unwrap();
    ask::http(node, to).unwrap();
    let trace = site
        .kedge(&["trace", "10.42.0.11", "10.44.0.9:80"])
        .unwrap();
    assert!(
        trace.contains("of the Service range 10.44.0.0/24"),
        "{trace}"
    );
    for gone in [["service", "later"], ["servicecidr", "more"]] {
        site.kedge(&["delete", gone[0], gone[1]]).unwrap();
    }
    until_said(node, "rule show", |rules| !rules.contains("10.44.0.0/24"));
    // Rules and names follow the range each for itself.
    until(
        || ask(&site, unclaimed, "PTR").rcode,
        |rcode| rcode == "SERVFAIL",
    );
}

/// Its unclaimed addresses would be dropped: those of all neighbours.
#[test]
fn a_range_that_this_machine_is_in_itself_cuts_nobody_off() {
    let site = Site::new().unwrap();
    let range = |name: &str, cidr: &str| {
        json!({"apiVersion": "networking.k8s.io/v1", "kind": "ServiceCIDR",
            "metadata": {"name": name}, "spec": {"cidrs": [cidr]}})
    };
    site.apply(&[range("lan", "192.168.50.0/24")]).unwrap();
    site.apply(&[range("more", "10.44.0.0/24")]).unwrap();
    // Ranges are followed in order: the first was looked at.
    let node = &site.lab.node;
    until_said(node, "rule show", |rules| rules.contains("to 10.44.0.0/24"));
    let rules = node.ip("rule show").unwrap();
    assert!(!rules.contains("192.168.50.0/24"), "{rules}");
    let neighbour = (address(CLIENT[0]), 81).into();
    let refused = ask::http(node, neighbour).unwrap_err();
    let refusal = Some(std::io::ErrorKind::ConnectionRefused);
    assert_eq!(refused.kind(), refusal, "a neighbour is still there");
    let why = "192.168.50.0/24 has 192.168.50.10, an address of this machine itself";
    site.until(&["servicecidr", "lan"], |range| {
        let ready = &range["status"]["conditions"][0];
        let message = ready["message"].as_str().unwrap_or_default();
        ready["status"] == "False" && message.starts_with(why)
    })
    .unwrap();
    let asked = json!({"clusterIP": "192.168.50.77", "clusterIPs": ["192.168.50.77"],
        "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack"});
    let refused = site.apply(&[service("later", asked)]).unwrap_err();
    assert!(refused.to_string().contains("192.168.50.77"), "{refused}");
}

/// A pod's `resolv.conf`, as kubelet writes it.
const POD: &str = "nameserver 10.43.0.10
search default.svc.cluster.local svc.cluster.local cluster.local
options ndots:5
";

/// What glibc's resolver finds in a pod, by `getent WORDS`: each address, or name, once.
fn getent(site: &Site, words: &str) -> Vec<String> {
    let folder = site.lab.data();
    for (file, text) in [("resolv.conf", POD), ("nsswitch.conf", "hosts: dns\n")] {
        std::fs::write(folder.with_extension(file), text).unwrap();
    }
    let script = format!(
        "for file in resolv.conf nsswitch.conf; do mount --bind {}.$file /etc/$file || exit 1; done; exec getent {words}",
        folder.display()
    );
    let mut command = site.lab.pods[0].command("sh");
    let output = finish(command.args(["-c", &script])).unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let mut found: Vec<String> = said
        .lines()
        .filter_map(|line| match words.starts_with("hosts") {
            true => line.split_whitespace().nth(1),
            false => line.split_whitespace().next(),
        })
        .map(Into::into)
        .collect();
    found.sort();
    found.dedup();
    found
}

/// With nobody to ask about other names: the node's resolver is nowhere.
#[test]
fn the_c_library_finds_names_by_a_pods_search_path_without_an_uplink() {
    let lab = Lab::new().unwrap();
    let site = Site::with(lab, &["--dns-upstream", "203.0.113.9"]).unwrap();
    site.apply(&pods()).unwrap();
    let alias = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "alias"},
        "spec": {"type": "ExternalName", "externalName": "web.default.svc.cluster.local"}});
    let bare =
        json!({"clusterIP": "None", "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack"});
    site.apply(&[service("web", json!({})), service("bare", bare), alias])
        .unwrap();
    site.until_endpoints("bare", "IPv4", 3).unwrap();
    let web = [true, false].map(|v4| site.cluster_ip("web", v4, 80).unwrap().ip().to_string());
    for name in [
        "web",
        "WEB.default",
        "web.default.svc",
        "web.default.svc.cluster.local",
        "web.default.svc.cluster.local.",
        "alias",
    ] {
        assert_eq!(getent(&site, &format!("ahosts {name}")), web, "{name}");
    }
    let endpoints = ["10.42.0.11", "10.42.0.12", "10.42.0.13"];
    assert_eq!(getent(&site, "ahosts bare"), endpoints);
    assert_eq!(getent(&site, "ahosts kubernetes"), ["10.43.0.1"]);
    for address in &web {
        let name = getent(&site, &format!("hosts {address}"));
        assert_eq!(name, ["web.default.svc.cluster.local"], "{address}");
    }
    let begun = Instant::now();
    assert_eq!(getent(&site, "ahosts host.example"), [""; 0]);
    assert!(begun.elapsed() < Duration::from_secs(4), "an error at once");
}

#[test]
fn a_flood_from_the_lan_is_answered_in_part() {
    const QUESTIONS: u16 = 40;
    let lab = Lab::new().unwrap();
    let site = Site::with(lab, &["--dns-rate-limit", "5"]).unwrap();
    let route = format!("route add 10.43.0.0/16 via {}", NODE[0]);
    site.lab.client.ip(&route).unwrap();
    // Answers, and those of them that have no more in them than that it is to be asked by TCP.
    let flood = |from: &Netns| {
        let socket = from
            .enter(|| UdpSocket::bind("0.0.0.0:0").unwrap())
            .unwrap();
        socket.connect("10.43.0.10:53").unwrap();
        for id in 0..QUESTIONS {
            let mut question = id.to_be_bytes().to_vec();
            question
                .extend(b"\x01\0\0\x01\0\0\0\0\0\0\x02ns\x03dns\x07cluster\x05local\0\0\x01\0\x01");
            socket.send(&question).unwrap();
        }
        let silence = Some(Duration::from_millis(500));
        socket.set_read_timeout(silence).unwrap();
        let mut answer = [0; 512];
        let (mut whole, mut cut) = (0, 0);
        while socket.recv(&mut answer).is_ok() {
            match (answer[2] & 2, answer[7]) {
                (0, 1) => whole += 1,
                (2, 0) => cut += 1,
                other => panic!("{other:?}"),
            }
        }
        (whole, cut)
    };
    let (whole, cut) = flood(&site.lab.client);
    // A second may have begun in between.
    assert!((5..=10).contains(&whole), "{whole}");
    assert!(cut >= 10 && whole + cut <= QUESTIONS - 10, "{cut}");
    let mut dig = site.lab.client.command("dig");
    let by_tcp = ["@10.43.0.10", "+tcp", "+short", "ns.dns.cluster.local"];
    let said = finish(dig.args(by_tcp)).unwrap().stdout;
    assert_eq!(String::from_utf8(said).unwrap().trim(), "10.43.0.10");
    assert_eq!(flood(&site.lab.pods[0]), (QUESTIONS, 0), "not the cluster");
}
