//! What a batch changes in the kernel, net.

use std::collections::HashMap;

use crate::layout::{Element, Key, Value};

/// Elements that go and elements that come. Whatever happens to a key in between, the kernel sees
/// at most one removal and one addition of it: some set types fail on more in one transaction.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    /// What was there before, and what is to be there.
    keys: HashMap<Key, (Option<Value>, Option<Value>)>,
    /// Nothing is recorded.
    ignored: bool,
}

impl Changes {
    /// A record for those who will compare everything anyway: it stays empty.
    pub fn ignored() -> Self {
        Self {
            ignored: true,
            ..Self::default()
        }
    }

    /// Whether nothing is recorded.
    pub fn are_ignored(&self) -> bool {
        self.ignored
    }

    /// An element that is there no more.
    pub fn remove(&mut self, (key, value): Element) {
        if !self.ignored {
            self.keys.entry(key).or_insert((Some(value), None)).1 = None;
        }
    }

    /// An element that is there from now on. One with the same key must have been removed before.
    pub fn add(&mut self, (key, value): Element) {
        if !self.ignored {
            self.keys.entry(key).or_insert((None, None)).1 = Some(value);
        }
    }

    /// An element whose value goes from one to another, where there is none perhaps.
    pub fn replace(&mut self, key: Key, old: Option<Value>, new: Option<Value>) {
        if let Some(old) = old {
            self.remove((key, old));
        }
        if let Some(new) = new {
            self.add((key, new));
        }
    }

    /// Every key whose value differs now, with both.
    pub fn net(&self) -> impl Iterator<Item = (Key, Option<Value>, Option<Value>)> + '_ {
        self.keys
            .iter()
            .filter(|(_, (old, new))| old != new)
            .map(|(key, (old, new))| (*key, *old, *new))
    }

    /// Elements to remove, in no order.
    pub fn removals(&self) -> impl Iterator<Item = Element> + '_ {
        self.net()
            .filter_map(|(key, old, _)| old.map(|old| (key, old)))
    }

    /// Elements to add, in no order.
    pub fn additions(&self) -> impl Iterator<Item = Element> + '_ {
        self.net()
            .filter_map(|(key, _, new)| new.map(|new| (key, new)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u8) -> Key {
        Key::ClusterIp([10, 0, 0, n].into())
    }

    #[test]
    fn there_and_back_is_nothing() {
        let mut changes = Changes::default();
        changes.add((key(1), Value::Member));
        changes.remove((key(1), Value::Member));
        changes.remove((key(2), Value::Member));
        changes.add((key(2), Value::Member));
        assert_eq!(changes.net().count(), 0);
    }

    #[test]
    fn only_the_ends_count() {
        let mut changes = Changes::default();
        let learn = |seconds| Some(Value::Learn(seconds));
        changes.replace(key(1), learn(1), learn(2));
        changes.replace(key(1), learn(2), learn(3));
        assert_eq!(
            changes.net().collect::<Vec<_>>(),
            [(key(1), learn(1), learn(3))]
        );
        assert_eq!(changes.removals().count(), 1);
        assert_eq!(changes.additions().count(), 1);
    }
}
