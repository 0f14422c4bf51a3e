//! Marks: what a connection to a Service carries through the ruleset, in its conntrack mark.
//!
//! `group id << 12 | flags << 8 | class`

use std::ops::BitOr;

use super::class::Class;
use crate::family::Family;

/// The endpoints that one packet may go to: all of a Service port, or the local ones. Ids are 20
/// bits, from 1, and belong to one family's table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Group {
    pub family: Family,
    pub id: u32,
}

impl Group {
    /// Greatest id.
    pub const MAX_ID: u32 = (1 << 20) - 1;

    /// The id where a mark has it: the first half of a key of the endpoints' map.
    pub const fn bits(self) -> u32 {
        self.id << Mark::GROUP_SHIFT
    }
}

/// What is done with a connection besides choosing an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Flags(u32);

impl Flags {
    pub const NONE: Self = Self(0);
    /// It gets this node's address as its source.
    pub const MASQUERADE: Self = Self(0x100);
    /// The same, when its source is not in a cluster range.
    pub const MASQUERADE_OFF_CLUSTER: Self = Self(0x200);
    /// Its endpoint is learnt for its client.
    pub const LEARN: Self = Self(0x400);

    pub const fn bits(self) -> u32 {
        self.0
    }
}

impl BitOr for Flags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// A conntrack mark of a Service's connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mark(pub u32);

impl Mark {
    const GROUP_SHIFT: u32 = 12;
    /// The bits of the group.
    pub const GROUP_MASK: u32 = 0xffff_f000;
    /// The bits of the group and the flags.
    pub const STICKY_MASK: u32 = 0xffff_ff00;
    /// The bits of the class.
    pub const CLASS_MASK: u32 = 0xff;

    pub fn new(group: Group, flags: Flags, class: Class) -> Self {
        Self(group.bits() | flags.bits() | u32::from(class.code()))
    }

    pub const fn group_id(self) -> u32 {
        self.0 >> Self::GROUP_SHIFT
    }

    /// Whether all bits of `flags` are set.
    pub const fn has(self, flags: Flags) -> bool {
        self.0 & flags.0 == flags.0
    }

    pub const fn class(self) -> Class {
        Class::from_code(self.0 as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_do_not_overlap() {
        let group = Group {
            family: Family::V4,
            id: Group::MAX_ID,
        };
        let mark = Mark::new(group, Flags::MASQUERADE | Flags::LEARN, Class::REJECT);
        assert_eq!(mark.0, 0xffff_f5e0);
        assert_eq!(mark.group_id(), Group::MAX_ID);
        assert_eq!(mark.class(), Class::REJECT);
    }
}
