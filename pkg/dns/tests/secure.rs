//! Resolvers over TLS: asked over one connection, believed only by their certificate.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;
mod fake;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use domain::base::iana::Rcode;
use domain::base::{Message, MessageBuilder, Rtype, Ttl};
use domain::rdata::A;
use fake::{Node, clients};
use kedge_dns::Options;
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// A resolver that says 192.0.2.1 of everything; its certificate, which is its own authority, is written to `file`.
async fn resolver(file: &Path, connections: Arc<AtomicUsize>) -> SocketAddr {
    let made = rcgen::generate_simple_self_signed(vec!["dns.example".to_string()]).unwrap();
    std::fs::write(file, made.cert.pem()).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else {
                continue;
            };
            connections.fetch_add(1, Ordering::Relaxed);
            tokio::spawn(async move {
                while let Ok(length) = stream.read_u16().await {
                    let mut question = vec![0; length.into()];
                    stream.read_exact(&mut question).await.unwrap();
                    let answer = answer(&question);
                    stream.write_u16(answer.len() as u16).await.unwrap();
                    stream.write_all(&answer).await.unwrap();
                    stream.flush().await.unwrap();
                }
            });
        }
    });
    address
}

fn answer(question: &[u8]) -> Vec<u8> {
    let message = Message::from_octets(question).unwrap();
    let mut answer = MessageBuilder::new_vec()
        .start_answer(&message, Rcode::NOERROR)
        .unwrap();
    let name = message.sole_question().unwrap();
    let address = A::new([192, 0, 2, 1].into());
    answer
        .push((name.qname(), Ttl::from_secs(60), address))
        .unwrap();
    answer.finish()
}

async fn node(upstream: String, authorities: &Path) -> Node {
    let options = Options {
        upstreams: vec![upstream.parse().unwrap()],
        tls_authorities: Some(authorities.into()),
        ..Options::default()
    };
    Node::start_with(options, clients(&[], &[], None)).await
}

#[tokio::test]
async fn a_resolver_over_tls_is_asked_when_its_certificate_is_right() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("authority.pem");
    let connections = Arc::new(AtomicUsize::new(0));
    let address = resolver(&file, connections.clone()).await;
    let right = node(format!("tls://{address}#dns.example"), &file).await;
    for name in ["one.example", "two.example", "three.example"] {
        let answer = right.ask(name, Rtype::A).await;
        assert_eq!(common::shown(&answer, false), ["A 192.0.2.1"]);
    }
    // The question that finds loops may have had one of its own.
    assert!(
        connections.load(Ordering::Relaxed) <= 2,
        "connections are used again"
    );

    let other_name = node(format!("tls://{address}#other.example"), &file).await;
    let answer = other_name.ask("one.example", Rtype::A).await;
    assert_eq!(answer.header().rcode(), Rcode::SERVFAIL);

    let nobody = folder.path().join("none.pem");
    let no_authority = node(format!("tls://{address}#dns.example"), &nobody).await;
    let answer = no_authority.ask("one.example", Rtype::A).await;
    assert_eq!(answer.header().rcode(), Rcode::SERVFAIL);
}
