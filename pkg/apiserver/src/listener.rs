//! Listening sockets.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::{TcpListener, TcpStream};

/// Why a server cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    #[error(
        "{address} is in use by another program: stop it (`ss -ltnp` shows which it is), or choose another with --listen"
    )]
    InUse { address: SocketAddr },
    #[error(
        "{address} is no address of this machine: choose one of its own, or 0.0.0.0, with --listen"
    )]
    NoSuchAddress { address: SocketAddr },
    #[error(
        "no permission to listen on {address}: run as root or with CAP_NET_BIND_SERVICE, or choose a port above 1023 with --listen"
    )]
    Permission { address: SocketAddr },
    #[error("cannot listen on {address}: {source}")]
    Io {
        address: SocketAddr,
        source: std::io::Error,
    },
    #[error("no address to listen on: give one with --listen")]
    None,
    /// The authorities for client certificates, or the TLS settings, are not usable.
    #[error("cannot set up TLS: {0}")]
    Tls(String),
}

impl BindError {
    fn new(address: SocketAddr, source: std::io::Error) -> Self {
        match source.kind() {
            ErrorKind::AddrInUse => Self::InUse { address },
            ErrorKind::AddrNotAvailable => Self::NoSuchAddress { address },
            ErrorKind::PermissionDenied => Self::Permission { address },
            _ => Self::Io { address, source },
        }
    }
}

/// A listening socket on `address`; within a tokio runtime. An IPv6 socket never takes IPv4 connections, so that
/// `0.0.0.0` and `[::]` can stand side by side.
pub(crate) fn listen(address: SocketAddr) -> Result<TcpListener, BindError> {
    let open = || {
        let socket = Socket::new(
            Domain::for_address(address),
            Type::STREAM,
            Some(Protocol::TCP),
        )?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        // A restart must not wait for the last process's connections to leave TIME_WAIT.
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(1024)?;
        TcpListener::from_std(socket.into())
    };
    open().map_err(|source| BindError::new(address, source))
}

/// Sets a fresh connection up: no delay, and the kernel finds out when the other side is gone, whether
/// nothing is sent (keepalive) or what was sent is never taken (user timeout).
pub(crate) fn tune(stream: &TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    let keepalive = TcpKeepalive::new()
        .with_time(Duration::from_secs(60))
        .with_interval(Duration::from_secs(15));
    socket.set_tcp_keepalive(&keepalive.with_retries(4))?;
    socket.set_tcp_user_timeout(Some(Duration::from_secs(60)))
}
