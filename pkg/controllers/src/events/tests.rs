//! The recorder against a server in memory.

use serde_json::json;

use super::*;
use crate::fake::Fake;

fn about(name: &str) -> About {
    About {
        api_version: "v1".into(),
        kind: "Service".into(),
        namespace: "a".into(),
        name: name.into(),
        uid: "u".into(),
    }
}

fn counts(fake: &Fake) -> Vec<u64> {
    fake.all(Resource::EVENTS)
        .iter()
        .map(|event| event.0["count"].as_u64().unwrap())
        .collect()
}

#[tokio::test]
async fn an_event_says_what_happened_to_whom() {
    let fake = Fake::new();
    let recorder = Recorder::start(fake.client(), "kedge");
    recorder.record(
        &about("web"),
        EventType::Warning,
        "AllocationFailed",
        "no address is free",
    );
    fake.until(|fake| !counts(fake).is_empty()).await;
    let event = fake.all(Resource::EVENTS).remove(0);
    assert_eq!(event.namespace(), "a");
    assert_eq!(
        event.0["involvedObject"],
        json!({"apiVersion": "v1", "kind": "Service", "namespace": "a", "name": "web", "uid": "u"})
    );
    assert_eq!(
        (&event.0["type"], &event.0["reason"]),
        (&json!("Warning"), &json!("AllocationFailed"))
    );
    assert_eq!(event.0["source"], json!({"component": "kedge"}));
}

#[tokio::test]
async fn the_same_again_is_counted_up_even_after_a_restart() {
    let fake = Fake::new();
    let first = Recorder::start(fake.client(), "kedge");
    for _ in 0..5 {
        first.record(&about("web"), EventType::Normal, "Again", "and again");
    }
    fake.until(|fake| counts(fake) == [4]).await;
    drop(first);
    let second = Recorder::start(fake.client(), "kedge");
    second.record(&about("web"), EventType::Normal, "Again", "and again");
    fake.until(|fake| counts(fake) == [5]).await;
    assert_eq!(
        fake.settled().await.len(),
        5,
        "created, three updates in all, and one create that found it there"
    );
}

#[tokio::test]
async fn old_events_go_when_new_ones_come() {
    let fake = Fake::new();
    fake.put(
        Resource::EVENTS,
        json!({"metadata": {"namespace": "a", "name": "old"}, "lastTimestamp": "2020-01-01T00:00:00Z", "count": 1}),
    );
    let recorder = Recorder::start(fake.client(), "kedge");
    recorder.record(&about("web"), EventType::Normal, "New", "event");
    fake.until(|fake| {
        fake.all(Resource::EVENTS)
            .iter()
            .all(|event| event.name() != "old")
    })
    .await;
    assert_eq!(counts(&fake), [1]);
}
