//! A transaction, before it is put into bytes.

use crate::family::Family;
use crate::layout::Element;

/// What a table's chains and rules need.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Repair {
    /// They are as they should be.
    #[default]
    None,
    /// There is no table: make it.
    Make,
    /// It cannot be mended, or is of another layout: delete it and make it anew.
    Replace(&'static str),
    /// The rules of these chains are not what they should be: put them right.
    Rules(Vec<String>),
}

impl Repair {
    /// Whether the table is made from nothing, so that none of its elements count.
    pub fn is_new(&self) -> bool {
        matches!(self, Self::Make | Self::Replace(_))
    }
}

/// What happens in the kernel at once, in this order: tables and rules, chains made, elements
/// removed, elements added, chains deleted.
#[derive(Debug, Clone, Default)]
pub struct Transaction {
    /// In the order of [`Family::ALL`].
    pub repair: [Repair; 2],
    /// Chains to make that remember clients, by timeout.
    pub learn: Vec<(Family, u32)>,
    pub remove: Vec<Element>,
    pub add: Vec<Element>,
    /// Such chains to delete.
    pub unlearn: Vec<(Family, u32)>,
    /// Only if the ruleset is still of this generation.
    pub generation: Option<u32>,
}

impl Transaction {
    pub fn is_empty(&self) -> bool {
        self.repair.iter().all(|repair| *repair == Repair::None)
            && self.learn.is_empty()
            && self.remove.is_empty()
            && self.add.is_empty()
            && self.unlearn.is_empty()
    }

    /// Number of elements that it changes.
    pub fn len(&self) -> usize {
        self.remove.len() + self.add.len()
    }
}
