//! Columns of an Event.

use jiff::Timestamp;
use kedge_machinery::Object;
use serde_json::Value;

use super::age::since_text;
use super::{Column, NAME, or, text, text_at, wide};

pub(super) const COLUMNS: &[Column] = &[
    text("Last Seen", "Time since it last happened."),
    text("Type", "Normal or Warning."),
    text("Reason", "Why it was said, in one word for machines."),
    text("Object", "What it is about."),
    wide("Subobject", "The part of the object that it is about."),
    wide("Source", "Who said it, and where."),
    text("Message", "What happened, for people."),
    wide("First Seen", "Time since it first happened."),
    wide("Count", "How often it happened."),
    Column {
        priority: 1,
        ..NAME
    },
];

pub(super) fn cells(event: &Object, now: Timestamp) -> Vec<Value> {
    // A field has one of two names, by the API that the Event is read through.
    let at = |path: &[&str]| text_at(event, path);
    let either = |core: &[&str], events: &[&str]| or(at(core), at(events));
    let first_seen = since_text(
        or(
            either(&["firstTimestamp"], &["deprecatedFirstTimestamp"]),
            at(&["eventTime"]),
        ),
        now,
    );
    let (last_seen, count) = match event.0.get("series").filter(|s| s.is_object()) {
        Some(series) => {
            let seen = since_text(at(&["series", "lastObservedTime"]), now);
            (
                seen,
                series
                    .get("count")
                    .and_then(Value::as_i64)
                    .unwrap_or_default(),
            )
        }
        None => {
            let seen = match either(&["lastTimestamp"], &["deprecatedLastTimestamp"]) {
                "" => first_seen.clone(),
                time => since_text(time, now),
            };
            // An event of the newer API that happened once has no count.
            (
                seen,
                event
                    .0
                    .get("count")
                    .or_else(|| event.0.get("deprecatedCount"))
                    .and_then(Value::as_i64)
                    .filter(|n| *n != 0)
                    .unwrap_or(1),
            )
        }
    };
    let kind = either(&["involvedObject", "kind"], &["regarding", "kind"]).to_lowercase();
    let object = match either(&["involvedObject", "name"], &["regarding", "name"]) {
        "" => kind,
        name => format!("{kind}/{name}"),
    };
    let component = or(
        either(&["source", "component"], &["deprecatedSource", "component"]),
        either(&["reportingComponent"], &["reportingController"]),
    );
    let source = match or(
        either(&["source", "host"], &["deprecatedSource", "host"]),
        at(&["reportingInstance"]),
    ) {
        "" => component.to_string(),
        host => format!("{component}, {host}"),
    };
    vec![
        last_seen.into(),
        at(&["type"]).into(),
        at(&["reason"]).into(),
        object.into(),
        either(
            &["involvedObject", "fieldPath"],
            &["regarding", "fieldPath"],
        )
        .into(),
        source.into(),
        either(&["message"], &["note"]).trim().into(),
        first_seen.into(),
        count.into(),
        event.name().into(),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::tests::row;
    use serde_json::json;

    #[test]
    fn an_event_of_the_older_form() {
        let event = json!({
            "apiVersion": "v1", "kind": "Event", "metadata": { "name": "web.1" }, "type": "Normal", "reason": "Allocated", "message": " took 10.0.0.1\n",
            "involvedObject": { "kind": "Service", "name": "web", "fieldPath": "spec" }, "source": { "component": "kedge", "host": "edge" },
            "firstTimestamp": "2026-01-01T00:00:00Z", "lastTimestamp": "2026-01-01T00:09:30Z", "count": 4,
        });
        assert_eq!(
            row(event),
            [
                json!("30s"),
                json!("Normal"),
                json!("Allocated"),
                json!("service/web"),
                json!("spec"),
                json!("kedge, edge"),
                json!("took 10.0.0.1"),
                json!("10m"),
                json!(4),
                json!("web.1")
            ]
        );
    }

    #[test]
    fn an_event_of_the_newer_form() {
        let mut event = json!({
            "apiVersion": "v1", "kind": "Event", "metadata": { "name": "web.1" }, "involvedObject": { "kind": "Node" },
            "source": {}, "firstTimestamp": null, "lastTimestamp": null, "eventTime": "2026-01-01T00:08:00.000000Z",
            "reportingComponent": "kedge", "reportingInstance": "edge-1",
        });
        let cells = row(event.clone());
        assert_eq!(
            (&cells[0], &cells[3], &cells[5], &cells[7], &cells[8]),
            (
                &json!("2m"),
                &json!("node"),
                &json!("kedge, edge-1"),
                &json!("2m"),
                &json!(1)
            )
        );
        event["series"] = json!({ "count": 7, "lastObservedTime": "2026-01-01T00:09:59.000000Z" });
        let cells = row(event);
        assert_eq!(
            (&cells[0], &cells[7], &cells[8]),
            (&json!("1s"), &json!("2m"), &json!(7))
        );
    }

    #[test]
    fn an_event_read_through_its_own_group() {
        let event = json!({
            "apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": { "name": "web.1" }, "type": "Normal",
            "reason": "Allocated", "note": "took 10.0.0.1", "regarding": { "kind": "Service", "name": "web" },
            "reportingController": "kedge", "reportingInstance": "edge", "eventTime": "2026-01-01T00:00:00.000000Z",
        });
        let cells = json!(row(event));
        assert_eq!(cells[3], "service/web");
        assert_eq!(cells[5], "kedge, edge");
        assert_eq!(cells[6], "took 10.0.0.1");
    }
}
