//! Sends what the LAN is to be asked and told.

use std::net::IpAddr;

use crate::error::Error;
use crate::frame::{Nonce, announcements, question};
use crate::host::{Host, Link, Mac};
use crate::packet::PacketSocket;

/// Asks on its link who has each address, once.
pub(crate) fn ask(host: &Host, addresses: &[(IpAddr, u32)], nonce: Nonce) -> Vec<Error> {
    send(host, addresses, |ip, mac| vec![question(ip, mac, nonce)])
}

/// Announces each address on its link, once.
pub(crate) fn announce(host: &Host, addresses: &[(IpAddr, u32)]) -> Vec<Error> {
    send(host, addresses, announcements)
}

/// A link that cannot carry packets now is skipped; its coming up starts everything over.
pub(crate) fn speaks(link: &Link) -> Option<Mac> {
    link.mac.filter(|_| link.running && link.announces)
}

/// The socket lives for this call alone: frames are rare.
fn send(
    host: &Host,
    addresses: &[(IpAddr, u32)],
    frames: impl Fn(IpAddr, Mac) -> Vec<Vec<u8>>,
) -> Vec<Error> {
    let mut socket = None;
    let mut errors = Vec::new();
    for (ip, index) in addresses {
        let Some(link) = host.links.get(index) else {
            continue;
        };
        let Some(mac) = speaks(link) else { continue };
        let failed = |source| Error::Announce {
            link: link.name.clone(),
            source,
        };
        if socket.is_none() {
            match PacketSocket::open() {
                Ok(open) => socket = Some(open),
                Err(source) => return vec![failed(source)],
            }
        }
        let sent = frames(*ip, mac).iter().try_for_each(|frame| {
            socket
                .as_ref()
                .map_or(Ok(()), |socket| socket.send(*index, frame))
        });
        errors.extend(sent.err().map(failed));
    }
    errors
}
