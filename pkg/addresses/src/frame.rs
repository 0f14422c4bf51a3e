//! Frames that tell a LAN where an address is now, byte by byte: no more than these two are ever sent.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::host::Mac;

const BROADCAST: [u8; 6] = [0xff; 6];
/// Where ff02::1, all nodes, is on Ethernet (RFC 2464, section 7).
const ALL_NODES: [u8; 6] = [0x33, 0x33, 0, 0, 0, 1];
const ALL_NODES_ADDRESS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

/// The frames that announce `ip` at `mac`. For IPv4 a gratuitous ARP request and a reply, since there are
/// hosts that take note of only one of them.
pub(crate) fn announcements(ip: IpAddr, mac: Mac) -> Vec<Vec<u8>> {
    match ip {
        IpAddr::V4(ip) => [Operation::Request, Operation::Reply]
            .map(|op| gratuitous_arp(op, ip, mac).to_vec())
            .into(),
        IpAddr::V6(ip) => vec![unsolicited_advertisement(ip, mac).to_vec()],
    }
}

/// ARP's operation codes (RFC 826).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Request = 1,
    Reply = 2,
}

/// A gratuitous ARP (RFC 5227, section 3): sender and target are the address itself.
pub(crate) fn gratuitous_arp(operation: Operation, ip: Ipv4Addr, mac: Mac) -> [u8; 42] {
    let mut frame = [0; 42];
    ethernet(&mut frame, BROADCAST, mac, 0x0806);
    // Ethernet, IPv4, their lengths.
    frame[14..20].copy_from_slice(&[0, 1, 0x08, 0, 6, 4]);
    frame[21] = operation as u8;
    frame[22..28].copy_from_slice(&mac.0);
    frame[28..32].copy_from_slice(&ip.octets());
    let target = if operation == Operation::Reply {
        mac.0
    } else {
        [0; 6]
    };
    frame[32..38].copy_from_slice(&target);
    frame[38..42].copy_from_slice(&ip.octets());
    frame
}

/// An unsolicited neighbour advertisement (RFC 4861, section 7.2.6) to all nodes, with the override flag.
pub(crate) fn unsolicited_advertisement(ip: Ipv6Addr, mac: Mac) -> [u8; 86] {
    let mut frame = [0; 86];
    ethernet(&mut frame, ALL_NODES, mac, 0x86dd);
    // IPv6: version 6, 32 octets of ICMPv6 (58), hop limit 255 as every neighbour message must have.
    frame[14] = 0x60;
    frame[18..22].copy_from_slice(&[0, 32, 58, 255]);
    frame[22..38].copy_from_slice(&ip.octets());
    frame[38..54].copy_from_slice(&ALL_NODES_ADDRESS.octets());
    // Neighbour advertisement (136), override.
    frame[54] = 136;
    frame[58] = 0x20;
    frame[62..78].copy_from_slice(&ip.octets());
    // Option: target link-layer address, one unit of 8 octets.
    frame[78..80].copy_from_slice(&[2, 1]);
    frame[80..86].copy_from_slice(&mac.0);
    let sum = icmpv6_checksum(&frame[22..54], &frame[54..]);
    frame[56..58].copy_from_slice(&sum.to_be_bytes());
    frame
}

fn ethernet(frame: &mut [u8], to: [u8; 6], from: Mac, kind: u16) {
    frame[..6].copy_from_slice(&to);
    frame[6..12].copy_from_slice(&from.0);
    frame[12..14].copy_from_slice(&kind.to_be_bytes());
}

/// RFC 8200, section 8.1: over both addresses, the length, the next header, and the message with a checksum of 0.
fn icmpv6_checksum(addresses: &[u8], message: &[u8]) -> u16 {
    let words = addresses.chunks_exact(2).chain(message.chunks_exact(2));
    let mut sum: u32 = words
        .map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])))
        .sum();
    sum += message.len() as u32 + 58;
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: Mac = Mac([0x02, 0x42, 0xac, 0x11, 0x00, 0x02]);

    #[test]
    fn arp_request_byte_for_byte() {
        let frame = gratuitous_arp(Operation::Request, Ipv4Addr::new(192, 168, 1, 240), MAC);
        let want = "ffffffffffff0242ac1100020806\
                    00010800060400010242ac110002c0a801f0000000000000c0a801f0";
        assert_eq!(hex(&frame), want);
    }

    #[test]
    fn arp_reply_names_the_sender_as_target() {
        let frame = gratuitous_arp(Operation::Reply, Ipv4Addr::new(192, 168, 1, 240), MAC);
        let want = "ffffffffffff0242ac1100020806\
                    00010800060400020242ac110002c0a801f00242ac110002c0a801f0";
        assert_eq!(hex(&frame), want);
    }

    #[test]
    fn advertisement_byte_for_byte() {
        let ip: Ipv6Addr = "fd00::240".parse().unwrap();
        let frame = unsolicited_advertisement(ip, MAC);
        // The checksum was worked out by hand: see the sum below.
        let sum = 0xfd00u32 + 0x0240 + 0xff02 + 0x0001 + 0x0020 + 0x003a // pseudo header
            + 0x8800 + 0x2000 + 0xfd00 + 0x0240 // message and target
            + 0x0201 + 0x0242 + 0xac11 + 0x0002; // option
        let folded = (sum & 0xffff) + (sum >> 16);
        let checksum = !(((folded & 0xffff) + (folded >> 16)) as u16);
        let want = format!(
            "3333000000010242ac11000286dd\
             6000000000203afffd000000000000000000000000000240ff020000000000000000000000000001\
             8800{checksum:04x}20000000fd00000000000000000000000000024002010242ac110002"
        );
        assert_eq!(hex(&frame), want);
    }

    #[test]
    fn the_checksum_is_good_for_any_address() {
        for last in [0u16, 1, 0xff, 0xffff] {
            let frame = unsolicited_advertisement(
                Ipv6Addr::new(0xfdff, 0xffff, 0, 0, 0, 0xfefe, 0, last),
                MAC,
            );
            // Over a message with its checksum in place the sum is zero.
            assert_eq!(icmpv6_checksum(&frame[22..54], &frame[54..]), 0);
        }
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
