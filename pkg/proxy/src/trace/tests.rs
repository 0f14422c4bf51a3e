//! Answers in words; the kernel's are in `tests/trace.rs`.

use kedge_client::{ObjectKey, Resource};
use rstest::rstest;
use serde_json::{Value, json};

use super::*;

fn change(resource: Resource, name: &str, mut object: Value) -> Change {
    object["metadata"]["name"] = name.into();
    object["metadata"]["namespace"] = "default".into();
    Change {
        key: ObjectKey {
            resource,
            namespace: "default".into(),
            name: name.into(),
        },
        object: Some(object.to_string().into()),
    }
}

/// A node 192.0.2.1 with pod 10.42.0.2 on it and 10.42.9.2 elsewhere.
fn tracer(spec: Value, endpoints: Value) -> Tracer {
    let mut all = json!({
        "clusterIP": "10.43.0.1", "clusterIPs": ["10.43.0.1"],
        "ports": [{"port": 80, "nodePort": 30080}],
    });
    all.as_object_mut()
        .unwrap()
        .extend(spec.as_object().unwrap().clone());
    let status = json!({"loadBalancer": {"ingress": [{"ip": "198.51.100.1"}]}});
    let slice = json!({
        "metadata": {"labels": {"kubernetes.io/service-name": "web"}},
        "addressType": "IPv4", "ports": [{"port": 8080}], "endpoints": endpoints,
    });
    let objects = vec![
        change(
            Resource::SERVICES,
            "web",
            json!({"spec": all, "status": status}),
        ),
        change(Resource::ENDPOINTSLICES, "web-1", slice),
    ];
    let config = ProxyConfig {
        node_name: "node".into(),
        service_cidrs: vec!["10.43.0.0/16".parse().unwrap()],
        cluster_cidrs: vec!["10.42.0.0/16".parse().unwrap()],
        ..ProxyConfig::default()
    };
    let node: IpAddr = [192, 0, 2, 1].into();
    Tracer::new(config, &[node], [node, [127, 0, 0, 1].into()], objects)
}

fn both() -> Value {
    json!([
        {"addresses": ["10.42.0.2"], "nodeName": "node"},
        {"addresses": ["10.42.9.2"], "nodeName": "other"},
    ])
}

/// `verdict`, or each endpoint with a star where the packet is masqueraded.
fn ask(tracer: &Tracer, source: &str, destination: &str, port: u16) -> String {
    let trace = tracer.trace(&Packet {
        source: source.parse().unwrap(),
        destination: destination.parse().unwrap(),
        protocol: Protocol::Tcp,
        port,
    });
    assert!(!trace.reasons.is_empty());
    match trace.outcome {
        Outcome::Forwarded { endpoints, .. } => {
            let word =
                |c: &Choice| format!("{}{}", c.address, if c.masqueraded { "*" } else { "" });
            endpoints.iter().map(word).collect::<Vec<_>>().join(" ")
        }
        Outcome::Refused => "refused".into(),
        Outcome::Dropped => "dropped".into(),
        Outcome::Untouched => "untouched".into(),
    }
}

#[test]
fn policies_cluster() {
    let tracer = tracer(json!({"type": "LoadBalancer"}), both());
    let pod = "10.42.0.3";
    assert_eq!(ask(&tracer, pod, "10.43.0.1", 80), "10.42.0.2 10.42.9.2");
    assert_eq!(
        ask(&tracer, "10.42.0.2", "10.43.0.1", 80),
        "10.42.0.2* 10.42.9.2"
    );
    assert_eq!(
        ask(&tracer, "192.0.2.9", "10.43.0.1", 80),
        "10.42.0.2* 10.42.9.2*"
    );
    assert_eq!(
        ask(&tracer, pod, "192.0.2.1", 30080),
        "10.42.0.2* 10.42.9.2*"
    );
    assert_eq!(
        ask(&tracer, pod, "198.51.100.1", 80),
        "10.42.0.2* 10.42.9.2*"
    );
    assert_eq!(ask(&tracer, pod, "10.43.0.1", 81), "refused");
    assert_eq!(ask(&tracer, pod, "10.43.0.2", 80), "dropped");
    assert_eq!(ask(&tracer, pod, "192.0.2.1", 22), "untouched");
}

#[test]
fn policy_local_and_ranges() {
    let spec = json!({
        "type": "LoadBalancer", "externalTrafficPolicy": "Local",
        "loadBalancerSourceRanges": ["203.0.113.0/24"],
    });
    let tracer = tracer(spec, both());
    assert_eq!(ask(&tracer, "203.0.113.1", "198.51.100.1", 80), "10.42.0.2");
    assert_eq!(ask(&tracer, "203.0.114.1", "198.51.100.1", 80), "dropped");
    assert_eq!(ask(&tracer, "203.0.114.1", "192.0.2.1", 30080), "10.42.0.2");
    assert_eq!(
        ask(&tracer, "192.0.2.1", "192.0.2.1", 30080),
        "10.42.0.2* 10.42.9.2*",
        "from the node itself"
    );
}

/// A client on the node may have the balanced address itself as its source: it may come where the node may.
#[rstest]
#[case("192.0.2.0/24", "10.42.0.2* 10.42.9.2*")]
#[case("203.0.113.0/24", "dropped")]
fn the_balanced_address_may_come_as_the_node_may(#[case] range: &str, #[case] heard: &str) {
    let spec = json!({"type": "LoadBalancer", "loadBalancerSourceRanges": [range]});
    let tracer = tracer(spec, both());
    for source in ["192.0.2.1", "198.51.100.1"] {
        assert_eq!(ask(&tracer, source, "198.51.100.1", 80), heard);
    }
    assert_eq!(ask(&tracer, "10.42.0.3", "198.51.100.1", 80), "dropped");
}

/// Ranges hold at a balanced address that is an external IP too.
#[test]
fn an_external_ip_is_no_way_around_ranges() {
    let spec = json!({
        "type": "LoadBalancer", "loadBalancerSourceRanges": ["203.0.113.0/24"],
        "externalIPs": ["198.51.100.1", "198.51.100.2"],
    });
    let tracer = tracer(spec, both());
    let from = "192.0.2.9";
    assert_eq!(ask(&tracer, from, "198.51.100.1", 80), "dropped");
    assert_eq!(
        ask(&tracer, from, "198.51.100.2", 80),
        "10.42.0.2* 10.42.9.2*"
    );
}

#[test]
fn nobody_there() {
    let none = tracer(json!({"type": "NodePort"}), json!([]));
    assert_eq!(ask(&none, "192.0.2.9", "192.0.2.1", 30080), "refused");
    let elsewhere = json!([{"addresses": ["10.42.9.2"], "nodeName": "other"}]);
    let spec = json!({"type": "NodePort", "externalTrafficPolicy": "Local"});
    let local = tracer(spec, elsewhere);
    assert_eq!(ask(&local, "192.0.2.9", "192.0.2.1", 30080), "dropped");
}

/// Endpoints 10.42.0.1 and on: `+` is ready, `-` terminates and serves, `x` does neither; `h` is on this node, `o` on
/// another one, `?` wherever.
fn conditions(words: &str) -> Value {
    let endpoint = |(n, word): (usize, &str)| {
        let (ready, serving, terminating) = match &word[..1] {
            "+" => (true, true, false),
            "-" => (false, true, true),
            _ => (false, false, true),
        };
        let node = match &word[1..] {
            "h" => json!("node"),
            "o" => json!("other"),
            _ => Value::Null,
        };
        json!({
            "addresses": [format!("10.42.0.{}", n + 1)], "nodeName": node,
            "conditions": {"ready": ready, "serving": serving, "terminating": terminating},
        })
    };
    words.split_whitespace().enumerate().map(endpoint).collect()
}

/// The policies, internal and external, and the endpoints; then what a Pod gets of the cluster IP, and of the balanced
/// address a Pod and a client outside.
#[rstest]
#[case::nobody("Cluster Cluster", "", ["refused", "refused", "refused"])]
#[case::nobody_here_or_there("Local Local", "", ["refused", "refused", "refused"])]
#[case::nobody_serves("Local Local", "xh xo", ["refused", "refused", "refused"])]
#[case::ready_ones_first("Cluster Cluster", "+h -h xh +o -o", ["1 4", "1* 4*", "1* 4*"])]
#[case::all_terminate("Cluster Cluster", "-h xo -o", ["1 3", "1* 3*", "1* 3*"])]
#[case::all_terminate_elsewhere("Cluster Cluster", "-o", ["1", "1*", "1*"])]
#[case::external_local("Cluster Local", "+h -h xh +o", ["1 4", "1 4", "1"])]
#[case::external_local_terminates("Cluster Local", "-h xh +o", ["3", "3", "1"])]
#[case::external_local_elsewhere("Cluster Local", "+o", ["1", "1", "dropped"])]
#[case::external_local_terminates_elsewhere("Cluster Local", "-o", ["1", "1", "dropped"])]
#[case::external_local_wherever("Cluster Local", "+? +h", ["1 2", "1 2", "2"])]
#[case::internal_local("Local Cluster", "+h +h +o", ["1 2", "1* 2* 3*", "1* 2* 3*"])]
#[case::internal_local_terminates("Local Cluster", "-h +o", ["1", "2*", "2*"])]
#[case::internal_local_elsewhere("Local Cluster", "+o +o", ["dropped", "1* 2*", "1* 2*"])]
#[case::both_local("Local Local", "+h +o", ["1", "1 2", "1"])]
#[case::both_local_terminates_elsewhere("Local Local", "-o", ["dropped", "1", "dropped"])]
fn policies_and_conditions(
    #[case] policies: &str,
    #[case] endpoints: &str,
    #[case] expected: [&str; 3],
) {
    let (internal, external) = policies.split_once(' ').unwrap();
    let spec = json!({
        "type": "LoadBalancer", "internalTrafficPolicy": internal, "externalTrafficPolicy": external,
    });
    let tracer = tracer(spec, conditions(endpoints));
    let (pod, client) = ("10.42.0.99", "203.0.113.1");
    let heard = [
        ask(&tracer, pod, "10.43.0.1", 80),
        ask(&tracer, pod, "198.51.100.1", 80),
        ask(&tracer, client, "198.51.100.1", 80),
    ];
    assert_eq!(heard.map(|all| all.replace("10.42.0.", "")), expected);
}

#[test]
fn the_service_and_its_affinity_are_told() {
    let tracer = tracer(json!({"sessionAffinity": "ClientIP"}), both());
    let trace = tracer.trace(&Packet {
        source: [10, 42, 0, 3].into(),
        destination: [10, 43, 0, 1].into(),
        protocol: Protocol::Tcp,
        port: 80,
    });
    assert_eq!(trace.service.unwrap().name, "default/web");
    let Outcome::Forwarded { affinity, .. } = trace.outcome else {
        panic!("{:?}", trace.outcome)
    };
    assert_eq!(affinity, Some(10_800));
}
