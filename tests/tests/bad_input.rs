//! Every error that a person can cause gets one clear line and exit status 1; nothing is half done.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::process::Command;

use kedge_tests::netns::{Netns, unique_prefix};
use kedge_tests::tool::{built, finish};

/// Runs `kedge WORDS` in a namespace of its own and gives what it said.
fn run(netns: &Netns, words: &[&str]) -> (Option<i32>, String) {
    let mut command = netns.command("timeout");
    command
        .args(["20"])
        .arg(built("kedge", "KEDGE").unwrap())
        .args(words);
    let output = finish(&mut command).unwrap();
    (
        output.status.code(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

fn server(netns: &Netns, words: &[&str]) -> (Option<i32>, String) {
    run(netns, &[&["server"], words].concat())
}

fn host() -> Netns {
    let netns = Netns::new(format!("{}-bad", unique_prefix())).unwrap();
    netns
        .ip_batch(
            "link add eth0 type dummy
             link set eth0 up
             addr add 192.168.60.1/24 dev eth0",
        )
        .or_else(|_| {
            netns.ip_batch(
                "link add eth0 type veth peer name eth1
                 link set eth0 up
                 addr add 192.168.60.1/24 dev eth0",
            )
        })
        .unwrap();
    netns
}

#[test]
fn settings_that_cannot_be() {
    let netns = host();
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let data = data.to_str().unwrap();
    let config = folder.path().join("config.yaml");
    std::fs::write(&config, "log-level: info\nlb-pol: 192.168.60.10\n").unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    for (words, expected) in [
        (
            vec!["--service-cidr", "10.42.0.0/17"],
            "overlaps with cluster-cidr",
        ),
        (
            vec!["--service-cidr", "192.168.60.0/24"],
            "service-cidr: 192.168.60.0/24 has 192.168.60.1, an address of this machine itself",
        ),
        (
            vec!["--lb-pool", "192.168.60.9-192.168.60.1"],
            "ends before it begins",
        ),
        (vec!["--node-name", "Not_A_Name"], "cannot name a Node"),
        (vec!["--config", config.to_str().unwrap()], "config.yaml:2"),
        (
            vec!["--config", "/nonexistent/kedge.yaml"],
            "/nonexistent/kedge.yaml",
        ),
        (
            vec!["--data-dir", file.to_str().unwrap()],
            file.to_str().unwrap(),
        ),
    ] {
        let mut all = vec!["--data-dir", data];
        if words[0] == "--data-dir" {
            all.clear();
        }
        all.extend(&words);
        let (status, said) = server(&netns, &all);
        assert_eq!(status, Some(1), "{words:?}: {said}");
        assert!(said.contains(expected), "{words:?}: {said}");
        assert_eq!(said.lines().count(), 1, "one line: {said}");
    }
    assert!(
        !std::path::Path::new(data).exists(),
        "a refused start leaves nothing behind"
    );
}

#[test]
fn a_proxy_does_not_take_the_machines_own_network_for_services() {
    let netns = host();
    let folder = tempfile::tempdir().unwrap();
    let kubeconfig = folder.path().join("kubeconfig");
    std::fs::write(
        &kubeconfig,
        "clusters: [{name: c, cluster: {server: 'https://192.168.60.2:6443'}}]
contexts: [{name: c, context: {cluster: c, user: u}}]
users: [{name: u, user: {}}]
current-context: c
",
    )
    .unwrap();
    let kubeconfig = kubeconfig.to_str().unwrap();
    let words = [
        "proxy",
        "--kubeconfig",
        kubeconfig,
        "--service-cidr",
        "192.168.60.0/24",
    ];
    let (status, said) = run(&netns, &words);
    assert_eq!(status, Some(1), "{said}");
    let expected =
        "service-cidr: 192.168.60.0/24 has 192.168.60.1, an address of this machine itself";
    assert!(said.contains(expected), "{said}");
    assert_eq!(
        said.lines().count(),
        1,
        "one line, and nothing done: {said}"
    );
    let mut list = netns.command("nft");
    let tables = finish(list.args(["list", "tables"])).unwrap().stdout;
    assert!(tables.is_empty(), "a refused start leaves nothing behind");
}

#[test]
fn a_port_in_use_is_named() {
    let netns = host();
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let _taken = netns
        .enter(|| std::net::TcpListener::bind("0.0.0.0:6443").unwrap())
        .unwrap();
    let (status, said) = server(
        &netns,
        &["--data-dir", data.to_str().unwrap(), "--node-name", "node"],
    );
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("6443") && said.contains("in use"), "{said}");
}

#[test]
fn a_flag_that_is_none_is_named() {
    let output =
        finish(Command::new(built("kedge", "KEDGE").unwrap()).args(["server", "--no-such-flag"]))
            .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--no-such-flag"));
}

#[test]
fn without_a_capability_it_says_which() {
    let netns = host();
    let folder = tempfile::tempdir().unwrap();
    let run = |words: &[&str]| {
        let mut command = netns.command("setpriv");
        command
            .args(["--bounding-set=-net_admin", "--inh-caps=-net_admin", "--"])
            .arg(built("kedge", "KEDGE").unwrap())
            .args(words);
        finish(&mut command).unwrap()
    };
    let data = folder.path().join("data");
    let output = run(&[
        "server",
        "--node-name",
        "node",
        "--data-dir",
        data.to_str().unwrap(),
    ]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("CAP_NET_ADMIN"), "{said}");

    let output = run(&["check"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("FAIL") && said.contains("CAP_NET_ADMIN"),
        "{said}"
    );
    let output = finish(netns.command(built("kedge", "KEDGE").unwrap()).arg("check"));
    assert_eq!(output.unwrap().status.code(), Some(0));
}
