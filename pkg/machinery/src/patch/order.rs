//! The order of a list that a strategic merge patch has changed (apimachinery `util/strategicpatch`):
//! the patch's own items in the order that it asks for, and items that only the server has put among them
//! where they stood before.

use serde_json::Value;

/// How two items of a list are seen to be the same one.
#[derive(Clone, Copy)]
pub(super) enum Identity<'a> {
    /// Scalars are themselves.
    Value,
    /// Objects by the value of this key.
    Key(&'a str),
}

impl Identity<'_> {
    pub(super) fn same(self, a: &Value, b: &Value) -> bool {
        match self {
            Self::Value => a == b,
            Self::Key(key) => a.get(key).is_some_and(|value| b.get(key) == Some(value)),
        }
    }

    fn index(self, list: &[Value], item: &Value) -> Option<usize> {
        list.iter().position(|other| self.same(other, item))
    }
}

/// Puts the items that `order` names in its order. The others keep the order of `live`; each goes before the
/// first named item that it preceded there, but never past one that it cannot be compared with: what the patch adds comes
/// first.
pub(super) fn arrange(
    identity: Identity<'_>,
    items: Vec<Value>,
    order: &[Value],
    live: &[Value],
) -> Vec<Value> {
    let size = items.len();
    let place = |list: &[Value], items: Vec<Value>| {
        let mut placed: Vec<(Option<usize>, Value)> = items
            .into_iter()
            .map(|item| (identity.index(list, &item), item))
            .collect();
        placed.sort_by_key(|(at, _)| *at);
        placed.into_iter().map(|(_, item)| item).collect::<Vec<_>>()
    };
    let (named, others): (Vec<_>, Vec<_>) = items
        .into_iter()
        .partition(|item| identity.index(order, item).is_some());
    let named = place(order, named);
    let mut others = place(live, others).into_iter().peekable();
    let mut arranged = Vec::with_capacity(size);
    for item in named {
        let at = identity.index(live, &item);
        let before = |other: &Value| matches!((identity.index(live, other), at), (Some(a), Some(b)) if a < b);
        while let Some(other) = others.next_if(before) {
            arranged.push(other);
        }
        arranged.push(item);
    }
    arranged.extend(others);
    arranged
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    #[rstest]
    #[case::as_asked(json!([1, 2, 3]), json!([3, 1, 2]), json!([1, 2, 3]), json!([3, 1, 2]))]
    #[case::others_stay_before(json!([1, 2, 3]), json!([2]), json!([1, 2, 3]), json!([1, 2, 3]))]
    #[case::new_ones_come_first(json!([1, 2, 9]), json!([9]), json!([1, 2]), json!([9, 1, 2]))]
    #[case::nothing_asked(json!([2, 1]), json!([]), json!([1, 2]), json!([1, 2]))]
    fn arranged(
        #[case] items: Value,
        #[case] order: Value,
        #[case] live: Value,
        #[case] expected: Value,
    ) {
        let list = |value: &Value| value.as_array().cloned().unwrap();
        let found = arrange(Identity::Value, list(&items), &list(&order), &list(&live));
        assert_eq!(Value::Array(found), expected);
    }
}
