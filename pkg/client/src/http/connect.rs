//! From a URL and credentials to a connection that takes requests.

use std::error::Error as _;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, Uri};
use http_body_util::Full;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::HttpError;
use super::verify::AnyCertificate;
use crate::kubeconfig::Kubeconfig;

/// How long a connection may take to come about, and its handshake again.
const PATIENCE: Duration = Duration::from_secs(10);

/// A server: where it is and how it is spoken to.
pub(super) struct Endpoint {
    /// `https://host:port`, no slash at the end.
    url: String,
    host: String,
    port: u16,
    name: ServerName<'static>,
    tls: TlsConnector,
}

/// A fresh connection, in the version that both sides speak.
pub(super) enum Connection {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

impl Endpoint {
    pub(super) fn new(config: &Kubeconfig) -> Result<Self, HttpError> {
        let wrong = || HttpError::Url(config.server.clone());
        let uri: Uri = config.server.parse().map_err(|_| wrong())?;
        if uri.scheme_str() != Some("https") {
            return Err(wrong());
        }
        let host = uri
            .host()
            .ok_or_else(wrong)?
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_string();
        let name = config.server_name.clone().unwrap_or_else(|| host.clone());
        Ok(Self {
            url: config.server.trim_end_matches('/').to_string(),
            port: uri.port_u16().unwrap_or(443),
            name: ServerName::try_from(name).map_err(|_| wrong())?,
            host,
            tls: TlsConnector::from(Arc::new(client_config(config)?)),
        })
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    pub(super) async fn connect(&self) -> Result<Connection, HttpError> {
        let server = || self.url.clone();
        let reach = |source| HttpError::Connect {
            server: server(),
            source,
        };
        let stream = in_time(TcpStream::connect((self.host.as_str(), self.port)))
            .await
            .and_then(tune)
            .map_err(reach)?;
        let stream = in_time(self.tls.connect(self.name.clone(), stream))
            .await
            .map_err(|error| HttpError::Tls {
                server: server(),
                detail: error.to_string(),
            })?;
        let broken = |error: hyper::Error| HttpError::Broken {
            server: server(),
            detail: chain(&error),
        };
        let speaks_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        let io = TokioIo::new(stream);
        // How a connection ends is seen by the requests on it, which have their own errors.
        if speaks_http2 {
            let (sender, connection) = http2::handshake(TokioExecutor::new(), io)
                .await
                .map_err(broken)?;
            tokio::spawn(async move { drop(connection.await) });
            Ok(Connection::Http2(sender))
        } else {
            let (sender, connection) = http1::handshake(io).await.map_err(broken)?;
            tokio::spawn(async move { drop(connection.await) });
            Ok(Connection::Http1(sender))
        }
    }
}

/// A step towards a connection, bounded: a host that is off does not say so.
async fn in_time<T>(step: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    let late = || {
        io::Error::new(
            io::ErrorKind::TimedOut,
            format!("no answer within {} s", PATIENCE.as_secs()),
        )
    };
    tokio::time::timeout(PATIENCE, step)
        .await
        .unwrap_or_else(|_| Err(late()))
}

/// No delay, and a peer whose power was cut is noticed by the kernel though nothing is sent: a watch may be silent
/// for hours.
fn tune(stream: TcpStream) -> io::Result<TcpStream> {
    stream.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new()
        .with_time(Duration::from_secs(30))
        .with_interval(Duration::from_secs(10));
    let socket = SockRef::from(&stream);
    socket.set_tcp_keepalive(&keepalive.with_retries(3))?;
    socket.set_tcp_user_timeout(Some(Duration::from_secs(60)))?;
    Ok(stream)
}

/// The request as HTTP/1.1 sends it: the path alone, and a `Host` header.
pub(super) fn origin_form<B>(mut request: Request<B>) -> Request<B> {
    let host = request
        .uri()
        .authority()
        .and_then(|authority| HeaderValue::try_from(authority.as_str()).ok());
    if let Some(path) = request.uri().path_and_query() {
        *request.uri_mut() = Uri::from(path.clone());
    }
    if let Some(host) = host {
        request.headers_mut().insert(http::header::HOST, host);
    }
    request
}

/// An error with the causes that hyper leaves to `source`.
pub(super) fn chain(error: &hyper::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}

fn client_config(config: &Kubeconfig) -> Result<ClientConfig, HttpError> {
    let wrong = |detail: String| HttpError::Credentials {
        server: config.server.clone(),
        detail,
    };
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong(error.to_string()))?;
    let builder = if config.insecure {
        builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
    } else {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(&config.authority) {
            let certificate =
                certificate.map_err(|error| wrong(format!("certificate-authority: {error}")))?;
            roots
                .add(certificate)
                .map_err(|error| wrong(format!("certificate-authority: {error}")))?;
        }
        if roots.is_empty() {
            return Err(wrong(
                "there is no certificate-authority to verify the server with".into(),
            ));
        }
        builder.with_root_certificates(roots)
    };
    let mut tls = match &config.client {
        None => builder.with_no_client_auth(),
        Some(client) => {
            let chain = CertificateDer::pem_slice_iter(&client.certificate)
                .collect::<Result<Vec<_>, _>>()
                .map_err(|error| wrong(format!("client-certificate: {error}")))?;
            let key = PrivateKeyDer::from_pem_slice(&client.key)
                .map_err(|_| wrong("client-key holds no private key in PEM".into()))?;
            builder
                .with_client_auth_cert(chain, key)
                .map_err(|error| wrong(format!("client-certificate and client-key: {error}")))?
        }
    };
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(tls)
}
