//! Mirroring against a server in memory.

use kedge_machinery::Object;
use serde_json::{Value, json};

use super::*;
use crate::fake::Fake;

fn service(selector: Value) -> Value {
    json!({"metadata": {"namespace": "a", "name": "db"}, "spec": {"clusterIP": "10.43.0.9", "selector": selector}})
}

fn endpoints(labels: Value, addresses: &[&str]) -> Value {
    let addresses: Vec<Value> = addresses
        .iter()
        .map(|ip| json!({"ip": ip, "nodeName": "n"}))
        .collect();
    json!({
        "metadata": {"namespace": "a", "name": "db", "labels": labels, "annotations": {"note": "x"}},
        "subsets": [{
            "addresses": addresses, "notReadyAddresses": [{"ip": "192.0.2.99"}],
            "ports": [{"name": "sql", "port": 5432, "protocol": "TCP"}],
        }],
    })
}

fn slices(fake: &Fake) -> Vec<Object> {
    fake.all(Resource::ENDPOINTSLICES)
}

#[tokio::test]
async fn hand_made_endpoints_are_mirrored() {
    let fake = Fake::new();
    fake.put(Resource::SERVICES, service(Value::Null));
    let owner = fake.put(
        Resource::ENDPOINTS,
        endpoints(json!({"team": "x"}), &["192.0.2.1", "2001:db8::1"]),
    );
    let _running = fake.run(Mirroring::default);
    fake.until(|fake| slices(fake).len() == 2).await;
    let four = slices(&fake)
        .into_iter()
        .find(|slice| slice.0["addressType"] == "IPv4")
        .unwrap();
    assert_eq!(
        four.0["endpoints"],
        json!([
            {"addresses": ["192.0.2.1"], "conditions": {"ready": true}, "nodeName": "n"},
            {"addresses": ["192.0.2.99"], "conditions": {"ready": false}},
        ])
    );
    assert_eq!(
        four.0["ports"],
        json!([{"name": "sql", "port": 5432, "protocol": "TCP"}])
    );
    let labels: BTreeMap<&str, &str> = four.labels().collect();
    assert_eq!(
        labels["endpointslice.kubernetes.io/managed-by"],
        "endpointslicemirroring-controller.k8s.io"
    );
    assert_eq!(
        (labels["kubernetes.io/service-name"], labels["team"]),
        ("db", "x")
    );
    assert_eq!(four.annotations().collect::<Vec<_>>(), [("note", "x")]);
    assert_eq!(
        four.at(&["metadata", "ownerReferences"]).unwrap()[0]["uid"],
        owner.uid()
    );
    assert_eq!(
        four.at(&["metadata", "ownerReferences"]).unwrap()[0]["kind"],
        "Endpoints"
    );
    fake.take_writes();

    fake.put(
        Resource::ENDPOINTS,
        endpoints(json!({"team": "x"}), &["192.0.2.1", "2001:db8::2"]),
    );
    fake.until(|fake| {
        slices(fake)
            .iter()
            .any(|s| s.0["endpoints"][0]["addresses"][0] == "2001:db8::2")
    })
    .await;
    assert_eq!(
        fake.settled().await.len(),
        1,
        "only the slice that changed is written"
    );
}

#[tokio::test]
async fn some_endpoints_are_left_alone() {
    for (selector, labels) in [
        (
            Value::Null,
            json!({"endpointslice.kubernetes.io/skip-mirror": "true"}),
        ),
        (
            Value::Null,
            json!({"endpoints.kubernetes.io/managed-by": "endpoint-controller"}),
        ),
        (json!({"app": "db"}), json!({})),
    ] {
        let fake = Fake::new();
        fake.put(Resource::SERVICES, service(selector));
        fake.put(Resource::ENDPOINTS, endpoints(labels, &["192.0.2.1"]));
        let _running = fake.run(Mirroring::default);
        assert!(fake.settled().await.is_empty());
    }
}

#[tokio::test]
async fn mirrors_go_with_what_they_mirror() {
    let fake = Fake::new();
    fake.put(Resource::SERVICES, service(Value::Null));
    fake.put(Resource::ENDPOINTS, endpoints(json!({}), &["192.0.2.1"]));
    let _running = fake.run(Mirroring::default);
    fake.until(|fake| slices(fake).len() == 1).await;
    fake.put(Resource::SERVICES, service(json!({"app": "db"})));
    fake.until(|fake| slices(fake).is_empty()).await;
    fake.put(Resource::SERVICES, service(Value::Null));
    fake.until(|fake| slices(fake).len() == 1).await;
    fake.remove(Resource::ENDPOINTS, "a", "db");
    fake.until(|fake| slices(fake).is_empty()).await;
}

#[test]
fn a_mirror_may_change_hands_and_leaves_nothing_behind() {
    let mut mirroring = Mirroring::default();
    let mut observe = |service: Option<&str>, manager: &str| {
        let labels = json!({LABEL_MANAGED_BY: manager, LABEL_SERVICE: service});
        mirroring.observe(&Change {
            key: key(Resource::ENDPOINTSLICES, "a", "slice"),
            object: service.map(|_| json!({"metadata": {"labels": labels}}).to_string().into()),
        });
        let dirty = std::mem::take(&mut mirroring.dirty);
        let dirty: Vec<String> = dirty.into_iter().map(|(_, service)| service).collect();
        let of: Vec<String> = mirroring.slices.keys().map(|name| name.1.clone()).collect();
        assert_eq!(mirroring.owners.len(), of.len());
        (dirty, of)
    };
    let names = |dirty: &[&str], of: &[&str]| {
        let owned = |list: &[&str]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
        (owned(dirty), owned(of))
    };
    assert_eq!(observe(Some("db"), MANAGER), names(&["db"], &["db"]));
    assert_eq!(
        observe(Some("web"), MANAGER),
        names(&["db", "web"], &["web"])
    );
    assert_eq!(observe(Some("web"), "another"), names(&["web"], &[]));
    assert_eq!(observe(Some("db"), MANAGER), names(&["db"], &["db"]));
    assert_eq!(observe(None, MANAGER), names(&["db"], &[]));
}
