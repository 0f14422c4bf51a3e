//! Other people's rules and tools.

use serde_json::json;

use crate::support::api::{Api, balanced, config, service, slice};
use crate::support::lab::Lab;
use crate::support::talk::{Answer, tcp};

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
