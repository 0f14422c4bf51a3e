//! Which occurrences are worth a write.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::time::{Duration, Instant};

use super::{About, Occurrence};

/// Different Events about one object that are written at once, and how often one more is: upstream's spam filter
/// (`client-go/tools/record`).
const BURST: u32 = 25;
const REFILL: Duration = Duration::from_secs(300);

/// Distinct occurrences that are remembered; then counting begins anew.
const MOST: usize = 1024;

/// What becomes of an occurrence.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Write it under this name; it happened so many times since it was written last, which this process may never have done.
    Write {
        name: String,
        count: u64,
        first: bool,
    },
    /// It is counted, and will be told with a later one.
    Count,
}

/// Counts what happens again and again: of the same occurrence the 1st, 2nd, 4th, 8th ... are written.
#[derive(Default)]
pub(super) struct Aggregate {
    seen: HashMap<u64, Seen>,
    buckets: HashMap<About, Bucket>,
}

#[derive(Default)]
struct Seen {
    total: u64,
    written: u64,
}

struct Bucket {
    left: u32,
    filled: Instant,
}

impl Aggregate {
    pub(super) fn note(&mut self, occurrence: &Occurrence, now: Instant) -> Verdict {
        if self.seen.len() >= MOST {
            self.seen.clear();
            self.buckets.clear();
        }
        let hash = stable_hash(occurrence);
        let seen = self.seen.entry(hash).or_default();
        seen.total += 1;
        if !seen.total.is_power_of_two() {
            return Verdict::Count;
        }
        let bucket = self
            .buckets
            .entry(occurrence.about.clone())
            .or_insert(Bucket {
                left: BURST,
                filled: now,
            });
        if !bucket.take(now) {
            return Verdict::Count;
        }
        let count = seen.total - seen.written;
        let first = seen.written == 0;
        seen.written = seen.total;
        Verdict::Write {
            name: name(&occurrence.about.name, hash),
            first,
            count,
        }
    }
}

impl Bucket {
    fn take(&mut self, now: Instant) -> bool {
        while self.left < BURST && now.duration_since(self.filled) >= REFILL {
            self.left += 1;
            self.filled += REFILL;
        }
        if self.left == BURST {
            self.filled = now;
        }
        let has = self.left > 0;
        self.left = self.left.saturating_sub(1);
        has
    }
}

/// The Event's name: the same for the same occurrence, after a restart too, so that it is counted up rather than repeated.
fn name(object: &str, hash: u64) -> String {
    // A name has at most 253 characters.
    let kept: String = object.chars().take(230).collect();
    format!("{}.{hash:016x}", kept.trim_end_matches(['.', '-']))
}

/// FNV-1a, which is the same in every build, as the standard library's hasher is not promised to be.
fn stable_hash(occurrence: &Occurrence) -> u64 {
    struct Fnv(u64);
    impl Hasher for Fnv {
        fn finish(&self) -> u64 {
            self.0
        }
        fn write(&mut self, bytes: &[u8]) {
            for byte in bytes {
                self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
            }
        }
    }
    let mut hasher = Fnv(0xcbf2_9ce4_8422_2325);
    let About {
        kind,
        namespace,
        name,
        uid,
        ..
    } = &occurrence.about;
    for text in [
        kind,
        namespace,
        name,
        uid,
        occurrence.kind.as_str(),
        occurrence.reason,
        &occurrence.message,
    ] {
        text.hash(&mut hasher);
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::EventType;

    fn occurrence(message: &str) -> Occurrence {
        let about = About {
            api_version: "v1".into(),
            kind: "Service".into(),
            namespace: "a".into(),
            name: "web".into(),
            uid: "1".into(),
        };
        Occurrence {
            about,
            kind: EventType::Warning,
            reason: "AllocationFailed",
            message: message.into(),
        }
    }

    #[test]
    fn the_same_again_is_written_ever_more_rarely() {
        let mut aggregate = Aggregate::default();
        let now = Instant::now();
        let written: Vec<_> = (1..=100)
            .filter_map(|n| match aggregate.note(&occurrence("x"), now) {
                Verdict::Write { count, .. } => Some((n, count)),
                Verdict::Count => None,
            })
            .collect();
        assert_eq!(
            written,
            [(1, 1), (2, 1), (4, 2), (8, 4), (16, 8), (32, 16), (64, 32)]
        );
    }

    #[test]
    fn one_object_cannot_fill_the_store() {
        let mut aggregate = Aggregate::default();
        let start = Instant::now();
        let mut note =
            |n: u32, now| aggregate.note(&occurrence(&n.to_string()), now) != Verdict::Count;
        assert_eq!((0..100).filter(|n| note(*n, start)).count(), 25);
        assert_eq!(
            (100..200).filter(|n| note(*n, start + 2 * REFILL)).count(),
            2
        );
    }

    #[test]
    fn a_name_is_the_occurrences_own() {
        let name =
            |occurrence: &Occurrence| match Aggregate::default().note(occurrence, Instant::now()) {
                Verdict::Write { name, .. } => name,
                Verdict::Count => String::new(),
            };
        assert_eq!(name(&occurrence("x")), name(&occurrence("x")));
        assert_ne!(name(&occurrence("x")), name(&occurrence("y")));
        assert!(name(&occurrence("x")).starts_with("web."));
    }
}
