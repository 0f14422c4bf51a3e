//! Addresses for the LAN: asked for, put onto their links, announced, defended, and taken away.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tracing::{info, warn};

use crate::announce::{announce, ask, speaks};
use crate::burst::Bursts;
use crate::claim::{self, Reaction};
use crate::cleanup::gone;
use crate::error::Error;
use crate::host::{Host, Link, Mac};
use crate::listen::Listener;
use crate::metrics::AnnounceMetrics;
use crate::place::allows;
use crate::plan::{Addition, Plan, Wanted, plan};
use crate::rtnl::Rtnl;
use crate::sighting::Sighting;

/// How soon an address that was just added is added once more: somebody who removes it as fast as it comes must not
/// draw kedge into a race.
const CALM: Duration = Duration::from_secs(1);

/// What became of an address that is wanted on the LAN. Links by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// The link that it belongs on is off or has no carrier, or there is none.
    Waiting { link: Option<String> },
    /// The LAN is being asked whether anybody has it.
    Asking { link: String },
    /// It is there, and the LAN knows.
    Announced { link: String },
    /// Somebody else has it. It is asked for again some minutes later, if it is wanted then.
    Taken { link: String, by: Option<Mac> },
}

enum Leave {
    Given,
    Asking,
    /// The link has no carrier.
    NobodyToAsk,
}

/// What became of every address that is wanted on the LAN, and of those that somebody else turned out to have.
pub type Claims = Arc<BTreeMap<IpAddr, Claim>>;

/// What is remembered between two rounds.
pub(crate) struct Lan {
    /// Where each address is or was.
    places: BTreeMap<IpAddr, u32>,
    /// When each address was last added.
    added: BTreeMap<(IpAddr, u32), Instant>,
    claims: claim::Claims,
    listener: Listener,
    bursts: Bursts,
    links: BTreeMap<u32, Link>,
    waiting: BTreeMap<IpAddr, Option<u32>>,
    published: watch::Sender<Claims>,
    metrics: AnnounceMetrics,
}

impl Lan {
    pub(crate) fn new() -> Self {
        Self {
            places: BTreeMap::new(),
            added: BTreeMap::new(),
            claims: claim::Claims::default(),
            listener: Listener::new(),
            bursts: Bursts::default(),
            links: BTreeMap::new(),
            waiting: BTreeMap::new(),
            published: watch::Sender::default(),
            metrics: AnnounceMetrics::default(),
        }
    }

    pub(crate) fn claims(&self) -> watch::Receiver<Claims> {
        self.published.subscribe()
    }

    pub(crate) fn metrics(&self) -> AnnounceMetrics {
        self.metrics.clone()
    }

    /// When there is something to do that no event will tell of.
    pub(crate) fn next(&self) -> Option<Instant> {
        let calm = self.added.values().map(|added| *added + CALM).min();
        let next = [self.bursts.next(), self.claims.next(), calm];
        next.into_iter().flatten().min()
    }

    /// Waits for a neighbour who shows interest in an address here, and takes note.
    pub(crate) async fn heard(&mut self, host: &Host) {
        let Some((link, sighting)) = self.listener.next().await else {
            return std::future::pending().await;
        };
        self.note_sighting(&sighting, link, host);
    }

    fn note_sighting(&mut self, sighting: &Sighting, link: u32, host: &Host) {
        let own = |mac: Mac| host.links.values().any(|link| link.mac == Some(mac));
        if sighting.mac.is_some_and(own) {
            return;
        }
        let (ip, now) = (sighting.ip, Instant::now());
        let who = by(sighting.mac);
        let name = host.link_name(link);
        match self.claims.seen(sighting, link, now) {
            Reaction::Ignore => {}
            Reaction::Defend => {
                warn!(
                    "{who} on link {name} claims address {ip}, which is announced here; announcing it once more"
                );
                self.metrics.conflict(ip);
                self.bursts.once(ip, link, now);
            }
            Reaction::GiveUp => {
                warn!(
                    "{who} on link {name} has address {ip}; it is not used here: remove one of the two"
                );
                self.metrics.conflict(ip);
            }
        }
    }

    /// Makes what is wanted true as far as that can be now.
    pub(crate) async fn round(
        &mut self,
        rtnl: &Rtnl,
        host: &Host,
        wanted: &Wanted,
        now: Instant,
    ) -> Vec<Error> {
        self.added.retain(|_, added| *added + CALM > now);
        self.review_claims(wanted, host);
        let questions = self.claims.advance(now);
        let mut errors = self.ask(host, &questions);
        let Plan {
            add,
            remove,
            mut waiting,
        } = plan(&self.obtainable(wanted), host, &self.places);
        let mut later = BTreeSet::new();
        for addition in add {
            if self.added.contains_key(&(addition.ip, addition.link)) {
                continue;
            }
            match self.leave(&addition, host, now) {
                Leave::Given => {}
                Leave::Asking => {
                    later.insert(addition.ip);
                    continue;
                }
                Leave::NobodyToAsk => {
                    waiting.insert(addition.ip, Some(addition.link));
                    later.insert(addition.ip);
                    continue;
                }
            }
            let counts = host.links.get(&addition.link).is_some_and(|link| link.own);
            match rtnl.add_address(addition.ip, addition.link, counts).await {
                Ok(()) => self.note_added(&addition, host, now),
                // This picture is older than the address.
                Err(error) if error.is(libc::EEXIST) => {}
                Err(error) => errors.push(error),
            }
        }
        // Before the first question is on its way: an answer to it must be heard.
        let deaf = self.listener.set(host, self.claims.listens());
        errors.extend(deaf);
        let questions = self.claims.advance(now);
        errors.extend(self.ask(host, &questions));
        for (ip, link) in remove {
            let links = wanted.announced.as_ref().and_then(|all| all.get(&ip));
            let serves = links.is_some_and(|links| allows(host, links, link));
            // It serves here until it may be used where it belongs.
            if serves && later.contains(&ip) {
                continue;
            }
            match gone(rtnl.remove_address(ip, link).await) {
                Ok(1) => info!(
                    "removed address {ip} from link {}: no longer wanted there",
                    host.link_name(link)
                ),
                Ok(_) => {}
                Err(error) => errors.push(error),
            }
        }
        errors.extend(self.announce(host, now));
        self.note_waiting(waiting, host);
        self.note_places(wanted, host);
        self.publish(wanted, host);
        errors
    }

    /// What is there already is ours; what is not wanted, or may have found another owner while its link was without a
    /// carrier, is asked for again when it is wanted.
    fn review_claims(&mut self, wanted: &Wanted, host: &Host) {
        for address in host.addresses.iter().filter(|address| address.own) {
            if !host.is_local(address.link) {
                self.claims.adopt(address.ip, address.link);
            }
        }
        let wants = |ip| {
            wanted
                .announced
                .as_ref()
                .is_none_or(|all| all.contains_key(&ip))
        };
        let there = |ip, link| host.has_own(ip, link);
        let running = |link| host.links.get(&link).is_some_and(|link| link.running);
        self.claims.retain(wants, there, running);
    }

    /// What is wanted and nobody else has.
    fn obtainable(&self, wanted: &Wanted) -> Wanted {
        let mut wanted = wanted.clone();
        if let Some(announced) = &mut wanted.announced {
            announced.retain(|ip, _| self.claims.taken(*ip).is_none());
        }
        wanted
    }

    /// Whether the LAN leaves an address to this machine. One that nobody there would ask for needs no leave.
    fn leave(&mut self, addition: &Addition, host: &Host, now: Instant) -> Leave {
        let announces = host.links.get(&addition.link).filter(|link| link.announces);
        match announces.map(speaks) {
            None => Leave::Given,
            Some(None) => Leave::NobodyToAsk,
            Some(Some(_)) if self.claims.ask(addition.ip, addition.link, now) => Leave::Given,
            Some(Some(_)) => Leave::Asking,
        }
    }

    fn note_added(&mut self, addition: &Addition, host: &Host, now: Instant) {
        let Addition { ip, link, reason } = addition;
        info!(
            "added address {ip} to link {}: {reason}",
            host.link_name(*link)
        );
        self.added.insert((*ip, *link), now);
        if host.links.get(link).is_some_and(|link| link.announces) {
            self.places.insert(*ip, *link);
            self.bursts.start(*ip, *link, now);
        }
    }

    fn note_waiting(&mut self, waiting: BTreeMap<IpAddr, Option<u32>>, host: &Host) {
        for (ip, link) in &waiting {
            if self.waiting.get(ip) != Some(link) {
                match link {
                    Some(link) => warn!(
                        "address {ip} waits for link {}, which is off or has no carrier",
                        host.link_name(*link)
                    ),
                    None => warn!(
                        "address {ip} waits for a link to be on: this machine has none with an address"
                    ),
                }
            }
        }
        self.waiting = waiting;
    }

    fn note_places(&mut self, wanted: &Wanted, host: &Host) {
        let own = host
            .addresses
            .iter()
            .filter(|address| address.own && !host.is_local(address.link));
        self.places
            .extend(own.map(|address| (address.ip, address.link)));
        if let Some(announced) = &wanted.announced {
            self.places.retain(|ip, _| announced.contains_key(ip));
        }
    }

    fn announce(&mut self, host: &Host, now: Instant) -> Vec<Error> {
        let mut errors = self.announce_links(host, now);
        let added = &self.added;
        self.bursts
            .retain(|ip, link| host.has_own(ip, link) || added.contains_key(&(ip, link)));
        let due = self.bursts.take_due(now);
        errors.extend(announce(host, &due));
        for (ip, _) in due {
            self.metrics.announced(ip);
        }
        errors
    }

    /// Links that came up, or that have another hardware address now, make their addresses known again, and ask once who
    /// else has them: others may have come in the meantime.
    fn announce_links(&mut self, host: &Host, now: Instant) -> Vec<Error> {
        let mut anew = Vec::new();
        for address in host.addresses.iter().filter(|address| address.own) {
            let Some(link) = host.links.get(&address.link) else {
                continue;
            };
            // Not seen before: kedge has just started, and the address has been there all the time.
            let old = self.links.get(&link.index);
            if speaks(link).is_some() && old.is_some_and(|old| link.is_anew(old)) {
                info!(
                    "announcing address {} again: link {} came up or changed",
                    address.ip, link.name
                );
                self.bursts.start(address.ip, link.index, now);
                anew.push((address.ip, link.index));
            }
        }
        self.links.clone_from(&host.links);
        self.ask(host, &anew)
    }

    fn ask(&self, host: &Host, addresses: &[(IpAddr, u32)]) -> Vec<Error> {
        ask(host, addresses, self.listener.nonce())
    }

    fn publish(&self, wanted: &Wanted, host: &Host) {
        let mut claims: BTreeMap<IpAddr, Claim> = self
            .claims
            .all_taken()
            .map(|(ip, link, by)| {
                let link = host.link_name(link);
                (ip, Claim::Taken { link, by })
            })
            .collect();
        for ip in wanted.announced.iter().flat_map(BTreeMap::keys) {
            claims.entry(*ip).or_insert_with(|| self.claim(*ip, host));
        }
        self.published.send_if_modified(|old| {
            let changed = **old != claims;
            if changed {
                for ip in old.keys().filter(|ip| !claims.contains_key(ip)) {
                    self.metrics.released(*ip);
                }
                *old = Arc::new(claims);
            }
            changed
        });
    }

    /// What became of an address that is wanted, and that nobody else has.
    fn claim(&self, ip: IpAddr, host: &Host) -> Claim {
        let link = |index: u32| host.link_name(index);
        let running = |index: &u32| host.links.get(index).is_some_and(|link| link.running);
        // Also where another program put it there: the kernel answers for it.
        let found = host.addresses.iter().find(|address| address.ip == ip);
        let added = || self.added.keys().find(|(added, _)| *added == ip);
        let there = found
            .map(|address| address.link)
            .or_else(|| added().map(|(_, link)| *link));
        match (there, self.claims.asking(ip)) {
            (Some(index), _) if running(&index) => Claim::Announced { link: link(index) },
            (_, Some(index)) => Claim::Asking { link: link(index) },
            (there, None) => {
                let place = there.or_else(|| self.waiting.get(&ip).copied().flatten());
                Claim::Waiting {
                    link: place.map(link),
                }
            }
        }
    }
}

fn by(mac: Option<Mac>) -> String {
    mac.map_or_else(
        || "a neighbour".into(),
        |mac| format!("the neighbour {mac}"),
    )
}
