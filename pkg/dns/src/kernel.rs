//! What the kernel offers and no library wraps safely: many datagrams in one system call.
#![allow(unsafe_code)]

use std::io;
use std::mem;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::ptr;

use tokio::io::unix::AsyncFd;

/// A descriptor whose news the runtime waits for.
///
/// # Errors
/// The kernel does not tell of this kind of descriptor.
pub fn watched(descriptor: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an `OwnedFd` is one open descriptor, the same for as long as it lives, and the `AsyncFd` owns it: it
    // takes it off the runtime before it closes it.
    let watched = unsafe { AsyncFd::register(descriptor) };
    Ok(watched?)
}

/// Datagrams that came, with who sent them.
#[derive(Debug)]
pub struct Received {
    octets: Box<[u8]>,
    each: usize,
    lengths: Vec<usize>,
    peers: Vec<SocketAddr>,
}

impl Received {
    /// Room for `count` datagrams of at most `each` octets.
    pub fn new(count: usize, each: usize) -> Self {
        Self {
            octets: vec![0; count * each].into(),
            each,
            lengths: Vec::with_capacity(count),
            peers: Vec::with_capacity(count),
        }
    }

    /// Waits for one, and takes what is there then.
    ///
    /// # Errors
    /// The kernel's; `UnexpectedEof` when the socket was shut down.
    pub fn take(&mut self, socket: BorrowedFd<'_>) -> io::Result<()> {
        self.lengths.clear();
        self.peers.clear();
        let mut names = [EMPTY_NAME; MOST];
        let mut parts = [EMPTY_PART; MOST];
        let mut headers = [EMPTY_HEADER; MOST];
        let count = (self.octets.len() / self.each).min(MOST);
        for (at, place) in self
            .octets
            .chunks_exact_mut(self.each)
            .take(count)
            .enumerate()
        {
            parts[at] = libc::iovec {
                iov_base: place.as_mut_ptr().cast(),
                iov_len: place.len(),
            };
            let header = &mut headers[at].msg_hdr;
            header.msg_name = (&raw mut names[at]).cast();
            header.msg_namelen = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
            header.msg_iov = &raw mut parts[at];
            header.msg_iovlen = 1;
        }
        // SAFETY: each header points to one part and one name in arrays that live until the end of this function, each
        // part to octets that are borrowed for as long; `count` headers are filled in.
        let got = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                headers.as_mut_ptr(),
                count as libc::c_uint,
                libc::MSG_WAITFORONE as _,
                ptr::null_mut(),
            )
        };
        let got = usize::try_from(got).map_err(|_| io::Error::last_os_error())?;
        for at in 0..got {
            // From nobody comes only the end.
            if headers[at].msg_hdr.msg_namelen == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.lengths.push(headers[at].msg_len as usize);
            self.peers.push(address(&names[at]));
        }
        Ok(())
    }

    pub fn iter(&self) -> impl Iterator<Item = (&[u8], SocketAddr)> {
        let datagrams = self.octets.chunks_exact(self.each).zip(&self.lengths);
        datagrams
            .map(|(place, length)| &place[..(*length).min(place.len())])
            .zip(self.peers.iter().copied())
    }
}

/// Datagrams to send: kept one behind the other.
#[derive(Debug, Default)]
pub struct Outgoing {
    octets: Vec<u8>,
    ends: Vec<usize>,
    peers: Vec<SocketAddr>,
}

impl Outgoing {
    pub fn push(&mut self, datagram: &[u8], peer: SocketAddr) {
        self.octets.extend_from_slice(datagram);
        self.ends.push(self.octets.len());
        self.peers.push(peer);
    }

    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let begins = [0].into_iter().chain(self.ends.iter().copied());
        begins
            .zip(&self.ends)
            .map(|(begin, end)| &self.octets[begin..*end])
    }

    /// Sends all of it without waiting, and forgets it: what a socket has no room for is lost, as datagrams may be.
    pub fn send(&mut self, socket: BorrowedFd<'_>) {
        let mut names = [EMPTY_NAME; MOST];
        let mut parts = [EMPTY_PART; MOST];
        let mut headers = [EMPTY_HEADER; MOST];
        let count = self.ends.len().min(MOST);
        let mut begin = 0;
        for at in 0..count {
            let datagram = &mut self.octets[begin..self.ends[at]];
            begin = self.ends[at];
            parts[at] = libc::iovec {
                iov_base: datagram.as_mut_ptr().cast(),
                iov_len: datagram.len(),
            };
            let header = &mut headers[at].msg_hdr;
            header.msg_namelen = set_address(&mut names[at], self.peers[at]);
            header.msg_name = (&raw mut names[at]).cast();
            header.msg_iov = &raw mut parts[at];
            header.msg_iovlen = 1;
        }
        let mut sent = 0;
        while sent < count {
            // SAFETY: as above; the kernel reads `count - sent` headers from the one at `sent` on, which are filled in.
            let more = unsafe {
                libc::sendmmsg(
                    socket.as_raw_fd(),
                    headers[sent..].as_mut_ptr(),
                    (count - sent) as libc::c_uint,
                    libc::MSG_DONTWAIT as _,
                )
            };
            // One that cannot be sent (its client went away) holds up none of those behind it.
            sent += usize::try_from(more).unwrap_or(0).max(1);
        }
        self.octets.clear();
        self.ends.clear();
        self.peers.clear();
    }
}

/// Datagrams in one call.
pub const MOST: usize = 16;

// SAFETY: all three are plain data of the C library, for which all zeros is a value.
const EMPTY_NAME: libc::sockaddr_storage = unsafe { mem::zeroed() };
const EMPTY_PART: libc::iovec = unsafe { mem::zeroed() };
const EMPTY_HEADER: libc::mmsghdr = unsafe { mem::zeroed() };

fn address(name: &libc::sockaddr_storage) -> SocketAddr {
    if i32::from(name.ss_family) == libc::AF_INET6 {
        // SAFETY: the family says that the storage, which has room for every kind of address, holds this kind.
        let v6 = unsafe { &*ptr::from_ref(name).cast::<libc::sockaddr_in6>() };
        let ip = Ipv6Addr::from(v6.sin6_addr.s6_addr);
        let port = u16::from_be(v6.sin6_port);
        return SocketAddrV6::new(ip, port, v6.sin6_flowinfo, v6.sin6_scope_id).into();
    }
    // SAFETY: as above; the socket has no third family.
    let v4 = unsafe { &*ptr::from_ref(name).cast::<libc::sockaddr_in>() };
    let ip = Ipv4Addr::from(u32::from_be(v4.sin_addr.s_addr));
    SocketAddrV4::new(ip, u16::from_be(v4.sin_port)).into()
}

/// Writes an address, and gives its length.
fn set_address(name: &mut libc::sockaddr_storage, address: SocketAddr) -> libc::socklen_t {
    match address.ip() {
        IpAddr::V4(ip) => {
            // SAFETY: the storage has room and alignment for every kind of address, and is all zeros.
            let v4 = unsafe { &mut *ptr::from_mut(name).cast::<libc::sockaddr_in>() };
            v4.sin_family = libc::AF_INET as libc::sa_family_t;
            v4.sin_port = address.port().to_be();
            v4.sin_addr.s_addr = u32::from(ip).to_be();
            size_of::<libc::sockaddr_in>() as libc::socklen_t
        }
        IpAddr::V6(ip) => {
            // SAFETY: as above.
            let v6 = unsafe { &mut *ptr::from_mut(name).cast::<libc::sockaddr_in6>() };
            v6.sin6_family = libc::AF_INET6 as libc::sa_family_t;
            v6.sin6_port = address.port().to_be();
            v6.sin6_addr.s6_addr = ip.octets();
            if let SocketAddr::V6(scoped) = address {
                v6.sin6_scope_id = scoped.scope_id();
            }
            size_of::<libc::sockaddr_in6>() as libc::socklen_t
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Shutdown, UdpSocket};
    use std::os::fd::AsFd;

    use socket2::SockRef;

    use super::*;

    #[test]
    fn datagrams_come_and_go_by_the_dozen() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let here = UdpSocket::bind(address).unwrap();
            let peers: Vec<UdpSocket> = (0..5).map(|_| UdpSocket::bind(address).unwrap()).collect();
            for (i, peer) in peers.iter().enumerate() {
                let text = "x".repeat(i);
                peer.send_to(text.as_bytes(), here.local_addr().unwrap())
                    .unwrap();
            }
            let mut received = Received::new(8, 3);
            received.take(here.as_fd()).unwrap();
            let mut outgoing = Outgoing::default();
            for (at, (datagram, peer)) in received.iter().enumerate() {
                // What is longer than the room for it is cut.
                assert_eq!(datagram.len(), at.min(3));
                assert_eq!(peer, peers[at].local_addr().unwrap());
                outgoing.push(&[datagram, b"!"].concat(), peer);
            }
            outgoing.send(here.as_fd());
            for (i, peer) in peers.iter().enumerate() {
                let mut buffer = [0; 16];
                assert_eq!(peer.recv(&mut buffer).unwrap(), i.min(3) + 1);
            }
            let end = std::thread::scope(|scope| {
                let waits = scope.spawn(|| received.take(here.as_fd()).unwrap_err());
                let _ = SockRef::from(&here).shutdown(Shutdown::Read);
                waits.join().unwrap()
            });
            assert_eq!(end.kind(), io::ErrorKind::UnexpectedEof);
        }
    }
}
