use serde_json::Value;

use super::*;
use crate::fake::{Fake, Running};

fn range(name: &str, cidr: &str) -> Value {
    json!({"metadata": {"name": name}, "spec": {"cidrs": [cidr]}})
}

fn going(mut range: Value) -> Value {
    range["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
    range["metadata"]["finalizers"] = json!([FINALIZER]);
    range
}

fn address(name: &str, labels: Value) -> Value {
    json!({"metadata": {"name": name, "labels": labels}})
}

fn ready(fake: &Fake, name: &str) -> Option<String> {
    let range = fake.one(Resource::SERVICECIDRS, "", name)?;
    let conditions = range.at(&["status", "conditions"])?.as_array()?;
    let ready = conditions.iter().find(|c| c["type"] == READY)?;
    ready["status"].as_str().map(Into::into)
}

fn nets(texts: &[&str]) -> Arc<[IpNet]> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn run(fake: &Fake, networks: watch::Receiver<Arc<[IpNet]>>) -> Running {
    let recorder = Recorder::start(fake.client(), "test");
    fake.run(move || ServiceCidrs::new(networks.clone(), recorder.clone()))
}

/// What Events say of a ServiceCIDR.
fn told(fake: &Fake, name: &str) -> Vec<String> {
    let about = |event: &Object| event.at(&["involvedObject", "name"]) == Some(&json!(name));
    let events = fake.all(Resource::EVENTS).into_iter().filter(about);
    events
        .map(|event| event.at(&["message"]).unwrap().as_str().unwrap().into())
        .collect()
}

#[tokio::test]
async fn a_range_that_the_machine_has_an_address_of_is_not_ready_while_it_has() {
    let fake = Fake::new();
    fake.put(Resource::SERVICECIDRS, range(OWN, "10.43.0.0/16"));
    fake.put(Resource::SERVICECIDRS, range("lan", "192.168.0.0/16"));
    fake.put(Resource::SERVICECIDRS, range("beside", "192.168.1.0/28"));
    let (addresses, networks) = watch::channel(nets(&["192.168.1.50/24"]));
    let _running = run(&fake, networks);
    fake.until(|fake| {
        let said = !told(fake, "lan").is_empty() && !told(fake, "beside").is_empty();
        said && ready(fake, "lan").as_deref() == Some("False")
    })
    .await;
    fake.until(|fake| ready(fake, "beside").as_deref() == Some("True"))
        .await;
    let said = &told(&fake, "lan")[0];
    assert!(
        said.starts_with("192.168.0.0/16 has 192.168.1.50, an address of this machine itself"),
        "{said}"
    );
    assert!(told(&fake, "beside")[0].contains("overlaps with 192.168.1.0/24"));
    assert_eq!(told(&fake, OWN), [""; 0]);
    fake.settled().await;
    // Another network, which the server's own range is in.
    addresses.send_replace(nets(&["10.43.7.7/24"]));
    fake.until(|fake| !told(fake, OWN).is_empty()).await;
    assert!(told(&fake, OWN)[0].ends_with("start the server with another --service-cidr"));
    fake.until(|fake| ready(fake, "lan").as_deref() == Some("True"))
        .await;
    fake.settled().await;
    let writes = fake.settled().await;
    assert_eq!(writes, [""; 0], "nothing more is to be said");
}

#[tokio::test]
async fn a_range_that_is_added_is_held_and_ready() {
    let fake = Fake::new();
    fake.put(Resource::SERVICECIDRS, range(OWN, "10.43.0.0/16"));
    fake.put(Resource::SERVICECIDRS, range("more", "10.44.0.0/28"));
    let _running = run(&fake, watch::channel(nets(&[])).1);
    fake.until(|fake| ready(fake, "more").as_deref() == Some("True"))
        .await;
    let range = fake.one(Resource::SERVICECIDRS, "", "more").unwrap();
    assert_eq!(range.finalizers().collect::<Vec<_>>(), [FINALIZER]);
    let writes = fake.settled().await;
    assert!(writes.iter().all(|w| !w.contains(OWN)), "{writes:?}");
}

#[tokio::test]
async fn a_range_goes_after_the_last_address_that_it_alone_holds() {
    let fake = Fake::new();
    let of_service = json!({MANAGED_BY.0: MANAGED_BY.1});
    fake.put(Resource::SERVICECIDRS, going(range("more", "10.44.0.0/28")));
    fake.put(Resource::SERVICECIDRS, range("within", "10.44.0.8/29"));
    for (name, labels) in [
        ("10.44.0.1", of_service.clone()),
        ("10.44.0.9", of_service.clone()),
        ("10.44.0.10", of_service),
        ("10.44.0.2", json!({})),
    ] {
        fake.put(Resource::IPADDRESSES, address(name, labels));
    }
    let _running = run(&fake, watch::channel(nets(&[])).1);
    fake.until(|fake| ready(fake, "more").as_deref() == Some("False"))
        .await;
    fake.remove(Resource::IPADDRESSES, "", "10.44.0.1");
    fake.until(|fake| fake.one(Resource::SERVICECIDRS, "", "more").is_none())
        .await;
    assert!(fake.one(Resource::SERVICECIDRS, "", "within").is_some());
}
