//! One connection: handshake, then requests in the version of HTTP that was agreed on, until it idles, breaks or
//! the server stops.

use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use crate::activity::{self, Activity};
use crate::authn::ClientCertificates;
use crate::front::Front;
use crate::{Limits, listener};

/// Streams that one client may have open in a connection; as kube-apiserver.
const STREAMS: u32 = 250;
/// What one stream, and one connection, may have sent before it is read: the protocol's own default for a
/// stream, four of them for a connection.
const STREAM_WINDOW: u32 = 64 << 10;
const CONNECTION_WINDOW: u32 = 256 << 10;
/// What is buffered of answers that the client does not take.
const SEND_BUFFER: usize = 64 << 10;
/// How long a client that was told of the end of an idle connection has to close it.
const FAREWELL: Duration = Duration::from_secs(5);

/// What serves connections.
pub(crate) struct Connections {
    front: Front,
    tls: TlsAcceptor,
    certificates: Arc<ClientCertificates>,
    http1: http1::Builder,
    http2: http2::Builder<TokioExecutor>,
}

impl Connections {
    pub(crate) fn new(
        front: Front,
        tls: TlsAcceptor,
        certificates: Arc<ClientCertificates>,
    ) -> Self {
        let limits = &front.app().limits;
        Self {
            http1: http1(limits),
            http2: http2(limits),
            front,
            tls,
            certificates,
        }
    }

    /// Serves one connection to its end. Errors are the client's: it went away, or spoke something else.
    pub(crate) async fn serve(self: Arc<Self>, stream: TcpStream) {
        if let Err(error) = listener::tune(&stream) {
            tracing::debug!(%error, "connection not tuned");
        }
        let handshake = tokio::time::timeout(
            self.front.app().limits.headers_time,
            self.tls.accept(stream),
        );
        let stream = match handshake.await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return tracing::debug!(%error, "handshake failed"),
            Err(_) => return tracing::debug!("handshake took too long"),
        };
        let session = stream.get_ref().1;
        let peer = Arc::new(self.certificates.peer(session));
        // The protocol was agreed on in the handshake: nothing need be read to guess it.
        let is_http2 = session.alpn_protocol() == Some(b"h2");
        let activity = Arc::new(Activity::new());
        let (own, seen) = (Arc::clone(&self), Arc::clone(&activity));
        let service = service_fn(move |request: Request<Incoming>| {
            let (own, peer, at_work) = (Arc::clone(&own), Arc::clone(&peer), seen.enter());
            async move {
                let answer = own.front.answer(&peer, request.map(Body::new)).await;
                Ok::<_, Infallible>(activity::hold(answer, at_work))
            }
        });
        let io = TokioIo::new(stream);
        if is_http2 {
            let connection = self.http2.serve_connection(io, service);
            self.drive(connection, http2::Connection::graceful_shutdown, &activity)
                .await;
        } else {
            let connection = self.http1.serve_connection(io, service).with_upgrades();
            self.drive(
                connection,
                http1::UpgradeableConnection::graceful_shutdown,
                &activity,
            )
            .await;
        }
    }

    /// Runs a connection; `end` asks it to take no more requests and to end when those at work have.
    async fn drive<C>(&self, connection: C, end: impl Fn(Pin<&mut C>), activity: &Activity)
    where
        C: Future<Output = hyper::Result<()>>,
    {
        let mut connection = pin!(connection);
        let app = self.front.app();
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = app.stopping.cancelled() => {
                end(connection.as_mut());
                connection.await
            }
            () = activity.idle(app.limits.idle_time) => {
                end(connection.as_mut());
                tokio::time::timeout(FAREWELL, connection).await.unwrap_or(Ok(()))
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "connection ended");
        }
    }
}

fn http1(limits: &Limits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(limits.headers_time)
        // Also bounds what a request's headers may take; hyper answers 431 above it.
        .max_buf_size(limits.headers.max(8 << 10));
    builder
}

fn http2(limits: &Limits) -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .max_concurrent_streams(STREAMS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_BUFFER)
        .max_header_list_size(u32::try_from(limits.headers).unwrap_or(u32::MAX));
    builder
}
