//! What messages of neighbours say about who has an address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::frame::{ADVERTISEMENT, NONCE_OPTION, Nonce, SOLICITATION, TARGET_ADDRESS_OPTION};
use crate::host::Mac;

/// A neighbour shows interest in an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sighting {
    pub ip: IpAddr,
    /// Not every IPv6 message tells.
    pub mac: Option<Mac>,
    pub what: What,
}

/// What a neighbour does with an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    /// It uses it.
    Has,
    /// It asks whether anybody has it, to use it then.
    Wants,
}

/// Reads an Ethernet frame with ARP for IPv4 in it (RFC 826).
pub(crate) fn arp(frame: &[u8]) -> Option<Sighting> {
    let body = frame.get(14..42)?;
    if body[..6] != [0, 1, 0x08, 0, 6, 4] {
        return None;
    }
    let address =
        |at: usize| Ipv4Addr::from(<[u8; 4]>::try_from(&body[at..at + 4]).unwrap_or_default());
    let (sender, target) = (address(14), address(24));
    let (ip, what) = match body[7] {
        _ if !sender.is_unspecified() => (sender, What::Has),
        1 => (target, What::Wants),
        _ => return None,
    };
    Some(Sighting {
        ip: ip.into(),
        mac: mac(&body[8..14]),
        what,
    })
}

/// Reads an ICMPv6 message from `source`: a neighbour advertisement, or a solicitation for the sake of duplicate detection. One
/// with `own` as its nonce is our own question that came back.
pub(crate) fn neighbour(message: &[u8], source: Ipv6Addr, own: Nonce) -> Option<Sighting> {
    let target = <[u8; 16]>::try_from(message.get(8..24)?).ok()?;
    let options = &message[24..];
    let (what, mac) = match message[0] {
        ADVERTISEMENT => (
            What::Has,
            option(options, TARGET_ADDRESS_OPTION).and_then(mac),
        ),
        SOLICITATION if source.is_unspecified() && option(options, NONCE_OPTION) != Some(&own) => {
            (What::Wants, None)
        }
        _ => return None,
    };
    Some(Sighting {
        ip: Ipv6Addr::from(target).into(),
        mac,
        what,
    })
}

/// The value of the first option of a type; their lengths are in units of 8 octets.
fn option(mut options: &[u8], kind: u8) -> Option<&[u8]> {
    loop {
        let length = usize::from(*options.get(1)?) * 8;
        let (option, rest) = options.split_at_checked(length).filter(|_| length > 0)?;
        if option[0] == kind {
            return Some(&option[2..]);
        }
        options = rest;
    }
}

fn mac(bytes: &[u8]) -> Option<Mac> {
    bytes.try_into().ok().map(Mac)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::frame::{announcements, question};

    const MAC: Mac = Mac([2, 0, 0, 0, 0, 9]);
    const NONCE: Nonce = [1, 2, 3, 4, 5, 6];

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn who_announces_has_the_address() {
        let v4 = ip("192.168.1.9");
        for frame in announcements(v4, MAC) {
            let has = Sighting {
                ip: v4,
                mac: Some(MAC),
                what: What::Has,
            };
            assert_eq!(arp(&frame), Some(has));
        }
        let v6 = ip("fd00::9");
        let frame = &announcements(v6, MAC)[0];
        let has = Sighting {
            ip: v6,
            mac: Some(MAC),
            what: What::Has,
        };
        assert_eq!(
            neighbour(&frame[54..], Ipv6Addr::LOCALHOST, NONCE),
            Some(has)
        );
    }

    #[test]
    fn who_probes_wants_it_unless_it_is_ourselves() {
        let v4 = ip("192.168.1.9");
        let wants = Sighting {
            ip: v4,
            mac: Some(MAC),
            what: What::Wants,
        };
        assert_eq!(arp(&question(v4, MAC, NONCE)), Some(wants));
        let v6 = ip("fd00::9");
        let frame = question(v6, MAC, NONCE);
        let wants = Sighting {
            ip: v6,
            mac: None,
            what: What::Wants,
        };
        let source = Ipv6Addr::UNSPECIFIED;
        assert_eq!(neighbour(&frame[54..], source, [0; 6]), Some(wants));
        assert_eq!(neighbour(&frame[54..], source, NONCE), None);
        // An ordinary question, of somebody who has an address of its own.
        assert_eq!(neighbour(&frame[54..], Ipv6Addr::LOCALHOST, [0; 6]), None);
    }

    #[test]
    fn an_option_without_a_length_ends_the_list() {
        let mut message = vec![0; 24];
        message[0] = ADVERTISEMENT;
        message.extend([TARGET_ADDRESS_OPTION, 0, 1, 2, 3, 4, 5, 6]);
        let sighting = neighbour(&message, Ipv6Addr::LOCALHOST, NONCE).unwrap();
        assert_eq!(sighting.mac, None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_passed_over(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
            arp(&bytes);
            neighbour(&bytes, Ipv6Addr::UNSPECIFIED, NONCE);
        }
    }
}
