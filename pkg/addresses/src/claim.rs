//! Which addresses are this machine's to use: asked for before they are used, defended while they are, left to whoever else has
//! them. RFC 5227 for IPv4, and the same for IPv6 on top of RFC 4862's duplicate detection. Knows no socket and no clock.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::host::Mac;
use crate::sighting::{Sighting, What};

/// How often the LAN is asked: RFC 5227's PROBE_NUM.
const QUESTIONS: u8 = 3;
/// How far apart. Its PROBE_MIN of a second is for links of unknown speed; neighbours on today's answer within a millisecond,
/// those that sleep on a wireless link within a few beacons of 100 ms.
const GAP: Duration = Duration::from_millis(250);
/// How long the last question waits for an answer: with those before it RFC 4862's second.
const PATIENCE: Duration = Duration::from_millis(500);
/// RFC 5227's DEFEND_INTERVAL.
const DEFEND_INTERVAL: Duration = Duration::from_secs(10);
/// How long an address is left to whoever has it before it may be asked for again. Its RATE_LIMIT_INTERVAL is the least.
const LEFT_ALONE: Duration = Duration::from_secs(600);

/// What is known of every address that was asked for.
#[derive(Debug, Default)]
pub(crate) struct Claims(BTreeMap<IpAddr, State>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// `asked` times; `due` is the next question, or the end of the wait.
    Asking { link: u32, asked: u8, due: Instant },
    /// Nobody else had it. `attacked` is when somebody last claimed it all the same.
    Ours {
        link: u32,
        attacked: Option<Instant>,
    },
    Taken {
        link: u32,
        by: Option<Mac>,
        until: Instant,
    },
}

/// What a sighting changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reaction {
    Ignore,
    /// Say once more whose it is.
    Defend,
    /// It is another's from now on.
    GiveUp,
}

impl Claims {
    /// An address that is on a link already.
    pub(crate) fn adopt(&mut self, ip: IpAddr, link: u32) {
        self.0.entry(ip).or_insert(State::Ours {
            link,
            attacked: None,
        });
    }

    /// Asks for an address on a link; true once it may be used there.
    pub(crate) fn ask(&mut self, ip: IpAddr, on: u32, now: Instant) -> bool {
        match self.0.get(&ip) {
            Some(State::Ours { link, .. }) if *link == on => return true,
            Some(State::Asking { link, .. }) if *link == on => return false,
            Some(State::Taken { .. }) => return false,
            _ => {}
        }
        let asking = State::Asking {
            link: on,
            asked: 0,
            due: now,
        };
        self.0.insert(ip, asking);
        false
    }

    /// Lets time pass. The questions to ask now, each address with its link.
    pub(crate) fn advance(&mut self, now: Instant) -> Vec<(IpAddr, u32)> {
        let mut questions = Vec::new();
        self.0.retain(|ip, state| match state {
            State::Asking { link, asked, due } if *due <= now => {
                if *asked == QUESTIONS {
                    *state = State::Ours {
                        link: *link,
                        attacked: None,
                    };
                } else {
                    questions.push((*ip, *link));
                    *asked += 1;
                    *due = now + if *asked == QUESTIONS { PATIENCE } else { GAP };
                }
                true
            }
            State::Taken { until, .. } => *until > now,
            _ => true,
        });
        questions
    }

    /// When to look again; never, where nothing is under way.
    pub(crate) fn next(&self) -> Option<Instant> {
        let due = |state: &State| match state {
            State::Asking { due, .. } => Some(*due),
            State::Taken { until, .. } => Some(*until),
            State::Ours { .. } => None,
        };
        self.0.values().filter_map(due).min()
    }

    /// Takes note of a neighbour on a link, which is not this machine itself.
    pub(crate) fn seen(&mut self, sighting: &Sighting, on: u32, now: Instant) -> Reaction {
        let Some(state) = self.0.get_mut(&sighting.ip) else {
            return Reaction::Ignore;
        };
        match state {
            // Both ask at once: neither gets it.
            State::Asking { link, .. } if *link == on => {}
            State::Ours { link, attacked } if *link == on && sighting.what == What::Has => {
                let before = attacked.replace(now);
                if before.is_none_or(|before| now >= before + DEFEND_INTERVAL) {
                    return Reaction::Defend;
                }
            }
            // To who asks for what is ours, the kernel answers.
            _ => return Reaction::Ignore,
        }
        *state = State::Taken {
            link: on,
            by: sighting.mac,
            until: now + LEFT_ALONE,
        };
        Reaction::GiveUp
    }

    /// Forgets what is no longer wanted, and what a link without a carrier makes doubtful: what is not there has to be asked
    /// for again.
    pub(crate) fn retain(
        &mut self,
        wanted: impl Fn(IpAddr) -> bool,
        there: impl Fn(IpAddr, u32) -> bool,
        running: impl Fn(u32) -> bool,
    ) {
        self.0.retain(|ip, state| match state {
            State::Asking { link, .. } => wanted(*ip) && running(*link),
            State::Ours { link, .. } => there(*ip, *link) || (wanted(*ip) && running(*link)),
            State::Taken { .. } => true,
        });
    }

    /// Who has it instead, and on which link.
    pub(crate) fn taken(&self, ip: IpAddr) -> Option<(u32, Option<Mac>)> {
        match self.0.get(&ip) {
            Some(State::Taken { link, by, .. }) => Some((*link, *by)),
            _ => None,
        }
    }

    /// Everything that somebody else has: the address, the link, and who.
    pub(crate) fn all_taken(&self) -> impl Iterator<Item = (IpAddr, u32, Option<Mac>)> {
        let all = self.0.keys();
        all.filter_map(|ip| self.taken(*ip).map(|(link, by)| (*ip, link, by)))
    }

    /// The link on which an address is asked for.
    pub(crate) fn asking(&self, ip: IpAddr) -> Option<u32> {
        match self.0.get(&ip) {
            Some(State::Asking { link, .. }) => Some(*link),
            _ => None,
        }
    }

    /// The addresses to listen for, by link.
    pub(crate) fn listens(&self) -> BTreeMap<u32, BTreeSet<IpAddr>> {
        let mut links: BTreeMap<u32, BTreeSet<IpAddr>> = BTreeMap::new();
        for (ip, state) in &self.0 {
            if let State::Asking { link, .. } | State::Ours { link, .. } = state {
                links.entry(*link).or_default().insert(*ip);
            }
        }
        links
    }
}

#[cfg(test)]
#[path = "claim_tests.rs"]
mod tests;
