//! The sockets: questions in, answers out, over UDP and TCP on the cluster's DNS address.

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use ipnet::IpNet;
use kedge_client::{Feed, Resource, SharedClient};
use kedge_machinery::Status;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::answer::{Query, Reply, Transport, Unanswerable};
use crate::upstream::Resolvers;
use crate::zone::Zone;

const PORT: u16 = 53;
/// Questions that wait for other resolvers, and open TCP connections, at once: beyond that the answer is SERVFAIL,
/// or the connection waits, so that a storm costs no memory.
const MAX_ELSEWHERE: usize = 256;
const MAX_CONNECTIONS: usize = 64;
/// How long a TCP client may be silent (RFC 7766, 6.2.3).
const MAX_SILENCE: Duration = Duration::from_secs(10);

/// Pause after a connection that could not be accepted.
const BACK_OFF: Duration = Duration::from_millis(100);

/// What the server answers for.
#[derive(Debug, Clone)]
pub struct Config {
    /// An address that this machine owns, or will.
    pub address: IpAddr,
    /// `cluster.local`.
    pub domain: String,
    /// Ranges whose reverse names are never asked of others: Services' and pods'.
    pub reverse: Vec<IpNet>,
    /// The system's `resolv.conf`.
    pub resolv_conf: PathBuf,
}

/// The address cannot be served on.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot listen for DNS on {address} ({protocol}): {source}; stop the program that uses it, or choose another --cluster-dns"
)]
pub struct BindError {
    address: SocketAddr,
    protocol: &'static str,
    source: std::io::Error,
}

/// A DNS server whose sockets are open.
pub struct Server {
    udp: UdpSocket,
    tcp: TcpListener,
    feed: Box<dyn Feed>,
    shared: Arc<Shared>,
}

struct Shared {
    zone: RwLock<Zone>,
    origin: String,
    resolvers: Resolvers,
    elsewhere: Arc<Semaphore>,
}

impl Server {
    /// Opens the sockets; must be called within a runtime.
    ///
    /// # Errors
    /// The address or port is taken or not permitted.
    pub fn bind(config: Config, client: &SharedClient) -> Result<Self, BindError> {
        let address = SocketAddr::from((config.address, PORT));
        let failed = |protocol| {
            move |source| BindError {
                address,
                protocol,
                source,
            }
        };
        let udp = open(address, Type::DGRAM, Protocol::UDP)
            .and_then(|socket| UdpSocket::from_std(socket.into()))
            .map_err(failed("UDP"))?;
        let tcp = open(address, Type::STREAM, Protocol::TCP)
            .and_then(|socket| {
                socket.listen(128)?;
                TcpListener::from_std(socket.into())
            })
            .map_err(failed("TCP"))?;
        Ok(Self {
            udp,
            tcp,
            feed: client.feed(&[
                Resource::NAMESPACES,
                Resource::SERVICES,
                Resource::ENDPOINTSLICES,
            ]),
            shared: Arc::new(Shared {
                zone: RwLock::new(Zone::new(&config.domain, config.address, config.reverse)),
                origin: config.domain.to_ascii_lowercase(),
                resolvers: Resolvers::new(&config.resolv_conf, config.address),
                elsewhere: Arc::new(Semaphore::new(MAX_ELSEWHERE)),
            }),
        })
    }

    /// Answers until `shutdown`; the first answer waits for the first whole state.
    ///
    /// # Errors
    /// The feed of objects failed.
    pub async fn run(mut self, shutdown: impl Future<Output = ()>) -> Result<(), Status> {
        self.shared.take_in(self.feed.next_batch().await?);
        let udp = Arc::new(self.udp);
        tokio::select! {
            () = shutdown => Ok(()),
            result = follow(self.feed, &self.shared) => result,
            () = serve_udp(udp, &self.shared) => Ok(()),
            () = serve_tcp(self.tcp, &self.shared) => Ok(()),
        }
    }
}

/// A socket on an address that need not be there yet: addresses come and go, the server stays.
fn open(address: SocketAddr, kind: Type, protocol: Protocol) -> std::io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), kind, Some(protocol))?;
    socket.set_nonblocking(true)?;
    if kind == Type::STREAM {
        socket.set_reuse_address(true)?;
    }
    match address {
        SocketAddr::V4(_) => socket.set_freebind_v4(true)?,
        SocketAddr::V6(_) => socket.set_freebind_v6(true)?,
    }
    socket.bind(&address.into())?;
    Ok(socket)
}

async fn follow(mut feed: Box<dyn Feed>, shared: &Shared) -> Result<(), Status> {
    loop {
        let batch = feed.next_batch().await?;
        shared.take_in(batch);
    }
}

async fn serve_udp(socket: Arc<UdpSocket>, shared: &Arc<Shared>) {
    let mut waiting = JoinSet::new();
    let mut buffer = vec![0; 4096];
    loop {
        while waiting.try_join_next().is_some() {}
        // An error here is the ICMP message of a client that went away: nothing to do about it.
        let Ok((n, peer)) = socket.recv_from(&mut buffer).await else {
            continue;
        };
        match shared.answer_now(&buffer[..n], Transport::Udp) {
            Now::Reply(answer) => {
                let _ = socket.send_to(&answer, peer).await;
            }
            Now::Nothing => {}
            Now::Later(later) => {
                let (shared, socket) = (shared.clone(), socket.clone());
                waiting.spawn(async move {
                    let answer = shared.answer_later(later, Transport::Udp).await;
                    let _ = socket.send_to(&answer, peer).await;
                });
            }
        }
    }
}

async fn serve_tcp(listener: TcpListener, shared: &Arc<Shared>) {
    let connections = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut open = JoinSet::new();
    loop {
        while open.try_join_next().is_some() {}
        let Ok(place) = connections.clone().acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                let shared = shared.clone();
                open.spawn(async move {
                    // A client that goes away or breaks off is its own business.
                    let _ = converse(stream, &shared).await;
                    drop(place);
                });
            }
            // No descriptor left: the process must give one up first, and no event tells when.
            Err(error) => {
                tracing::warn!(%error, "cannot accept a DNS connection");
                drop(place);
                tokio::time::sleep(BACK_OFF).await;
            }
        }
    }
}

async fn converse(mut stream: TcpStream, shared: &Arc<Shared>) -> std::io::Result<()> {
    loop {
        let length = tokio::time::timeout(MAX_SILENCE, stream.read_u16()).await??;
        let mut question = vec![0; length.into()];
        tokio::time::timeout(MAX_SILENCE, stream.read_exact(&mut question)).await??;
        let answer = match shared.answer_now(&question, Transport::Tcp) {
            Now::Reply(answer) => answer,
            Now::Nothing => return Ok(()),
            Now::Later(later) => shared.answer_later(later, Transport::Tcp).await,
        };
        let length = u16::try_from(answer.len()).map_err(|_| std::io::ErrorKind::InvalidData)?;
        stream
            .write_all(&[&length.to_be_bytes(), answer.as_slice()].concat())
            .await?;
    }
}

/// What becomes of a question at once.
enum Now {
    Reply(Vec<u8>),
    Nothing,
    Later(Later),
}

/// A question that another resolver must help with.
struct Later {
    query: Query,
    alias: Option<(Vec<crate::zone::Record>, String)>,
    _place: tokio::sync::OwnedSemaphorePermit,
}

impl Shared {
    fn take_in(&self, batch: Vec<kedge_client::Change>) {
        let mut zone = self
            .zone
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        batch.into_iter().for_each(|change| zone.apply(change));
    }

    fn answer_now(&self, bytes: &[u8], transport: Transport) -> Now {
        let query = match Query::parse(bytes, transport) {
            Ok(query) => query,
            Err(Unanswerable::Reply(answer)) => return Now::Reply(answer),
            Err(Unanswerable::Drop) => return Now::Nothing,
        };
        let reply = query.answer(
            &self
                .zone
                .read()
                .unwrap_or_else(std::sync::PoisonError::into_inner),
        );
        match reply {
            Reply::Message(answer) => Now::Reply(answer),
            Reply::Elsewhere { alias } => match self.elsewhere.clone().try_acquire_owned() {
                Ok(place) => Now::Later(Later {
                    query,
                    alias,
                    _place: place,
                }),
                Err(_) => Now::Reply(query.failure()),
            },
        }
    }

    async fn answer_later(&self, later: Later, transport: Transport) -> Vec<u8> {
        let Later {
            query,
            alias,
            _place,
        } = later;
        match alias {
            None => match self.resolvers.ask(query.as_bytes(), transport).await {
                Some(answer) => query.relay(answer),
                None => query.failure(),
            },
            Some((alias, target)) => {
                let resolved = match query.for_target(&target) {
                    Some(question) => self.resolvers.ask(&question, transport).await,
                    None => None,
                };
                query.answer_alias(&self.origin, &alias, resolved.as_deref())
            }
        }
    }
}
