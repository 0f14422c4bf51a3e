//! What Services carry, out of the kernel's table of connections: nothing is counted, nothing costs anything, while
//! nobody looks.

mod collector;
mod tally;

use kedge_nftables::Error;
use kedge_nftables::conntrack::{Entry, Filter, Socket, Status};

pub(crate) use collector::Collector;
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
