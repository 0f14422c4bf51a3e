//! Sets of fields (structured-merge-diff `fieldpath`), and the form they have in `managedFields` (`FieldsV1`, KEP-555).

mod element;

use serde_json::{Map, Value};

pub use element::PathElement;

/// A set of paths: first elements in their order, each once, with what goes on below.
///
/// A list and no tree: most are of a few fields, and are walked from one end to the other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FieldSet(Vec<(PathElement, Node)>);

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Node {
    /// The path that ends here is in the set.
    member: bool,
    below: FieldSet,
}

/// Text that is no `FieldsV1`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no path element of FieldsV1")]
pub struct BadFields(String);

impl FieldSet {
    /// Reads `FieldsV1`.
    ///
    /// # Errors
    /// A key is none of `.`, `f:`, `k:`, `v:` and `i:`.
    pub fn from_json(fields: &Value) -> Result<Self, BadFields> {
        let entries = fields.as_object().into_iter().flatten();
        let nodes = entries.filter(|(key, _)| *key != ".").map(|(key, value)| {
            let element = PathElement::parse(key).ok_or_else(|| BadFields(key.clone()))?;
            let below = Self::from_json(value)?;
            let member = below.0.is_empty() || value.get(".").is_some();
            Ok((element, Node { member, below }))
        });
        let mut nodes: Vec<_> = nodes.collect::<Result<_, _>>()?;
        // Those that were spelled otherwise may stand elsewhere now, or be one.
        if !nodes.is_sorted_by(|(a, _), (b, _)| a < b) {
            nodes.sort_by(|(a, _), (b, _)| a.cmp(b));
            nodes.dedup_by(|(a, _), (b, _)| a == b);
        }
        Ok(Self(nodes))
    }

    /// Writes `FieldsV1`: a path that ends has `{}`, or `.` where others go on below it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        self.to_map().into()
    }

    pub(crate) fn to_map(&self) -> Map<String, Value> {
        let mut fields = Map::new();
        for (element, node) in &self.0 {
            let mut below = node.below.to_map();
            if node.member && !below.is_empty() {
                below.insert(".".into(), Map::new().into());
            }
            fields.insert(element.as_text().into(), below.into());
        }
        fields
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Where an element is, or belongs.
    fn find(&self, element: &PathElement) -> Result<usize, usize> {
        self.0.binary_search_by(|(known, _)| known.cmp(element))
    }

    fn node(&self, element: &PathElement) -> Option<&Node> {
        let at = self.find(element).ok()?;
        self.0.get(at).map(|(_, node)| node)
    }

    /// Adds one path.
    pub fn insert(&mut self, path: &[PathElement]) {
        if let Some((first, rest)) = path.split_first() {
            let at = self.find(first).unwrap_or_else(|at| {
                self.0.insert(at, (first.clone(), Node::default()));
                at
            });
            let node = &mut self.0[at].1;
            if rest.is_empty() {
                node.member = true;
            } else {
                node.below.insert(rest);
            }
        }
    }

    /// True when exactly this path is in the set.
    #[must_use]
    pub fn contains(&self, path: &[PathElement]) -> bool {
        match path.split_first() {
            None => false,
            Some((first, [])) => self.has(first),
            Some((first, rest)) => self.below(first).is_some_and(|below| below.contains(rest)),
        }
    }

    /// True when the path of this one element is in the set.
    #[must_use]
    pub fn has(&self, element: &PathElement) -> bool {
        self.node(element).is_some_and(|node| node.member)
    }

    /// What goes on below an element.
    #[must_use]
    pub fn below(&self, element: &PathElement) -> Option<&Self> {
        self.node(element)
            .map(|node| &node.below)
            .filter(|below| !below.is_empty())
    }

    /// Paths of either.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let mut all = self.clone();
        all.extend(other.clone());
        all
    }

    /// Adds the paths of another.
    pub fn extend(&mut self, other: Self) {
        if self.0.is_empty() {
            self.0 = other.0;
            return;
        }
        let mut nodes = Vec::with_capacity(self.0.len() + other.0.len());
        let mut mine = std::mem::take(&mut self.0).into_iter().peekable();
        for (element, mut node) in other.0 {
            while let Some(before) = mine.next_if(|(known, _)| *known < element) {
                nodes.push(before);
            }
            if let Some((_, same)) = mine.next_if(|(known, _)| *known == element) {
                node.member |= same.member;
                node.below.extend(same.below);
            }
            nodes.push((element, node));
        }
        nodes.extend(mine);
        self.0 = nodes;
    }

    /// Paths of both.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let mut others = other.0.iter().peekable();
        let nodes = self.0.iter().filter_map(|(element, mine)| {
            while others.next_if(|(known, _)| known < element).is_some() {}
            let (_, theirs) = others.next_if(|(known, _)| known == element)?;
            let node = Node {
                member: mine.member && theirs.member,
                below: mine.below.intersection(&theirs.below),
            };
            (node.member || !node.below.is_empty()).then(|| (element.clone(), node))
        });
        Self(nodes.collect())
    }

    /// Paths of this and not of the other.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        let mut left = self.clone();
        left.subtract(other);
        left
    }

    /// Takes out the paths of another.
    pub fn subtract(&mut self, other: &Self) {
        if other.0.is_empty() {
            return;
        }
        let mut others = other.0.iter().peekable();
        self.0.retain_mut(|(element, node)| {
            while others.next_if(|(known, _)| known < element).is_some() {}
            if let Some((_, theirs)) = others.next_if(|(known, _)| known == element) {
                node.member &= !theirs.member;
                node.below.subtract(&theirs.below);
            }
            node.member || !node.below.is_empty()
        });
    }

    /// The set with every field on the way to a path added: who owns `spec.type` owns `spec` too.
    #[must_use]
    pub fn with_named_parents(&self) -> Self {
        let nodes = self.0.iter().map(|(element, node)| {
            let below = node.below.with_named_parents();
            (
                element.clone(),
                Node {
                    member: node.member || element.as_field().is_some(),
                    below,
                },
            )
        });
        Self(nodes.collect())
    }

    /// Asks of each element that the set goes on below, and hands over what is there; where the answer is no, the path ends at the
    /// element.
    pub fn retain_below(&mut self, mut goes_on: impl FnMut(&PathElement, &mut Self) -> bool) {
        for (element, node) in &mut self.0 {
            if !node.below.is_empty() && !goes_on(element, &mut node.below) {
                node.member = true;
                node.below = Self::default();
            }
        }
    }

    /// Takes out a field and all below it.
    pub fn remove_branch(&mut self, path: &[&str]) {
        let Some((first, rest)) = path.split_first() else {
            return;
        };
        let Ok(at) = self.find(&PathElement::field(first)) else {
            return;
        };
        let node = &mut self.0[at].1;
        if !rest.is_empty() {
            node.below.remove_branch(rest);
        }
        if rest.is_empty() || node.below.is_empty() && !node.member {
            self.0.remove(at);
        }
    }

    /// Keeps only the branches of these fields.
    pub fn retain_fields(&mut self, keep: impl Fn(&str) -> bool) {
        self.0
            .retain(|(element, _)| element.as_field().is_some_and(&keep));
    }

    /// Every path, in words, in upstream's order: those that end here before those that go on.
    #[must_use]
    pub fn paths(&self) -> Vec<String> {
        let mut nodes: Vec<_> = self.0.iter().collect();
        nodes.sort_by(|(a, _), (b, _)| a.compare(b));
        let members = nodes.iter().filter(|(_, node)| node.member);
        let mut found: Vec<String> = members.map(|(element, _)| element.to_string()).collect();
        for (element, node) in nodes {
            found.extend(
                node.below
                    .paths()
                    .into_iter()
                    .map(|path| format!("{element}{path}")),
            );
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn set(fields: &Value) -> FieldSet {
        FieldSet::from_json(fields).unwrap()
    }

    #[test]
    fn round_trip_and_words() {
        let fields = json!({"f:spec": {"f:ports": {"k:{\"port\":80,\"protocol\":\"TCP\"}": {".": {}, "f:name": {}}}, "f:selector": {}},
                            "f:metadata": {"f:finalizers": {"v:\"a/b\"": {}}}});
        assert_eq!(set(&fields).to_json(), fields);
        assert_eq!(
            set(&fields).paths(),
            [
                ".metadata.finalizers[=\"a/b\"]",
                ".spec.selector",
                ".spec.ports[port=80,protocol=\"TCP\"]",
                ".spec.ports[port=80,protocol=\"TCP\"].name",
            ]
        );
        // The order of keys does not tell elements apart.
        let other = json!({"f:spec": {"f:ports": {"k:{\"protocol\":\"TCP\",\"port\":80}": {}}}});
        assert!(!set(&fields).intersection(&set(&other)).is_empty());
        // Nor does the spelling of a number.
        let numbers = set(&json!({"v:2": {}, "k:{\"port\":80}": {}}));
        assert_eq!(set(&json!({"v:2.0": {}, "k:{\"port\":8e1}": {}})), numbers);
        // Two spellings of one are one, and stand where it does.
        let twice = set(&json!({"v:1e1": {}, "v:10": {}, "v:9": {}}));
        assert_eq!(twice.to_json(), json!({"v:10": {}, "v:9": {}}));
        assert!(twice.has(&PathElement::value(&json!(10))));
        assert!(FieldSet::from_json(&json!({"spec": {}})).is_err());
    }

    #[test]
    fn paths_are_in_upstreams_order() {
        let fields = json!({"f:a": {"f:deep": {}}, "f:b": {}, "v:10": {}, "v:9": {}, "i:0": {},
            "k:{\"port\":443}": {}, "k:{\"port\":80}": {}, "k:{\"port\":80,\"protocol\":\"TCP\"}": {}});
        let expected = [
            ".b",
            "[port=80]",
            "[port=80,protocol=\"TCP\"]",
            "[port=443]",
            "[=9]",
            "[=10]",
            "[0]",
            ".a.deep",
        ];
        assert_eq!(set(&fields).paths(), expected);
    }

    fn some_set() -> impl Strategy<Value = FieldSet> {
        let path =
            proptest::collection::vec("[ab]".prop_map(|name| PathElement::field(&name)), 1..4);
        proptest::collection::vec(path, 0..8).prop_map(|paths| {
            let mut set = FieldSet::default();
            paths.iter().for_each(|path| set.insert(path));
            set
        })
    }

    proptest! {
        #[test]
        fn algebra(a in some_set(), b in some_set()) {
            prop_assert_eq!(a.union(&b), b.union(&a));
            prop_assert_eq!(a.intersection(&b), b.intersection(&a));
            prop_assert_eq!(a.difference(&b).union(&a.intersection(&b)), a.clone());
            prop_assert!(a.difference(&b).intersection(&b).is_empty());
            prop_assert_eq!(FieldSet::from_json(&a.to_json()).unwrap(), a.clone());
            prop_assert_eq!(a.union(&b).difference(&b), a.difference(&b));
        }
    }
}
