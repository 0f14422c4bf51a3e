//! Watches over HTTP: lines, forms, ends.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::time::{Duration, Instant};

use http::Method;
use kedge_client::http::Streaming;
use serde_json::{Value, json};
use support::{Lab, header, json};

const CONFIGMAPS: &str = "/api/v1/namespaces/default/configmaps";

/// Lines of a watch, as they come.
struct Lines {
    stream: Streaming,
    rest: Vec<u8>,
}

impl Lines {
    async fn open(lab: &Lab, query: &str, accept: &str) -> Self {
        let path = format!("{CONFIGMAPS}?watch=true&{query}");
        let stream = lab
            .admin
            .stream(Method::GET, &path, &[("accept", accept)], "")
            .await
            .unwrap();
        assert_eq!(stream.status, 200);
        Self {
            stream,
            rest: Vec::new(),
        }
    }

    /// The next event, `None` at the end.
    async fn next(&mut self) -> Option<(String, Value)> {
        loop {
            if let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.rest.drain(..=end).collect();
                let mut event: Value = serde_json::from_slice(&line).unwrap();
                return Some((
                    event["type"].as_str().unwrap().into(),
                    event["object"].take(),
                ));
            }
            let piece = tokio::time::timeout(Duration::from_secs(10), self.stream.next())
                .await
                .expect("an event in time");
            self.rest.extend_from_slice(&piece.unwrap()?);
        }
    }
}

async fn write(lab: &Lab, name: &str, labels: Value) -> Value {
    let body = json!({"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": name, "labels": labels}});
    let response = lab
        .admin
        .request(Method::POST, CONFIGMAPS, &[], body.to_string())
        .await
        .unwrap();
    assert_eq!(response.status, 201, "{:?}", response.body);
    json(&response)
}

#[tokio::test]
async fn what_is_there_comes_first_and_then_each_change() {
    let lab = Lab::start().await;
    write(&lab, "a", json!({})).await;
    let mut lines = Lines::open(&lab, "", "application/json").await;
    let (kind, object) = lines.next().await.unwrap();
    assert_eq!(
        (kind.as_str(), &object["metadata"]["name"], &object["kind"]),
        ("ADDED", &json!("a"), &json!("ConfigMap"))
    );
    let written = write(&lab, "b", json!({})).await;
    assert_eq!(lines.next().await.unwrap(), ("ADDED".into(), written));
    let patch = [("content-type", "application/merge-patch+json")];
    let patched = lab
        .admin
        .request(
            Method::PATCH,
            &format!("{CONFIGMAPS}/b"),
            &patch,
            r#"{"data":{"k":"v"}}"#,
        )
        .await
        .unwrap();
    assert_eq!(
        lines.next().await.unwrap(),
        ("MODIFIED".into(), json(&patched))
    );
    lab.admin
        .request(Method::DELETE, &format!("{CONFIGMAPS}/b"), &[], "")
        .await
        .unwrap();
    let (kind, object) = lines.next().await.unwrap();
    assert_eq!(
        (kind.as_str(), &object["data"]["k"]),
        ("DELETED", &json!("v"))
    );
}

#[tokio::test]
async fn a_change_is_seen_within_milliseconds() {
    let lab = Lab::start().await;
    let mut lines = Lines::open(&lab, "", "application/json").await;
    let mut slowest = Duration::ZERO;
    for number in 0..20 {
        write(&lab, &format!("c{number}"), json!({})).await;
        let begun = Instant::now();
        lines.next().await.unwrap();
        slowest = slowest.max(begun.elapsed());
    }
    assert!(slowest < Duration::from_millis(500), "{slowest:?}");
}

#[tokio::test]
async fn selectors_turn_changes_into_arrivals_and_departures() {
    let lab = Lab::start().await;
    write(&lab, "a", json!({"on": "no"})).await;
    let mut lines = Lines::open(&lab, "labelSelector=on%3Dyes", "application/json").await;
    let patch = [("content-type", "application/merge-patch+json")];
    for (value, expected) in [("yes", "ADDED"), ("no", "DELETED"), ("yes", "ADDED")] {
        let body = json!({"metadata": {"labels": {"on": value}}}).to_string();
        lab.admin
            .request(Method::PATCH, &format!("{CONFIGMAPS}/a"), &patch, body)
            .await
            .unwrap();
        assert_eq!(lines.next().await.unwrap().0, expected);
    }
}

#[tokio::test]
async fn tables_name_their_columns_once() {
    let lab = Lab::start().await;
    for name in ["a", "b"] {
        write(&lab, name, json!({})).await;
    }
    let accept = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
    let mut lines = Lines::open(&lab, "", accept).await;
    let (_, first) = lines.next().await.unwrap();
    assert_eq!(
        (&first["kind"], &first["rows"][0]["cells"][0]),
        (&json!("Table"), &json!("a"))
    );
    assert_eq!(first["columnDefinitions"][0]["name"], "Name");
    let (_, second) = lines.next().await.unwrap();
    assert_eq!(second["rows"][0]["cells"][0], "b");
    assert!(
        second["columnDefinitions"]
            .as_array()
            .is_none_or(Vec::is_empty)
    );
    let accept = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io";
    let (_, partial) = Lines::open(&lab, "", accept).await.next().await.unwrap();
    assert_eq!(
        (&partial["kind"], partial.get("data")),
        (&json!("PartialObjectMetadata"), None)
    );
}

#[tokio::test]
async fn the_initial_state_can_end_in_a_bookmark() {
    let lab = Lab::start().await;
    let written = write(&lab, "a", json!({})).await;
    let query = "sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan";
    let mut lines = Lines::open(&lab, query, "application/json").await;
    assert_eq!(lines.next().await.unwrap().0, "ADDED");
    let (kind, object) = lines.next().await.unwrap();
    assert_eq!(
        (kind.as_str(), &object["kind"]),
        ("BOOKMARK", &json!("ConfigMap"))
    );
    assert_eq!(
        object["metadata"]["annotations"]["k8s.io/initial-events-end"],
        "true"
    );
    let version = |object: &Value| {
        object["metadata"]["resourceVersion"]
            .as_str()
            .unwrap()
            .parse::<u64>()
            .unwrap()
    };
    assert!(version(&object) >= version(&written));
}

#[tokio::test]
async fn a_watch_ends_when_its_time_is_over() {
    let lab = Lab::start().await;
    let begun = Instant::now();
    let mut lines = Lines::open(&lab, "timeoutSeconds=1", "application/json;stream=watch").await;
    // Whatever was asked for: upstream's.
    assert_eq!(lines.stream.headers["content-type"], "application/json");
    assert!(lines.next().await.is_none());
    assert!(begun.elapsed() >= Duration::from_secs(1));
}

#[tokio::test]
async fn a_version_that_is_not_kept_is_told_in_the_stream() {
    let lab = Lab::start().await;
    for number in 0..20 {
        write(&lab, &format!("c{number}"), json!({})).await;
    }
    // What is no version is a refusal, of a list in other words than of all else.
    let one = format!("{CONFIGMAPS}/c1");
    for (path, query, code) in [
        (CONFIGMAPS, "watch=true&", 500),
        (CONFIGMAPS, "", 400),
        (&one, "", 500),
    ] {
        let path = format!("{path}?{query}resourceVersion=x");
        let response = lab
            .admin
            .request(Method::GET, &path, &[], "")
            .await
            .unwrap();
        assert_eq!(response.status, code, "{path}");
        assert_eq!(header(&response, "content-type"), "application/json");
        let status = support::json(&response);
        let told = status["message"].as_str().unwrap();
        let end = "resourceVersion: Invalid value: \"x\": strconv.ParseUint: parsing \"x\": invalid syntax";
        assert!(told.ends_with(end), "{told}");
    }
}

#[tokio::test]
async fn one_object_can_be_watched_the_older_way() {
    let lab = Lab::start().await;
    for name in ["a", "b"] {
        write(&lab, name, json!({})).await;
    }
    let path = "/api/v1/watch/namespaces/default/configmaps/b?timeoutSeconds=1";
    let all = lab.admin.request(Method::GET, path, &[], "").await.unwrap();
    let lines: Vec<_> = all
        .body
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .collect();
    assert_eq!(lines.len(), 1);
    assert_eq!(
        serde_json::from_slice::<Value>(lines[0]).unwrap()["object"]["metadata"]["name"],
        "b"
    );
}
