//! Raw frames onto links and from them: `AF_PACKET`.

use std::io;
use std::mem::{MaybeUninit, size_of};
use std::net::Ipv6Addr;

use socket2::{Domain, SockAddr, SockFilter, Socket, Type};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// `ETH_P_ARP` of the kernel's `if_ether.h`.
const ARP: u16 = 0x0806;

/// A socket that sends whole Ethernet frames. It receives nothing: its protocol is 0.
pub(crate) struct PacketSocket(Socket);

impl PacketSocket {
    /// Needs `CAP_NET_RAW`.
    pub(crate) fn open() -> io::Result<Self> {
        let socket = Socket::new(Domain::PACKET, Type::RAW, None)?;
        socket.set_nonblocking(true)?;
        Ok(Self(socket))
    }

    /// Sends one frame, Ethernet header included, on the link with this index.
    pub(crate) fn send(&self, link: u32, frame: &[u8]) -> io::Result<()> {
        self.0.send_to(frame, &link_address(link, 0)?).map(|_| ())
    }

    /// A socket that receives the ARP frames of one link that a filter lets through, none that this machine sends.
    pub(crate) fn listen_for_arp(link: u32, filter: &[SockFilter]) -> io::Result<Socket> {
        let Self(socket) = Self::open()?;
        socket.attach_filter(filter)?;
        socket.bind(&link_address(link, ARP)?)?;
        Ok(socket)
    }
}

/// The socket, for this runtime to tell when there is something to receive.
pub(crate) fn follow(socket: Socket) -> io::Result<AsyncFd<Socket>> {
    // SAFETY: a socket owns its descriptor: it is open until the socket is dropped, and never another.
    let followed = unsafe { AsyncFd::register_with_interest(socket, Interest::READABLE) };
    followed.map_err(io::Error::from)
}

/// Receives a message: its length, cut to the buffer's, and its sender where that is IPv6.
pub(crate) fn receive(socket: &Socket, buffer: &mut [u8]) -> io::Result<(usize, Ipv6Addr)> {
    // SAFETY: bytes that are initialized are valid as ones that may not be, and the kernel writes no others into them.
    let uninit = unsafe { &mut *(std::ptr::from_mut(buffer) as *mut [MaybeUninit<u8>]) };
    let (length, sender) = socket.recv_from(uninit)?;
    let source = sender.as_socket_ipv6().map(|sender| *sender.ip());
    Ok((length, source.unwrap_or(Ipv6Addr::UNSPECIFIED)))
}

/// `packet(7)`: to send a frame of a raw socket, the kernel looks at the family and the index alone; to bind one, at the protocol
/// too.
fn link_address(link: u32, protocol: u16) -> io::Result<SockAddr> {
    let index = i32::try_from(link).map_err(|_| io::ErrorKind::InvalidInput)?;
    // SAFETY: the storage that `try_init` gives is zeroed, aligned for every socket address and larger than a
    // `sockaddr_ll`, of which zeros are a valid value; the length that we set is that type's.
    let (_, address) = unsafe {
        SockAddr::try_init(|storage, length| {
            let address = storage.cast::<libc::sockaddr_ll>();
            (*address).sll_family = libc::AF_PACKET as u16;
            (*address).sll_ifindex = index;
            (*address).sll_protocol = protocol.to_be();
            *length = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
            Ok(())
        })?
    };
    Ok(address)
}
