//! From every type of Service to every other by a PUT of a manifest that names nothing allocated: the ideas of upstream's
//! `TestUpdate` and `TestFeature` tables of the Service storage.

use serde_json::{Value, json};

use super::{World, assert_claims, build, parse, service};

const TYPES: &str = "EHCNLZO";

/// ExternalName, headless, ClusterIP, NodePort, LoadBalancer; `Z`: without node ports, `O`: only local endpoints.
fn manifest(letter: char) -> Value {
    let mut spec = json!({"ports": [{"port": 80}], "selector": {"a": "b"}});
    let more = match letter {
        'E' => json!({"type": "ExternalName", "externalName": "x.example.com"}),
        'H' => json!({"clusterIP": "None"}),
        'C' => json!({}),
        'N' => json!({"type": "NodePort"}),
        'L' => json!({"type": "LoadBalancer"}),
        'Z' => json!({"type": "LoadBalancer", "allocateLoadBalancerNodePorts": false}),
        _ => json!({"type": "LoadBalancer", "externalTrafficPolicy": "Local"}),
    };
    for (key, value) in more.as_object().unwrap() {
        spec[key] = value.clone();
    }
    service("s", spec)
}

/// The address, the node port and the port for health checks: a small letter was there before, a large one is new, `h` is
/// headless, `-` is nothing.
fn change(old: &Value, new: &Value) -> String {
    let parts = [
        ('a', "/spec/clusterIP"),
        ('n', "/spec/ports/0/nodePort"),
        ('c', "/spec/healthCheckNodePort"),
    ];
    let letter = |(letter, at): (char, &str)| match (old.pointer(at), new.pointer(at)) {
        (_, None) => '-',
        (_, Some(new)) if new == "None" => 'h',
        (old, Some(new)) if old == Some(new) => letter,
        _ => letter.to_ascii_uppercase(),
    };
    parts.map(letter).iter().collect()
}

async fn changes(world: &World, from: char) -> String {
    let mut found = Vec::new();
    for to in TYPES.chars() {
        let old = world.create("services", manifest(from)).await.unwrap();
        let told = match world.update("services", manifest(to)).await {
            Ok(written) => change(&old, &parse(&written.value)),
            Err(refused) => {
                let causes = refused.details.unwrap().causes;
                assert_eq!(
                    (refused.code, causes[0].field.as_str()),
                    (422, "spec.clusterIPs[0]")
                );
                "x".into()
            }
        };
        assert_claims(world);
        world.delete("services", "s").await.unwrap();
        assert_claims(world);
        found.push(told);
    }
    found.join(" ")
}

#[tokio::test]
async fn from_every_type_to_every_other() {
    // A headless Service stays headless, which not every type can be; an address once set is never taken back, and a node
    // port only with the type, or where none is wanted.
    let rows = [
        ('E', "--- h-- A-- AN- AN- A-- ANC"),
        ('H', "--- h-- h-- x x x x"),
        ('C', "--- x a-- aN- aN- a-- aNC"),
        ('N', "--- x a-- an- an- a-- anC"),
        ('L', "--- x a-- an- an- a-- anC"),
        ('Z', "--- x a-- aN- aN- a-- aNC"),
        ('O', "--- x a-- an- an- a-- anc"),
    ];
    for ranges in [
        &["10.43.0.0/28"][..],
        &["fd00::/120"],
        &["10.43.0.0/28", "fd00::/120"],
    ] {
        let world = build(ranges, 1000).await;
        for (from, expected) in rows {
            assert_eq!(changes(&world, from).await, expected, "{from} {ranges:?}");
        }
    }
}
