//! Classes: what the chain `services` does with a packet, in the low byte of its mark.

/// The low byte of a mark. See the constants; all other values are unused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Class(u8);

/// Up to this number of endpoints there is a class, and a chain, for each number. Every chain that draws
/// costs each element that is added to the map of slots a look, so there are not many.
const EXACT: u32 = 16;
/// Above it there are this many classes between a power of two and the next.
const STEPS: u32 = 4;
/// The class of the greatest number: 4 steps for each doubling from 16 to 65,536.
const LAST_COUNT: u8 = 64;

impl Class {
    /// A single endpoint.
    pub const ONE: Self = Self(1);
    /// The greatest number that has a class of its own.
    pub const GREATEST_EXACT: Self = Self(EXACT as u8);
    /// Answer that the port is closed.
    pub const REJECT: Self = Self(0xe0);
    /// Drop.
    pub const DENY: Self = Self(0xe1);
    /// Look at the source first: `loadBalancerSourceRanges`.
    pub const SOURCE_RANGES: Self = Self(0xe2);
    /// What comes next depends on where the packet is from: `externalTrafficPolicy: Local`.
    pub const BY_SOURCE: Self = Self(0xe3);
    /// Look for the endpoint that this client had before: `sessionAffinity: ClientIP`.
    pub const STICKY: Self = Self(0xe4);

    /// Most endpoints that one group can have.
    pub const MAX_ENDPOINTS: usize = 65_536;

    /// All classes that choose among endpoints, smallest number first.
    pub fn counts() -> impl Iterator<Item = Self> {
        (1..=LAST_COUNT).map(Self)
    }

    /// The class for a group of `count` endpoints (capped at [`Class::MAX_ENDPOINTS`]); `None` for
    /// an empty one.
    pub fn for_count(count: usize) -> Option<Self> {
        let count = count.min(Self::MAX_ENDPOINTS) as u32;
        match count {
            0 => None,
            1..=EXACT => Some(Self(count as u8)),
            _ => Self::counts().find(|class| class.modulus() >= count),
        }
    }

    /// The number of slots that the chain of a counting class draws from. Slots from the group's
    /// count up are empty; they are fewer than a fifth, except that 16-bit slots end at 65,536.
    pub fn modulus(self) -> u32 {
        let n = u32::from(self.0);
        if n <= EXACT {
            return n;
        }
        let (doubling, step) = ((n - EXACT - 1) / STEPS, (n - EXACT - 1) % STEPS + 1);
        (EXACT << doubling) / STEPS * (STEPS + step)
    }

    /// Whether every slot of the chain is filled in any group of this class.
    pub fn is_exact(self) -> bool {
        u32::from(self.0) <= EXACT
    }

    /// Whether this class chooses among endpoints.
    pub fn is_count(self) -> bool {
        (1..=LAST_COUNT).contains(&self.0)
    }

    pub const fn code(self) -> u8 {
        self.0
    }

    pub const fn from_code(code: u8) -> Self {
        Self(code)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_ladder_ends_where_slots_end() {
        assert_eq!(Class(17).modulus(), 20);
        assert_eq!(Class(20).modulus(), 32);
        assert_eq!(Class(21).modulus(), 40);
        assert_eq!(Class(LAST_COUNT).modulus(), 65_536);
        assert_eq!(Class::for_count(0), None);
        assert_eq!(Class::for_count(1_000_000), Some(Class(LAST_COUNT)));
    }

    #[test]
    fn special_classes_are_not_counts() {
        for class in [
            Class::REJECT,
            Class::DENY,
            Class::SOURCE_RANGES,
            Class::BY_SOURCE,
            Class::STICKY,
        ] {
            assert!(!class.is_count());
        }
    }

    proptest! {
        #[test]
        fn a_draw_hits_at_least_four_times_in_five(count in 1usize..=Class::MAX_ENDPOINTS) {
            let class = Class::for_count(count).unwrap();
            prop_assert!(class.is_count());
            prop_assert!(class.modulus() as usize >= count);
            prop_assert!(count * 5 >= class.modulus() as usize * 4);
            if class.is_exact() {
                prop_assert_eq!(class.modulus() as usize, count);
            }
        }
    }
}
