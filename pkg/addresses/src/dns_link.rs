//! A link of kedge's own for the DNS address.
//!
//! systemd-resolved sends a domain's questions to the servers of a link, and takes such a setting neither for loopback nor
//! for a link that systemd-networkd manages; other managers of links overwrite it. Nobody manages this one.
//! It is a dummy link, or one end of a veth pair where the kernel has no dummy links: both have a carrier whatever
//! happens. (A bridge without ports loses its own once somebody gives it a hardware address, which udev does; a tun
//! link has one only while its program runs.)

use tokio::sync::watch;
use tracing::{info, warn};

use crate::cleanup::gone;
use crate::error::Error;
use crate::host::Host;
use crate::mark;
use crate::rtnl::{OwnLink, Rtnl};

/// What to do next; the kernel's word that it happened leads to the step after it.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    Make,
    TurnOn(Vec<u32>),
    Remove(u32),
}

/// `wanted`: to be made; else to be left as it is. Nothing: to be gone.
fn step(wanted: Option<bool>, host: &Host) -> Option<Step> {
    match (wanted, host.dns_link()) {
        (None, Some(link)) => Some(Step::Remove(link.index)),
        (Some(true), None) => Some(Step::Make),
        (None | Some(false), None) => None,
        (Some(_), Some(_)) => {
            let links = host.links.values();
            let off: Vec<u32> = links
                .filter(|link| link.own && !link.up)
                .map(|link| link.index)
                .collect();
            (!off.is_empty()).then_some(Step::TurnOn(off))
        }
    }
}

/// Makes the link, keeps it on, or removes it.
pub(crate) struct DnsLink {
    wanted: Option<watch::Receiver<bool>>,
    /// This kernel has no kind of link that would do.
    impossible: bool,
}

impl DnsLink {
    pub(crate) fn new(wanted: Option<watch::Receiver<bool>>) -> Self {
        Self {
            wanted,
            impossible: false,
        }
    }

    /// Waits until something else may be wanted.
    pub(crate) async fn changed(&mut self) {
        if let Some(wanted) = &mut self.wanted
            && wanted.changed().await.is_ok()
        {
            return;
        }
        std::future::pending().await
    }

    pub(crate) async fn round(&mut self, rtnl: &Rtnl, host: &Host) -> Result<(), Error> {
        let wanted = self.wanted.as_mut().map(|w| *w.borrow_and_update());
        match step(wanted, host) {
            None => Ok(()),
            Some(Step::Make) if self.impossible => Ok(()),
            Some(Step::Make) => self.make(rtnl).await,
            Some(Step::TurnOn(links)) => {
                for link in links {
                    gone(rtnl.turn_on(link).await)?;
                }
                Ok(())
            }
            Some(Step::Remove(link)) => {
                gone(rtnl.remove_link(link).await)?;
                info!("removed link {}", mark::DNS_LINK);
                Ok(())
            }
        }
    }

    async fn make(&mut self, rtnl: &Rtnl) -> Result<(), Error> {
        for kind in [OwnLink::Dummy, OwnLink::Pair] {
            match rtnl.add_own_link(kind).await {
                Ok(()) => {
                    info!("added link {} for the DNS address", mark::DNS_LINK);
                    return Ok(());
                }
                Err(error) if error.is(libc::EOPNOTSUPP) => {}
                Err(error) => return Err(error),
            }
        }
        self.impossible = true;
        warn!(
            "this kernel has neither dummy links nor veth pairs, so there is no link {} and systemd-resolved is not told \
             of the cluster's names; docs/operations.md says how to do that by hand",
            mark::DNS_LINK
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Link;
    use crate::host::samples::{host, link};

    /// A machine with the link, as a pair, and with other links of these names.
    fn with_pair(up: [bool; 2]) -> Host {
        let mut host = host(&[&["192.168.1.5/24"]]);
        for (index, (name, up)) in (7..).zip([mark::DNS_LINK, mark::DNS_LINK_END].iter().zip(up)) {
            let link = Link {
                own: true,
                up,
                ..link(index, name)
            };
            host.links.insert(index, link);
        }
        host
    }

    #[test]
    fn made_once_it_is_wanted_and_kept_on() {
        let none = host(&[&["192.168.1.5/24"]]);
        assert_eq!(step(Some(false), &none), None);
        assert_eq!(step(Some(true), &none), Some(Step::Make));
        let off = with_pair([false, true]);
        assert_eq!(step(Some(true), &off), Some(Step::TurnOn(vec![7])));
        assert_eq!(step(Some(true), &with_pair([true, true])), None);
    }

    #[test]
    fn it_stays_until_it_is_to_be_gone() {
        let there = with_pair([true, true]);
        assert_eq!(step(Some(false), &there), None);
        assert_eq!(step(None, &there), Some(Step::Remove(7)));
        assert_eq!(step(None, &host(&[])), None);
    }

    #[test]
    fn a_link_of_that_name_that_is_somebody_elses_is_left_alone() {
        let mut host = with_pair([false, false]);
        for link in host.links.values_mut() {
            link.own = false;
        }
        assert_eq!(step(None, &host), None);
    }
}
