//! Addresses that several Services may have in common.

use std::collections::HashMap;
use std::net::IpAddr;

use crate::family::Family;

/// Addresses with the number of their users.
#[derive(Debug, Default)]
pub struct Counted(HashMap<IpAddr, u32>);

impl Counted {
    /// One user more; true if it is the first.
    pub fn add(&mut self, address: IpAddr) -> bool {
        let n = self.0.entry(address).or_default();
        *n += 1;
        *n == 1
    }

    /// One user less; true if it was the last.
    pub fn remove(&mut self, address: IpAddr) -> bool {
        let Some(n) = self.0.get_mut(&address) else {
            return false;
        };
        *n -= 1;
        if *n > 0 {
            return false;
        }
        self.0.remove(&address);
        true
    }

    pub fn of(&self, family: Family) -> impl Iterator<Item = IpAddr> + '_ {
        let addresses = self.0.keys().copied();
        addresses.filter(move |address| Family::of(*address) == family)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_and_the_last_matter() {
        let mut counted = Counted::default();
        let address: IpAddr = [10, 0, 0, 1].into();
        assert!(counted.add(address));
        assert!(!counted.add(address));
        assert!(!counted.remove(address));
        assert!(counted.remove(address));
        assert!(!counted.remove(address));
    }
}
