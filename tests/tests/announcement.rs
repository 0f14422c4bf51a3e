//! LoadBalancer addresses on a LAN with other hosts: whose they are, how these find them, and until when.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::net::IpAddr;

use kedge_tests::ask;
use kedge_tests::kubectl::Kubectl;
use kedge_tests::lab::{Lab, address};
use kedge_tests::netns::Netns;
use kedge_tests::site::{Site, pods, service};
use kedge_tests::skip::skip;
use kedge_tests::tool::{finish, run};
use serde_json::{Value, json};

/// What the pool gives first and second.
const FIRST: [&str; 2] = ["192.168.50.240", "fd00:50::f0"];
const SECOND: [&str; 2] = ["192.168.50.241", "fd00:50::f1"];
const ROGUE: [&str; 2] = ["192.168.50.66", "fd00:50::66"];

/// A site with a host that belongs to nobody, or nothing where there is no kubectl.
fn site(test: &str, prepare: impl FnOnce(&Netns)) -> Option<(Site, Netns)> {
    if kedge_tests::kubectl::find().is_none() {
        skip(test, "there is no kubectl on the PATH nor in $KUBECTL");
        return None;
    }
    let lab = Lab::new().unwrap();
    let rogue = lab.host("rogue", ROGUE).unwrap();
    prepare(&rogue);
    let site = Site::on(lab).unwrap();
    site.apply(&pods()).unwrap();
    let ports = json!([{"port": 80, "targetPort": 8080}]);
    let web = service("web", json!({"type": "LoadBalancer", "ports": ports}));
    site.apply(&[web]).unwrap();
    Some((site, rogue))
}

fn take(rogue: &Netns) {
    for ip in FIRST {
        let flag = if ip.contains(':') { "nodad" } else { "" };
        rogue.ip(&format!("addr add {ip} dev eth0 {flag}")).unwrap();
    }
}

fn mac(host: &Netns) -> String {
    let mut cat = host.command("cat");
    let mac = run(cat.arg("/sys/class/net/eth0/address")).unwrap();
    mac.trim().into()
}

/// Waits until the Service has these addresses.
fn until(site: &Site, wanted: [&str; 2]) {
    let right = |service: &Value| {
        let ingress = service["status"]["loadBalancer"]["ingress"].as_array();
        let ips = ingress.into_iter().flatten().map(|one| &one["ip"]);
        ips.eq(wanted)
    };
    site.until(&["service", "web"], right).unwrap();
}

/// Waits for an Event about the Service.
fn told(site: &Site, reason: &str, text: &str) {
    let right = |event: &Value| {
        event["involvedObject"]["name"] == "web"
            && event["reason"] == reason
            && event["message"].as_str().unwrap().contains(text)
    };
    site.until(&["events"], right)
        .unwrap_or_else(|e| panic!("{reason} {text}: {e}"));
}

fn ok(kubectl: &Kubectl<'_>, words: &[&str]) -> String {
    kubectl.run(words).unwrap_or_else(|e| panic!("{e}"))
}

/// Asks the LAN whose an address is: whether anybody answered, and what the tool says.
fn whose(client: &Netns, ip: &str) -> (bool, String) {
    let words = match address(ip) {
        IpAddr::V4(_) => format!("arping -c 1 -w 1 -I eth0 {ip}"),
        IpAddr::V6(_) => format!("ndisc6 -1 -r 1 -w 500 {ip} eth0"),
    };
    let mut words = words.split(' ');
    let mut command = client.command(words.next().unwrap());
    let output = finish(command.args(words)).unwrap();
    let said = String::from_utf8_lossy(&output.stdout).to_lowercase();
    (output.status.success(), said)
}

/// What hosts of the LAN do with an address that is announced.
fn reached(site: &Site, addresses: [&str; 2]) {
    let client = &site.lab.client;
    let mac = mac(&site.lab.node);
    for ip in addresses {
        let (answered, said) = whose(client, ip);
        assert!(answered && said.contains(&mac), "{ip}: {said}");
        run(client.command("ping").args(["-c", "1", "-W", "2", ip])).unwrap();
        ask::http(client, (address(ip), 80).into()).unwrap();
    }
}

#[test]
fn the_addresses_of_another_host_are_passed_over() {
    let Some((mut site, rogue)) = site("the_addresses_of_another_host_are_passed_over", take)
    else {
        return;
    };
    until(&site, SECOND);
    for ip in FIRST {
        let conflict = format!("another host on link eth0 has {ip}");
        told(&site, "AddressConflict", &conflict);
    }
    for ip in SECOND {
        let text =
            format!("announcing {ip} from node \"node\" with protocol \"layer2\" on link \"eth0\"");
        told(&site, "nodeAssigned", &text);
    }
    let kubectl = site.kubectl().unwrap();
    let shown = ok(&kubectl, &["get", "service", "web"]);
    assert!(shown.contains(&SECOND.join(",")), "{shown}");
    let described = ok(&kubectl, &["describe", "service", "web"]);
    for words in ["AddressConflict", "nodeAssigned", &mac(&rogue)] {
        assert!(described.contains(words), "{words} in\n{described}");
    }
    drop(kubectl);
    for family in ["IPv4", "IPv6"] {
        site.until_endpoints("web", family, 3).unwrap();
    }
    reached(&site, SECOND);

    // The end of the process is not the end of the addresses, however it comes; the next process keeps them.
    site.kill();
    reached(&site, SECOND);
    site.start().unwrap();
    until(&site, SECOND);
    reached(&site, SECOND);
    site.stop().unwrap();
    reached(&site, SECOND);
    site.kedge(&["cleanup"]).unwrap();
    for ip in SECOND {
        let (answered, said) = whose(&site.lab.client, ip);
        assert!(!answered, "{ip}: {said}");
    }
    // All the time nobody but the other host has answered for what it has.
    for ip in FIRST {
        let (answered, said) = whose(&site.lab.client, ip);
        assert!(answered && said.contains(&mac(&rogue)), "{ip}: {said}");
    }
}

#[test]
fn an_address_that_another_host_insists_on_is_left_to_it() {
    let test = "an_address_that_another_host_insists_on_is_left_to_it";
    let Some((site, rogue)) = site(test, |_| {}) else {
        return;
    };
    let [first, v6] = FIRST;
    until(&site, FIRST);
    told(&site, "nodeAssigned", &format!("announcing {first}"));
    // It says twice that the address is its own, a second apart: the first time the node objects.
    rogue.ip(&format!("addr add {first}/32 dev eth0")).unwrap();
    let mut arping = rogue.command("arping");
    run(arping.args(["-U", "-c", "2", "-I", "eth0", "-s", first, first])).unwrap();
    until(&site, [SECOND[0], v6]);
    let conflict = format!("another host on link eth0 has {first}");
    told(&site, "AddressConflict", &conflict);
    told(&site, "nodeAssigned", &format!("announcing {}", SECOND[0]));
    for family in ["IPv4", "IPv6"] {
        site.until_endpoints("web", family, 3).unwrap();
    }
    reached(&site, [SECOND[0], v6]);
    let (answered, said) = whose(&site.lab.client, first);
    let macs = (mac(&rogue), mac(&site.lab.node));
    assert!(
        answered && said.contains(&macs.0) && !said.contains(&macs.1),
        "{said}"
    );
    let log = site.server().log();
    for words in ["announcing it once more", "it is not used here"] {
        assert!(log.contains(words), "{words} in\n{log}");
    }
    let kubectl = site.kubectl().unwrap();
    let metrics = ok(&kubectl, &["get", "--raw", "/metrics"]);
    let line = format!("kedge_address_conflicts_total{{ip=\"{first}\"}} 2");
    assert!(
        metrics.lines().any(|had| had == line),
        "{line} in\n{metrics}"
    );

    let announces = json!({
        "node": "node", "interfaces": [{"name": "eth0"}],
        "serviceName": "web", "serviceNamespace": "default",
    });
    let status = site
        .until(&["servicel2statuses"], |one| one["status"] == announces)
        .unwrap();
    let name = status["metadata"]["name"].as_str().unwrap();
    let shown = ok(&kubectl, &["get", "servicel2statuses"]);
    assert!(shown.contains(name) && shown.contains("web"), "{shown}");
    ok(&kubectl, &["delete", "service", "web"]);
    let gone = format!("servicel2status/{name}");
    ok(&kubectl, &["wait", "--for=delete", &gone, "--timeout=10s"]);
}
