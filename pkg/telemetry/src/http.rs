//! Small pages over plain HTTP for who watches this machine: health and metrics.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use axum::response::IntoResponse;
use axum::routing::get;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tower::ServiceExt;

use crate::metrics::{Metrics, OPEN_METRICS};

/// Who asks for health asks briefly: more than this at once is an attack, and waits.
const CONNECTIONS: usize = 64;
/// How long a client may take to say what it wants.
const HEAD: Duration = Duration::from_secs(10);

/// A listener that cannot be had.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address} for {what}: {source}")]
pub struct BindError {
    address: SocketAddr,
    what: &'static str,
    source: std::io::Error,
}

/// Listens. `what` is for the error's text.
///
/// # Errors
/// The address is in use or not this machine's.
pub async fn bind(address: SocketAddr, what: &'static str) -> Result<TcpListener, BindError> {
    TcpListener::bind(address)
        .await
        .map_err(|source| BindError {
            address,
            what,
            source,
        })
}

/// Serves until `shutdown` is done; connections that are open then are cut.
pub async fn serve(listener: TcpListener, pages: Router, shutdown: impl Future<Output = ()>) {
    let mut shutdown = pin!(shutdown);
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        let place = Arc::clone(&places).acquire_owned();
        let accepted = async { (place.await, listener.accept().await) };
        let (place, stream) = tokio::select! {
            () = &mut shutdown => return,
            Some(_) = connections.join_next() => continue,
            (place, accepted) = accepted => match accepted {
                Ok((stream, _)) => (place, stream),
                Err(error) => {
                    tracing::debug!("a connection was lost before it began: {error}");
                    continue;
                }
            },
        };
        let pages = pages.clone();
        connections.spawn(async move {
            let service = hyper::service::service_fn(move |request: Request<Incoming>| {
                let pages = pages.clone();
                async move {
                    let answer = pages.oneshot(request.map(axum::body::Body::new)).await;
                    Ok::<_, Infallible>(answer.unwrap_or_else(|never| match never {}))
                }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD)
                .serve_connection(TokioIo::new(stream), service);
            // How a stranger's connection ends is no news.
            drop(connection.await);
            drop(place);
        });
    }
}

/// The page `/metrics`.
pub fn metrics(metrics: Metrics) -> Router {
    Router::new()
        .route("/metrics", get(text))
        .with_state(metrics)
}

async fn text(State(metrics): State<Metrics>) -> impl IntoResponse {
    let kind = HeaderValue::from_static(OPEN_METRICS);
    ([(CONTENT_TYPE, kind)], metrics.text().await)
}

/// Headers of an answer in JSON that no browser is to take for anything else.
#[must_use]
pub fn json_headers() -> [(HeaderName, HeaderValue); 2] {
    [
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (
            HeaderName::from_static("x-content-type-options"),
            HeaderValue::from_static("nosniff"),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;
    use tokio::sync::oneshot;

    use super::*;

    async fn ask(address: SocketAddr, path: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn metrics_are_a_page_until_the_end() {
        let listener = bind("127.0.0.1:0".parse().unwrap(), "tests").await.unwrap();
        let address = listener.local_addr().unwrap();
        let taken = bind(address, "tests").await.unwrap_err().to_string();
        assert!(taken.contains(&address.to_string()), "{taken}");
        let (stop, stopped) = oneshot::channel::<()>();
        let pages = metrics(Metrics::default());
        let server = tokio::spawn(serve(listener, pages, async { drop(stopped.await) }));
        let answer = ask(address, "/metrics").await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(answer.contains("openmetrics-text"), "{answer}");
        assert!(answer.trim_end().ends_with("# EOF"), "{answer}");
        assert!(ask(address, "/").await.starts_with("HTTP/1.1 404"));
        drop(stop);
        server.await.unwrap();
        assert!(TcpStream::connect(address).await.is_err());
    }
}
