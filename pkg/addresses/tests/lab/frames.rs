//! What a LAN hears about an address, byte by byte.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use Spoken::{Advertisement, ArpProbe, ArpReply, ArpRequest, Solicitation};

pub type Mac = [u8; 6];

/// The frames by which a machine asks for an address and announces it. Every field is checked before one is called so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Spoken {
    /// RFC 5227, section 2.1.1.
    ArpProbe,
    /// RFC 5227, section 3.
    ArpRequest,
    ArpReply,
    /// RFC 4862, section 5.4.2.
    Solicitation,
    /// RFC 4861, section 7.2.6, with the override flag.
    Advertisement,
}

/// What a frame says about `ip` in the name of `mac`. Panics at one about it that is none of these.
pub fn spoken(frame: &[u8], mac: Mac, ip: IpAddr) -> Option<Spoken> {
    let about = match ip {
        IpAddr::V4(ip) => {
            frame[12..14] == [8, 6]
                && (frame[28..32] == ip.octets() || frame[38..42] == ip.octets())
        }
        // Neighbour messages, 133 to 137.
        IpAddr::V6(ip) => {
            frame[12..14] == [0x86, 0xdd]
                && frame[20] == 58
                && (133..=137).contains(&frame[54])
                && frame.get(62..78) == Some(&ip.octets()[..])
        }
    };
    if frame[6..12] != mac || !about {
        return None;
    }
    let all: &[Spoken] = match ip {
        IpAddr::V4(_) => &[ArpProbe, ArpRequest, ArpReply],
        IpAddr::V6(_) => &[Solicitation, Advertisement],
    };
    // What follows a nonce option's head is anybody's guess.
    let end = if frame[54.min(frame.len() - 1)] == 135 {
        80
    } else {
        frame.len()
    };
    let same = |spoken: &&Spoken| {
        let mut want = wanted(**spoken, mac, ip);
        let mut had = frame.to_vec();
        if ip.is_ipv6() {
            assert_eq!(sum(frame), 0xffff, "the checksum of {frame:02x?}");
            want.truncate(end);
            had.truncate(end);
            had[56..58].fill(0);
        }
        want == had
    };
    let found = all.iter().find(same);
    Some(*found.unwrap_or_else(|| panic!("not to be sent: {frame:02x?}")))
}

fn wanted(spoken: Spoken, mac: Mac, ip: IpAddr) -> Vec<u8> {
    match ip {
        IpAddr::V4(ip) => arp(spoken, mac, ip),
        IpAddr::V6(ip) => neighbour(spoken, mac, ip),
    }
}

fn arp(spoken: Spoken, mac: Mac, ip: Ipv4Addr) -> Vec<u8> {
    let ip = ip.octets();
    let (operation, sender, target) = match spoken {
        ArpProbe => (1, [0; 4], [0; 6]),
        ArpRequest => (1, ip, [0; 6]),
        _ => (2, ip, mac),
    };
    let head: &[&[u8]] = &[
        &[0xff; 6],
        &mac,
        &[8, 6, 0, 1, 8, 0, 6, 4, 0, operation],
        &mac,
        &sender,
        &target,
        &ip,
    ];
    head.concat()
}

/// Without its checksum, and of a solicitation without the nonce.
fn neighbour(spoken: Spoken, mac: Mac, ip: Ipv6Addr) -> Vec<u8> {
    let bytes = ip.octets();
    let mut group = [0; 16];
    group[..13].copy_from_slice(&[0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff]);
    group[13..].copy_from_slice(&bytes[13..]);
    let all = "ff02::1".parse::<Ipv6Addr>().unwrap().octets();
    let (source, target) = match spoken {
        Solicitation => ([0; 16], group),
        _ => (bytes, all),
    };
    let head: &[&[u8]] = &[
        &[0x33, 0x33],
        &target[12..],
        &mac,
        &[0x86, 0xdd, 0x60, 0, 0, 0, 0, 32, 58, 255],
        &source,
        &target,
    ];
    let body: &[&[u8]] = match spoken {
        Solicitation => &[&[135, 0, 0, 0, 0, 0, 0, 0], &bytes, &[14, 1]],
        _ => &[&[136, 0, 0, 0, 0x20, 0, 0, 0], &bytes, &[2, 1], &mac],
    };
    [head.concat(), body.concat()].concat()
}

/// Over the pseudo header and the message, by the textbook; all ones where the checksum in it is good.
fn sum(frame: &[u8]) -> u16 {
    let pseudo = [&frame[22..54], &[0, 0, 0, 32, 0, 0, 0, 58], &frame[54..]].concat();
    let words = pseudo.chunks(2);
    let sum: u64 = words
        .map(|pair| u64::from(pair[0]) * 256 + u64::from(pair[1]))
        .sum();
    match (sum % 65535) as u16 {
        0 => 0xffff,
        other => other,
    }
}
