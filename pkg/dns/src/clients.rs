//! Who may ask, and how much: a resolver that answers everybody is used to flood others.

use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

use ipnet::IpNet;
use tokio::sync::watch;

/// Prefixes that are counted apart. More than these share a count: memory stays as it is under any flood.
const BUCKETS: usize = 1024;

/// Ranges of addresses, and what their clients may do.
#[derive(Debug, Clone)]
pub struct Clients {
    /// Pods, Services and the node: as much as they like.
    pub cluster: Vec<IpNet>,
    /// The subnets of the node's links, as they come and go: within the limit.
    pub lan: watch::Receiver<Arc<[IpNet]>>,
    /// Named by the configuration: as the LAN.
    pub named: Vec<IpNet>,
    /// Answers a second over UDP to each /24 or /56 of the LAN; `None` is no limit.
    pub rate_limit: Option<u32>,
}

/// What an address is to the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Client {
    Inside,
    Lan,
    /// Gets no answer but that it gets none.
    Stranger,
}

impl Clients {
    #[must_use]
    pub fn of(&self, address: IpAddr) -> Client {
        let within = |nets: &[IpNet]| nets.iter().any(|net| net.contains(&address));
        if address.is_loopback() || within(&self.cluster) {
            Client::Inside
        } else if within(&self.named) || within(&self.lan.borrow()) {
            Client::Lan
        } else {
            Client::Stranger
        }
    }
}

/// What becomes of an answer over UDP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Send,
    /// Nothing is sent.
    Drop,
    /// An empty answer that has the client ask again over TCP: one that exists can, one whose address was forged cannot.
    Truncate,
}

/// Counts answers to each prefix in each second.
#[derive(Debug)]
pub struct RateLimit {
    most: u32,
    counts: Mutex<Box<[Count]>>,
    hasher: RandomState,
}

#[derive(Debug, Clone, Copy, Default)]
struct Count {
    second: u64,
    answers: u32,
}

impl RateLimit {
    /// `most`: answers a second.
    #[must_use]
    pub fn new(most: u32) -> Self {
        Self {
            most,
            counts: Mutex::new(vec![Count::default(); BUCKETS].into()),
            hasher: RandomState::new(),
        }
    }

    /// Counts an answer; `second` is of a clock that never goes back.
    pub fn count(&self, address: IpAddr, second: u64) -> Verdict {
        let hash = self.hasher.hash_one(prefix(address)) as usize;
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(count) = counts.get_mut(hash % BUCKETS) else {
            return Verdict::Send;
        };
        if count.second != second {
            *count = Count { second, answers: 0 };
        }
        count.answers = count.answers.saturating_add(1);
        match count.answers.checked_sub(self.most) {
            None | Some(0) => Verdict::Send,
            // Every other one, so that a client behind the same prefix as a flood still gets through.
            Some(over) if over % 2 == 1 => Verdict::Truncate,
            Some(_) => Verdict::Drop,
        }
    }
}

/// What one site has: a /24 or a /56.
fn prefix(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(v4) => Ipv4Addr::from(u32::from(v4) & !0xff).into(),
        IpAddr::V6(v6) => Ipv6Addr::from(u128::from(v6) >> 72 << 72).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_who() {
        let net = |text: &str| -> IpNet { text.parse().unwrap() };
        let (sender, lan) = watch::channel([net("192.168.1.0/24"), net("fd00:1::/64")].into());
        let clients = Clients {
            cluster: vec![net("10.42.0.0/16"), net("10.43.0.0/16")],
            lan,
            named: vec![net("203.0.113.0/24")],
            rate_limit: None,
        };
        let of = |text: &str| clients.of(text.parse().unwrap());
        for (address, client) in [
            ("10.42.0.11", Client::Inside),
            ("10.43.0.10", Client::Inside),
            ("127.0.0.1", Client::Inside),
            ("::1", Client::Inside),
            ("192.168.1.100", Client::Lan),
            ("fd00:1::100", Client::Lan),
            ("192.168.2.100", Client::Stranger),
            ("203.0.113.1", Client::Lan),
            ("198.51.100.1", Client::Stranger),
        ] {
            assert_eq!(of(address), client, "{address}");
        }
        sender.send_replace([net("192.168.2.0/24")].into());
        assert_eq!(of("192.168.2.100"), Client::Lan, "a link came");
        assert_eq!(of("192.168.1.100"), Client::Stranger, "a link went");
    }

    #[test]
    fn what_is_over_the_limit_is_dropped_or_sent_to_tcp() {
        let limit = RateLimit::new(3);
        let address: IpAddr = "192.168.1.100".parse().unwrap();
        let neighbour: IpAddr = "192.168.1.101".parse().unwrap();
        for _ in 0..3 {
            assert_eq!(limit.count(address, 7), Verdict::Send);
        }
        assert_eq!(limit.count(address, 7), Verdict::Truncate);
        assert_eq!(
            limit.count(neighbour, 7),
            Verdict::Drop,
            "one prefix, one count"
        );
        assert_eq!(limit.count(neighbour, 7), Verdict::Truncate);
        assert_eq!(limit.count(address, 8), Verdict::Send, "another second");
    }

    #[test]
    fn sites_are_counted_apart() {
        let same = |a: &str, b: &str| prefix(a.parse().unwrap()) == prefix(b.parse().unwrap());
        assert!(same("192.0.2.1", "192.0.2.200") && !same("192.0.2.1", "192.0.3.1"));
        assert!(same("2001:db8:0:1::1", "2001:db8:0:ff::1"));
        assert!(!same("2001:db8:0:1::1", "2001:db8:0:101::1"));
    }
}
