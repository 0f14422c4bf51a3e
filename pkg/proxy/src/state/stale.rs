//! Which conntrack entries of UDP flows have become wrong.
//!
//! TCP ends by itself: the endpoint that is gone resets, or the client gives up. A UDP client that
//! goes on sending keeps its entry alive, and with it the way to an endpoint that is no more
//! (kubernetes#139628).

use std::collections::{HashMap, HashSet};

use crate::family::{Endpoint, Family, Protocol};
use crate::layout::{Group, ServiceKey};

/// What the batch has made wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stale {
    /// Flows at these addresses are wrong unless they go to one of these endpoints: addresses that
    /// are new, or whose endpoints have become fewer.
    served: HashMap<ServiceKey, HashSet<Endpoint>>,
    /// Flows at these addresses are wrong if they belong to one of these groups: addresses that are
    /// gone.
    closed: HashMap<ServiceKey, HashSet<Group>>,
}

/// Where flows go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    Nowhere,
    One(ServiceKey),
    /// To several addresses: looked at in one go, whatever their number.
    Anywhere,
}

/// A UDP flow, from its conntrack entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flow {
    /// What the client sent to.
    pub asked: Endpoint,
    /// Who answers: the reply's source.
    pub answers: Endpoint,
    /// The group in its mark.
    pub group: Group,
}

impl Stale {
    pub fn is_empty(&self) -> bool {
        self.served.is_empty() && self.closed.is_empty()
    }

    /// Where the flows of a family go that are to be looked at.
    pub fn scope(&self, family: Family) -> Scope {
        let keys = self.served.keys().chain(self.closed.keys());
        let mut keys = keys.filter(|key| Family::of(key.address) == family);
        match (keys.next(), keys.next()) {
            (None, _) => Scope::Nowhere,
            (Some(key), None) => Scope::One(*key),
            _ => Scope::Anywhere,
        }
    }

    /// From now on, only these endpoints are right at this address.
    pub fn serve(&mut self, key: ServiceKey, endpoints: impl IntoIterator<Item = Endpoint>) {
        self.closed.remove(&key);
        self.served.insert(key, endpoints.into_iter().collect());
    }

    /// This address is closed; it led to these groups.
    pub fn close(&mut self, key: ServiceKey, groups: impl IntoIterator<Item = Group>) {
        if !self.served.contains_key(&key) {
            self.closed.entry(key).or_default().extend(groups);
        }
    }

    /// Adds what came later, and counts where both speak of the same address.
    pub fn extend(&mut self, later: Self) {
        for (key, groups) in later.closed {
            self.served.remove(&key);
            self.close(key, groups);
        }
        for (key, endpoints) in later.served {
            self.serve(key, endpoints);
        }
    }

    /// Puts in force what `serving` says of addresses that somebody serves by now; the others stay as they are.
    pub fn amend(&mut self, serving: impl Fn(&ServiceKey) -> Option<HashSet<Endpoint>>) {
        for (key, endpoints) in &mut self.served {
            if let Some(now) = serving(key) {
                *endpoints = now;
            }
        }
        let reopened = self.closed.extract_if(|key, _| serving(key).is_some());
        let reopened: Vec<ServiceKey> = reopened.map(|(key, _)| key).collect();
        for key in reopened {
            self.serve(key, serving(&key).unwrap_or_default());
        }
    }

    /// Whether a flow is to be forgotten.
    pub fn contains(&self, flow: &Flow) -> bool {
        let key = ServiceKey {
            address: flow.asked.address,
            protocol: Protocol::Udp,
            port: flow.asked.port,
        };
        if let Some(endpoints) = self.served.get(&key) {
            return !endpoints.contains(&flow.answers);
        }
        self.closed
            .get(&key)
            .is_some_and(|groups| groups.contains(&flow.group))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(n: u8, port: u16) -> Endpoint {
        Endpoint {
            address: [10, 0, 0, n].into(),
            port,
        }
    }

    fn key(n: u8) -> ServiceKey {
        ServiceKey {
            address: [10, 0, 0, n].into(),
            protocol: Protocol::Udp,
            port: 53,
        }
    }

    fn flow(asked: u8, answers: u8, group: u32) -> Flow {
        Flow {
            asked: endpoint(asked, 53),
            answers: endpoint(answers, 5353),
            group: Group {
                family: Family::V4,
                id: group,
            },
        }
    }

    #[test]
    fn flows_to_serving_endpoints_stay() {
        let mut stale = Stale::default();
        stale.serve(key(1), [endpoint(7, 5353)]);
        assert!(!stale.contains(&flow(1, 7, 1)));
        assert!(stale.contains(&flow(1, 8, 1)));
        assert!(!stale.contains(&flow(2, 8, 1)), "another address");
        let elsewhere = |asked: u16, answers: u16| Flow {
            asked: endpoint(1, asked),
            answers: endpoint(7, answers),
            ..flow(1, 7, 1)
        };
        assert!(
            stale.contains(&elsewhere(53, 5354)),
            "the endpoint has another port now"
        );
        assert!(!stale.contains(&elsewhere(54, 5354)), "another port");
    }

    #[test]
    fn a_flow_from_before_the_service_is_stale() {
        let mut stale = Stale::default();
        stale.serve(key(1), [endpoint(7, 5353)]);
        let untranslated = Flow {
            answers: endpoint(1, 53),
            ..flow(1, 0, 0)
        };
        assert!(stale.contains(&untranslated));
    }

    #[test]
    fn the_later_of_two_counts() {
        let group = flow(0, 0, 5).group;
        let mut closing = Stale::default();
        closing.close(key(1), [group]);
        let mut serving = Stale::default();
        serving.serve(key(1), [endpoint(7, 5353)]);

        let mut opened = closing.clone();
        opened.extend(serving.clone());
        assert!(!opened.contains(&flow(1, 7, 5)));
        assert!(opened.contains(&flow(1, 8, 5)));
        serving.extend(closing);
        assert!(serving.contains(&flow(1, 7, 5)));
        assert!(!serving.contains(&flow(1, 8, 6)));
    }

    #[test]
    fn a_closed_address_takes_only_our_flows_along() {
        let mut stale = Stale::default();
        let group = flow(0, 0, 5).group;
        stale.close(key(1), [group]);
        assert!(stale.contains(&flow(1, 7, 5)));
        assert!(!stale.contains(&flow(1, 7, 6)));
        stale.serve(key(1), [endpoint(7, 5353)]);
        assert!(
            !stale.contains(&flow(1, 7, 5)),
            "opened again in the same batch"
        );
    }
}
