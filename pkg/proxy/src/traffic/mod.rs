//! What Services carry, out of the kernel's table of connections: nothing is counted, nothing costs anything, while
//! nobody looks.

mod collector;
mod directory;
mod tally;

use kedge_nftables::Error;
use kedge_nftables::conntrack::{Entry, Filter, Socket, Status, Tuple};

use crate::family::Protocol;
use crate::layout::ServiceKey;

pub(crate) use collector::Collector;
pub use directory::Directory;
pub use tally::{Row, Tally};

/// Connections whose destination is rewritten.
///
/// # Errors
/// The kernel does not tell: without CAP_NET_ADMIN, or without connection tracking.
pub fn look(connections: &mut Socket) -> Result<Vec<Entry>, Error> {
    connections.entries(Filter::default(), |entry| {
        entry.status.contains(Status::DST_NAT)
    })
}

/// Where a connection's first packet was sent to.
fn key(original: &Tuple) -> Option<ServiceKey> {
    Some(ServiceKey {
        address: original.destination,
        protocol: Protocol::from_code(original.protocol)?,
        port: original.destination_port()?,
    })
}
