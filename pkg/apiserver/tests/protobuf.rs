//! Answers in protobuf, read back by the decoder of bodies.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use bytes::Bytes;
use http::Method;
use kedge_api::{Catalog, protobuf};
use kedge_client::http::Response;
use serde_json::{Value, json};
use support::{Lab, header};

const CONFIGMAPS: &str = "/api/v1/namespaces/default/configmaps";
const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";
const LIKED: &str = "application/vnd.kubernetes.protobuf,application/json";

async fn ask(lab: &Lab, method: Method, path: &str, accept: &str, body: &Value) -> Response {
    let headers = [("accept", accept), ("content-type", "application/json")];
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    lab.admin
        .request(method, path, &headers, body)
        .await
        .unwrap()
}

fn decoded(body: &[u8]) -> Value {
    protobuf::decode(&Catalog::builtin(), body)
        .unwrap()
        .into_value()
}

/// The fields of a message with their numbers; only those that hold bytes.
fn fields(mut message: &[u8]) -> Vec<(u64, Vec<u8>)> {
    let mut found = Vec::new();
    let varint = |rest: &mut &[u8]| {
        let (mut value, mut shift) = (0, 0);
        loop {
            let (byte, after) = rest.split_first().unwrap();
            *rest = after;
            value |= u64::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                return value;
            }
        }
    };
    while !message.is_empty() {
        let key = varint(&mut message);
        let size = varint(&mut message);
        if key & 7 == 2 {
            let (bytes, rest) = message.split_at(usize::try_from(size).unwrap());
            found.push((key >> 3, bytes.to_vec()));
            message = rest;
        }
    }
    found
}

fn field(message: &[u8], number: u64) -> Vec<u8> {
    fields(message)
        .into_iter()
        .find(|(found, _)| *found == number)
        .unwrap()
        .1
}

#[tokio::test]
async fn objects_are_the_ones_that_json_shows() {
    let lab = Lab::start().await;
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "labels": {"x": "y"}}, "data": {"k": "v"}});
    let created = ask(&lab, Method::POST, CONFIGMAPS, PROTOBUF, &map).await;
    assert_eq!(
        (created.status.as_u16(), header(&created, "content-type")),
        (201, PROTOBUF)
    );
    let path = format!("{CONFIGMAPS}/a");
    let plain = ask(&lab, Method::GET, &path, "application/json", &Value::Null).await;
    let plain: Value = serde_json::from_slice(&plain.body).unwrap();
    assert_eq!(decoded(&created.body), plain);
    for accept in [PROTOBUF, LIKED] {
        let got = ask(&lab, Method::GET, &path, accept, &Value::Null).await;
        assert_eq!(header(&got, "content-type"), PROTOBUF);
        assert_eq!(decoded(&got.body), plain);
    }
    let partial = "application/vnd.kubernetes.protobuf;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
    let got = ask(&lab, Method::GET, &path, partial, &Value::Null).await;
    let raw = field(&got.body[4..], 2);
    assert_eq!(fields(&raw).len(), 1);
    assert_eq!(field(&field(&raw, 1), 1), b"a");
}

#[tokio::test]
async fn lists_hold_their_items_and_their_place() {
    let lab = Lab::start().await;
    for name in ["a", "b", "c"] {
        let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"k": "v".repeat(40_000)}});
        assert_eq!(
            ask(&lab, Method::POST, CONFIGMAPS, LIKED, &map)
                .await
                .status,
            201
        );
    }
    let path = format!("{CONFIGMAPS}?limit=2");
    let list = ask(&lab, Method::GET, &path, PROTOBUF, &Value::Null).await;
    assert_eq!(header(&list, "content-type"), PROTOBUF);
    let envelope = &list.body[4..];
    assert_eq!(&list.body[..4], b"k8s\0");
    let meta = field(envelope, 1);
    assert_eq!(
        (field(&meta, 1), field(&meta, 2)),
        (b"v1".to_vec(), b"ConfigMapList".to_vec())
    );
    let raw = field(envelope, 2);
    let names: Vec<_> = fields(&raw)
        .into_iter()
        .filter(|(number, _)| *number == 2)
        .map(|(_, item)| String::from_utf8(field(&field(&item, 1), 1)).unwrap())
        .collect();
    assert_eq!(names, ["a", "b"]);
    let page = field(&raw, 1);
    assert!(
        !field(&page, 2).is_empty() && !field(&page, 3).is_empty(),
        "version and token"
    );
}

#[tokio::test]
async fn refusals_are_told_as_the_client_likes_it() {
    let lab = Lab::start().await;
    let path = format!("{CONFIGMAPS}/none");
    let refused = ask(&lab, Method::GET, &path, LIKED, &Value::Null).await;
    assert_eq!(
        (refused.status.as_u16(), header(&refused, "content-type")),
        (404, PROTOBUF)
    );
    let meta = field(&refused.body[4..], 1);
    assert_eq!(field(&meta, 2), b"Status");
    let raw = field(&refused.body[4..], 2);
    assert_eq!(field(&raw, 3), b"configmaps \"none\" not found");
    let refused = ask(&lab, Method::GET, &path, "application/json", &Value::Null).await;
    assert_eq!(support::json(&refused)["reason"], "NotFound");
}

#[tokio::test]
async fn events_of_a_watch_come_behind_their_length() {
    let lab = Lab::start().await;
    let watch = format!(
        "{CONFIGMAPS}?watch=true&allowWatchBookmarks=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"
    );
    let headers = [(
        "accept",
        "application/vnd.kubernetes.protobuf;stream=watch,application/vnd.kubernetes.protobuf,application/json",
    )];
    let mut stream = lab
        .admin
        .stream(Method::GET, &watch, &headers, "")
        .await
        .unwrap();
    assert_eq!(
        stream.headers.get("content-type").unwrap(),
        "application/vnd.kubernetes.protobuf;stream=watch"
    );
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"k": "v"}});
    let mut bytes = Vec::new();
    let (kind, end) = event(&mut stream, &mut bytes).await;
    assert_eq!(
        (
            kind.as_str(),
            &end["metadata"]["annotations"]["k8s.io/initial-events-end"]
        ),
        ("BOOKMARK", &json!("true"))
    );
    assert_eq!(
        ask(&lab, Method::POST, CONFIGMAPS, LIKED, &map)
            .await
            .status,
        201
    );
    let (kind, added) = event(&mut stream, &mut bytes).await;
    assert_eq!(
        (kind.as_str(), &added["data"]),
        ("ADDED", &json!({"k": "v"}))
    );
}

async fn event(stream: &mut kedge_client::http::Streaming, bytes: &mut Vec<u8>) -> (String, Value) {
    loop {
        if let Some((size, rest)) = bytes.split_first_chunk::<4>() {
            let size = u32::from_be_bytes(*size) as usize;
            if rest.len() >= size {
                let message: Vec<u8> = bytes.drain(..4 + size).skip(4).collect();
                let name = String::from_utf8(field(&message, 1)).unwrap();
                return (name, decoded(&field(&field(&message, 2), 1)));
            }
        }
        let piece: Bytes = stream.next().await.unwrap().expect("the watch goes on");
        bytes.extend_from_slice(&piece);
    }
}

#[tokio::test]
async fn kinds_without_messages_answer_in_json_where_that_is_accepted() {
    const POOLS: &str = "/apis/metallb.io/v1beta1/namespaces/default/ipaddresspools";
    let lab = Lab::start().await;
    let pool = json!({"apiVersion": "metallb.io/v1beta1", "kind": "IPAddressPool", "metadata": {"name": "a"},
        "spec": {"addresses": ["192.0.2.0/24"]}});
    let created = ask(&lab, Method::POST, POOLS, LIKED, &pool).await;
    assert_eq!(
        (created.status.as_u16(), header(&created, "content-type")),
        (201, "application/json")
    );
    let watch = format!("{POOLS}?watch=true&resourceVersion=0&timeoutSeconds=1");
    for path in [POOLS, &format!("{POOLS}/a"), &watch] {
        let answer = ask(&lab, Method::GET, path, LIKED, &Value::Null).await;
        assert_eq!(
            (answer.status.as_u16(), header(&answer, "content-type")),
            (200, "application/json"),
            "{path}"
        );
        assert!(String::from_utf8_lossy(&answer.body).contains("192.0.2.0/24"));
        let refused = ask(&lab, Method::GET, path, PROTOBUF, &Value::Null).await;
        assert_eq!(refused.status.as_u16(), 406, "{path}");
    }
}

#[tokio::test]
async fn custom_resources_have_messages_for_their_metadata_alone() {
    let lab = Lab::start().await;
    let mut changes = lab.registry.catalog_changes();
    // Neither the group's first word nor the kind makes it one of Kubernetes' own.
    let open = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "jobs.batch.example.com"},
        "spec": {"group": "batch.example.com", "scope": "Namespaced", "names": {"kind": "Job", "plural": "jobs"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": open}}]},
    });
    let definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    let json_body = "application/json";
    let made = ask(&lab, Method::POST, definitions, json_body, &definition).await;
    assert_eq!(made.status, 201);
    changes.changed().await.unwrap();
    let jobs = "/apis/batch.example.com/v1/namespaces/default/jobs";
    let job = json!({"apiVersion": "batch.example.com/v1", "kind": "Job", "metadata": {"name": "j"}, "spec": {"any": 1.5}});
    let made = ask(&lab, Method::POST, jobs, LIKED, &job).await;
    assert_eq!(
        (made.status.as_u16(), header(&made, "content-type")),
        (201, json_body)
    );
    assert_eq!(support::json(&made)["spec"]["any"], 1.5);
    let one = format!("{jobs}/j");
    let refused = ask(&lab, Method::GET, &one, PROTOBUF, &Value::Null).await;
    assert_eq!(refused.status, 406);
    let partial = "application/vnd.kubernetes.protobuf;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
    let got = ask(&lab, Method::GET, &one, partial, &Value::Null).await;
    assert_eq!(header(&got, "content-type"), PROTOBUF);
    let raw = field(&got.body[4..], 2);
    assert_eq!(field(&field(&raw, 1), 1), b"j");
    let lists = partial.replace("Metadata;", "MetadataList;");
    let got = ask(&lab, Method::GET, jobs, &lists, &Value::Null).await;
    assert_eq!(header(&got, "content-type"), PROTOBUF);
    let item = field(&field(&got.body[4..], 2), 2);
    assert_eq!(field(&field(&item, 1), 1), b"j");
}
