//! One connection to the server, in a version of HTTP that the caller chooses: for loads, and for clients that misbehave.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HOST};
use http::{HeaderValue, Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use kedge_client::kubeconfig::Kubeconfig;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::tool::ToolError;

/// What a client announces that it may get at once: lists come without waiting for it to say so.
const WINDOW: u32 = 4 << 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    Http1,
    Http2,
}

/// A request, before it is sent.
#[derive(Debug, Clone)]
pub struct Ask {
    pub method: Method,
    pub path: String,
    pub content_type: &'static str,
    pub accept: &'static str,
    pub body: Bytes,
}

impl Ask {
    #[must_use]
    pub fn get(path: impl Into<String>) -> Self {
        Self::json(Method::GET, path, String::new())
    }

    #[must_use]
    pub fn json(method: Method, path: impl Into<String>, body: String) -> Self {
        Self {
            method,
            path: path.into(),
            content_type: "application/json",
            accept: "application/json",
            body: body.into(),
        }
    }

    #[must_use]
    pub fn typed(mut self, content_type: &'static str) -> Self {
        self.content_type = content_type;
        self
    }

    #[must_use]
    pub fn accepting(mut self, accept: &'static str) -> Self {
        self.accept = accept;
        self
    }
}

/// The server, and the administrator's credentials.
pub struct Endpoint {
    authority: String,
    name: ServerName<'static>,
    http1: TlsConnector,
    http2: TlsConnector,
}

impl Endpoint {
    /// As a kubeconfig has it.
    ///
    /// # Errors
    /// It cannot be read, or has no client certificate.
    pub fn new(kubeconfig: &Path) -> Result<Self, ToolError> {
        let config = Kubeconfig::read(kubeconfig).map_err(other)?;
        let authority = config.server.trim_start_matches("https://").to_string();
        let host = authority.rsplit_once(':').map_or("", |(host, _)| host);
        let name =
            ServerName::try_from(host.trim_matches(['[', ']']).to_string()).map_err(other)?;
        Ok(Self {
            name,
            http1: connector(&config, b"http/1.1")?,
            http2: connector(&config, b"h2")?,
            authority,
        })
    }

    /// Opens a connection, handshake and all.
    ///
    /// # Errors
    /// Nobody listens, or either side does not trust the other.
    pub async fn connect(&self, version: Version) -> Result<Connection, ToolError> {
        let io = TokioIo::new(self.stream(version).await?);
        let sender = match version {
            Version::Http1 => {
                let (sender, connection) = http1::handshake(io).await.map_err(other)?;
                tokio::spawn(async move { drop(connection.await) });
                Sender::Http1(sender)
            }
            Version::Http2 => {
                let (sender, connection) = http2::Builder::new(TokioExecutor::new())
                    .initial_stream_window_size(WINDOW)
                    .initial_connection_window_size(WINDOW)
                    .handshake(io)
                    .await
                    .map_err(other)?;
                tokio::spawn(async move { drop(connection.await) });
                Sender::Http2(sender)
            }
        };
        let host = HeaderValue::try_from(&self.authority).map_err(other)?;
        Ok(Connection {
            sender,
            host,
            origin: format!("https://{}", self.authority),
        })
    }

    /// A connection on which nothing has been said yet.
    ///
    /// # Errors
    /// As [`Self::connect`].
    pub async fn stream(&self, version: Version) -> Result<TlsStream<TcpStream>, ToolError> {
        let stream = TcpStream::connect(&self.authority).await.map_err(other)?;
        stream.set_nodelay(true).map_err(other)?;
        let tls = match version {
            Version::Http1 => &self.http1,
            Version::Http2 => &self.http2,
        };
        tls.connect(self.name.clone(), stream).await.map_err(other)
    }

    /// Host and port.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }
}

fn connector(config: &Kubeconfig, protocol: &[u8]) -> Result<TlsConnector, ToolError> {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&config.authority) {
        roots.add(certificate.map_err(other)?).map_err(other)?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(other)?
        .with_root_certificates(roots);
    let client = config
        .client
        .as_ref()
        .ok_or_else(|| other("the kubeconfig has no client certificate"))?;
    let chain = CertificateDer::pem_slice_iter(&client.certificate)
        .collect::<Result<_, _>>()
        .map_err(other)?;
    let key = PrivateKeyDer::from_pem_slice(&client.key).map_err(other)?;
    let mut tls = builder.with_client_auth_cert(chain, key).map_err(other)?;
    tls.alpn_protocols = vec![protocol.to_vec()];
    Ok(TlsConnector::from(Arc::new(tls)))
}

enum Sender {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

/// See [`Endpoint::connect`].
pub struct Connection {
    sender: Sender,
    host: HeaderValue,
    origin: String,
}

impl Connection {
    /// Sends a request and takes the whole answer, whose length in bytes it is.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub async fn send(&mut self, ask: &Ask) -> Result<usize, ToolError> {
        let answer = self.open(ask).await?;
        let mut body = answer.into_body();
        let mut length = 0;
        while let Some(frame) = body.frame().await {
            length += frame.map_err(other)?.data_ref().map_or(0, Bytes::len);
        }
        Ok(length)
    }

    /// Sends a request; its answer's body is still to come. An answer of 400 and more is an error.
    ///
    /// # Errors
    /// As [`Self::ask`], and what the server refuses.
    pub async fn open(&mut self, ask: &Ask) -> Result<Response<Incoming>, ToolError> {
        let answer = self.ask(ask).await?;
        if answer.status().as_u16() < 400 {
            return Ok(answer);
        }
        let code = answer.status();
        let body = answer
            .into_body()
            .collect()
            .await
            .map_err(other)?
            .to_bytes();
        Err(other(format!(
            "{} {}: {code}: {}",
            ask.method,
            ask.path,
            String::from_utf8_lossy(&body)
        )))
    }

    /// Sends a request; its answer, whatever it is.
    ///
    /// # Errors
    /// The connection is broken.
    pub async fn ask(&mut self, ask: &Ask) -> Result<Response<Incoming>, ToolError> {
        let mut request = Request::new(Full::new(ask.body.clone()));
        *request.method_mut() = ask.method.clone();
        let headers = request.headers_mut();
        headers.insert(ACCEPT, HeaderValue::from_static(ask.accept));
        if !ask.body.is_empty() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(ask.content_type));
        }
        match &mut self.sender {
            Sender::Http1(sender) => {
                headers.insert(HOST, self.host.clone());
                *request.uri_mut() = ask.path.parse().map_err(other)?;
                sender.ready().await.map_err(other)?;
                sender.send_request(request).await
            }
            Sender::Http2(sender) => {
                *request.uri_mut() = format!("{}{}", self.origin, ask.path)
                    .parse()
                    .map_err(other)?;
                sender.ready().await.map_err(other)?;
                sender.send_request(request).await
            }
        }
        .map_err(other)
    }
}

fn other(error: impl std::fmt::Display) -> ToolError {
    ToolError::Other(error.to_string())
}
