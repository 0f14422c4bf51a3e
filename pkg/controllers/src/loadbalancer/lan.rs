//! What the LAN makes of the addresses that this machine is to have there.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use tokio::sync::watch;

/// What becomes of an address on the LAN. Links by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OnLan {
    /// It is not known yet whether somebody else has it.
    Asking,
    /// The link that it belongs on carries no packets.
    Waiting,
    /// There is no link that it could be on.
    NoLink,
    Announced {
        link: String,
    },
    /// Another host has it; `by` is its hardware address where that is known.
    Taken {
        link: String,
        by: Option<String>,
    },
}

/// What becomes of every address that this machine is to have, and which others turned out to be taken.
pub type Lan = Arc<BTreeMap<IpAddr, OnLan>>;

/// What is known of the LAN.
#[derive(Debug, Clone)]
pub(super) struct Reports {
    /// Nobody tells where there is none: then every address is as good as announced.
    news: Option<watch::Receiver<Lan>>,
    now: Lan,
}

impl Reports {
    pub(super) fn new(news: Option<watch::Receiver<Lan>>) -> Self {
        let now = Lan::default();
        Self { news, now }
    }

    /// Waits until something is another now.
    pub(super) async fn changed(&mut self) {
        let over = match &mut self.news {
            Some(news) => news.changed().await.is_err(),
            None => true,
        };
        if over {
            std::future::pending::<()>().await;
        }
    }

    /// Takes the news in.
    pub(super) fn read(&mut self) {
        if let Some(news) = &mut self.news {
            self.now = news.borrow_and_update().clone();
        }
    }

    pub(super) fn of(&self, ip: IpAddr) -> Option<&OnLan> {
        self.now.get(&ip)
    }

    /// Addresses that others have.
    pub(super) fn taken(&self) -> impl Iterator<Item = IpAddr> {
        let all = self.now.iter();
        all.filter(|(_, state)| matches!(state, OnLan::Taken { .. }))
            .map(|(ip, _)| *ip)
    }

    /// An address that this machine is to have, and of which nobody knows yet whether it can.
    pub(super) fn undecided(&self, ip: IpAddr) -> bool {
        self.news.is_some() && matches!(self.of(ip), None | Some(OnLan::Asking))
    }

    /// The link on which an address is announced.
    pub(super) fn link(&self, ip: IpAddr) -> Option<&str> {
        match self.of(ip) {
            Some(OnLan::Announced { link }) => Some(link),
            _ => None,
        }
    }
}

/// Who has an address, for an Event.
pub(super) struct Taken<'a> {
    pub(super) ip: IpAddr,
    pub(super) link: &'a str,
    pub(super) by: Option<&'a str>,
}

impl fmt::Display for Taken<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { ip, link, by } = self;
        write!(f, "another host on link {link} has {ip}")?;
        match by {
            Some(by) => write!(f, ": the one with the hardware address {by}"),
            None => Ok(()),
        }
    }
}
