//! Health-check node ports: what load balancers hear of a node's own endpoints.

use rstest::rstest;
use serde_json::{Value, json};

use crate::support::api::{Api, config, node_ports, service, slice};
use crate::support::family::{Family, V4, V6, at};
use crate::support::http::page;
use crate::support::lab::Lab;
use crate::support::talk::eventually;

fn web(family: &Family, port: u16) -> Value {
    let more = json!({
        "type": "LoadBalancer", "externalTrafficPolicy": "Local", "healthCheckNodePort": port,
        "ports": node_ports(30080),
    });
    service("web", &[family.cluster_ip], more)
}

#[rstest]
fn it_counts_ready_endpoints_of_this_node(#[values(V4, V6)] family: Family) {
    let lab = Lab::new(2);
    let endpoints = |here: usize| {
        let mut slice = slice("web", family.name, &family.pods[..2], Some("elsewhere"));
        for n in 0..here {
            slice["endpoints"][n]["nodeName"] = json!("node");
        }
        slice
    };
    let api = Api::start(&lab.node, config(), vec![web(&family, 32000), endpoints(2)]);
    let to = at(family.node, 32000);
    eventually("the port", || page(&lab.client, &to).is_some());
    let answer = page(&lab.client, &to).unwrap();
    assert_eq!(answer.code, 200);
    assert_eq!(answer.headers["content-type"], "application/json");
    assert_eq!(answer.headers["x-content-type-options"], "nosniff");
    assert_eq!(answer.headers["x-load-balancing-endpoint-weight"], "2");
    assert_eq!(
        answer.body,
        "{\n\t\"service\": {\n\t\t\"namespace\": \"default\",\n\t\t\"name\": \"web\"\n\t},\n\
         \t\"localEndpoints\": 2,\n\t\"serviceProxyHealthy\": true\n}"
    );
    let heard = |code: u16, count: usize| {
        let Some(answer) = page(&lab.client, &to) else {
            return false;
        };
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        (answer.code, &body["localEndpoints"]) == (code, &json!(count))
    };
    api.apply([endpoints(1)]);
    eventually("one", || heard(200, 1));
    api.apply([endpoints(0)]);
    eventually("none", || heard(503, 0));
    // What terminates takes what comes, and wants no more.
    let mut terminating = endpoints(1);
    terminating["endpoints"][0]["conditions"] =
        json!({"ready": false, "serving": true, "terminating": true});
    api.apply([endpoints(1)]);
    eventually("one again", || heard(200, 1));
    api.apply([terminating]);
    eventually("one that terminates", || heard(503, 0));
}

#[rstest]
fn it_is_where_node_ports_are_and_while_it_is_wanted(#[values(V4, V6)] family: Family) {
    let lab = Lab::new(1);
    let endpoints = slice("web", family.name, &family.pods[..1], Some("node"));
    let api = Api::start(&lab.node, config(), vec![web(&family, 32000), endpoints]);
    let listens = |address: &str, port| page(&lab.node, &at(address, port)).is_some();
    eventually("the port", || listens(family.node, 32000));
    assert!(!listens(family.loopback, 32000));
    // Another number.
    api.apply([web(&family, 32001)]);
    eventually("the new number", || {
        listens(family.node, 32001) && !listens(family.node, 32000)
    });
    // Another address, before the machine has it.
    api.addresses
        .send([family.second.parse().unwrap()].into())
        .unwrap();
    eventually("the end on the old address", || {
        !listens(family.node, 32001)
    });
    family.add_address(&lab.node, family.second, "lan0");
    eventually("the new address", || listens(family.second, 32001));
    // A Service that goes anywhere needs none.
    let mut anywhere = web(&family, 32001);
    anywhere["spec"]["externalTrafficPolicy"] = json!("Cluster");
    api.apply([anywhere]);
    eventually("the other policy", || !listens(family.second, 32001));
    api.apply([web(&family, 32001)]);
    eventually("the first policy", || listens(family.second, 32001));
    api.delete(&web(&family, 32001));
    eventually("the Service's end", || !listens(family.second, 32001));
}
