//! All entries by key, in order, with copies in constant time.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::ops::Bound;
use std::sync::Arc;

use rpds::RedBlackTreeSetSync;

use crate::Entry;

/// Entries of a chunk at most. What a tree takes for a node is shared by so many; a change copies a chunk.
const MOST: usize = 16;
/// A chunk left with fewer is joined with the next where both have room in one.
const FEW: usize = MOST / 4;

/// Neighbours in the order of keys, at least one.
#[derive(Debug, Clone)]
struct Chunk {
    /// The first one's key, at hand for who looks for another.
    first: Arc<str>,
    entries: Arc<[Arc<Entry>]>,
}

impl Chunk {
    fn of(entries: &[Arc<Entry>]) -> Option<Self> {
        Some(Self {
            first: Arc::clone(&entries.first()?.key),
            entries: entries.into(),
        })
    }

    fn find(&self, key: &str) -> Result<usize, usize> {
        self.entries.binary_search_by(|entry| (*entry.key).cmp(key))
    }
}

/// A chunk orders by its first key.
impl Borrow<str> for Chunk {
    fn borrow(&self) -> &str {
        &self.first
    }
}

/// Keys from one to another. Two of them are equal to a tree where they meet: so it finds the chunk around a key in one descent.
trait Span {
    fn bounds(&self) -> (&str, &str);
}

impl Span for Chunk {
    fn bounds(&self) -> (&str, &str) {
        let last = self.entries.last();
        (&self.first, last.map_or(&*self.first, |last| &*last.key))
    }
}

impl Span for &str {
    fn bounds(&self) -> (&str, &str) {
        (self, self)
    }
}

impl<'a> Borrow<dyn Span + 'a> for Chunk {
    fn borrow(&self) -> &(dyn Span + 'a) {
        self
    }
}

impl PartialEq for dyn Span + '_ {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for dyn Span + '_ {}

impl PartialOrd for dyn Span + '_ {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for dyn Span + '_ {
    fn cmp(&self, other: &Self) -> Ordering {
        let ((first, last), (other_first, other_last)) = (self.bounds(), other.bounds());
        if last < other_first {
            Ordering::Less
        } else if other_last < first {
            Ordering::Greater
        } else {
            Ordering::Equal
        }
    }
}

impl PartialEq for Chunk {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Chunk {}

impl PartialOrd for Chunk {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Chunk {
    fn cmp(&self, other: &Self) -> Ordering {
        self.first.cmp(&other.first)
    }
}

/// A persistent ordered map: a clone shares everything, a change copies the path to what it changes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Entries {
    chunks: RedBlackTreeSetSync<Chunk>,
    len: usize,
}

impl Entries {
    pub fn get(&self, key: &str) -> Option<&Arc<Entry>> {
        let key_alone: &dyn Span = &key;
        let home = self.chunks.get(key_alone)?;
        home.entries.get(home.find(key).ok()?)
    }

    /// Some that stand around a key, or would.
    pub fn near(&self, key: &str) -> &[Arc<Entry>] {
        self.home(key).map_or(&[], |home| &home.entries)
    }

    /// Puts an entry in the place of what has its key.
    pub fn put(&mut self, entry: Arc<Entry>) {
        let home = self.home(&entry.key).cloned();
        let mut entries = home
            .as_ref()
            .map_or_else(Vec::new, |home| home.entries.to_vec());
        match home.as_ref().map_or(Err(0), |home| home.find(&entry.key)) {
            Ok(at) => entries[at] = entry,
            Err(at) => {
                entries.insert(at, entry);
                self.len += 1;
            }
        }
        self.replace(home, entries);
    }

    pub fn remove(&mut self, key: &str) {
        let Some(home) = self.home(key).cloned() else {
            return;
        };
        let Ok(at) = home.find(key) else {
            return;
        };
        let mut entries = home.entries.to_vec();
        entries.remove(at);
        self.len -= 1;
        if entries.len() < FEW
            && let Some(next) = self.after(&home).cloned()
            && entries.len() + next.entries.len() <= MOST
        {
            self.chunks.remove_mut::<str>(&next.first);
            entries.extend(next.entries.iter().cloned());
        }
        self.replace(Some(home), entries);
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn iter(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.chunks.iter().flat_map(|chunk| &*chunk.entries)
    }

    /// Entries whose key begins with `prefix`, in key order, beginning after `after` when given.
    pub fn range<'a>(
        &'a self,
        prefix: &'a str,
        after: Option<&'a str>,
    ) -> impl Iterator<Item = &'a Arc<Entry>> + 'a {
        let after = after.filter(|after| *after >= prefix);
        let home = self.home(after.unwrap_or(prefix));
        let from = home.map_or(Bound::Unbounded, |home| Bound::Included(&*home.first));
        self.chunks
            .range::<str, _>((from, Bound::Unbounded))
            .flat_map(|chunk| &*chunk.entries)
            .skip_while(move |entry| match after {
                Some(after) => *entry.key <= *after,
                None => *entry.key < *prefix,
            })
            .take_while(move |entry| entry.key.starts_with(prefix))
    }

    /// The chunk that a key is in, or would be.
    fn home(&self, key: &str) -> Option<&Chunk> {
        let mut up_to = self
            .chunks
            .range::<str, _>((Bound::Unbounded, Bound::Included(key)));
        up_to.next_back().or_else(|| self.chunks.first())
    }

    fn after(&self, chunk: &Chunk) -> Option<&Chunk> {
        let from = Bound::Excluded(&*chunk.first);
        self.chunks.range::<str, _>((from, Bound::Unbounded)).next()
    }

    /// Puts entries in the place of a chunk: as one, as two where they are too many, or as none.
    fn replace(&mut self, old: Option<Chunk>, entries: Vec<Arc<Entry>>) {
        if let Some(old) = &old
            && entries.first().map(|entry| &*entry.key) != Some(&*old.first)
        {
            self.chunks.remove_mut::<str>(&old.first);
        }
        // Keys that come in their order fill one chunk after the other.
        let is_last = || old.as_ref().is_none_or(|old| self.after(old).is_none());
        let at = match entries.len() {
            ..=MOST => entries.len(),
            _ if is_last() => MOST,
            len => len / 2,
        };
        let (head, tail) = entries.split_at(at);
        for chunk in [head, tail].into_iter().filter_map(Chunk::of) {
            self.chunks.insert_mut(chunk);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn entry(key: &str, revision: u64) -> Arc<Entry> {
        Arc::new(Entry::new(key.into(), revision, []))
    }

    fn steps() -> impl Strategy<Value = Vec<(String, bool)>> {
        let key = "[ab]/[a-h]{1,2}";
        proptest::collection::vec((key, proptest::bool::weighted(0.7)), 0..400)
    }

    proptest! {
        #[test]
        fn it_is_a_map_and_copies_stay(steps in steps(), prefix in "[ab]?/?[a-h]?", after in "[ab]/[a-h]?") {
            let (mut entries, mut map) = (Entries::default(), BTreeMap::new());
            let mut copies = Vec::new();
            for (revision, (key, put)) in (1..).zip(steps) {
                if put {
                    entries.put(entry(&key, revision));
                    map.insert(key.clone(), revision);
                } else {
                    entries.remove(&key);
                    map.remove(&key);
                }
                prop_assert_eq!(entries.get(&key).map(|entry| entry.revision), map.get(&key).copied());
                if revision % 50 == 0 {
                    copies.push((entries.clone(), map.clone()));
                }
            }
            copies.push((entries, map));
            for (entries, map) in &copies {
                prop_assert_eq!(entries.len(), map.len());
                let shown = |entry: &Arc<Entry>| (entry.key.to_string(), entry.revision);
                let all: Vec<_> = map.iter().map(|(key, revision)| (key.clone(), *revision)).collect();
                prop_assert_eq!(entries.iter().map(shown).collect::<Vec<_>>(), all.clone());
                for after in [None, Some(&*after)] {
                    let mut want = all.clone();
                    want.retain(|(key, _)| key.starts_with(&prefix) && after.is_none_or(|after| &**key > after));
                    prop_assert_eq!(entries.range(&prefix, after).map(shown).collect::<Vec<_>>(), want);
                }
                let mut sizes = entries.chunks.iter().map(|chunk| chunk.entries.len());
                prop_assert!(sizes.all(|len| (1..=MOST).contains(&len)));
            }
        }
    }

    #[test]
    fn neighbours_are_near_wherever_they_are_put() {
        let mut entries = Entries::default();
        for number in 0..1000 {
            let key = format!("{:04}", number * 7919 % 1000);
            assert_eq!(entries.near(&key).is_empty(), number == 0);
            entries.put(entry(&key, 1));
            assert!(entries.near(&key).iter().any(|near| *near.key == *key));
        }
    }

    #[test]
    fn keys_in_their_order_fill_chunks() {
        let mut entries = Entries::default();
        for number in 0..1000 {
            entries.put(entry(&format!("{number:04}"), 1));
        }
        assert_eq!(entries.chunks.size(), 1000_usize.div_ceil(MOST));
    }
}
