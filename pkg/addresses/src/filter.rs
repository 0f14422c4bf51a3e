//! Programs for the kernel's packet filter (`socket(7)`, `SO_ATTACH_FILTER`), so that a message wakes this process only when it
//! may say that somebody else has one of a few addresses. What they let through is looked at again by [`crate::sighting`].

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use socket2::SockFilter;

use crate::frame::{ADVERTISEMENT, SOLICITATION};

/// `BPF_MAXINSNS` of the kernel's `bpf_common.h`.
const LONGEST: usize = 4096;
/// Where the network header is to be found, whatever the socket is of (`SKF_NET_OFF` of `filter.h`).
const NETWORK: u32 = -0x10_0000_i32 as u32;

const LOAD_WORD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
const LOAD_BYTE: u16 = (libc::BPF_LD | libc::BPF_B | libc::BPF_ABS) as u16;
const JUMP_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;

const TAKE: SockFilter = SockFilter::new(RETURN, 0, 0, u32::MAX);
const PASS_OVER: SockFilter = SockFilter::new(RETURN, 0, 0, 0);

const fn load_word(at: u32) -> SockFilter {
    SockFilter::new(LOAD_WORD, 0, 0, at)
}

const fn load_byte(at: u32) -> SockFilter {
    SockFilter::new(LOAD_BYTE, 0, 0, at)
}

/// Goes on after the next `yes` instructions where what was loaded is `value`, else after the next `no`.
const fn jump(value: u32, yes: u8, no: u8) -> SockFilter {
    SockFilter::new(JUMP_EQUAL, yes, no, value)
}

/// For Ethernet frames with ARP in them: the sender has one of the addresses, or has none and asks for one of them.
pub(crate) fn arp(addresses: &BTreeSet<IpAddr>) -> Vec<SockFilter> {
    let words: BTreeSet<u32> = addresses.iter().filter_map(v4).map(u32::from).collect();
    let mut program = vec![load_word(28)];
    program.extend(any_of(&words));
    program.extend([jump(0, 1, 0), PASS_OVER, load_word(38)]);
    program.extend(any_of(&words));
    program.push(PASS_OVER);
    or_everything(program)
}

/// For ICMPv6 messages: advertisements of the addresses, and questions for them by those who have no address. From this link
/// alone: no router lets a hop limit of 255 through (RFC 4861, section 7.1).
pub(crate) fn neighbour(addresses: &BTreeSet<IpAddr>) -> Vec<SockFilter> {
    let last_words = addresses
        .iter()
        .filter_map(v6)
        .map(|ip| ip.to_bits() as u32);
    let mut program = vec![
        load_byte(NETWORK.wrapping_add(7)),
        jump(255, 1, 0),
        PASS_OVER,
        load_byte(0),
        jump(ADVERTISEMENT.into(), 5, 0),
        jump(SOLICITATION.into(), 1, 0),
        PASS_OVER,
        // No address in use begins with zeros.
        load_word(NETWORK.wrapping_add(8)),
        jump(0, 1, 0),
        PASS_OVER,
        load_word(20),
    ];
    program.extend(any_of(&last_words.collect()));
    program.push(PASS_OVER);
    or_everything(program)
}

fn any_of(words: &BTreeSet<u32>) -> impl Iterator<Item = SockFilter> {
    words.iter().flat_map(|word| [jump(*word, 0, 1), TAKE])
}

/// Too many addresses for a program: all messages are looked at then.
fn or_everything(program: Vec<SockFilter>) -> Vec<SockFilter> {
    if program.len() > LONGEST {
        vec![TAKE]
    } else {
        program
    }
}

fn v4(ip: &IpAddr) -> Option<Ipv4Addr> {
    match ip {
        IpAddr::V4(ip) => Some(*ip),
        IpAddr::V6(_) => None,
    }
}

fn v6(ip: &IpAddr) -> Option<Ipv6Addr> {
    match ip {
        IpAddr::V4(_) => None,
        IpAddr::V6(ip) => Some(*ip),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn many(count: u32) -> BTreeSet<IpAddr> {
        (0..count)
            .map(|n| Ipv4Addr::from(0x0a00_0000 + n).into())
            .collect()
    }

    #[test]
    fn a_program_is_never_too_long_for_the_kernel() {
        assert_eq!(arp(&many(1)).len(), 9);
        assert_eq!(arp(&many(1000)).len(), 4005);
        assert_eq!(arp(&many(2000)).len(), 1);
    }
}
