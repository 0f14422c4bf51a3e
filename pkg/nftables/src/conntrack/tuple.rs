//! One direction of a connection.

use std::fmt;
use std::net::IpAddr;

use crate::error::Error;
use crate::uapi::nf_conntrack as ct;
use crate::wire::{Attribute, Writer};

/// Addresses, protocol and ports of one direction of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tuple {
    /// Where packets of this direction come from.
    pub source: IpAddr,
    /// Where they go.
    pub destination: IpAddr,
    /// Transport protocol (`IPPROTO_*`).
    pub protocol: u8,
    /// What the protocol tells connections apart by.
    pub ports: Ports,
}

/// What a transport protocol tells connections apart by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ports {
    /// Nothing.
    None,
    /// Ports: TCP, UDP, SCTP, DCCP.
    Ports {
        /// Of the source.
        source: u16,
        /// Of the destination.
        destination: u16,
    },
    /// ICMP or ICMPv6, by the tuple's protocol.
    Icmp(Icmp),
}

/// An ICMP query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Icmp {
    /// Identifier.
    pub id: u16,
    /// Type.
    pub kind: u8,
    /// Code.
    pub code: u8,
}

impl Tuple {
    /// Source port, if the protocol has ports.
    #[must_use]
    pub fn source_port(&self) -> Option<u16> {
        match self.ports {
            Ports::Ports { source, .. } => Some(source),
            _ => None,
        }
    }

    /// Destination port, if the protocol has ports.
    #[must_use]
    pub fn destination_port(&self) -> Option<u16> {
        match self.ports {
            Ports::Ports { destination, .. } => Some(destination),
            _ => None,
        }
    }

    /// Writes the tuple as attribute `kind`.
    pub(super) fn encode(&self, kind: u16, w: &mut Writer) {
        w.nested(kind, |w| {
            w.nested(ct::CTA_TUPLE_IP, |w| {
                for (address, v4, v6) in [
                    (self.source, ct::CTA_IP_V4_SRC, ct::CTA_IP_V6_SRC),
                    (self.destination, ct::CTA_IP_V4_DST, ct::CTA_IP_V6_DST),
                ] {
                    match address {
                        IpAddr::V4(address) => w.bytes(v4, &address.octets()),
                        IpAddr::V6(address) => w.bytes(v6, &address.octets()),
                    }
                }
            });
            w.nested(ct::CTA_TUPLE_PROTO, |w| {
                w.u8(ct::CTA_PROTO_NUM, self.protocol);
                match self.ports {
                    Ports::None => {}
                    Ports::Ports {
                        source,
                        destination,
                    } => {
                        w.be16(ct::CTA_PROTO_SRC_PORT, source);
                        w.be16(ct::CTA_PROTO_DST_PORT, destination);
                    }
                    Ports::Icmp(icmp) => self.encode_icmp(icmp, w),
                }
            });
        });
    }

    fn encode_icmp(&self, icmp: Icmp, w: &mut Writer) {
        let v4 = i32::from(self.protocol) == libc::IPPROTO_ICMP;
        let choose = |a, b| if v4 { a } else { b };
        w.be16(
            choose(ct::CTA_PROTO_ICMP_ID, ct::CTA_PROTO_ICMPV6_ID),
            icmp.id,
        );
        w.u8(
            choose(ct::CTA_PROTO_ICMP_TYPE, ct::CTA_PROTO_ICMPV6_TYPE),
            icmp.kind,
        );
        w.u8(
            choose(ct::CTA_PROTO_ICMP_CODE, ct::CTA_PROTO_ICMPV6_CODE),
            icmp.code,
        );
    }

    pub(super) fn decode(tuple: Attribute<'_>) -> Result<Self, Error> {
        let (mut addresses, mut protocol) = ((None, None), None);
        for part in tuple.nested() {
            let part = part?;
            match part.kind {
                ct::CTA_TUPLE_IP => addresses = decode_addresses(part)?,
                ct::CTA_TUPLE_PROTO => protocol = Some(decode_protocol(part)?),
                _ => {}
            }
        }
        let (protocol, ports) = protocol.ok_or(Error::Missing("CTA_TUPLE_PROTO"))?;
        Ok(Self {
            source: addresses
                .0
                .ok_or(Error::Missing("CTA_IP_V4_SRC and CTA_IP_V6_SRC"))?,
            destination: addresses
                .1
                .ok_or(Error::Missing("CTA_IP_V4_DST and CTA_IP_V6_DST"))?,
            protocol,
            ports,
        })
    }
}

fn decode_addresses(part: Attribute<'_>) -> Result<(Option<IpAddr>, Option<IpAddr>), Error> {
    let (mut source, mut destination) = (None, None);
    for attribute in part.nested() {
        let attribute = attribute?;
        match attribute.kind {
            ct::CTA_IP_V4_SRC | ct::CTA_IP_V6_SRC => source = Some(attribute.address()?),
            ct::CTA_IP_V4_DST | ct::CTA_IP_V6_DST => destination = Some(attribute.address()?),
            _ => {}
        }
    }
    Ok((source, destination))
}

fn decode_protocol(part: Attribute<'_>) -> Result<(u8, Ports), Error> {
    let mut protocol = None;
    let (mut source, mut destination) = (None, None);
    let mut icmp: Option<Icmp> = None;
    for attribute in part.nested() {
        let attribute = attribute?;
        match attribute.kind {
            ct::CTA_PROTO_NUM => protocol = Some(attribute.u8()?),
            ct::CTA_PROTO_SRC_PORT => source = Some(attribute.be16()?),
            ct::CTA_PROTO_DST_PORT => destination = Some(attribute.be16()?),
            ct::CTA_PROTO_ICMP_ID | ct::CTA_PROTO_ICMPV6_ID => {
                icmp.get_or_insert_default().id = attribute.be16()?;
            }
            ct::CTA_PROTO_ICMP_TYPE | ct::CTA_PROTO_ICMPV6_TYPE => {
                icmp.get_or_insert_default().kind = attribute.u8()?;
            }
            ct::CTA_PROTO_ICMP_CODE | ct::CTA_PROTO_ICMPV6_CODE => {
                icmp.get_or_insert_default().code = attribute.u8()?;
            }
            _ => {}
        }
    }
    let ports = match (source, destination, icmp) {
        (Some(source), Some(destination), _) => Ports::Ports {
            source,
            destination,
        },
        (_, _, Some(icmp)) => Ports::Icmp(icmp),
        _ => Ports::None,
    };
    Ok((protocol.ok_or(Error::Missing("CTA_PROTO_NUM"))?, ports))
}

/// `17 10.0.0.1:4711 -> 10.43.0.10:53`
impl fmt::Display for Tuple {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use std::net::SocketAddr;
        write!(f, "{} ", self.protocol)?;
        match self.ports {
            Ports::Ports {
                source,
                destination,
            } => {
                let (a, b) = (
                    SocketAddr::new(self.source, source),
                    SocketAddr::new(self.destination, destination),
                );
                write!(f, "{a} -> {b}")
            }
            _ => write!(f, "{} -> {}", self.source, self.destination),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::Attributes;

    fn round_trip(tuple: &Tuple) -> Tuple {
        let mut w = Writer::default();
        tuple.encode(ct::CTA_TUPLE_ORIG, &mut w);
        Tuple::decode(Attributes::new(w.as_bytes()).next().unwrap().unwrap()).unwrap()
    }

    proptest! {
        #[test]
        fn a_tuple_comes_back(
            source: [u8; 16], destination: [u8; 16], v6: bool, icmp: bool, a: u16, b: u16) {
            let address = |octets: [u8; 16]| if v6 {
                IpAddr::from(octets)
            } else {
                IpAddr::from([octets[0], octets[1], octets[2], octets[3]])
            };
            let tuple = Tuple {
                source: address(source),
                destination: address(destination),
                protocol: match (icmp, v6) { (false, _) => 17, (true, false) => 1, (true, true) => 58 },
                ports: if icmp {
                    Ports::Icmp(Icmp { id: a, kind: 8, code: 0 })
                } else {
                    Ports::Ports { source: a, destination: b }
                },
            };
            prop_assert_eq!(round_trip(&tuple), tuple);
        }
    }

    #[test]
    fn it_prints_as_a_flow() {
        let tuple = Tuple {
            source: "10.0.0.1".parse().unwrap(),
            destination: "10.43.0.10".parse().unwrap(),
            protocol: 17,
            ports: Ports::Ports {
                source: 4711,
                destination: 53,
            },
        };
        assert_eq!(tuple.to_string(), "17 10.0.0.1:4711 -> 10.43.0.10:53");
        assert_eq!(tuple.source_port(), Some(4711));
        assert_eq!(tuple.destination_port(), Some(53));
    }
}
