//! TCP segments that no kernel would send, and who sees what arrives.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;

use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{self, AddressFamily, RecvFlags, SendFlags, SocketType, ipproto};

use super::host::Host;
use super::talk::PATIENCE;

const ACK: u8 = 0x10;
const TCP: u8 = 6;
const HEADER: usize = 20;

fn socket(host: &Host, ip: IpAddr) -> OwnedFd {
    let family = if ip.is_ipv4() {
        AddressFamily::INET
    } else {
        AddressFamily::INET6
    };
    let socket = host.run(|| net::socket(family, SocketType::RAW, Some(ipproto::TCP)).unwrap());
    set_socket_timeout(&socket, Timeout::Recv, Some(PATIENCE)).unwrap();
    socket
}

/// Sends acknowledgements, one right after the other, each from a port and with a sequence number.
pub fn send_acks(host: &Host, from: IpAddr, to: SocketAddr, segments: &[(u16, u32)]) {
    let socket = socket(host, from);
    net::bind(&socket, &SocketAddr::new(from, 0)).unwrap();
    for (port, sequence) in segments {
        let bytes = ack(from, *port, to, *sequence);
        let to = SocketAddr::new(to.ip(), 0);
        net::sendto(&socket, &bytes, SendFlags::empty(), &to).unwrap();
    }
}

fn ack(from: IpAddr, port: u16, to: SocketAddr, sequence: u32) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER);
    bytes.extend(port.to_be_bytes());
    bytes.extend(to.port().to_be_bytes());
    bytes.extend(sequence.to_be_bytes());
    bytes.extend(1u32.to_be_bytes());
    // Length in words, flags, window, checksum, urgent pointer.
    bytes.extend([(HEADER as u8 / 4) << 4, ACK, 0x10, 0, 0, 0, 0, 0]);
    let sum = checksum(from, to.ip(), &bytes);
    bytes[16..18].copy_from_slice(&sum.to_be_bytes());
    bytes
}

/// RFC 9293, 3.1: over the addresses, the protocol, the length and the segment.
fn checksum(from: IpAddr, to: IpAddr, segment: &[u8]) -> u16 {
    let octets = |ip: IpAddr| match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    let mut all = [octets(from), octets(to)].concat();
    all.extend([0, TCP]);
    all.extend((segment.len() as u16).to_be_bytes());
    all.extend(segment);
    let words = all
        .chunks_exact(2)
        .map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// Sees every TCP segment that reaches a host.
pub struct Witness(OwnedFd);

impl Witness {
    pub fn new(host: &Host, ip: &str) -> Self {
        Self(socket(host, ip.parse().unwrap()))
    }

    /// The port that the next segment from an address came from; others are passed over.
    pub fn next_from(&self, ip: IpAddr) -> u16 {
        let mut buffer = [0; 2048];
        loop {
            let (_, _, from) = net::recvfrom(&self.0, &mut buffer[..], RecvFlags::empty()).unwrap();
            // Raw sockets give the IP header too, of IPv4 alone.
            let header = if ip.is_ipv4() {
                usize::from(buffer[0] & 15) * 4
            } else {
                0
            };
            if SocketAddr::try_from(from.unwrap()).unwrap().ip() == ip {
                return u16::from_be_bytes([buffer[header], buffer[header + 1]]);
            }
        }
    }
}
