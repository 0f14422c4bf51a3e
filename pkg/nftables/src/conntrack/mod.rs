//! Connection tracking entries over netlink (ctnetlink): dumps and deletions.

mod entry;
mod socket;
mod tuple;

pub use entry::{Entry, Status, Traffic};
pub use socket::{Asked, Filter, Socket};
pub use tuple::{Icmp, Ports, Tuple};
