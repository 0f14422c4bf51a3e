//! Other people's rules and tools.

use kedge_nftables::Socket;
use kedge_proxy::cleanup;
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::api::{Api, balanced, config, service, slice};
use crate::support::family::{Family, PROTOCOLS, V4, V6, at};
use crate::support::lab::Lab;
use crate::support::talk::{Answer, Udp, tcp};

#[test]
fn what_others_translate_is_left_alone() {
    let lab = Lab::new(1);
    let web = service("web", &["10.43.0.10"], json!({}));
    let objects = vec![web, slice("web", "IPv4", &["10.42.1.2"], None)];
    let _api = Api::start(&lab.node, config(), objects);
    // A port that somebody else forwards, with a mark of theirs that looks like one of ours.
    let rules = "table ip other {
        chain pre { type nat hook prerouting priority -150; tcp dport 7000 ct mark set 0x1301 dnat to 10.42.1.2:8080; }
    }";
    lab.node.command("nft", &[rules]);
    let answer = tcp(&lab.client, "192.0.2.1:7000");
    assert_eq!(
        answer,
        Answer::From("pod1".into(), "192.0.2.2".parse().unwrap())
    );
}

#[test]
fn the_systems_nft_still_lists() {
    let lab = Lab::new(0);
    let everything = json!({
        "sessionAffinity": "ClientIP", "externalTrafficPolicy": "Local", "loadBalancerSourceRanges": ["192.0.2.0/24"],
    });
    let web = service("web", &["10.43.0.10", "fd43::10"], everything);
    let web = balanced(web, &["203.0.113.9", "2001:db8:2::9"]);
    let objects = vec![
        web,
        slice("web", "IPv4", &["10.42.1.2"], Some("node")),
        slice("web", "IPv6", &["fd42:1::2"], Some("node")),
    ];
    let _api = Api::start(&lab.node, config(), objects);
    // Protocols by number: their names are not on every machine.
    let listed = lab.node.command("nft", &["-p", "list", "ruleset"]);
    for expected in [
        "table ip kedge",
        "table ip6 kedge",
        "10.43.0.10 . 6 . 80",
        "masquerade fully-random",
        "fd43::10",
        "comment \"kedge services, layout 1\"",
    ] {
        assert!(listed.contains(expected), "{expected} is not in\n{listed}");
    }
}

/// The Services of every test here.
fn web(family: &Family) -> Vec<Value> {
    vec![
        service("web", &[family.cluster_ip], json!({})),
        slice("web", family.name, &family.pods[..1], None),
    ]
}

/// A firewall puts its own table anew in one transaction. Ours need nothing, and connections notice nothing.
#[rstest]
fn a_firewall_reloads(#[values(V4, V6)] family: Family) {
    let lab = Lab::new(1);
    let rules = "table inet firewalld
        delete table inet firewalld
        table inet firewalld {
            chain mangle { type filter hook prerouting priority -140; }
            chain nat { type nat hook prerouting priority -90; }
            chain post { type nat hook postrouting priority 110; }
            chain forward { type filter hook forward priority 10; ct state established,related accept; }
        }";
    lab.node.command("nft", &[rules]);
    let _api = Api::start(&lab.node, config(), web(&family));
    let to = at(family.cluster_ip, 80);
    let flow = Udp::new(&lab.client, &to);
    assert_eq!(flow.ask().name(), "pod1");
    let generation = || {
        lab.node
            .run(|| Socket::open().unwrap().generation().unwrap().id)
    };
    let before = generation();
    for _ in 0..10 {
        lab.node.command("nft", &[rules]);
        assert_eq!(tcp(&lab.client, &to).name(), "pod1");
        assert_eq!(flow.ask().name(), "pod1");
    }
    assert_eq!(generation(), before + 10, "nothing of ours was written");
}

/// Tables as docker and libvirt make them: their published port and their masquerading work beside ours, and are the very
/// same after us.
#[rstest]
fn container_and_machine_managers(#[values(V4, V6)] family: Family) {
    let lab = Lab::new(2);
    let theirs = format!(
        "table {0} nat {{
            chain PREROUTING {{ type nat hook prerouting priority -100; fib daddr type local jump DOCKER; }}
            chain OUTPUT {{ type nat hook output priority -100; fib daddr type local jump DOCKER; }}
            chain POSTROUTING {{ type nat hook postrouting priority 100; oifname \"pod2\" masquerade; }}
            chain DOCKER {{ tcp dport 7000 dnat to {1}; }}
        }}
        table {0} filter {{
            chain FORWARD {{ type filter hook forward priority 0; jump DOCKER; }}
            chain DOCKER {{ {0} daddr {2} tcp dport 8080 accept; }}
        }}
        table {0} libvirt_network {{
            chain guest_nat {{ type nat hook postrouting priority 100; iifname \"virbr0\" masquerade; }}
        }}",
        family.table,
        at(family.pods[1], 8080),
        family.pods[1],
    );
    lab.node.command("nft", &[&theirs]);
    let list = || {
        let tables = ["nat", "filter", "libvirt_network"];
        tables.map(|name| {
            lab.node
                .command("nft", &["list", "table", family.table, name])
        })
    };
    let before = list();
    let api = Api::start(&lab.node, config(), web(&family));
    let published = at(family.node, 7000);
    for _ in 0..3 {
        assert_eq!(tcp(&lab.client, &published).name(), "pod2");
        assert_eq!(tcp(&lab.client, &at(family.cluster_ip, 80)).name(), "pod1");
    }
    assert_eq!(list(), before);
    api.stop();
    lab.node.run(|| cleanup().unwrap());
    assert_eq!(list(), before);
    assert_eq!(tcp(&lab.client, &published).name(), "pod2");
}

/// A machine that routes by marks: packets keep theirs, and so do connections that are no Service's.
#[rstest]
fn who_routes_by_marks(#[values(V4, V6)] family: Family) {
    let lab = Lab::new(1);
    let theirs = format!(
        "table {0} theirs {{
            chain pre {{ type filter hook prerouting priority -150; meta mark set 0x77; ct state new ct mark set 0x1301; }}
            chain forward {{
                type filter hook forward priority 0;
                meta mark != 0x77 drop
                {0} daddr {1} ct original {0} daddr {1} ct mark != 0x1301 drop
            }}
        }}",
        family.table, family.pods[0],
    );
    lab.node.command("nft", &[&theirs]);
    let _api = Api::start(&lab.node, config(), web(&family));
    for ask in PROTOCOLS {
        assert_eq!(ask(&lab.client, &at(family.cluster_ip, 80)).name(), "pod1");
        assert_eq!(
            ask(&lab.client, &at(family.pods[0], 8080)),
            Answer::From("pod1".into(), family.client.parse().unwrap()),
            "not a Service's connection, whatever its mark looks like"
        );
    }
}
