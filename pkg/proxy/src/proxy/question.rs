//! A question about Services, and its answer.

use std::collections::{HashMap, HashSet};

use crate::layout::ServiceKey;
use crate::model::ServiceName;

/// What is to be known.
#[derive(Debug)]
pub struct Question {
    /// Whom these lead to.
    pub keys: HashSet<ServiceKey>,
    /// Which of these Services, by namespace and name, are gone.
    pub known: HashSet<(String, String)>,
}

/// The answer to a [`Question`].
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Answer {
    pub owners: HashMap<ServiceKey, ServiceName>,
    pub gone: HashSet<(String, String)>,
}
