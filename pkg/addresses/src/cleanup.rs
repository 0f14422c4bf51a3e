//! Every link, address, route and rule that kedge made, out of the kernel.

use std::fmt;

use crate::error::Error;
use crate::follow::Follower;
use crate::rtnl::Rtnl;

/// What [`cleanup`] removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Removed {
    pub addresses: usize,
    pub routes: usize,
    pub rules: usize,
    /// A pair counts once.
    pub links: usize,
}

impl fmt::Display for Removed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} addresses, {} routes, {} routing rules and {} links",
            self.addresses, self.routes, self.rules, self.links
        )
    }
}

/// Removes what carries kedge's mark ([`crate::mark`]) and nothing else. Forwarding stays as it is: whether anything else
/// on this machine counts on it by now is not for kedge to know.
pub async fn cleanup() -> Result<Removed, Error> {
    let follower = Follower::start().await?;
    let host = follower.host().borrow().clone();
    let rtnl = Rtnl::open()?;
    let mut removed = Removed::default();
    // Rules first: without them the rest is out of use.
    for rule in &host.rules {
        removed.rules += gone(rtnl.remove_rule(rule).await)?;
    }
    for route in host.routes.iter().filter(|route| route.own) {
        removed.routes += gone(rtnl.remove_route(route).await)?;
    }
    for address in host.addresses.iter().filter(|address| address.own) {
        removed.addresses += gone(rtnl.remove_address(address.ip, address.link).await)?;
    }
    for link in host.links.values().filter(|link| link.own) {
        removed.links += gone(rtnl.remove_link(link.index).await)?;
    }
    Ok(removed)
}

/// What went by itself in the meantime is as good; it counts for nothing.
pub(crate) fn gone(result: Result<(), Error>) -> Result<usize, Error> {
    match result {
        Ok(()) => Ok(1),
        Err(error)
            if [libc::EADDRNOTAVAIL, libc::ENODEV, libc::ESRCH, libc::ENOENT]
                .iter()
                .any(|e| error.is(*e)) =>
        {
            Ok(0)
        }
        Err(error) => Err(error),
    }
}
