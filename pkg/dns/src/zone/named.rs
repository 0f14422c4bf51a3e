//! Things by namespace and name: numbered, so that others can refer to them in four octets, and found by their name
//! as it stands in a question, without a key being made.

use std::hash::{BuildHasher, RandomState};
use std::ops::{Index, IndexMut};

use hashbrown::HashTable;
use slab::Slab;
use smol_str::SmolStr;

#[derive(Debug)]
pub struct Named<T> {
    entries: Slab<Entry<T>>,
    index: HashTable<u32>,
    hasher: RandomState,
}

#[derive(Debug)]
struct Entry<T> {
    namespace: u32,
    name: SmolStr,
    value: T,
}

impl<T> Default for Named<T> {
    fn default() -> Self {
        Self {
            entries: Slab::new(),
            index: HashTable::new(),
            hasher: RandomState::new(),
        }
    }
}

impl<T> Named<T> {
    /// The number of what has this name.
    pub fn find(&self, namespace: u32, name: &[u8]) -> Option<u32> {
        let is_it = |id: &u32| {
            let entry = &self.entries[*id as usize];
            entry.namespace == namespace && entry.name.as_bytes() == name
        };
        let hash = self.hasher.hash_one((namespace, name));
        self.index.find(hash, is_it).copied()
    }

    /// Adds what is not there yet.
    pub fn insert(&mut self, namespace: u32, name: &str, value: T) -> u32 {
        let hash = self.hasher.hash_one((namespace, name.as_bytes()));
        let id = self.entries.insert(Entry {
            namespace,
            name: name.into(),
            value,
        }) as u32;
        let Self {
            entries,
            index,
            hasher,
        } = self;
        index.insert_unique(hash, id, |id| {
            let entry = &entries[*id as usize];
            hasher.hash_one((entry.namespace, entry.name.as_bytes()))
        });
        id
    }

    pub fn remove(&mut self, id: u32) -> T {
        let entry = self.entries.remove(id as usize);
        let hash = self
            .hasher
            .hash_one((entry.namespace, entry.name.as_bytes()));
        if let Ok(place) = self.index.find_entry(hash, |known| *known == id) {
            place.remove();
        }
        entry.value
    }

    pub fn name(&self, id: u32) -> &str {
        &self.entries[id as usize].name
    }

    pub fn namespace(&self, id: u32) -> u32 {
        self.entries[id as usize].namespace
    }
}

impl<T> Index<u32> for Named<T> {
    type Output = T;

    fn index(&self, id: u32) -> &T {
        &self.entries[id as usize].value
    }
}

impl<T> IndexMut<u32> for Named<T> {
    fn index_mut(&mut self, id: u32) -> &mut T {
        &mut self.entries[id as usize].value
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_map(steps in prop::collection::vec((0u32..3, "[a-f]", any::<Option<u8>>()), 0..60)) {
            let (mut named, mut map) = (Named::default(), HashMap::new());
            for (namespace, name, value) in steps {
                let known = named.find(namespace, name.as_bytes());
                match (known, value) {
                    (None, Some(value)) => {
                        named.insert(namespace, &name, value);
                        map.insert((namespace, name.clone()), value);
                    }
                    (Some(id), Some(value)) => {
                        named[id] = value;
                        map.insert((namespace, name.clone()), value);
                    }
                    (Some(id), None) => prop_assert_eq!(Some(named.remove(id)), map.remove(&(namespace, name.clone()))),
                    (None, None) => prop_assert!(!map.contains_key(&(namespace, name.clone()))),
                }
            }
            for ((namespace, name), value) in &map {
                let id = named.find(*namespace, name.as_bytes()).unwrap();
                prop_assert_eq!((named.name(id), named.namespace(id), &named[id]), (name.as_str(), *namespace, value));
            }
        }
    }
}
