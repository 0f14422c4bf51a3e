//! From one family to two and back, by a PUT that names policy, families and addresses or leaves them out: the ideas of
//! upstream's `TestUpdateIPsFromSingleStack` and `TestUpdateIPsFromDualStack`.

use serde_json::{Value, json};

use super::common::World;
use super::{assert_claims, build, parse, service};

const POLICIES: [&str; 4] = ["", "SingleStack", "PreferDualStack", "RequireDualStack"];

/// A range, an address of it, and its family; a cluster has both, in either order.
type Family = (&'static str, &'static str, &'static str);
const V4: Family = ("10.43.0.0/28", "10.43.0.9", "IPv4");
const V6: Family = ("fd00::/120", "fd00::9", "IPv6");

/// A Service that names so much; nothing that is empty.
fn named(policy: &str, families: &[Family], addresses: &[Family]) -> Value {
    let mut spec = json!({"ports": [{"port": 80}], "selector": {"a": "b"}});
    if !policy.is_empty() {
        spec["ipFamilyPolicy"] = policy.into();
    }
    if !families.is_empty() {
        spec["ipFamilies"] = families.iter().map(|family| family.2).collect();
    }
    if let Some(first) = addresses.first() {
        spec["clusterIP"] = first.1.into();
        spec["clusterIPs"] = addresses.iter().map(|family| family.1).collect();
    }
    service("s", spec)
}

/// How many families a Service has after an update, which is how many addresses it has, or one `None`; `-` where the
/// update is refused.
async fn after(world: &World, start: &Value, update: Value) -> char {
    let made = world.create("services", start.clone()).await.unwrap();
    let told = match world.update("services", update).await {
        Ok(written) => {
            let spec = &parse(&written.value)["spec"];
            let families = spec["ipFamilies"].as_array().unwrap().len();
            let addresses = spec["clusterIPs"].as_array().unwrap();
            assert_eq!(addresses[0], made["spec"]["clusterIP"]);
            assert!(addresses[0] == "None" || addresses.len() == families);
            char::from_digit(families as u32, 10).unwrap()
        }
        Err(refused) => {
            assert_eq!(refused.code, 422, "{refused}");
            assert_eq!(world.get("services", "s").unwrap(), made);
            '-'
        }
    };
    assert_claims(world);
    world.delete("services", "s").await.unwrap();
    told
}

/// Of every policy, for none, one and both families (words), what none, one and both addresses (letters) come to.
async fn every(world: &World, order: &[Family], start: &Value) -> [String; 4] {
    let mut lines = Vec::new();
    for policy in POLICIES {
        let mut words = Vec::new();
        for families in 0..=2 {
            let mut word = String::new();
            for addresses in 0..=2 {
                let update = named(policy, &order[..families], &order[..addresses]);
                word.push(after(world, start, update).await);
            }
            words.push(word);
        }
        lines.push(words.join(" "));
    }
    lines.try_into().unwrap()
}

#[tokio::test]
async fn every_update_of_families() {
    for order in [[V4, V6], [V6, V4]] {
        let world = build(&order.map(|family| family.0), 1000).await;
        let one = named("SingleStack", &[], &order[..1]);
        assert_eq!(
            every(&world, &order, &one).await,
            ["11- 11- ---", "11- 11- ---", "222 222 222", "222 222 222"]
        );
        let both = named("RequireDualStack", &[], &order);
        assert_eq!(
            every(&world, &order, &both).await,
            ["2-2 --- 2-2", "111 111 111", "2-2 --- 2-2", "2-2 --- 2-2"]
        );
        let swapped = [order[1], order[0]];
        for (start, update) in [
            (&one, named("RequireDualStack", &swapped, &[])),
            (&one, named("RequireDualStack", &[], &swapped)),
            (&both, named("SingleStack", &swapped[..1], &[])),
            (&both, named("SingleStack", &[], &swapped[..1])),
        ] {
            assert_eq!(after(&world, start, update).await, '-');
        }
    }
}

#[tokio::test]
async fn every_update_of_families_of_a_headless_service() {
    for order in [[V4, V6], [V6, V4]] {
        let world = build(&order.map(|family| family.0), 1000).await;
        for (start, expected) in [
            ("SingleStack", ["11-", "11-", "222", "222"]),
            ("RequireDualStack", ["2-2", "111", "2-2", "2-2"]),
        ] {
            let mut start = named(start, &[], &[]);
            start["spec"]["clusterIP"] = "None".into();
            for (policy, expected) in POLICIES.into_iter().zip(expected) {
                let mut found = String::new();
                for families in 0..=2 {
                    let update = named(policy, &order[..families], &[]);
                    found.push(after(&world, &start, update).await);
                }
                assert_eq!(found, expected, "{policy}");
            }
        }
    }
}

#[tokio::test]
async fn a_second_address_that_another_has_is_refused() {
    let world = build(&[V4.0, V6.0], 1000).await;
    let other = json!({"clusterIP": V6.1, "ports": [{"port": 80}]});
    world
        .create("services", service("other", other))
        .await
        .unwrap();
    let one = named("SingleStack", &[], &[V4]);
    let both = named("RequireDualStack", &[V4, V6], &[V4, V6]);
    assert_eq!(after(&world, &one, both).await, '-');
}
