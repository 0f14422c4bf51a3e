//! Watches: several at once see the same in the same order, they go on where another one ended, in the encoding that was
//! asked for.

use http::Method;
use serde_json::{Value, json};

use crate::support::Lab;
use crate::typed::{MERGE, Typed};
use crate::wire::{Events, PROTOBUF};

fn maps(lab: &Lab) -> Typed {
    Typed::new(
        &lab.admin,
        "v1",
        "ConfigMap",
        "namespaces/default/configmaps",
    )
}

fn map(name: &str, group: &str) -> Value {
    json!({"metadata": {"name": name, "labels": {"watched": group}}})
}

fn version(object: &Value) -> &str {
    object["metadata"]["resourceVersion"].as_str().unwrap()
}

async fn expect(events: &mut Events, kind: &str, object: &Value) {
    let (told, seen) = events.next().await;
    assert_eq!(told, kind);
    assert_eq!(seen["metadata"]["name"], object["metadata"]["name"]);
    if kind != "DELETED" {
        assert_eq!(&seen, object);
    }
}

#[tokio::test]
async fn each_selector_sees_its_own() {
    let lab = Lab::start().await;
    let maps = maps(&lab);
    let mut a = maps.watch("labelSelector=watched%3Da").await;
    let mut b = maps.watch("labelSelector=watched%3Db").await;
    let mut both = maps.watch("labelSelector=watched+in+%28a%2Cb%29").await;
    let mut first = maps.create(&map("first", "a")).await.unwrap();
    for number in 0..3 {
        let kind = if number == 0 { "ADDED" } else { "MODIFIED" };
        expect(&mut a, kind, &first).await;
        expect(&mut both, kind, &first).await;
        first["data"] = json!({"mutation": number.to_string()});
        first = maps.update(&first, "").await.unwrap();
    }
    maps.delete("first", json!({})).await.unwrap();
    for watch in [&mut a, &mut both] {
        assert_eq!(watch.next().await.0, "MODIFIED");
        expect(watch, "DELETED", &first).await;
    }
    let second = maps.create(&map("second", "b")).await.unwrap();
    maps.delete("second", json!({})).await.unwrap();
    for watch in [&mut b, &mut both] {
        expect(watch, "ADDED", &second).await;
        expect(watch, "DELETED", &second).await;
    }
    // Nothing of the second was for the first: what it sees next is the third.
    let third = maps.create(&map("third", "a")).await.unwrap();
    expect(&mut a, "ADDED", &third).await;
}

#[tokio::test]
async fn it_goes_on_after_any_version() {
    let lab = Lab::start().await;
    let maps = maps(&lab);
    maps.create(&map("one", "a")).await.unwrap();
    let change = |number: u32| json!({"data": {"mutation": number.to_string()}});
    let once = maps.patch("one", MERGE, &change(1)).await.unwrap();
    let twice = maps.patch("one", MERGE, &change(2)).await.unwrap();
    maps.delete("one", json!({})).await.unwrap();
    let query = format!(
        "labelSelector=watched%3Da&resourceVersion={}",
        version(&once)
    );
    let mut late = maps.watch(&query).await;
    expect(&mut late, "MODIFIED", &twice).await;
    expect(&mut late, "DELETED", &twice).await;
}

/// A watch begun at the version of each event of the first one tells all that follows it, in the same order.
#[tokio::test]
async fn watches_begun_at_each_event_agree() {
    let lab = Lab::start().await;
    let maps = maps(&lab);
    let mut first = maps
        .watch("resourceVersion=0&labelSelector=watched%3Da")
        .await;
    let writer = {
        let maps = maps.clone();
        tokio::spawn(async move {
            for number in 0..10 {
                let name = format!("m{}", number % 4);
                match number % 3 {
                    0 => drop(maps.create(&map(&name, "a")).await),
                    1 => drop(
                        maps.patch(&name, MERGE, &json!({"data": {"n": number.to_string()}}))
                            .await,
                    ),
                    _ => drop(maps.delete(&name, json!({})).await),
                }
            }
            maps.create(&map("last", "a")).await.unwrap();
        })
    };
    let mut told: Vec<(String, Value)> = Vec::new();
    let mut later: Vec<(usize, Events)> = Vec::new();
    while told
        .last()
        .is_none_or(|(_, object)| object["metadata"]["name"] != "last")
    {
        told.push(first.next().await);
        let (_, object) = told.last().unwrap();
        let query = format!(
            "resourceVersion={}&labelSelector=watched%3Da",
            version(object)
        );
        later.push((told.len(), maps.watch(&query).await));
    }
    writer.await.unwrap();
    for (from, mut events) in later {
        for expected in &told[from..] {
            assert_eq!(&events.next().await, expected);
        }
    }
}

#[tokio::test]
async fn events_come_in_what_was_asked_for_first() {
    let lab = Lab::start().await;
    let maps = maps(&lab);
    let before = maps.list("").await.unwrap();
    maps.create(&map("one", "a")).await.unwrap();
    let path = format!(
        "{}?watch=true&fieldSelector=metadata.name%3Done&resourceVersion={}",
        maps.path,
        version(&before)
    );
    for (accept, begins) in [
        ("application/json", "{\"type\":\"ADDED\""),
        (PROTOBUF, "\0\0"),
        (
            "application/vnd.kubernetes.protobuf,application/json",
            "\0\0",
        ),
        (
            "application/json,application/vnd.kubernetes.protobuf",
            "{\"type\":\"ADDED\"",
        ),
    ] {
        let headers = [("accept", accept)];
        let mut stream = lab
            .admin
            .stream(Method::GET, &path, &headers, "")
            .await
            .unwrap();
        let first = stream.next().await.unwrap().unwrap();
        let first = String::from_utf8_lossy(&first);
        assert!(
            first.starts_with(begins) && first.contains("ADDED"),
            "{accept}: {first}"
        );
    }
}

#[tokio::test]
async fn a_streamed_list_is_no_table() {
    const TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io";
    let lab = Lab::start().await;
    let maps = maps(&lab);
    maps.create(&map("one", "a")).await.unwrap();
    let streamed =
        "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";
    let ask = |accept: String, query: &str| {
        let path = format!("{}?watch=true&timeoutSeconds=1&{query}", maps.path);
        let client = lab.admin.clone();
        async move {
            let headers = [("accept", accept.as_str())];
            client
                .request(Method::GET, &path, &headers, "")
                .await
                .unwrap()
        }
    };
    assert_eq!(ask(TABLE.into(), streamed).await.status, 406);
    let either = ask(format!("{TABLE},application/json"), streamed).await;
    assert_eq!(either.status, 200);
    let text = String::from_utf8(either.body.to_vec()).unwrap();
    assert!(
        text.contains("initial-events-end") && !text.contains("Table"),
        "{text}"
    );
    let plain = ask(TABLE.into(), "").await;
    assert!(String::from_utf8_lossy(&plain.body).contains("Table"));
}
