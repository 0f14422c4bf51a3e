//! What one batch does besides the model: elements, chains, and what must be forgotten afterwards.

use std::collections::{HashMap, HashSet};

use super::changes::Changes;
use super::stale::Stale;
use crate::family::Endpoint;
use crate::layout::Group;

/// Everything that a batch changes.
#[derive(Debug, Clone, Default)]
pub struct Delta {
    pub changes: Changes,
    pub forget: Forget,
}

/// What the kernel made of rules that are no more.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Forget {
    pub stale: Stale,
    /// Clients are no longer remembered for other endpoints of these groups than these.
    pub learnt: HashMap<Group, HashSet<Endpoint>>,
}

impl Forget {
    pub fn is_empty(&self) -> bool {
        self.stale.is_empty() && self.learnt.is_empty()
    }

    /// Adds what came later, and counts where both speak of the same.
    pub fn extend(&mut self, later: Self) {
        self.stale.extend(later.stale);
        self.learnt.extend(later.learnt);
    }
}
