//! Names on the node itself, by systemd-resolved: the real one, on a message bus of its own.

mod daemons;

use daemons::{Bus, Resolved, program};
use kedge_tests::ask;
use kedge_tests::lab::{Lab, address};
use kedge_tests::server::kedge;
use kedge_tests::site::{FLAGS, Site, pods, service};
use kedge_tests::skip::skip;
use serde_json::json;

/// Where resolved answers programs of the machine.
const STUB: &str = "127.0.0.53";
const TOLD: &str = "systemd-resolved knows the cluster's names";

#[test]
fn the_node_finds_the_clusters_names_by_systemd_resolved() {
    let Some(program) = program() else {
        return skip(
            "the_node_finds_the_clusters_names_by_systemd_resolved",
            "$KEDGE_RESOLVED names no systemd-resolved that runs, or there is no dbus-daemon",
        );
    };
    let lab = Lab::new().unwrap();
    let _resolver = daemons::resolver(&lab.client);
    let _bus = Bus::start(&lab.data());
    // Other names go from pods by way of kedge and of resolved to the LAN's resolver.
    let mut site = Site::with(lab, &["--dns-upstream", STUB]).unwrap();
    site.apply(&pods()).unwrap();
    site.apply(&[service("web", json!({}))]).unwrap();
    let web = site.cluster_ip("web", true, 80).unwrap().ip();
    let reverse: Vec<String> = web.to_string().split('.').rev().map(Into::into).collect();
    let reverse = format!("{}.in-addr.arpa", reverse.join("."));
    let server = site.server();
    server
        .until_logged(|log| log.contains("systemd-resolved does not run here"))
        .unwrap();
    assert!(!site.lab.node.ip("link").unwrap().contains("kedge-dns"));

    // It comes, and comes again having forgotten everything.
    for times in 1..=2 {
        let _resolved = Resolved::start(&program, &site.lab);
        let known = |log: &str| log.matches(TOLD).count() == times;
        server.until_logged(known).unwrap();
        let say = |from, at, name: &str, kind| {
            ask::dns(from, address(at), name, kind)
                .unwrap_or_else(|e| panic!("{kind} {name}: {e}"))
                .records
        };
        let node = &site.lab.node;
        assert_eq!(
            say(node, STUB, "web.default.svc.cluster.local", "A"),
            [format!("A {web}")]
        );
        assert_eq!(
            say(node, STUB, &reverse, "PTR"),
            ["PTR web.default.svc.cluster.local"]
        );
        assert_eq!(say(node, STUB, "host.example", "A"), ["A 192.0.2.7"]);
        let pod = &site.lab.pods[0];
        assert_eq!(say(pod, "10.43.0.10", "host.example", "A"), ["A 192.0.2.7"]);
    }
    let log = server.log();
    assert!(!log.contains("leads back"), "{log}");
    assert!(!log.contains("so it is left out"), "{log}");

    // It is gone with the setting that wants none, and with cleanup.
    let of_the_link = |site: &Site| site.lab.node.ip("link").unwrap().contains("kedge-dns");
    assert!(of_the_link(&site));
    site.stop().unwrap();
    let without = [&FLAGS[..], &["--disable", "resolved"]].concat();
    let server = site.lab.server(&without).unwrap();
    server
        .until_logged(|log| log.contains("removed link kedge-dns"))
        .unwrap();
    server.stop().unwrap();
    site.start().unwrap();
    let _resolved = Resolved::start(&program, &site.lab);
    site.server()
        .until_logged(|log| log.matches(TOLD).count() == 3)
        .unwrap();
    assert!(of_the_link(&site));
    site.stop().unwrap();
    let kubeconfig = site.lab.data().join("kubeconfig.yaml");
    let said = kedge(&site.lab.node, &kubeconfig, &["cleanup"], "").unwrap();
    assert!(said.contains("1 links"), "{said}");
    assert!(!of_the_link(&site));
}
