//! Tells the LAN where an address is.

use std::net::IpAddr;

use crate::error::Error;
use crate::frame::announcements;
use crate::host::Host;
use crate::packet::PacketSocket;

/// Sends the frames that announce each address on its link, once. The socket lives for this call alone: bursts are
/// rare. A link that cannot carry packets now is skipped; its coming up starts a burst of its own.
pub(crate) fn announce(host: &Host, addresses: &[(IpAddr, u32)]) -> Vec<Error> {
    let mut socket = None;
    let mut errors = Vec::new();
    for (ip, index) in addresses {
        let Some(link) = host
            .links
            .get(index)
            .filter(|link| link.running && link.announces)
        else {
            continue;
        };
        let Some(mac) = link.mac else { continue };
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
        let sent = announcements(*ip, mac).iter().try_for_each(|frame| {
            socket
                .as_ref()
                .map_or(Ok(()), |socket| socket.send(*index, frame))
        });
        errors.extend(sent.err().map(failed));
    }
    errors
}
