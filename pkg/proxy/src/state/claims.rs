//! Who has an address and port, when several Services ask for it.

use std::collections::HashMap;

use crate::compile::Role;
use crate::layout::{Mark, ServiceKey};
use crate::model::ServiceName;

/// One Service's wish to have an address and port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    pub role: Role,
    pub owner: ServiceName,
    pub mark: Mark,
}

/// The mark that is in force before and after a change.
pub type Shift = (Option<Mark>, Option<Mark>);

/// All claims. Of several, the one with the better [`Role`] is in force, then the one whose Service
/// has the lesser name: the same one whatever the order of arrival, so that a restart changes
/// nothing.
#[derive(Debug, Clone, Default)]
pub struct Claims {
    in_force: HashMap<ServiceKey, Claim>,
    /// The others, for the few keys that have any.
    waiting: HashMap<ServiceKey, Vec<Claim>>,
}

impl Claims {
    /// Adds a claim, or puts the owner's former one right.
    pub fn claim(&mut self, key: ServiceKey, claim: Claim) -> Shift {
        let Some(holder) = self.in_force.get_mut(&key) else {
            let mark = claim.mark;
            self.in_force.insert(key, claim);
            return (None, Some(mark));
        };
        let before = Some(holder.mark);
        if holder.owner == claim.owner && !self.waiting.contains_key(&key) {
            *holder = claim;
            return (before, Some(holder.mark));
        }
        let mut all = self.waiting.remove(&key).unwrap_or_default();
        all.retain(|waiting| waiting.owner != claim.owner);
        if holder.owner != claim.owner {
            if all.is_empty() {
                let ServiceKey {
                    address,
                    protocol,
                    port,
                } = key;
                tracing::warn!(
                    "Services {} and {} both claim {address} {protocol:?} {port}",
                    holder.owner,
                    claim.owner
                );
            }
            all.push(holder.clone());
        }
        all.push(claim);
        (before, self.settle(key, all))
    }

    /// Takes an owner's claim away.
    pub fn release(&mut self, key: ServiceKey, owner: &ServiceName) -> Shift {
        let mut all = self.waiting.remove(&key).unwrap_or_default();
        let before = self.in_force.remove(&key).map(|holder| {
            let mark = holder.mark;
            all.push(holder);
            mark
        });
        all.retain(|claim| claim.owner != *owner);
        (before, self.settle(key, all))
    }

    /// Whose claim is in force.
    pub fn owner(&self, key: &ServiceKey) -> Option<&ServiceName> {
        self.in_force.get(key).map(|claim| &claim.owner)
    }

    /// What is in force.
    pub fn iter(&self) -> impl Iterator<Item = (ServiceKey, Mark)> + '_ {
        self.in_force.iter().map(|(key, claim)| (*key, claim.mark))
    }

    fn settle(&mut self, key: ServiceKey, mut all: Vec<Claim>) -> Option<Mark> {
        all.sort_by(|a, b| b.role.cmp(&a.role).then_with(|| b.owner.cmp(&a.owner)));
        let winner = all.pop()?;
        let mark = winner.mark;
        self.in_force.insert(key, winner);
        if !all.is_empty() {
            self.waiting.insert(key, all);
        }
        Some(mark)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::family::Protocol;

    fn key() -> ServiceKey {
        ServiceKey {
            address: [192, 0, 2, 1].into(),
            protocol: Protocol::Tcp,
            port: 80,
        }
    }

    fn claim(owner: &str, role: Role, mark: u32) -> Claim {
        Claim {
            role,
            owner: ServiceName::new("default", owner),
            mark: Mark(mark),
        }
    }

    #[test]
    fn the_better_role_wins_and_the_other_waits() {
        let mut claims = Claims::default();
        let a = claim("a", Role::NodePort, 1);
        let b = claim("b", Role::External, 2);
        assert_eq!(claims.claim(key(), a.clone()), (None, Some(Mark(1))));
        assert_eq!(
            claims.claim(key(), b.clone()),
            (Some(Mark(1)), Some(Mark(2)))
        );
        assert_eq!(
            claims.claim(key(), claim("a", Role::NodePort, 3)),
            (Some(Mark(2)), Some(Mark(2)))
        );
        assert_eq!(
            claims.release(key(), &b.owner),
            (Some(Mark(2)), Some(Mark(3)))
        );
        assert_eq!(claims.release(key(), &a.owner), (Some(Mark(3)), None));
        assert!(claims.in_force.is_empty() && claims.waiting.is_empty());
    }

    #[test]
    fn releasing_nothing_changes_nothing() {
        let mut claims = Claims::default();
        claims.claim(key(), claim("a", Role::External, 1));
        let other = ServiceName::new("default", "b");
        assert_eq!(
            claims.release(key(), &other),
            (Some(Mark(1)), Some(Mark(1)))
        );
    }

    proptest! {
        #[test]
        fn the_order_of_arrival_does_not_matter(
            order in Just([0usize, 1, 2, 3]).prop_shuffle(),
            roles in proptest::array::uniform4(0usize..2),
        ) {
            let all: Vec<Claim> = ["a", "b", "c", "d"].iter().zip(roles).enumerate()
                .map(|(i, (name, role))| claim(name, [Role::External, Role::NodePort][role], i as u32))
                .collect();
            let winner = all.iter().min_by_key(|claim| (claim.role, claim.owner.clone())).unwrap().mark;
            let mut claims = Claims::default();
            for index in order {
                claims.claim(key(), all[index].clone());
            }
            prop_assert_eq!(claims.iter().next(), Some((key(), winner)));
        }
    }
}
