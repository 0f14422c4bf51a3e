//! What the first packet of a connection costs by way of a Service, to one sent to the same address directly.
//!
//! Packets are made here and sent by a raw socket: the send returns after the node has passed them on, so its time is
//! theirs. Turns of both alternate, and each pair gives one ratio.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::{Duration, Instant};

use kedge_tests::lab::{Lab, PODS, PORT};
use kedge_tests::tool::ToolError;
use socket2::{Domain, Protocol, Socket, Type};

use super::cluster::{SINKS, address};
use crate::other;

/// Pairs of turns, and packets of a turn.
const TURNS: usize = 20;
const PACKETS: usize = 100;
/// Source ports that are not others'; each is used once, or a packet would be no connection's first.
const PORTS: std::ops::Range<u32> = 1024..65_536;

/// Connections made so far.
#[derive(Default)]
pub struct Made(u32);

/// Services that clients use at a time, in a cluster of any size.
pub const BUSY: usize = 100;

/// Medians of the ratios.
pub struct Ratios {
    /// Each packet to another Service: what leads to it has to come from the machine's main memory.
    pub each_another: f64,
    /// To [`BUSY`] of the Services, again and again.
    pub busy: f64,
}

/// Of packets to `services` Services.
pub fn ratios(lab: &Lab, services: usize, made: &mut Made) -> Result<Ratios, ToolError> {
    Ok(Ratios {
        each_another: ratio(lab, services, services, made)?,
        busy: ratio(lab, services, BUSY, made)?,
    })
}

/// To `used` of `services` Services in turn.
fn ratio(lab: &Lab, services: usize, used: usize, made: &mut Made) -> Result<f64, ToolError> {
    lab.pods[0].enter(|| {
        let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(libc_raw())))
            .map_err(other)?;
        let source: Ipv4Addr = PODS[0][0].parse().map_err(other)?;
        let mut sender = Sender {
            socket,
            source,
            made,
        };
        let direct = |n: usize| SocketAddrV4::new(SINKS[n % SINKS.len()], PORT);
        // Far apart in memory, as in life.
        let balanced = |n: usize| SocketAddrV4::new(address(n % used * 7919 % services), 80);
        // What both need is warm.
        sender.turn(&direct)?;
        sender.turn(&balanced)?;
        let mut ratios = Vec::with_capacity(TURNS);
        for _ in 0..TURNS {
            let plain = sender.turn(&direct)?;
            let through = sender.turn(&balanced)?;
            ratios.push(through.as_secs_f64() / plain.as_secs_f64());
        }
        ratios.sort_by(f64::total_cmp);
        Ok(ratios[TURNS / 2])
    })?
}

/// `IPPROTO_RAW`: whole IPv4 packets.
const fn libc_raw() -> i32 {
    255
}

struct Sender<'a> {
    socket: Socket,
    source: Ipv4Addr,
    made: &'a mut Made,
}

impl Sender<'_> {
    fn turn(&mut self, to: &dyn Fn(usize) -> SocketAddrV4) -> Result<Duration, ToolError> {
        let packets: Vec<(SocketAddrV4, [u8; 40])> = (0..PACKETS)
            .map(|_| {
                let number = self.made.0;
                self.made.0 += 1;
                let port = PORTS.start + number;
                if !PORTS.contains(&port) {
                    return Err(other("no source port is left"));
                }
                let to = to(number as usize);
                let from = SocketAddrV4::new(self.source, port as u16);
                Ok((to, syn(from, to, number)))
            })
            .collect::<Result<_, ToolError>>()?;
        let start = Instant::now();
        for (to, packet) in &packets {
            let to = SocketAddr::V4(*to);
            self.socket.send_to(packet, &to.into()).map_err(other)?;
        }
        Ok(start.elapsed())
    }
}

/// A SYN (RFC 791, RFC 9293). The kernel sets the IP checksum.
fn syn(from: SocketAddrV4, to: SocketAddrV4, number: u32) -> [u8; 40] {
    let mut packet = [0; 40];
    packet[0] = 0x45;
    packet[2..4].copy_from_slice(&40u16.to_be_bytes());
    packet[8] = 64;
    packet[9] = 6;
    packet[12..16].copy_from_slice(&from.ip().octets());
    packet[16..20].copy_from_slice(&to.ip().octets());
    packet[20..22].copy_from_slice(&from.port().to_be_bytes());
    packet[22..24].copy_from_slice(&to.port().to_be_bytes());
    packet[24..28].copy_from_slice(&number.to_be_bytes());
    packet[32] = 5 << 4;
    packet[33] = 0x02;
    packet[34..36].copy_from_slice(&64_240u16.to_be_bytes());
    let checksum = checksum(&packet);
    packet[36..38].copy_from_slice(&checksum.to_be_bytes());
    packet
}

/// Over the pseudo header and the segment; without it connection tracking takes the packet for damaged.
fn checksum(packet: &[u8; 40]) -> u16 {
    let words = packet[12..]
        .chunks_exact(2)
        .map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])));
    let mut sum: u32 = words.sum::<u32>() + 6 + 20;
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}
