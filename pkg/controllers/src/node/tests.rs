//! The controller against a server in memory.

use std::collections::BTreeMap;

use serde_json::json;
use tokio::sync::watch;

use super::*;
use crate::fake::Fake;

fn config(addresses: &watch::Sender<Arc<[IpAddr]>>) -> NodeConfig {
    let info = NodeInfo {
        architecture: "arm64".into(),
        boot_id: "boot".into(),
        kernel_version: "6.1".into(),
        machine_id: "machine".into(),
        os_image: "Debian".into(),
        version: "v0.1.0+kedge".into(),
        cpus: 2,
        memory: 1000,
        ..NodeInfo::default()
    };
    let labels = BTreeMap::from([(
        "node-role.kubernetes.io/control-plane".to_string(),
        String::new(),
    )]);
    NodeConfig {
        name: "edge".into(),
        info,
        addresses: addresses.subscribe(),
        labels,
    }
}

fn addresses(list: &[&str]) -> Arc<[IpAddr]> {
    list.iter().map(|text| text.parse().unwrap()).collect()
}

fn internal(fake: &Fake) -> Vec<String> {
    let node = fake.one(Resource::NODES, "", "edge");
    let list = node.and_then(|node| {
        node.at(&["status", "addresses"])
            .and_then(Value::as_array)
            .cloned()
    });
    let list = list.unwrap_or_default();
    let internal = list
        .iter()
        .filter(|address| address["type"] == "InternalIP");
    internal
        .map(|address| address["address"].as_str().unwrap().to_string())
        .collect()
}

#[tokio::test]
async fn the_node_registers_itself_once() {
    let fake = Fake::new();
    let sender = watch::Sender::new(addresses(&["192.168.1.5", "10.0.0.1", "fd00::5"]));
    let node = config(&sender);
    let _running = fake.run(move || Node::new(node.clone()));
    fake.until(|fake| !internal(fake).is_empty()).await;
    assert_eq!(internal(&fake), ["192.168.1.5", "fd00::5"]);
    let node = fake.one(Resource::NODES, "", "edge").unwrap();
    let labels: BTreeMap<&str, &str> = node.labels().collect();
    assert_eq!(labels["kubernetes.io/hostname"], "edge");
    assert_eq!(labels["kubernetes.io/arch"], "arm64");
    assert_eq!(labels["node-role.kubernetes.io/control-plane"], "");
    assert_eq!(
        node.0["status"]["nodeInfo"]["kubeletVersion"],
        "v0.1.0+kedge"
    );
    assert_eq!(node.0["status"]["conditions"][0]["status"], "True");
    fake.take_writes();
    assert!(fake.settled().await.is_empty());

    // The same machine after a restart has nothing to say.
    let again = config(&sender);
    let _second = fake.run(move || Node::new(again.clone()));
    assert!(fake.settled().await.is_empty());
}

#[tokio::test]
async fn it_follows_the_machine_and_survives_its_deletion() {
    let fake = Fake::new();
    let sender = watch::Sender::new(addresses(&["192.168.1.5"]));
    let node = config(&sender);
    let _running = fake.run(move || Node::new(node.clone()));
    fake.until(|fake| internal(fake) == ["192.168.1.5"]).await;
    sender.send_replace(addresses(&["192.168.7.7"]));
    fake.until(|fake| internal(fake) == ["192.168.7.7"]).await;
    // The cable is out: what was last known stays.
    sender.send_replace(addresses(&[]));
    fake.take_writes();
    assert!(fake.settled().await.is_empty());
    sender.send_replace(addresses(&["192.168.7.7"]));
    fake.remove(Resource::NODES, "", "edge");
    fake.until(|fake| internal(fake) == ["192.168.7.7"]).await;
}

#[tokio::test]
async fn what_others_set_stays() {
    let fake = Fake::new();
    fake.put(
        Resource::NODES,
        json!({
            "metadata": {"name": "edge", "labels": {"mine": "yes", "kubernetes.io/os": "plan9"}},
            "status": {"conditions": [{"type": "DiskPressure", "status": "False"}]},
        }),
    );
    let sender = watch::Sender::new(addresses(&["192.168.1.5"]));
    let node = config(&sender);
    let _running = fake.run(move || Node::new(node.clone()));
    fake.until(|fake| !internal(fake).is_empty()).await;
    let node = fake.one(Resource::NODES, "", "edge").unwrap();
    assert!(node.labels().any(|label| label == ("mine", "yes")));
    assert!(
        node.labels()
            .any(|label| label == ("kubernetes.io/os", "linux"))
    );
    assert_eq!(node.0["status"]["conditions"].as_array().unwrap().len(), 2);
}
