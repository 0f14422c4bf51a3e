//! A map of the few things that belong to one of many: the slices of a Service, the names of an address.
//!
//! A `BTreeMap` takes room for eleven entries as soon as it has one; with ten thousand Services of one slice that is
//! memory for a hundred thousand. This one is exactly as large as what is in it.

use smol_str::SmolStr;

/// Values by name, in the order of the names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Few<V>(Vec<(SmolStr, V)>);

impl<V> Default for Few<V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<V> Few<V> {
    fn find(&self, name: &str) -> Result<usize, usize> {
        self.0
            .binary_search_by(|(known, _)| known.as_str().cmp(name))
    }

    #[must_use]
    pub fn get(&self, name: &str) -> Option<&V> {
        let at = self.find(name).ok()?;
        self.0.get(at).map(|(_, value)| value)
    }

    /// Puts a value in the place of what has its name.
    pub fn insert(&mut self, name: impl Into<SmolStr>, value: V) {
        let name = name.into();
        match self.find(&name) {
            Ok(at) => self.0[at].1 = value,
            Err(at) => {
                self.0.reserve_exact(1);
                self.0.insert(at, (name, value));
            }
        }
    }

    pub fn remove(&mut self, name: &str) -> Option<V> {
        let at = self.find(name).ok()?;
        let (_, value) = self.0.remove(at);
        self.0.shrink_to_fit();
        Some(value)
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.0.iter().map(|(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_map(steps in prop::collection::vec(("[a-f]", any::<Option<u8>>()), 0..40)) {
            let (mut few, mut map) = (Few::default(), BTreeMap::new());
            for (name, value) in steps {
                match value {
                    Some(value) => {
                        few.insert(name.as_str(), value);
                        map.insert(name.clone(), value);
                    }
                    None => prop_assert_eq!(few.remove(&name), map.remove(&name)),
                }
                prop_assert_eq!(few.get(&name), map.get(&name));
                prop_assert_eq!(few.is_empty(), map.is_empty());
                prop_assert!(few.names().eq(map.keys().map(String::as_str)));
                prop_assert!(few.values().eq(map.values()));
                prop_assert!(few.0.capacity() <= few.0.len() + 1);
            }
        }
    }
}
