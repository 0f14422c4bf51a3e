//! One value laid over another (structured-merge-diff `typed/merge.go`).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::compare::is_hollow;
use super::typed::{Form, Typed};
use crate::fields::PathElement;
use crate::schema::Schema;

impl<'a> Typed<'a> {
    /// `config` laid over `live`: its fields win, what it does not say stays.
    pub(super) fn merge(self, schema: Option<&'a Schema>, live: &Value, config: &Value) -> Value {
        let form = self.form(schema);
        match (form, live, config) {
            (Form::Struct(_) | Form::Map(_), Value::Object(live), Value::Object(config)) => {
                let mut merged = live.clone();
                for (name, value) in config {
                    let value = match live.get(name) {
                        Some(old) => self.merge(form.field(name), old, value),
                        None => value.clone(),
                    };
                    merged.insert(name.clone(), value);
                }
                Value::Object(merged)
            }
            (Form::Set | Form::Keyed { .. }, Value::Array(live), Value::Array(config)) => {
                Value::Array(self.merge_items(form, live, config))
            }
            // A null in a configuration says nothing of a struct or list that has something in it.
            (
                Form::Struct(_) | Form::Map(_) | Form::Set | Form::Keyed { .. },
                live,
                Value::Null,
            ) if !is_hollow(Some(live)) => live.clone(),
            _ => config.clone(),
        }
    }

    /// Items of both, in an order that keeps that of the configuration, and that of the live list
    /// where the configuration leaves it open. An item that only live has stays behind the one it follows there.
    fn merge_items(self, form: Form<'a>, live: &[Value], config: &[Value]) -> Vec<Value> {
        let elements = |list: &[Value]| -> Vec<PathElement> {
            list.iter().map(|value| self.element(form, value)).collect()
        };
        let (left, right) = (elements(live), elements(config));
        let wanted: BTreeMap<&PathElement, &Value> = right.iter().zip(config).collect();
        let mut there: BTreeMap<&PathElement, Option<&Value>> = BTreeMap::new();
        for (element, value) in left.iter().zip(live) {
            // Of an item that live repeats there is nothing to merge with.
            let first = !there.contains_key(element);
            there.insert(element, first.then_some(value));
        }
        let both = |element: &PathElement| -> Option<Value> {
            let new = *wanted.get(element)?;
            Some(match there.get(element).copied().flatten() {
                Some(old) => self.merge(form.item(), old, new),
                None => new.clone(),
            })
        };

        let mut shared = right.iter().filter(|element| there.contains_key(element));
        let mut next_shared = shared.next();
        let mut done: BTreeSet<&PathElement> = BTreeSet::new();
        let mut merged = Vec::with_capacity(live.len() + config.len());
        let (mut l, mut r) = (0, 0);
        while l < left.len() || r < right.len() {
            if let (Some(here), Some(next)) = (left.get(l), right.get(r)) {
                if here == next {
                    done.insert(here);
                    merged.extend(both(here));
                    (l, r) = (l + 1, r + 1);
                    next_shared = shared.next();
                    continue;
                }
                if wanted.contains_key(here) && next_shared.is_some_and(|shared| shared != here) {
                    // The configuration has it further on.
                    l += 1;
                    continue;
                }
            }
            if let Some(here) = left.get(l) {
                if !wanted.contains_key(here) {
                    merged.push(live[l].clone());
                    l += 1;
                    continue;
                }
                if done.contains(here) {
                    l += 1;
                }
            }
            if let Some(next) = right.get(r) {
                done.insert(next);
                merged.extend(both(next));
                r += 1;
                if next_shared == Some(next) {
                    next_shared = shared.next();
                }
            }
        }
        merged
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::testing::service;
    use proptest::prelude::*;
    use rstest::rstest;
    use serde_json::json;

    fn merge(live: &Value, config: &Value) -> Value {
        let (definitions, schema) = service();
        let typed = Typed {
            definitions: &definitions,
        };
        typed.merge(Some(&schema), live, config)
    }

    fn ports(list: &[u16]) -> Value {
        json!({"spec": {"ports": list.iter().map(|p| json!({"port": p})).collect::<Vec<_>>()}})
    }

    #[rstest]
    #[case::theirs_stay_before(&[1, 2, 3], &[3, 1], &[2, 3, 1])]
    #[case::new_ones_come_last(&[1, 2], &[3], &[1, 2, 3])]
    #[case::all_new(&[], &[2, 1], &[2, 1])]
    #[case::between(&[1, 2], &[1, 3, 2], &[1, 3, 2])]
    #[case::nothing_said(&[2, 1], &[], &[2, 1])]
    #[case::turned_round(&[1, 2, 3], &[3, 2, 1], &[3, 2, 1])]
    #[case::repeated(&[1, 1, 2], &[2, 3], &[1, 1, 2, 3])]
    #[case::repeated_and_said(&[1, 1, 2], &[1], &[1, 2])]
    fn orders(#[case] live: &[u16], #[case] config: &[u16], #[case] expected: &[u16]) {
        assert_eq!(merge(&ports(live), &ports(config)), ports(expected));
    }

    #[test]
    fn what_is_not_said_stays() {
        let live = json!({"spec": {"type": "x", "ports": [{"port": 1, "name": "a"}], "selector": {"a": "1"}, "externalIPs": ["1.1.1.1"]}});
        let config = json!({"spec": {"ports": [{"port": 1, "nodePort": 5}], "selector": {"b": "2"}, "externalIPs": ["2.2.2.2"]}});
        let expected = json!({"spec": {"type": "x", "ports": [{"port": 1, "name": "a", "nodePort": 5}], "selector": {"b": "2"}, "externalIPs": ["2.2.2.2"]}});
        assert_eq!(merge(&live, &config), expected);
        assert_eq!(merge(&live, &json!({"spec": null})), live);
        // What is empty becomes what the configuration has, null or not.
        for empty in [json!({}), json!([]), json!(null)] {
            let inner = |value: &Value| json!({"spec": {"strategy": {"rolling": value}}});
            assert_eq!(
                merge(&inner(&empty), &inner(&json!(null))),
                inner(&json!(null))
            );
            assert_eq!(merge(&inner(&empty), &inner(&json!({}))), inner(&json!({})));
        }
    }

    proptest! {
        #[test]
        fn every_item_of_both_once_and_in_the_configuration_s_order(
            live in Just((0u16..8).collect::<Vec<_>>()).prop_shuffle(), some in 0usize..9,
            config in Just((4u16..12).collect::<Vec<_>>()).prop_shuffle(), few in 0usize..9,
        ) {
            let (live, config) = (&live[..some.min(8)], &config[..few.min(8)]);
            let merged = merge(&ports(live), &ports(config));
            let merged: Vec<u64> = merged["spec"]["ports"].as_array().unwrap().iter().map(|p| p["port"].as_u64().unwrap()).collect();
            let wanted: Vec<u64> = config.iter().map(|p| u64::from(*p)).collect();
            let mut all: BTreeSet<u64> = wanted.iter().copied().collect();
            all.extend(live.iter().map(|p| u64::from(*p)));
            prop_assert_eq!(merged.iter().copied().collect::<BTreeSet<_>>(), all.clone());
            prop_assert_eq!(merged.len(), all.len());
            let kept: Vec<u64> = merged.into_iter().filter(|p| wanted.contains(p)).collect();
            prop_assert_eq!(kept, wanted);
        }
    }
}
