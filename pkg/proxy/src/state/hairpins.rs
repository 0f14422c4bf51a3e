//! Endpoints that may come to themselves, whose packets get another source.
//!
//! A packet that is past the rule which chose an endpoint, and not yet past the one that rewrites its source, would go out with its
//! endpoint's own address as its source, and its connection for good, if the endpoint were taken out between them. So
//! an address stays until every packet has passed that was on its way when its last user went.

use std::collections::HashSet;
use std::net::IpAddr;

use super::shared::Counted;
use crate::family::Family;

/// Addresses, with what holds them.
#[derive(Debug, Default)]
pub struct Hairpins {
    used: Counted,
    /// Nobody uses them any more.
    leaving: HashSet<IpAddr>,
    /// The same, while packets pass.
    passing: HashSet<IpAddr>,
}

impl Hairpins {
    /// One user more; true if the kernel lacks the address.
    pub fn add(&mut self, address: IpAddr) -> bool {
        let first = self.used.add(address);
        let there = self.leaving.remove(&address) | self.passing.remove(&address);
        first && !there
    }

    /// One user less. The address stays for now.
    pub fn remove(&mut self, address: IpAddr) {
        if self.used.remove(address) {
            self.leaving.insert(address);
        }
    }

    /// True if some are to go, after packets that are on their way now have passed.
    pub fn begin_settling(&mut self) -> bool {
        let begins = self.passing.is_empty() && !self.leaving.is_empty();
        if begins {
            self.passing = std::mem::take(&mut self.leaving);
        }
        begins
    }

    /// Those that go, now that packets have passed.
    pub fn settle(&mut self) -> HashSet<IpAddr> {
        std::mem::take(&mut self.passing)
    }

    /// All that the kernel should hold.
    pub fn of(&self, family: Family) -> impl Iterator<Item = IpAddr> + '_ {
        let left = self.leaving.iter().chain(&self.passing).copied();
        let left = left.filter(move |address| Family::of(*address) == family);
        self.used.of(family).chain(left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_goes_when_packets_have_passed() {
        let address: IpAddr = [10, 0, 0, 1].into();
        let mut hairpins = Hairpins::default();
        let count = |hairpins: &Hairpins| hairpins.of(Family::V4).count();
        assert!(hairpins.add(address) && !hairpins.add(address));
        hairpins.remove(address);
        assert!(!hairpins.begin_settling());
        hairpins.remove(address);
        assert_eq!(count(&hairpins), 1);
        assert!(hairpins.begin_settling() && !hairpins.begin_settling());
        // It came back while they passed: the kernel still has it.
        assert!(!hairpins.add(address));
        assert!(hairpins.settle().is_empty());
        assert_eq!(count(&hairpins), 1);
        hairpins.remove(address);
        assert!(hairpins.begin_settling());
        assert_eq!(hairpins.settle(), HashSet::from([address]));
        assert_eq!(count(&hairpins), 0);
        assert!(hairpins.add(address));
    }
}
