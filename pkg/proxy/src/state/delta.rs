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
    pub stale: Stale,
    /// Clients are no longer remembered for other endpoints of these groups than these.
    pub learnt: HashMap<Group, HashSet<Endpoint>>,
}
