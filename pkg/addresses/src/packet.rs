//! Raw frames onto a link: `AF_PACKET`, for sending alone.

use std::io;
use std::mem::size_of;

use socket2::{Domain, SockAddr, Socket, Type};

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
        self.0.send_to(frame, &link_address(link)?).map(|_| ())
    }
}

/// `packet(7)`: to send a frame of a raw socket, the kernel looks at the family and the index alone.
fn link_address(link: u32) -> io::Result<SockAddr> {
    let index = i32::try_from(link).map_err(|_| io::ErrorKind::InvalidInput)?;
    // SAFETY: the storage that `try_init` gives is zeroed, aligned for every socket address and larger than a
    // `sockaddr_ll`, of which zeros are a valid value; the length that we set is that type's.
    let (_, address) = unsafe {
        SockAddr::try_init(|storage, length| {
            let address = storage.cast::<libc::sockaddr_ll>();
            (*address).sll_family = libc::AF_PACKET as u16;
            (*address).sll_ifindex = index;
            *length = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
            Ok(())
        })?
    };
    Ok(address)
}
