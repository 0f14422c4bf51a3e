//! Clients that take more than their share: they lose it, and the others notice nothing.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::Empty;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use kedge_apiserver::Limits;
use serde_json::{Value, json};
use support::Lab;
use tokio::net::TcpStream;

const CONFIGMAPS: &str = "/api/v1/namespaces/default/configmaps";

type Sender = http2::SendRequest<Empty<Bytes>>;

/// A connection in HTTP/2 by hand, of nobody; it takes `window` bytes of each answer before it has read some.
async fn raw(lab: &Lab, window: u32) -> (Sender, tokio::task::JoinHandle<hyper::Result<()>>) {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(lab.authority.certificate().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let stream = TcpStream::connect(lab.address).await.unwrap();
    let name = rustls_pki_types::ServerName::try_from("127.0.0.1").unwrap();
    let stream = tokio_rustls::TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
        .unwrap();
    let (sender, connection) = http2::Builder::new(TokioExecutor::new())
        .initial_stream_window_size(window)
        .max_header_list_size(1 << 20)
        .handshake(TokioIo::new(stream))
        .await
        .unwrap();
    (sender, tokio::spawn(connection))
}

fn get(lab: &Lab, path: &str) -> Request<Empty<Bytes>> {
    Request::get(format!("https://{}{path}", lab.address))
        .body(Empty::new())
        .unwrap()
}

async fn create(lab: &Lab, name: &str, size: usize) {
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"a": "x".repeat(size)}});
    let created = lab
        .admin
        .request(Method::POST, CONFIGMAPS, &[], map.to_string())
        .await
        .unwrap();
    assert_eq!(created.status, 201);
}

#[tokio::test]
async fn a_watcher_that_does_not_read_is_cut_off_with_a_410() {
    let lab = Lab::start().await;
    let watch = format!("{CONFIGMAPS}?watch=true");
    let mut stream = lab
        .admin
        .stream(Method::GET, &watch, &[], "")
        .await
        .unwrap();
    // What lies in buffers between the two counts for nobody; what waits in the server is bounded at 16 MiB.
    let (size, many) = (256 << 10, 120);
    for index in 0..many {
        create(&lab, &format!("m{index}"), size).await;
    }
    let mut lines = 0;
    let mut rest = Vec::new();
    while let Some(piece) = stream.next().await.unwrap() {
        for byte in piece {
            if byte != b'\n' {
                rest.push(byte);
                continue;
            }
            let event: Value = serde_json::from_slice(&std::mem::take(&mut rest)).unwrap();
            if event["type"] == "ERROR" {
                assert_eq!(event["object"]["code"], 410);
                assert_eq!(event["object"]["reason"], "Expired");
                rest = b"cut off".to_vec();
                break;
            }
            assert_eq!(event["type"], "ADDED");
            lines += 1;
        }
    }
    assert_eq!(rest, b"cut off");
    assert!(lines < many, "{lines} events came");
    // Whoever begins anew is served.
    let list = lab
        .admin
        .request(Method::GET, &format!("{CONFIGMAPS}?limit=1"), &[], "")
        .await;
    assert_eq!(list.unwrap().status, 200);
}

#[tokio::test]
async fn one_client_leaves_watches_to_the_others() {
    let lab = Lab::with(
        Limits {
            watches: 4,
            ..Limits::default()
        },
        Vec::new(),
    )
    .await;
    let watch = format!("{CONFIGMAPS}?watch=true");
    let mut open = Vec::new();
    for _ in 0..2 {
        let stream = lab
            .admin
            .stream(Method::GET, &watch, &[], "")
            .await
            .unwrap();
        assert_eq!(stream.status, 200);
        open.push(stream);
    }
    let third = lab
        .admin
        .request(Method::GET, &watch, &[], "")
        .await
        .unwrap();
    assert_eq!(third.status, 429);
    assert_eq!(support::header(&third, "retry-after"), "1");
    let other = lab.user("other", "system:masters");
    let stream = other.stream(Method::GET, &watch, &[], "").await.unwrap();
    assert_eq!(stream.status, 200);
}

#[tokio::test]
async fn streams_that_are_opened_and_reset_at_once_end_their_connection_alone() {
    let lab = Lab::start().await;
    let (mut sender, connection) = raw(&lab, 64 << 10).await;
    for _ in 0..20_000 {
        if sender.ready().await.is_err() {
            break;
        }
        let mut answer = Box::pin(sender.send_request(get(&lab, "/version")));
        // Begun, and given up before there is an answer.
        poll_fn(|cx| {
            let _ = answer.as_mut().poll(cx);
            Poll::Ready(())
        })
        .await;
        drop(answer);
        tokio::task::yield_now().await;
    }
    // Whether it was told to be calm or had its requests refused: others are served at once.
    let nobody = lab.nobody(None);
    let asked = nobody.request(Method::GET, "/version", &[], "");
    let served = tokio::time::timeout(Duration::from_secs(5), asked)
        .await
        .unwrap();
    assert_eq!(served.unwrap().status, 200);
    connection.abort();
}

#[tokio::test]
async fn streams_above_the_bound_wait_their_turn() {
    let lab = Lab::start().await;
    let (mut sender, connection) = raw(&lab, 64 << 10).await;
    let mut answers = Vec::new();
    for _ in 0..1000 {
        sender.ready().await.unwrap();
        answers.push(sender.send_request(get(&lab, "/version")));
    }
    for answer in answers {
        assert_eq!(answer.await.unwrap().status(), 200);
    }
    connection.abort();
}

#[tokio::test]
async fn headers_above_the_bound_are_431_in_http2_too() {
    let lab = Lab::with(
        Limits {
            headers: 8 << 10,
            ..Limits::default()
        },
        Vec::new(),
    )
    .await;
    let (mut sender, connection) = raw(&lab, 64 << 10).await;
    let mut long = get(&lab, "/version");
    for index in 0..10 {
        let name = http::HeaderName::try_from(format!("x-long-{index}")).unwrap();
        long.headers_mut()
            .insert(name, "a".repeat(1 << 10).parse().unwrap());
    }
    sender.ready().await.unwrap();
    assert_eq!(sender.send_request(long).await.unwrap().status(), 431);
    connection.abort();
}
