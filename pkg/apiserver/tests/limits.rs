//! What one client can do to the others.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Method;
use kedge_apiserver::{HealthCheck, Limits};
use serde_json::json;
use support::{Lab, header, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const CONFIGMAPS: &str = "/api/v1/namespaces/default/configmaps";

async fn lab(limits: Limits) -> Lab {
    Lab::with(limits, Vec::new()).await
}

/// A connection by hand, HTTP/1.1, with the handshake done.
async fn raw(lab: &Lab) -> tokio_rustls::client::TlsStream<TcpStream> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(lab.authority.certificate().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(lab.address).await.unwrap();
    let name = rustls_pki_types::ServerName::try_from("127.0.0.1").unwrap();
    tokio_rustls::TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
        .unwrap()
}

/// Everything until the server closes.
async fn until_closed(stream: &mut (impl AsyncReadExt + Unpin)) -> String {
    let mut all = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(length) = stream.read(&mut buffer).await {
        if length == 0 {
            break;
        }
        all.extend_from_slice(&buffer[..length]);
    }
    String::from_utf8_lossy(&all).into_owned()
}

#[tokio::test]
async fn a_body_above_the_bound_is_413() {
    let lab = lab(Limits {
        body: 1000,
        ..Limits::default()
    })
    .await;
    let body = json!({"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "big"}, "data": {"a": "x".repeat(2000)}});
    let refused = lab
        .admin
        .request(Method::POST, CONFIGMAPS, &[], body.to_string())
        .await
        .unwrap();
    assert_eq!(refused.status, 413);
    assert_eq!(json(&refused)["reason"], "RequestEntityTooLarge");
}

#[tokio::test]
async fn requests_above_the_bound_are_429_and_health_is_not() {
    let lab = lab(Limits {
        writes: 1,
        body_time: Duration::from_secs(2),
        ..Limits::default()
    })
    .await;
    let busy = lab.user("busy", "system:masters");
    // A request whose body never comes holds the one place.
    let mut slow = hold_a_place(&lab, CONFIGMAPS).await;
    let refused = loop {
        let refused = busy
            .request(Method::POST, CONFIGMAPS, &[], "{}")
            .await
            .unwrap();
        if refused.status == 429 {
            break refused;
        }
    };
    assert_eq!(refused.body, "Too many requests, please try again later.\n");
    assert_eq!(
        header(&refused, "content-type"),
        "text/plain; charset=utf-8"
    );
    assert_eq!(header(&refused, "retry-after"), "1");
    assert_eq!(
        busy.request(Method::GET, "/readyz", &[], "")
            .await
            .unwrap()
            .status,
        200
    );
    let watch = format!("{CONFIGMAPS}?watch=true&timeoutSeconds=1");
    assert_eq!(
        busy.stream(Method::GET, &watch, &[], "")
            .await
            .unwrap()
            .status,
        200
    );
    // Who only reads has places of its own.
    assert_eq!(
        busy.request(Method::GET, CONFIGMAPS, &[], "")
            .await
            .unwrap()
            .status,
        200
    );
    // The body's time is over: the place is given back, and the slow client is told.
    let told = until_closed(&mut slow).await;
    assert!(told.starts_with("HTTP/1.1 504"), "{told}");
    assert_eq!(
        busy.request(Method::POST, CONFIGMAPS, &[], "{}")
            .await
            .unwrap()
            .status,
        422
    );
}

#[tokio::test]
async fn the_time_that_a_client_gives_is_kept() {
    let lab = lab(Limits::default()).await;
    let get = |query: &str| {
        let path = format!("{CONFIGMAPS}?{query}");
        let lab = &lab;
        async move {
            lab.admin
                .request(Method::GET, &path, &[], "")
                .await
                .unwrap()
        }
    };
    assert_eq!(get("timeout=10s").await.status, 200);
    let refused = get("timeout=soon").await;
    assert_eq!(refused.status, 400);
    let message = json(&refused)["message"].as_str().unwrap().to_string();
    assert!(
        message.starts_with("invalid timeout specified in the request URL"),
        "{message}"
    );
    let path = format!("{CONFIGMAPS}?timeout=200ms");
    let mut slow = hold_a_place(&lab, &path).await;
    let told = until_closed(&mut slow).await;
    assert!(told.starts_with("HTTP/1.1 504"), "{told}");
}

/// A POST of a master over HTTP/1.1 whose body stays out.
async fn hold_a_place(lab: &Lab, path: &str) -> tokio_rustls::client::TlsStream<TcpStream> {
    use rustls_pki_types::pem::PemObject;
    let certificate = lab
        .authority
        .client("slow", "slow", "system:masters", jiff::Timestamp::now())
        .unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(lab.authority.certificate().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let chain =
        rustls_pki_types::CertificateDer::from_pem_slice(certificate.pem().as_bytes()).unwrap();
    let key = rustls_pki_types::PrivateKeyDer::try_from(certificate.key().der().to_vec()).unwrap();
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(vec![chain], key)
        .unwrap();
    let stream = TcpStream::connect(lab.address).await.unwrap();
    let name = rustls_pki_types::ServerName::try_from("127.0.0.1").unwrap();
    let mut stream = tokio_rustls::TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
        .unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 100\r\n\r\n{{"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

#[tokio::test]
async fn watches_are_bounded_apart() {
    let lab = lab(Limits {
        watches: 1,
        ..Limits::default()
    })
    .await;
    let watch = format!("{CONFIGMAPS}?watch=true&timeoutSeconds=30");
    let first = lab
        .admin
        .stream(Method::GET, &watch, &[], "")
        .await
        .unwrap();
    assert_eq!(first.status, 200);
    assert_eq!(
        lab.admin
            .request(Method::GET, &watch, &[], "")
            .await
            .unwrap()
            .status,
        429
    );
    assert_eq!(
        lab.admin
            .request(Method::GET, CONFIGMAPS, &[], "")
            .await
            .unwrap()
            .status,
        200
    );
    drop(first);
    // The server learns of the reset stream when it comes to it.
    let begun = Instant::now();
    while lab
        .admin
        .stream(Method::GET, &watch, &[], "")
        .await
        .unwrap()
        .status
        == 429
    {
        assert!(
            begun.elapsed() < Duration::from_secs(5),
            "the place of an ended watch was not given back"
        );
    }
}

#[tokio::test]
async fn headers_that_trickle_are_cut_off() {
    let lab = lab(Limits {
        headers_time: Duration::from_millis(300),
        ..Limits::default()
    })
    .await;
    let mut stream = raw(&lab).await;
    stream
        .write_all(b"GET /livez HTTP/1.1\r\nhost:")
        .await
        .unwrap();
    let begun = Instant::now();
    until_closed(&mut stream).await;
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_handshake_that_never_comes_is_cut_off() {
    let lab = lab(Limits {
        headers_time: Duration::from_millis(300),
        ..Limits::default()
    })
    .await;
    let mut stream = TcpStream::connect(lab.address).await.unwrap();
    let begun = Instant::now();
    until_closed(&mut stream).await;
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_connection_that_idles_is_closed_and_made_again_when_needed() {
    let lab = lab(Limits {
        idle_time: Duration::from_millis(200),
        ..Limits::default()
    })
    .await;
    for _ in 0..3 {
        assert_eq!(
            lab.admin
                .request(Method::GET, CONFIGMAPS, &[], "")
                .await
                .unwrap()
                .status,
            200
        );
        tokio::time::sleep(Duration::from_millis(400)).await;
    }
    // One with a request at work does not idle.
    let watch = format!("{CONFIGMAPS}?watch=true&timeoutSeconds=1");
    let mut stream = lab
        .admin
        .stream(Method::GET, &watch, &[], "")
        .await
        .unwrap();
    let begun = Instant::now();
    while stream.next().await.unwrap().is_some() {}
    assert!(begun.elapsed() > Duration::from_millis(900));
}

#[tokio::test]
async fn connections_above_the_bound_wait_their_turn() {
    let lab = lab(Limits {
        connections: 1,
        headers_time: Duration::from_millis(500),
        ..Limits::default()
    })
    .await;
    let first = raw(&lab).await;
    // The second is let in when the first is gone, which here its silence sees to.
    let second = lab.nobody(None);
    assert_eq!(
        second
            .request(Method::GET, "/livez", &[], "")
            .await
            .unwrap()
            .status,
        200
    );
    drop(first);
}

#[tokio::test]
async fn headers_above_the_bound_are_431() {
    let lab = lab(Limits {
        headers: 8 << 10,
        ..Limits::default()
    })
    .await;
    let mut stream = raw(&lab).await;
    let head = format!(
        "GET /livez HTTP/1.1\r\nhost: x\r\nx-long: {}\r\n\r\n",
        "a".repeat(20 << 10)
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let told = until_closed(&mut stream).await;
    assert!(told.starts_with("HTTP/1.1 431"), "{told}");
}

#[tokio::test]
async fn a_stop_ends_watches_cleanly_and_lets_requests_finish() {
    let mut lab = Lab::start().await;
    let watch = format!("{CONFIGMAPS}?watch=true");
    let mut stream = lab
        .admin
        .stream(Method::GET, &watch, &[], "")
        .await
        .unwrap();
    let reader = tokio::spawn(async move {
        let mut all = Vec::<Bytes>::new();
        while let Some(piece) = stream.next().await? {
            all.push(piece);
        }
        Ok::<_, kedge_client::http::HttpError>(all)
    });
    let begun = Instant::now();
    lab.stop().await;
    assert!(begun.elapsed() < Duration::from_secs(5));
    reader
        .await
        .unwrap()
        .expect("the stream ends, it does not break");
}

#[tokio::test]
async fn readiness_says_what_is_missing() {
    let rules = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&rules);
    let check = HealthCheck {
        name: "dataplane",
        check: Arc::new(move || {
            if seen.load(Ordering::Relaxed) {
                Ok(())
            } else {
                Err("no rules yet".into())
            }
        }),
    };
    let lab = Lab::with(Limits::default(), vec![check]).await;
    // Single checks are for who watches over servers.
    let watcher = lab.user("watcher", "system:monitoring");
    let ask = async |path: &str| {
        let response = watcher.request(Method::GET, path, &[], "").await.unwrap();
        (
            response.status.as_u16(),
            String::from_utf8_lossy(&response.body).into_owned(),
        )
    };
    let (code, text) = ask("/readyz").await;
    assert_eq!(code, 500);
    assert!(
        text.contains("[-]dataplane failed: no rules yet\n"),
        "{text}"
    );
    assert!(text.ends_with("readyz check failed\n"), "{text}");
    assert_eq!(ask("/readyz?exclude=dataplane").await.0, 200);
    assert_eq!(ask("/readyz/dataplane").await.0, 500);
    assert_eq!(ask("/readyz/nothing").await.0, 404);
    assert_eq!(ask("/livez").await, (200, "ok".into()));
    rules.store(true, Ordering::Relaxed);
    assert_eq!(ask("/readyz").await, (200, "ok".into()));
    let (_, text) = ask("/readyz?verbose").await;
    assert!(
        text.contains("[+]dataplane ok\n") && text.ends_with("readyz check passed\n"),
        "{text}"
    );
}
