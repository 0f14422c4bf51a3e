//! The server: its sockets and their accept loops.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use rustls::crypto::ring;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::authn::{BearerTokens, BootstrapTokens, ClientCertificates, ServiceAccountTokens};
use crate::authz::{Node, Rbac, SystemMasters};
use crate::connection::Connections;
use crate::front::Front;
use crate::in_flight::InFlight;
use crate::metrics::Requests;
use crate::{BindError, ServerConfig, listener, tls};

/// How long accepting rests when the process has no file descriptor left: only an ending connection helps.
const EXHAUSTED: Duration = Duration::from_millis(100);

/// A server whose sockets are open.
pub struct Server {
    listeners: Vec<TcpListener>,
    connections: Arc<Connections>,
    /// One for each connection that may be open.
    places: Arc<Semaphore>,
    capacity: u32,
    stopping: CancellationToken,
    stop_time: Duration,
}

impl Server {
    /// Opens the sockets; within a tokio runtime. Connections wait in the kernel until [`Self::serve`].
    pub fn bind(config: ServerConfig) -> Result<Self, BindError> {
        let ServerConfig {
            listen,
            registry,
            certificate,
            client_authorities,
            tokens,
            ready,
            limits,
            metrics,
            served,
        } = config;
        let requests = Requests::default();
        metrics.add(|registry| requests.register(registry));
        let listeners = listen
            .into_iter()
            .map(listener::listen)
            .collect::<Result<Vec<_>, _>>()?;
        let address = listeners.first().ok_or(BindError::None)?;
        let address = address
            .local_addr()
            .map(|address| address.to_string())
            .unwrap_or_default();
        let provider = Arc::new(ring::default_provider());
        let certificates = Arc::new(ClientCertificates::new(
            &client_authorities,
            &provider,
            Arc::clone(&tokens),
        )?);
        let tls = tls::server_config(certificate, &client_authorities, provider)?;
        let stopping = CancellationToken::new();
        let (capacity, stop_time) = (limits.connections, limits.stop_time);
        let bearers = Arc::new(BearerTokens::new(
            vec![
                Box::new(ServiceAccountTokens::new(
                    registry.clone(),
                    Arc::clone(&tokens),
                )),
                Box::new(BootstrapTokens::new(registry.clone(), Arc::clone(&tokens))),
            ],
            tokens.audiences.clone(),
        ));
        let (node, rbac) = (Node::new(registry.clone()), Rbac::new(registry.clone()));
        let app = App {
            registry,
            tokens,
            authenticators: vec![
                Box::new(Arc::clone(&certificates)),
                Box::new(Arc::clone(&bearers)),
            ],
            authorizers: vec![Box::new(SystemMasters), Box::new(node), Box::new(rbac)],
            bearers,
            ready,
            in_flight: InFlight::new(&limits),
            limits,
            metrics,
            served,
            requests,
            stopping: stopping.clone(),
            address,
        };
        let front = Front::new(Arc::new(app));
        let connections = Arc::new(Connections::new(
            front,
            TlsAcceptor::from(Arc::new(tls)),
            certificates,
        ));
        let places = Arc::new(Semaphore::new(capacity as usize));
        Ok(Self {
            listeners,
            connections,
            places,
            capacity,
            stopping,
            stop_time,
        })
    }

    /// The addresses that it listens on, with the ports that were free.
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.listeners
            .iter()
            .filter_map(|listener| listener.local_addr().ok())
            .collect()
    }

    /// Serves until `shutdown` ends; then watches end cleanly, and requests at work have
    /// [`crate::Limits::stop_time`] to do so.
    pub async fn serve(self, shutdown: impl Future<Output = ()>) {
        let accepting = join_all(self.listeners.iter().map(|listener| self.accept(listener)));
        tokio::select! {
            _ = accepting => {}
            () = shutdown => {}
        }
        self.stopping.cancel();
        drop(self.listeners);
        // Every connection holds a place: when all are free, all have ended.
        if tokio::time::timeout(self.stop_time, self.places.acquire_many(self.capacity))
            .await
            .is_err()
        {
            tracing::warn!(
                "requests were still at work at the end of the time to stop; their connections are cut"
            );
        }
    }

    /// Accepts connections for ever.
    async fn accept(&self, listener: &TcpListener) {
        // Whoever is over the bound waits in the kernel's queue, and costs nothing here.
        while let Ok(place) = Arc::clone(&self.places).acquire_owned().await {
            match listener.accept().await {
                Ok((stream, _)) => {
                    let connection = Arc::clone(&self.connections).serve(stream);
                    tokio::spawn(async move {
                        connection.await;
                        drop(place);
                    });
                }
                Err(error) if is_the_clients(&error) => {}
                Err(error) => {
                    tracing::warn!(%error, "cannot accept connections for the moment");
                    tokio::time::sleep(EXHAUSTED).await;
                }
            }
        }
    }
}

/// Errors of the connection that was to be accepted, not of accepting.
fn is_the_clients(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset
    )
}
