//! SCTP as far as a Service concerns it: an INIT and its answer (RFC 9260, 3.3.2 and 3.3.3), on raw sockets,
//! since many kernels translate SCTP and do not speak it.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU16, Ordering};

use rustix::io::Errno;
use rustix::net::sockopt::Timeout;
use rustix::net::{self, AddressFamily, RecvFlags, SendFlags, SocketType, ipproto};

use super::host::Host;
use super::talk::{Answer, PATIENCE, failure, parse};

/// Where servers listen.
const PORT: u16 = 8080;
const INIT: u8 = 1;
const INIT_ACK: u8 = 2;
/// The parameter of an INIT ACK that is the server's to fill.
const STATE_COOKIE: u16 = 7;

/// The parts of a packet with one chunk of type INIT or INIT ACK that matter here.
struct Packet {
    source: u16,
    destination: u16,
    verification_tag: u32,
    chunk: u8,
    initiate_tag: u32,
    cookie: Vec<u8>,
}

impl Packet {
    fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend(self.source.to_be_bytes());
        bytes.extend(self.destination.to_be_bytes());
        bytes.extend(self.verification_tag.to_be_bytes());
        bytes.extend([0; 4]);
        let cookie = if self.cookie.is_empty() {
            Vec::new()
        } else {
            let mut parameter = STATE_COOKIE.to_be_bytes().to_vec();
            parameter.extend((self.cookie.len() as u16 + 4).to_be_bytes());
            parameter.extend(&self.cookie);
            parameter
        };
        bytes.extend([self.chunk, 0]);
        bytes.extend((20 + cookie.len() as u16).to_be_bytes());
        bytes.extend(self.initiate_tag.to_be_bytes());
        // Window, streams out and in, first sequence number.
        bytes.extend([0, 0, 0x10, 0, 0, 1, 0, 1, 0, 0, 0, 1]);
        bytes.extend(cookie);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        let checksum = crc32c(&bytes);
        bytes[8..12].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// None for what is no INIT or INIT ACK, or has a wrong checksum.
    fn decode(bytes: &[u8]) -> Option<Self> {
        let half = |at: usize| Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?));
        let word = |at: usize| Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
        let mut zeroed = bytes.to_vec();
        zeroed.get_mut(8..12)?.fill(0);
        let chunk = *bytes.get(12)?;
        let right = bytes[8..12] == crc32c(&zeroed).to_le_bytes();
        (right && [INIT, INIT_ACK].contains(&chunk)).then_some(())?;
        Some(Self {
            source: half(0)?,
            destination: half(2)?,
            verification_tag: word(4)?,
            chunk,
            initiate_tag: word(16)?,
            cookie: match half(14)? {
                0..=24 => Vec::new(),
                length => bytes.get(36..12 + usize::from(length))?.to_vec(),
            },
        })
    }
}

/// CRC-32C, reflected, as RFC 9260, appendix A.
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0x82f6_3b78 & (crc & 1).wrapping_neg())
        })
    })
}

fn socket(ip: IpAddr) -> OwnedFd {
    let family = if ip.is_ipv4() {
        AddressFamily::INET
    } else {
        AddressFamily::INET6
    };
    net::socket(family, SocketType::RAW, Some(ipproto::SCTP)).unwrap()
}

/// The next packet, and who sent it; others are passed over.
fn receive(socket: &OwnedFd, ip: IpAddr) -> Result<(Packet, IpAddr), Errno> {
    let mut buffer = [0; 2048];
    loop {
        let (length, _, from) = net::recvfrom(socket, &mut buffer[..], RecvFlags::empty())?;
        // Raw sockets give the IP header too, of IPv4 alone.
        let header = match ip {
            IpAddr::V4(_) => usize::from(buffer[0] & 15) * 4,
            IpAddr::V6(_) => 0,
        };
        let from = from.and_then(|from| SocketAddr::try_from(from).ok());
        if let (Some(packet), Some(from)) = (Packet::decode(&buffer[header..length]), from) {
            return Ok((packet, from.ip()));
        }
    }
}

/// Answers each INIT to port 8080 of this address with the host's name and the source that it saw, as long as
/// the process lives.
pub fn serve(host: &Host, name: &str, ip: &str) {
    let ip: IpAddr = ip.parse().unwrap();
    let socket = host.run(|| socket(ip));
    net::bind(&socket, &SocketAddr::new(ip, 0)).unwrap();
    let name = name.to_owned();
    std::thread::spawn(move || {
        while let Ok((init, from)) = receive(&socket, ip) {
            if (init.chunk, init.destination) == (INIT, PORT) {
                let answer = Packet {
                    source: PORT,
                    destination: init.source,
                    verification_tag: init.initiate_tag,
                    chunk: INIT_ACK,
                    initiate_tag: 7,
                    cookie: format!("{name} {from}").into_bytes(),
                };
                let to = SocketAddr::new(from, 0);
                let _ = net::sendto(&socket, &answer.encode(), SendFlags::empty(), &to);
            }
        }
    });
}

/// Asks with an INIT from a host.
pub fn sctp(from: &Host, to: &str) -> Answer {
    static NEXT_PORT: AtomicU16 = AtomicU16::new(20_000);
    let to: SocketAddr = to.parse().unwrap();
    let source = NEXT_PORT.fetch_add(1, Ordering::Relaxed);
    let init = Packet {
        source,
        destination: to.port(),
        verification_tag: 0,
        chunk: INIT,
        initiate_tag: u32::from(source),
        cookie: Vec::new(),
    };
    let socket = from.run(|| socket(to.ip()));
    net::sockopt::set_socket_timeout(&socket, Timeout::Recv, Some(PATIENCE)).unwrap();
    // Connected, so that an ICMP error is told.
    let asked = net::connect(&socket, &SocketAddr::new(to.ip(), 0))
        .and_then(|()| net::send(&socket, &init.encode(), SendFlags::empty()));
    if let Err(error) = asked {
        return failure(error.kind());
    }
    loop {
        match receive(&socket, to.ip()) {
            Ok((answer, _))
                if (answer.source, answer.destination, answer.verification_tag)
                    == (to.port(), source, init.initiate_tag) =>
            {
                return parse(std::str::from_utf8(&answer.cookie).unwrap());
            }
            Ok(_) => {}
            Err(error) => return failure(error.kind()),
        }
    }
}
