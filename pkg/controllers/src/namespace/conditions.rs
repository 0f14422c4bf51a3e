//! Why a namespace that is going is still there (upstream: `status_condition_utils.go` beside its deleter).

use std::collections::BTreeMap;

use jiff::Timestamp;
use kedge_client::{ObjectKey, Resource};
use kedge_machinery::time;
use serde_json::{Value, json};

/// What holds a namespace, counted.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Remaining {
    kinds: BTreeMap<String, usize>,
    finalizers: BTreeMap<String, usize>,
}

impl Remaining {
    pub(super) fn count(&mut self, key: &ObjectKey, finalizers: &[String]) {
        let Resource { plural, group, .. } = key.resource;
        *self.kinds.entry(format!("{plural}.{group}")).or_default() += 1;
        for finalizer in finalizers {
            *self.finalizers.entry(finalizer.clone()).or_default() += 1;
        }
    }

    /// The conditions that say so, in place of those of `present` that said something else; nothing where they say it
    /// already.
    pub(super) fn conditions(&self, present: &[Value], now: Timestamp) -> Option<Vec<Value>> {
        let mut conditions = present.to_vec();
        let mut changed = false;
        for Said {
            kind,
            status,
            reason,
            message,
        } in self.said()
        {
            let mut new = json!({
                "type": kind, "status": status, "reason": reason, "message": message,
                "lastTransitionTime": time::rfc3339(now),
            });
            let old = conditions.iter_mut().find(|old| old["type"] == kind);
            let Some(old) = old else {
                conditions.push(new);
                changed = true;
                continue;
            };
            if old["status"] == new["status"] {
                new["lastTransitionTime"] = old["lastTransitionTime"].clone();
            }
            changed |= *old != new;
            *old = new;
        }
        changed.then_some(conditions)
    }

    fn said(&self) -> [Said; 5] {
        let good = |kind, reason, message: &str| Said {
            kind,
            status: "False",
            reason,
            message: message.into(),
        };
        let held = |kind, reason, what: &str, list: Vec<String>| match list.is_empty() {
            true => good(kind, "ContentRemoved", "All content successfully removed"),
            false => Said {
                kind,
                status: "True",
                reason,
                message: format!("{what} remaining: {}", list.join(", ")),
            },
        };
        let kinds = self.kinds.iter();
        let kinds = kinds.map(|(kind, count)| format!("{kind} has {count} resource instances"));
        let finalizers = self.finalizers.iter();
        let finalizers =
            finalizers.map(|(name, count)| format!("{name} in {count} resource instances"));
        [
            good(
                "NamespaceDeletionDiscoveryFailure",
                "ResourcesDiscovered",
                "All resources successfully discovered",
            ),
            good(
                "NamespaceDeletionGroupVersionParsingFailure",
                "ParsedGroupVersions",
                "All legacy kube types successfully parsed",
            ),
            good(
                "NamespaceDeletionContentFailure",
                "ContentDeleted",
                "All content successfully deleted, may be waiting on finalization",
            ),
            held(
                "NamespaceContentRemaining",
                "SomeResourcesRemain",
                "Some resources are",
                kinds.collect(),
            ),
            held(
                "NamespaceFinalizersRemaining",
                "SomeFinalizersRemain",
                "Some content in the namespace has finalizers",
                finalizers.collect(),
            ),
        ]
    }
}

struct Said {
    kind: &'static str,
    status: &'static str,
    reason: &'static str,
    message: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::key;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn they_are_said_once_and_their_time_is_that_of_the_change() {
        let mut remaining = Remaining::default();
        let held = ["example.com/held".to_string()];
        remaining.count(&key(Resource::PODS, "a", "x"), &held);
        remaining.count(&key(Resource::PODS, "a", "y"), &[]);
        let own = json!({"type": "Own", "status": "True"});
        let said = remaining
            .conditions(std::slice::from_ref(&own), at(5))
            .unwrap();
        assert_eq!((said.len(), &said[0]), (6, &own));
        assert_eq!(
            said[4]["message"],
            "Some resources are remaining: pods. has 2 resource instances"
        );
        assert_eq!(
            said[5]["message"],
            "Some content in the namespace has finalizers remaining: example.com/held in 1 resource instances"
        );
        assert_eq!(remaining.conditions(&said, at(9)), None);

        let mut later = Remaining::default();
        later.count(&key(Resource::PODS, "a", "y"), &[]);
        let said = later.conditions(&said, at(9)).unwrap();
        assert_eq!(
            (&said[5]["status"], &said[5]["lastTransitionTime"]),
            (&json!("False"), &json!("1970-01-01T00:00:09Z"))
        );
        assert_eq!(said[4]["lastTransitionTime"], "1970-01-01T00:00:05Z");
    }
}
