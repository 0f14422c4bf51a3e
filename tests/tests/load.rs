//! A thousand clients at once, some of whom never read what they asked for.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;

use http::Method;
use http_body_util::BodyExt;
use kedge_tests::connection::{Ask, Endpoint, Version};
use kedge_tests::netns::{Netns, unique_prefix};
use kedge_tests::process;
use kedge_tests::server::Server;
use serde_json::json;
use tokio::task::JoinSet;

const CONFIGMAPS: &str = "/api/v1/namespaces/default/configmaps";
const CLIENTS: usize = 1000;
/// What they list: 40 objects of 8 KiB. A thousand such lists would be 320 MB.
const OBJECTS: usize = 40;
/// In kB, of a server built for debugging. Connections alone cost about 60 kB each.
const BOUND: u64 = 200 << 10;

#[test]
fn a_thousand_clients_are_served_within_bounded_memory() {
    let netns = Netns::new(format!("{}-load", unique_prefix())).unwrap();
    netns.ip("addr add 192.168.60.1/32 dev lo").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let flags = [
        "--node-name",
        "node",
        "--node-ip",
        "192.168.60.1",
        "--disable",
        "dns,proxy,loadbalancer",
    ];
    let server = Server::start(&netns, &folder.path().join("data"), &flags).unwrap();
    let endpoint = Arc::new(Endpoint::new(&server.kubeconfig()).unwrap());
    let counts = netns
        .enter(|| {
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap()
                .block_on(hammer(&endpoint))
        })
        .unwrap();
    let cost = process::cost(server.pid()).unwrap();
    let Counts {
        served,
        told_to_wait,
        ..
    } = counts;
    assert!(
        served > CLIENTS,
        "{served} served, {told_to_wait} told to wait"
    );
    assert!(cost.peak < BOUND, "{} kB of memory at its most", cost.peak);
    server.stop().unwrap();
}

#[derive(Default, Clone, Copy)]
struct Counts {
    served: usize,
    told_to_wait: usize,
}

async fn hammer(endpoint: &Arc<Endpoint>) -> Counts {
    let mut writer = endpoint.connect(Version::Http1).await.unwrap();
    for index in 0..OBJECTS {
        let body = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": format!("m{index}")}, "data": {"a": "x".repeat(8 << 10)}
        });
        let ask = Ask::json(Method::POST, CONFIGMAPS, body.to_string());
        writer.send(&ask).await.unwrap();
    }
    let mut clients = JoinSet::new();
    for index in 0..CLIENTS {
        let version = if index % 2 == 0 {
            Version::Http1
        } else {
            Version::Http2
        };
        let mut connection = endpoint.connect(version).await.unwrap();
        clients.spawn(async move {
            let mut counts = Counts::default();
            for turn in 0..3 {
                let ask = match turn {
                    0 => Ask::get(format!("{CONFIGMAPS}/m{}", index % OBJECTS)),
                    1 => Ask::get(CONFIGMAPS),
                    _ => Ask::json(
                        Method::POST,
                        CONFIGMAPS,
                        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": format!("c{index}")}}).to_string(),
                    ),
                };
                let answer = connection.ask(&ask).await.unwrap();
                match answer.status().as_u16() {
                    200 | 201 => counts.served += 1,
                    429 => counts.told_to_wait += 1,
                    other => panic!("{other} for {}", ask.path),
                }
                // Every tenth client keeps a list and never reads it.
                if turn == 1 && index % 10 == 0 {
                    return (counts, Some((connection, answer)));
                }
                answer.into_body().collect().await.unwrap();
            }
            (counts, None)
        });
    }
    let (mut all, mut unread) = (Counts::default(), Vec::new());
    while let Some(done) = clients.join_next().await {
        let (counts, kept) = done.unwrap();
        all.served += counts.served;
        all.told_to_wait += counts.told_to_wait;
        unread.push(kept);
    }
    // With those lists still open, others are served.
    let ask = Ask::get(format!("{CONFIGMAPS}/m0"));
    let mut other = endpoint.connect(Version::Http2).await.unwrap();
    assert_eq!(other.ask(&ask).await.unwrap().status(), 200);
    all
}
