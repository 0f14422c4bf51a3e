//! Weights: how much of a usual endpoint's share an endpoint gets, as the objects around it say.

use std::collections::{HashMap, HashSet};
use std::num::NonZeroU32;

/// On a Node it counts for all endpoints there, on an EndpointSlice for its own.
pub const ANNOTATION: &str = "kedge.io/weight";

/// Names that are kept before the first look at which of them are used.
const NAMES: usize = 64;

/// Percent of a usual endpoint's share. At 0 there are no new connections while another endpoint is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weight(u8);

/// A Node's name, short: endpoints are many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NodeId(NonZeroU32);

/// Nodes that endpoints are on, and the weights of those that have one.
#[derive(Debug, Default)]
pub struct Nodes {
    ids: HashMap<Box<str>, NodeId>,
    /// Those that differ from the default.
    weights: HashMap<NodeId, Weight>,
    /// Ids that have ever been given out: none has two meanings.
    given: u32,
    /// With this many names it is time to look which of them are used.
    crowded: usize,
}

impl Weight {
    pub const FULL: Self = Self(100);

    /// Of a text, an integer from 0 to 100.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let percent = text.parse().ok().filter(|percent| *percent <= 100);
        percent.filter(|_| digits).map(Self)
    }

    pub fn percent(self) -> u32 {
        self.0.into()
    }

    /// Of an endpoint that both concern: half of a half is a quarter. What is not 0 stays above it.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let product = self.percent() * other.percent();
        let rounded = ((product + 50) / 100).max(product.min(1));
        Self(rounded as u8)
    }
}

impl Default for Weight {
    fn default() -> Self {
        Self::FULL
    }
}

impl Nodes {
    /// The Node of that name; none, for none.
    pub fn id(&mut self, name: &str) -> Option<NodeId> {
        if name.is_empty() {
            return None;
        }
        if let Some(id) = self.ids.get(name) {
            return Some(*id);
        }
        let id = NodeId(NonZeroU32::MIN.saturating_add(self.given));
        self.given += 1;
        self.ids.insert(name.into(), id);
        Some(id)
    }

    pub fn weight(&self, node: Option<NodeId>) -> Weight {
        let weight = node.and_then(|id| self.weights.get(&id));
        weight.copied().unwrap_or_default()
    }

    /// A Node's weight; gives the Node if that is another than before.
    pub fn set_weight(&mut self, name: &str, weight: Weight) -> Option<NodeId> {
        // Most Nodes have none, and no name is kept for that.
        if weight == Weight::FULL && !self.ids.contains_key(name) {
            return None;
        }
        let id = self.id(name)?;
        let before = if weight == Weight::FULL {
            self.weights.remove(&id)
        } else {
            self.weights.insert(id, weight)
        };
        (before.unwrap_or_default() != weight).then_some(id)
    }

    /// True if there are so many names that it is time for [`Nodes::keep`].
    pub fn is_crowded(&self) -> bool {
        self.ids.len() > self.crowded.max(NAMES)
    }

    /// Forgets names that nothing is said of and no endpoint uses.
    pub fn keep(&mut self, used: &HashSet<NodeId>) {
        let weights = &self.weights;
        self.ids
            .retain(|_, id| used.contains(id) || weights.contains_key(id));
        self.crowded = 2 * self.ids.len();
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("0", Some(0))]
    #[case("50", Some(50))]
    #[case("100", Some(100))]
    #[case("007", Some(7))]
    #[case("101", None)]
    #[case("-1", None)]
    #[case("+1", None)]
    #[case("", None)]
    #[case("50%", None)]
    #[case(" 50", None)]
    #[case("0.5", None)]
    #[case("4294967297", None)]
    fn a_weight_is_a_percentage(#[case] text: &str, #[case] percent: Option<u32>) {
        assert_eq!(Weight::parse(text).map(Weight::percent), percent);
    }

    #[rstest]
    #[case(100, 100, 100)]
    #[case(100, 30, 30)]
    #[case(50, 50, 25)]
    #[case(1, 1, 1)]
    #[case(0, 100, 0)]
    fn both_count(#[case] a: u8, #[case] b: u8, #[case] both: u8) {
        assert_eq!(Weight(a).and(Weight(b)), Weight(both));
        assert_eq!(Weight(b).and(Weight(a)), Weight(both));
    }

    #[test]
    fn names_that_nobody_uses_are_forgotten() {
        let mut nodes = Nodes::default();
        assert_eq!(nodes.set_weight("usual", Weight::FULL), None);
        let slow = nodes.set_weight("slow", Weight(10));
        assert!(slow.is_some() && nodes.set_weight("slow", Weight(10)).is_none());
        let used = nodes.id("used").unwrap();
        for n in 0..NAMES {
            nodes.id(&n.to_string());
        }
        assert!(nodes.is_crowded());
        nodes.keep(&HashSet::from([used]));
        assert_eq!(nodes.ids.len(), 2);
        assert_eq!(nodes.id("used"), Some(used));
        assert_eq!(nodes.weight(slow), Weight(10));
        assert_eq!(nodes.weight(Some(used)), Weight::FULL);
        assert_eq!(nodes.set_weight("slow", Weight::FULL), slow);
        assert_ne!(nodes.id("1"), Some(used), "no id has two meanings");
    }
}
