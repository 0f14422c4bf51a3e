//! From addresses back to who has them: eight octets more than the address each, and names are made on the fly.

use std::hash::{BuildHasher, Hash, RandomState};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hashbrown::HashTable;

/// Who has an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    Service(u32),
    Slice(u32),
}

#[derive(Debug, Default)]
pub struct Pointers {
    v4: HashTable<(Ipv4Addr, Owner)>,
    v6: HashTable<(Ipv6Addr, Owner)>,
    hasher: RandomState,
}

impl Pointers {
    /// One that is there twice (an endpoint named twice in a slice) is kept twice, and goes the same way.
    pub fn insert(&mut self, address: IpAddr, owner: Owner) {
        match address {
            IpAddr::V4(v4) => insert(&mut self.v4, &self.hasher, v4, owner),
            IpAddr::V6(v6) => insert(&mut self.v6, &self.hasher, v6, owner),
        }
    }

    pub fn remove(&mut self, address: IpAddr, owner: Owner) {
        match address {
            IpAddr::V4(v4) => remove(&mut self.v4, &self.hasher, v4, owner),
            IpAddr::V6(v6) => remove(&mut self.v6, &self.hasher, v6, owner),
        }
    }

    /// Calls `found` with each owner.
    pub fn each(&self, address: IpAddr, mut found: impl FnMut(Owner)) {
        match address {
            IpAddr::V4(v4) => {
                let hash = self.hasher.hash_one(v4);
                let same = self.v4.iter_hash(hash).filter(|(key, _)| *key == v4);
                same.for_each(|(_, owner)| found(*owner));
            }
            IpAddr::V6(v6) => {
                let hash = self.hasher.hash_one(v6);
                let same = self.v6.iter_hash(hash).filter(|(key, _)| *key == v6);
                same.for_each(|(_, owner)| found(*owner));
            }
        }
    }
}

fn insert<A: Hash>(
    table: &mut HashTable<(A, Owner)>,
    hasher: &RandomState,
    address: A,
    owner: Owner,
) {
    let hash = hasher.hash_one(&address);
    table.insert_unique(hash, (address, owner), |(address, _)| {
        hasher.hash_one(address)
    });
}

fn remove<A: Hash + Eq>(
    table: &mut HashTable<(A, Owner)>,
    hasher: &RandomState,
    address: A,
    owner: Owner,
) {
    let hash = hasher.hash_one(&address);
    if let Ok(place) = table.find_entry(hash, |(key, kept)| *key == address && *kept == owner) {
        place.remove();
    }
}
