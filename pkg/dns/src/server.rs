//! The sockets: questions in, answers out, over UDP and TCP on the cluster's DNS address.

mod handler;
mod tcp;
mod udp;

use std::future::Future;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::SystemTime;

use ipnet::IpNet;
use kedge_client::{Feed, Resource, SharedClient};
use kedge_machinery::Status;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;

use crate::clients::Clients;
use crate::hosts::{Host, Hosts};
use crate::metrics::Metrics;
use crate::name::WireName;
use crate::upstream::{Options, Resolvers};
use crate::zone::Zone;
use handler::Handler;

const TCP: &str = "TCP";
/// Ports tried where any will do: one that is free for UDP may not be for TCP.
const TRIES: u32 = 16;

/// What the server answers for.
#[derive(Debug, Clone)]
pub struct Config {
    /// An address that this machine owns, or will, and the port; port 0 takes a free one.
    pub address: SocketAddr,
    /// `cluster.local`.
    pub domain: String,
    /// Ranges whose reverse names are never asked of others: Services' and pods'. Those of ServiceCIDRs come to them.
    pub reverse: Vec<IpNet>,
    /// Names beside the cluster's.
    pub hosts: Vec<Host>,
    /// Who may ask.
    pub clients: Clients,
    /// Who is asked for other names.
    pub resolvers: Options,
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
    handler: Arc<Handler>,
    metrics: Metrics,
}

impl Server {
    /// Opens the sockets; must be called within a runtime.
    ///
    /// # Errors
    /// The address or port is taken or not permitted.
    pub fn bind(config: Config, client: &SharedClient) -> Result<Self, BindError> {
        let address = config.address;
        let domain = WireName::parse(&config.domain).unwrap_or(WireName::root());
        let mut tries = if address.port() == 0 { TRIES } else { 1 };
        let (udp, tcp) = loop {
            tries -= 1;
            match sockets(address) {
                Err(error) if tries > 0 && error.protocol == TCP => {}
                opened => break opened?,
            }
        };
        let metrics = Metrics::default();
        Ok(Self {
            metrics: metrics.clone(),
            udp,
            tcp,
            feed: client.feed(&[
                Resource::NAMESPACES,
                Resource::SERVICES,
                Resource::ENDPOINTSLICES,
                Resource::SERVICECIDRS,
            ]),
            handler: Arc::new(Handler::new(
                Zone::new(&domain, address.ip(), config.reverse, serial())
                    .with_hosts(Hosts::new(&config.hosts))
                    .with_open(config.resolvers.upstreams.iter().map(|u| u.domain)),
                config.clients,
                Resolvers::new(config.resolvers, address.ip(), metrics.clone()),
                metrics.clone(),
            )),
        })
    }

    /// Where it answers.
    ///
    /// # Errors
    /// The kernel's.
    pub fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.udp.local_addr()
    }

    /// What it measures.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Answers until `shutdown`; the first answer waits for the first whole state.
    ///
    /// # Errors
    /// The feed of objects failed, or there is no thread to answer.
    pub async fn run(mut self, shutdown: impl Future<Output = ()>) -> Result<(), Status> {
        self.handler.take_in(self.feed.next_batch().await?);
        let mut udp = udp::Answering::begin(self.udp, &self.handler)
            .map_err(|error| Status::internal(format!("cannot start a thread for DNS: {error}")))?;
        tokio::select! {
            () = shutdown => Ok(()),
            result = follow(self.feed, &self.handler) => result,
            () = self.handler.follow_resolvers() => Ok(()),
            () = udp.ended() => Err(Status::internal("the thread that answers over UDP ended")),
            () = tcp::serve(self.tcp, &self.handler) => Ok(()),
        }
    }
}

/// A socket on an address that need not be there yet: addresses come and go, the server stays.
/// The sockets of both protocols, with one port; whichever is free for UDP where it is 0.
fn sockets(mut address: SocketAddr) -> Result<(UdpSocket, TcpListener), BindError> {
    let failed = |protocol, address| {
        move |source| BindError {
            address,
            protocol,
            source,
        }
    };
    let udp: UdpSocket = open(address, Type::DGRAM, Protocol::UDP)
        .map_err(failed("UDP", address))?
        .into();
    address = udp.local_addr().unwrap_or(address);
    let tcp = open(address, Type::STREAM, Protocol::TCP)
        .and_then(|socket| {
            socket.set_nonblocking(true)?;
            socket.listen(128)?;
            TcpListener::from_std(socket.into())
        })
        .map_err(failed(TCP, address))?;
    Ok((udp, tcp))
}

fn open(address: SocketAddr, kind: Type, protocol: Protocol) -> std::io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), kind, Some(protocol))?;
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

async fn follow(mut feed: Box<dyn Feed>, handler: &Handler) -> Result<(), Status> {
    loop {
        let batch = feed.next_batch().await?;
        handler.take_in(batch);
    }
}

/// Seconds since 1970: a start after a start counts on.
fn serial() -> u32 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs() as u32)
}
