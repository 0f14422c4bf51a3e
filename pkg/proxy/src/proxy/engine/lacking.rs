//! Services that a policy Local leaves without an endpoint on this node.

use std::collections::HashSet;

use crate::compile::ServicePlan;
use crate::family::Family;
use crate::model::ServiceName;

/// In the order of [`Family::ALL`], for the internal and the external policy.
#[derive(Debug, Default)]
pub struct Lacking([[HashSet<ServiceName>; 2]; 2]);

impl Lacking {
    /// A Service has this plan now.
    pub fn note(&mut self, name: &ServiceName, plan: &ServicePlan) {
        for (family, policies) in Family::ALL.into_iter().zip(&mut self.0) {
            for (names, lacks) in policies.iter_mut().zip(plan.lacks_local(family)) {
                if lacks {
                    names.insert(name.clone());
                } else {
                    names.remove(name);
                }
            }
        }
    }

    pub fn counts(&self) -> [[usize; 2]; 2] {
        let policies = |family: &[HashSet<ServiceName>; 2]| family.each_ref().map(HashSet::len);
        self.0.each_ref().map(policies)
    }
}
