//! Frames that ask a LAN who has an address, and tell it where one is now, byte by byte: no others are ever sent.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::host::Mac;

/// ICMPv6 types and options of neighbour messages (RFC 4861, section 4; RFC 3971, section 5.3.2).
pub(crate) const SOLICITATION: u8 = 135;
pub(crate) const ADVERTISEMENT: u8 = 136;
pub(crate) const TARGET_ADDRESS_OPTION: u8 = 2;
pub(crate) const NONCE_OPTION: u8 = 14;

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

/// The frame that asks whether somebody has `ip`, in the name of nobody yet. `nonce` tells one's own question when the LAN
/// sends it back (RFC 7527); ARP has `mac` for that.
pub(crate) fn question(ip: IpAddr, mac: Mac, nonce: Nonce) -> Vec<u8> {
    match ip {
        IpAddr::V4(ip) => arp_probe(ip, mac).to_vec(),
        IpAddr::V6(ip) => duplicate_solicitation(ip, mac, nonce).to_vec(),
    }
}

/// The value of RFC 3971's nonce option, as short as it may be.
pub(crate) type Nonce = [u8; 6];

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

/// An ARP probe (RFC 5227, section 2.1.1): the sender has no address yet, so that no cache is changed.
fn arp_probe(ip: Ipv4Addr, mac: Mac) -> [u8; 42] {
    let mut frame = gratuitous_arp(Operation::Request, ip, mac);
    frame[28..32].fill(0);
    frame
}

/// A neighbour solicitation for the sake of duplicate detection (RFC 4862, section 5.4.2): from the unspecified address to
/// the group of whoever has `ip`.
fn duplicate_solicitation(ip: Ipv6Addr, mac: Mac, nonce: Nonce) -> [u8; 86] {
    let group = solicited_node(ip).octets();
    let mut to = [0x33, 0x33, 0, 0, 0, 0];
    to[2..].copy_from_slice(&group[12..]);
    let mut frame = [0; 86];
    neighbour_message(&mut frame, to, mac, Ipv6Addr::UNSPECIFIED, group.into());
    frame[54] = SOLICITATION;
    frame[62..78].copy_from_slice(&ip.octets());
    frame[78..80].copy_from_slice(&[NONCE_OPTION, 1]);
    frame[80..86].copy_from_slice(&nonce);
    seal(&mut frame);
    frame
}

/// The multicast group in which whoever has `ip` is asked for its hardware address (RFC 4291, section 2.7.1).
pub(crate) fn solicited_node(ip: Ipv6Addr) -> Ipv6Addr {
    let [.., a, b, c] = ip.octets();
    Ipv6Addr::from([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, a, b, c])
}

/// An unsolicited neighbour advertisement (RFC 4861, section 7.2.6) to all nodes, with the override flag.
pub(crate) fn unsolicited_advertisement(ip: Ipv6Addr, mac: Mac) -> [u8; 86] {
    let mut frame = [0; 86];
    neighbour_message(&mut frame, ALL_NODES, mac, ip, ALL_NODES_ADDRESS);
    frame[54] = ADVERTISEMENT;
    // Override.
    frame[58] = 0x20;
    frame[62..78].copy_from_slice(&ip.octets());
    // One unit of 8 octets.
    frame[78..80].copy_from_slice(&[TARGET_ADDRESS_OPTION, 1]);
    frame[80..86].copy_from_slice(&mac.0);
    seal(&mut frame);
    frame
}

/// Both headers of a neighbour message with one option.
fn neighbour_message(
    frame: &mut [u8; 86],
    to: [u8; 6],
    mac: Mac,
    source: Ipv6Addr,
    destination: Ipv6Addr,
) {
    ethernet(frame, to, mac, 0x86dd);
    // IPv6: version 6, 32 octets of ICMPv6 (58), hop limit 255 as every neighbour message must have.
    frame[14] = 0x60;
    frame[18..22].copy_from_slice(&[0, 32, 58, 255]);
    frame[22..38].copy_from_slice(&source.octets());
    frame[38..54].copy_from_slice(&destination.octets());
}

/// Puts the checksum in.
fn seal(frame: &mut [u8; 86]) {
    let sum = icmpv6_checksum(&frame[22..54], &frame[54..]);
    frame[56..58].copy_from_slice(&sum.to_be_bytes());
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
    fn arp_probe_byte_for_byte() {
        let frame = question([192, 168, 1, 240].into(), MAC, [0; 6]);
        let want = "ffffffffffff0242ac1100020806\
                    00010800060400010242ac11000200000000000000000000c0a801f0";
        assert_eq!(hex(&frame), want);
    }

    #[test]
    fn solicitation_byte_for_byte() {
        let frame = question("fd00::ab:cdef".parse().unwrap(), MAC, [1, 2, 3, 4, 5, 6]);
        // The pseudo header, then the message.
        let sum = 0xff02u32
            + 0x0001
            + 0xffab
            + 0xcdef
            + 0x0020
            + 0x003a
            + 0x8700
            + 0xfd00
            + 0x00ab
            + 0xcdef
            + 0x0e01
            + 0x0102
            + 0x0304
            + 0x0506;
        let folded = (sum & 0xffff) + (sum >> 16);
        let checksum = !(((folded & 0xffff) + (folded >> 16)) as u16);
        let want = format!(
            "3333ffabcdef0242ac11000286dd\
             6000000000203aff00000000000000000000000000000000ff0200000000000000000001ffabcdef\
             8700{checksum:04x}00000000fd000000000000000000000000abcdef0e01010203040506"
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
