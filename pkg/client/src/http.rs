//! The API over HTTPS: raw requests, and bodies that keep coming.
//!
//! HTTP/2 where the server speaks it: one connection carries everything, and is made again after it broke.
//! HTTP/1.1 takes a connection for each request.

mod connect;
mod refusal;
mod verify;

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, HeaderName, HeaderValue, USER_AGENT};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2;
use kedge_machinery::Status;
use tokio::sync::Mutex;

use crate::kubeconfig::{Kubeconfig, KubeconfigError};
use connect::{Connection, Endpoint};

/// Why a request got no answer.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    #[error(transparent)]
    Kubeconfig(#[from] KubeconfigError),
    #[error("\"{0}\" is no URL of an API server: https://HOST:PORT is wanted")]
    Url(String),
    #[error("the credentials of {server} cannot be used: {detail}")]
    Credentials { server: String, detail: String },
    #[error("cannot reach {server}: {source}; is the server running there?")]
    Connect {
        server: String,
        source: std::io::Error,
    },
    #[error("{server} was reached, but TLS failed: {detail}; is this kubeconfig the server's own?")]
    Tls { server: String, detail: String },
    #[error("{server} broke off: {detail}")]
    Broken { server: String, detail: String },
    #[error("cannot ask for {0}: it is no path or header that HTTP can carry")]
    Request(String),
}

/// An answer, whole.
#[derive(Debug, Clone)]
pub struct Response {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Response {
    /// The answer, or the `Status` that the server refused with (made from the text when it sent none).
    pub fn ok(self) -> Result<Self, Status> {
        if self.status.is_success() {
            Ok(self)
        } else {
            Err(refusal::status(self.status.as_u16(), &self.body))
        }
    }

    /// Texts of `Warning` headers (RFC 7234, 5.5: code 299).
    pub fn warnings(&self) -> impl Iterator<Item = String> {
        self.headers
            .get_all(http::header::WARNING)
            .iter()
            .filter_map(|value| warning_text(value.to_str().ok()?))
    }
}

/// The quoted text of `299 - "text"`.
fn warning_text(value: &str) -> Option<String> {
    let text = value.strip_prefix("299 ")?.split_once(' ')?.1;
    serde_json::from_str(text).ok()
}

/// An answer whose body is still coming.
#[derive(Debug)]
pub struct Streaming {
    pub status: StatusCode,
    pub headers: HeaderMap,
    body: Incoming,
    server: String,
}

impl Streaming {
    /// The next piece; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<Bytes>, HttpError> {
        loop {
            match self.body.frame().await {
                None => return Ok(None),
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        return Ok(Some(data));
                    }
                }
                Some(Err(error)) => {
                    return Err(HttpError::Broken {
                        server: self.server.clone(),
                        detail: error.to_string(),
                    });
                }
            }
        }
    }

    /// All that is left.
    pub async fn collect(mut self) -> Result<Response, HttpError> {
        let mut all = Vec::new();
        while let Some(piece) = self.next().await? {
            all.extend_from_slice(&piece);
        }
        Ok(Response {
            status: self.status,
            headers: self.headers,
            body: all.into(),
        })
    }
}

/// A client of one server; cheap to clone, clones share the connection.
#[derive(Clone)]
pub struct HttpClient {
    inner: Arc<Inner>,
}

struct Inner {
    endpoint: Endpoint,
    authorization: Option<HeaderValue>,
    namespace: String,
    /// The HTTP/2 connection, once there is one.
    shared: Mutex<Option<http2::SendRequest<Full<Bytes>>>>,
}

impl HttpClient {
    /// A client with the server and credentials of the file's current context. Nothing is sent yet.
    pub fn from_kubeconfig(path: &Path) -> Result<Self, HttpError> {
        Self::new(&Kubeconfig::read(path)?)
    }

    /// A client with the given server and credentials.
    pub fn new(config: &Kubeconfig) -> Result<Self, HttpError> {
        let authorization = match &config.token {
            None => None,
            Some(token) => {
                let mut value = HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| {
                    HttpError::Credentials {
                        server: config.server.clone(),
                        detail: "the token has characters that no header can carry".into(),
                    }
                })?;
                value.set_sensitive(true);
                Some(value)
            }
        };
        Ok(Self {
            inner: Arc::new(Inner {
                endpoint: Endpoint::new(config)?,
                authorization,
                namespace: config.namespace.clone(),
                shared: Mutex::new(None),
            }),
        })
    }

    /// The server's URL.
    #[must_use]
    pub fn server(&self) -> &str {
        self.inner.endpoint.url()
    }

    /// The namespace of the kubeconfig's context.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.inner.namespace
    }

    /// Asks, and waits for the whole answer; any status is an answer. `path` begins with `/` and carries the query.
    pub async fn request(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Result<Response, HttpError> {
        self.stream(method, path, headers, body)
            .await?
            .collect()
            .await
    }

    /// Asks, and gives the answer as soon as its head is there: for watches and large lists.
    pub async fn stream(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Result<Streaming, HttpError> {
        let body = body.into();
        let request = || self.build(&method, path, headers, body.clone());
        let (response, reused) = self.send(request()?).await?;
        let response = match response {
            Ok(response) => response,
            // An idle connection may have ended unseen. What the server never took up may be sent again.
            Err(error) if reused && (error.is_canceled() || error.is_closed()) => {
                self.inner.shared.lock().await.take();
                self.send(request()?)
                    .await?
                    .0
                    .map_err(|error| self.broken(&error))?
            }
            Err(error) => return Err(self.broken(&error)),
        };
        let (parts, body) = response.into_parts();
        Ok(Streaming {
            status: parts.status,
            headers: parts.headers,
            body,
            server: self.server().to_string(),
        })
    }

    /// Sends over the shared connection or a new one; the flag says that it was not new.
    async fn send(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<(Result<http::Response<Incoming>, hyper::Error>, bool), HttpError> {
        let mut shared = self.inner.shared.lock().await;
        if let Some(connection) = shared.as_mut().filter(|connection| !connection.is_closed()) {
            let mut connection = connection.clone();
            drop(shared);
            return Ok((connection.send_request(request).await, true));
        }
        match self.inner.endpoint.connect().await? {
            Connection::Http2(mut connection) => {
                *shared = Some(connection.clone());
                drop(shared);
                Ok((connection.send_request(request).await, false))
            }
            Connection::Http1(mut connection) => {
                drop(shared);
                Ok((
                    connection.send_request(connect::origin_form(request)).await,
                    false,
                ))
            }
        }
    }

    fn build(
        &self,
        method: &Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Result<Request<Full<Bytes>>, HttpError> {
        let wrong = || HttpError::Request(format!("{method} {path}"));
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.server()))
            .body(Full::new(body))
            .map_err(|_| wrong())?;
        let own = request.headers_mut();
        own.insert(
            USER_AGENT,
            HeaderValue::from_static(concat!("kedge/", env!("CARGO_PKG_VERSION"))),
        );
        own.insert(ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(authorization) = &self.inner.authorization {
            own.insert(AUTHORIZATION, authorization.clone());
        }
        for (index, (name, value)) in headers.iter().enumerate() {
            let again = headers[..index].iter().any(|(other, _)| other == name);
            let name = HeaderName::try_from(*name).map_err(|_| wrong())?;
            let value = HeaderValue::try_from(*value).map_err(|_| wrong())?;
            if again {
                own.append(name, value);
            } else {
                own.insert(name, value);
            }
        }
        Ok(request)
    }

    fn broken(&self, error: &hyper::Error) -> HttpError {
        HttpError::Broken {
            server: self.server().to_string(),
            detail: connect::chain(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(change: impl FnOnce(&mut Kubeconfig)) -> HttpError {
        let mut config = Kubeconfig {
            server: "https://127.0.0.1:1".into(),
            insecure: true,
            ..Kubeconfig::default()
        };
        change(&mut config);
        HttpClient::new(&config).err().unwrap()
    }

    #[test]
    fn what_is_wrong_in_a_kubeconfig_is_said_before_anything_is_sent() {
        for url in ["http://h:1", "h:1", "", "https://"] {
            let error = refused(|config| config.server = url.into());
            assert!(matches!(error, HttpError::Url(_)), "{url}: {error}");
        }
        let error = refused(|config| config.insecure = false).to_string();
        assert!(error.contains("certificate-authority"), "{error}");
        let error = refused(|config| config.token = Some("a\nb".into())).to_string();
        assert!(
            error.contains("token") && !error.contains("a\nb"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_is_named() {
        let config = Kubeconfig {
            server: "https://127.0.0.1:1".into(),
            insecure: true,
            ..Kubeconfig::default()
        };
        let client = HttpClient::new(&config).unwrap();
        let error = client
            .request(Method::GET, "/livez", &[], "")
            .await
            .unwrap_err();
        assert!(matches!(error, HttpError::Connect { .. }));
        assert!(error.to_string().contains("https://127.0.0.1:1"), "{error}");
        let error = client
            .request(Method::GET, "/a b", &[], "")
            .await
            .unwrap_err();
        assert!(matches!(error, HttpError::Request(_)), "{error}");
    }

    #[test]
    fn warnings_are_read_as_they_are_written() {
        assert_eq!(
            warning_text(r#"299 - "unknown field \"x\"""#).unwrap(),
            "unknown field \"x\""
        );
        assert_eq!(warning_text("110 - \"stale\""), None);
        assert_eq!(warning_text("299 -"), None);
    }
}
