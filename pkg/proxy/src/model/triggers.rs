//! When what changed endpoints happened: the start of what users wait for.

use jiff::Timestamp;

use super::ServiceName;
use crate::family::Family;

/// Times of changes that nobody has asked about yet.
#[derive(Debug, Default)]
pub struct Triggers(Vec<Trigger>);

#[derive(Debug)]
struct Trigger {
    /// namespace/name of the EndpointSlice.
    slice: ServiceName,
    family: Family,
    at: Timestamp,
}

impl Triggers {
    /// An EndpointSlice has other endpoints or ports, for what happened then.
    pub fn add(&mut self, slice: ServiceName, family: Family, at: Timestamp) {
        self.0.push(Trigger { slice, family, at });
    }

    /// An EndpointSlice is gone: what it said is of its last change, not of its end.
    pub fn forget(&mut self, slice: &ServiceName) {
        self.0.retain(|trigger| trigger.slice != *slice);
    }

    /// All of them, once.
    pub fn take(&mut self) -> Vec<(Family, Timestamp)> {
        let all = std::mem::take(&mut self.0);
        all.into_iter().map(|t| (t.family, t.at)).collect()
    }
}
