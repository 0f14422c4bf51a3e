//! Events through both of their groups: found by fields, changed, and the same afterwards but for what was changed.

use serde_json::{Value, json};

use crate::support::Lab;
use crate::typed::{STRATEGIC, Typed};

const LABEL: &str = "labelSelector=tried%3Dyes";

/// Without what every write changes.
fn settled(mut event: Value) -> Value {
    let metadata = event["metadata"].as_object_mut().unwrap();
    metadata.remove("resourceVersion");
    metadata.remove("managedFields");
    event
}

fn series(count: u32) -> Value {
    json!({"count": count, "lastObservedTime": "2017-09-19T13:49:16.000000Z"})
}

#[tokio::test]
async fn an_event_of_either_group_is_followed_to_its_end() {
    let lab = Lab::start().await;
    let core = Typed::new(&lab.admin, "v1", "Event", "namespaces/default/events");
    let newer = Typed::new(
        &lab.admin,
        "events.k8s.io/v1",
        "Event",
        "namespaces/default/events",
    );
    let old = json!({
        "metadata": {"name": "old", "labels": {"tried": "yes"}}, "involvedObject": {"namespace": "default"},
        "message": "first", "reason": "Tried", "type": "Normal", "count": 1,
        "source": {"component": "", "host": ""}, "firstTimestamp": null, "lastTimestamp": null, "eventTime": null, "action": "",
        "reportingComponent": "", "reportingInstance": "",
    });
    let new = json!({
        "metadata": {"name": "new", "labels": {"tried": "yes"}}, "regarding": {"namespace": "default"},
        "eventTime": "2017-09-19T13:49:16.000000Z", "note": "first", "action": "Do", "reason": "Tried", "type": "Normal",
        "reportingController": "trying-controller", "reportingInstance": "one",
        "deprecatedSource": {"component": "", "host": ""}, "deprecatedFirstTimestamp": null, "deprecatedLastTimestamp": null,
        "deprecatedCount": 0,
    });
    for (events, event, text) in [(&core, old, "message"), (&newer, new, "note")] {
        let name = event["metadata"]["name"].as_str().unwrap().to_string();
        events.create(&event).await.unwrap();
        let everywhere = Typed::new(&lab.admin, &events.api_version, "Event", "events");
        assert_eq!(everywhere.names(LABEL).await, [name.as_str()]);
        // What an Event of the newer group says stays; only its series goes on.
        let mut expected = settled(events.get(&name).await.unwrap());
        let patch = match text {
            "note" => json!({"series": series(2)}),
            text => json!({text: "second"}),
        };
        events.patch(&name, STRATEGIC, &patch).await.unwrap();
        for (key, value) in patch.as_object().unwrap() {
            expected[key] = value.clone();
        }
        assert_eq!(settled(events.get(&name).await.unwrap()), expected);
        // Without a version, as the last one wins.
        expected["series"] =
            json!({"count": 100, "lastObservedTime": "2017-09-19T13:49:16.000000Z"});
        events.update(&expected, "").await.unwrap();
        assert_eq!(settled(events.get(&name).await.unwrap()), expected);
        if text == "note" {
            let found = core.names("fieldSelector=source%3Dtrying-controller").await;
            assert_eq!(found, ["new"]);
            let field = "fieldSelector=reportingController%3Dtrying-controller";
            assert_eq!(events.names(field).await, ["new"]);
        }
        events.delete(&name, json!({})).await.unwrap();
        assert!(everywhere.names(LABEL).await.is_empty());
        for number in 1..=3 {
            let mut one = event.clone();
            one["metadata"]["name"] = format!("{name}-{number}").into();
            events.create(&one).await.unwrap();
        }
        events.delete_collection(LABEL, json!({})).await.unwrap();
        assert!(events.names(LABEL).await.is_empty());
    }
}
