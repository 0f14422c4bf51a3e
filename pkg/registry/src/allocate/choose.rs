//! Which number of a range to take when the client does not care.

/// How the lower part of a range is kept for those who ask for a number: the upper part is used first.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Band {
    /// One part in this many is kept,
    pub(crate) share: u128,
    /// but never less than this (or nothing at all, in a range that is no larger)
    pub(crate) least: u128,
    /// nor more than this.
    pub(crate) most: u128,
}

impl Band {
    /// KEP-3070, for ClusterIPs.
    pub(crate) const ADDRESSES: Self = Self {
        share: 16,
        least: 16,
        most: 256,
    };
    /// KEP-3668, for node ports.
    pub(crate) const PORTS: Self = Self {
        share: 32,
        least: 16,
        most: 128,
    };

    /// How many of `size` numbers are kept.
    pub(crate) fn kept(self, size: u128) -> u128 {
        if size <= self.least {
            0
        } else {
            (size / self.share).clamp(self.least, self.most)
        }
    }
}

/// A free number of `0..size`: beginning at a place of the upper part that `random` decides, around that part,
/// then around the `kept` lower part. `None` when all are taken.
pub(crate) fn choose(
    size: u128,
    kept: u128,
    random: u128,
    taken: impl Fn(u128) -> bool,
) -> Option<u128> {
    let around = |first: u128, count: u128| {
        let start = if count == 0 { 0 } else { random % count };
        (0..count).map(move |i| first + (start + i) % count)
    };
    let kept = kept.min(size);
    around(kept, size - kept)
        .chain(around(0, kept))
        .find(|n| !taken(*n))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn bands_are_those_of_the_proposals() {
        for (size, kept) in [
            (8, 0),
            (16, 0),
            (62, 16),
            (254, 16),
            (510, 31),
            (4094, 255),
            (65534, 256),
            (u128::MAX, 256),
        ] {
            assert_eq!(Band::ADDRESSES.kept(size), kept, "{size} addresses");
        }
        for (size, kept) in [(16, 0), (64, 16), (2768, 86), (65535, 128)] {
            assert_eq!(Band::PORTS.kept(size), kept, "{size} ports");
        }
    }

    proptest! {
        #[test]
        fn takes_each_once_and_the_lower_part_last(size in 1u128..200, kept in 0u128..50, seeds in prop::collection::vec(any::<u128>(), 200)) {
            let mut taken = BTreeSet::new();
            for i in 0..size {
                let n = choose(size, kept, seeds[i as usize], |n| taken.contains(&n)).unwrap();
                prop_assert!(n < size && taken.insert(n));
                let upper_full = i >= size.saturating_sub(kept);
                prop_assert_eq!(n < kept.min(size), upper_full);
            }
            prop_assert_eq!(choose(size, kept, seeds[0], |n| taken.contains(&n)), None);
        }
    }
}
