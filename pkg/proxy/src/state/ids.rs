//! Ids of groups.

use crate::layout::Group;

/// Gives ids out in a circle, so that an id comes back only after all others: connections outlive
/// their Service, with its id in their marks.
#[derive(Debug, Clone)]
pub struct Ids {
    /// A bit for each id that is in use.
    used: Vec<u64>,
    /// Where the search begins.
    next: u32,
    /// Freed, but not before the kernel knows.
    retired: Vec<u32>,
}

impl Default for Ids {
    fn default() -> Self {
        Self {
            used: Vec::new(),
            next: 1,
            retired: Vec::new(),
        }
    }
}

impl Ids {
    /// An id that is not in use; `None` when all are.
    pub fn allocate(&mut self) -> Option<u32> {
        let id = (self.next..=Group::MAX_ID)
            .chain(1..self.next)
            .find(|id| !self.contains(*id))?;
        self.set(id, true);
        self.next = if id == Group::MAX_ID { 1 } else { id + 1 };
        Some(id)
    }

    /// Takes a certain id; false when it is in use already. Later ids follow after it.
    pub fn claim(&mut self, id: u32) -> bool {
        if id == 0 || id > Group::MAX_ID || self.contains(id) {
            return false;
        }
        self.set(id, true);
        if id >= self.next {
            self.next = if id == Group::MAX_ID { 1 } else { id + 1 };
        }
        true
    }

    /// Gives an id back. It stays in use until [`Ids::settle`].
    pub fn release(&mut self, id: u32) {
        self.retired.push(id);
    }

    /// The kernel has forgotten what was released.
    pub fn settle(&mut self) {
        for id in std::mem::take(&mut self.retired) {
            self.set(id, false);
        }
    }

    fn contains(&self, id: u32) -> bool {
        let word = self.used.get(id as usize / 64).copied().unwrap_or(0);
        word >> (id % 64) & 1 == 1
    }

    fn set(&mut self, id: u32, used: bool) {
        let word = id as usize / 64;
        if word >= self.used.len() {
            self.used.resize(word + 1, 0);
        }
        if used {
            self.used[word] |= 1 << (id % 64);
        } else {
            self.used[word] &= !(1 << (id % 64));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_id_comes_back_last() {
        let mut ids = Ids::default();
        let first = ids.allocate().unwrap();
        ids.release(first);
        ids.settle();
        assert_eq!(ids.allocate(), Some(first + 1));
        ids.next = Group::MAX_ID;
        assert_eq!(ids.allocate(), Some(Group::MAX_ID));
        assert_eq!(ids.allocate(), Some(first));
    }

    #[test]
    fn a_claimed_id_is_not_given_out() {
        let mut ids = Ids::default();
        assert!(ids.claim(7));
        assert!(!ids.claim(7));
        assert!(!ids.claim(0));
        assert_eq!(ids.allocate(), Some(8));
    }

    #[test]
    fn there_is_an_end() {
        let mut ids = Ids::default();
        for _ in 0..Group::MAX_ID {
            assert!(ids.allocate().is_some());
        }
        assert_eq!(ids.allocate(), None);
    }

    proptest! {
        #[test]
        fn no_id_is_in_use_twice(steps in proptest::collection::vec(any::<(bool, u8)>(), 1..200)) {
            let mut ids = Ids::default();
            let mut live: Vec<u32> = Vec::new();
            let mut retired: HashSet<u32> = HashSet::new();
            for (take, at) in steps {
                if take || live.is_empty() {
                    let id = ids.allocate().unwrap();
                    prop_assert!(!live.contains(&id) && !retired.contains(&id));
                    live.push(id);
                } else {
                    let id = live.swap_remove(usize::from(at) % live.len());
                    ids.release(id);
                    retired.insert(id);
                }
                if at % 16 == 0 {
                    ids.settle();
                    retired.clear();
                }
            }
        }
    }
}
