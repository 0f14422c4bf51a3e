//! What a transaction changes: a function of the entries and the transaction.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::engine::key_hash;
use crate::entries::Entries;
use crate::record::MAX_KEY;
use crate::{CommitError, Condition, Entry, Event, EventKind, Transaction, Write};

/// Longest value in bytes: ten times what a request may have.
const MAX_VALUE: usize = 32 << 20;

/// A transaction worked out but neither durable nor visible.
#[derive(Debug)]
pub(crate) struct Applied {
    /// One for each write, in order, but for deletes of what is not there.
    pub entries: Vec<Arc<Entry>>,
    /// One for each key that changed.
    pub events: Vec<Arc<Event>>,
}

/// Applies `transaction` to `entries` at `revision`, or leaves them alone.
pub(crate) fn apply(
    entries: &mut Entries,
    transaction: &Transaction,
    revision: u64,
) -> Result<Applied, CommitError> {
    check(transaction)?;
    for (index, condition) in transaction.conditions.iter().enumerate() {
        let (key, expected) = match condition {
            Condition::Absent { key } => (key, None),
            Condition::Revision { key, revision } => (key, Some(*revision)),
        };
        let found = entries.get(key);
        if found.map(|entry| entry.revision) != expected {
            return Err(CommitError::Condition {
                index,
                found: found.cloned(),
            });
        }
    }

    let mut applied = Applied {
        entries: Vec::with_capacity(transaction.writes.len()),
        events: Vec::new(),
    };
    for write in &transaction.writes {
        let (key, value) = match write {
            Write::Put { key, value } => (key, value),
            Write::Delete { key, last } => (key, last),
        };
        let current = entries.get(key).cloned();
        // The key's text is shared with what it replaces.
        let shared: Arc<str> = current
            .as_ref()
            .map_or_else(|| key.as_str().into(), |entry| Arc::clone(&entry.key));
        let neighbours = entries.near(key);
        let entry = Entry::among(
            neighbours,
            shared,
            revision,
            &value.at(revision),
            &value.places,
        );
        let entry = Arc::new(entry);
        let kind = match write {
            Write::Put { .. } => {
                entries.put(Arc::clone(&entry));
                EventKind::Put(Arc::clone(&entry))
            }
            Write::Delete { .. } if current.is_none() => continue,
            Write::Delete { .. } => {
                entries.remove(key);
                EventKind::Delete(Arc::clone(&entry))
            }
        };
        applied.entries.push(entry);
        merge(&mut applied.events, kind, current, revision);
    }
    Ok(applied)
}

/// Several writes of one key are one change: from what stood before the transaction to what stands after.
fn merge(
    events: &mut Vec<Arc<Event>>,
    kind: EventKind,
    current: Option<Arc<Entry>>,
    revision: u64,
) {
    let (EventKind::Put(entry) | EventKind::Delete(entry)) = &kind;
    let earlier = events
        .iter()
        .position(|event| event.entry().key == entry.key)
        .map(|at| events.remove(at));
    let previous = earlier.map_or(current, |earlier| earlier.previous.clone());
    if previous.is_none() && matches!(kind, EventKind::Delete(_)) {
        return;
    }
    events.push(Arc::new(Event {
        revision,
        kind,
        previous,
    }));
}

/// What the format has no room for. The registry's own limits are far below.
fn check(transaction: &Transaction) -> Result<(), CommitError> {
    let refuse = |detail: String| Err(CommitError::Engine(detail));
    let mut places = BTreeMap::new();
    for write in &transaction.writes {
        let (Write::Put { key, value } | Write::Delete { key, last: value }) = write;
        if key.is_empty() || key.len() > MAX_KEY {
            return refuse(format!("key {key:?}: must be 1 to {MAX_KEY} bytes"));
        }
        if value.len() > MAX_VALUE {
            return refuse(format!(
                "{key}: its {} bytes are more than {MAX_VALUE}",
                value.len()
            ));
        }
        if let Some(other) = places
            .insert(key_hash(key), key)
            .filter(|other| *other != key)
        {
            return refuse(format!(
                "{key} and {other} have the same hash: write them one after the other"
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Encoded;

    fn put(key: &str, value: &str) -> Write {
        Write::Put {
            key: key.into(),
            value: Encoded::plain(value.into()),
        }
    }

    fn delete(key: &str) -> Write {
        Write::Delete {
            key: key.into(),
            last: Encoded::plain(b"gone".into()),
        }
    }

    fn write(entries: &mut Entries, revision: u64, writes: Vec<Write>) -> Applied {
        apply(
            entries,
            &Transaction {
                conditions: Vec::new(),
                writes,
            },
            revision,
        )
        .unwrap()
    }

    fn told(applied: &Applied) -> Vec<(&str, bool, Option<u64>)> {
        let told = |event: &'_ Event| {
            (
                matches!(event.kind, EventKind::Put(_)),
                event.previous.as_ref().map(|p| p.revision),
            )
        };
        applied
            .events
            .iter()
            .map(|event| (&*event.entry().key, told(event).0, told(event).1))
            .collect()
    }

    #[test]
    fn several_writes_of_a_key_are_one_change() {
        let mut entries = Entries::default();
        write(&mut entries, 2, vec![put("a", "1"), put("b", "1")]);
        let applied = write(
            &mut entries,
            3,
            vec![put("a", "2"), delete("a"), put("c", "1"), put("a", "3")],
        );
        assert_eq!(told(&applied), [("c", true, None), ("a", true, Some(2))]);
        assert_eq!(&entries.get("a").unwrap().value()[..], b"3");
        let applied = write(
            &mut entries,
            4,
            vec![put("b", "2"), delete("b"), put("d", "1"), delete("d")],
        );
        assert_eq!(told(&applied), [("b", false, Some(2))]);
        assert!(entries.get("b").is_none() && entries.get("d").is_none());
    }

    #[test]
    fn what_has_the_same_fields_shares_them() {
        let object = |fields: &str| {
            let managers = json!([{"fieldsV1": {fields: {}}, "manager": "a"}]);
            Encoded::object(&json!({"metadata": {"managedFields": managers}}))
        };
        let put = |key: &str, fields: &str| Write::Put {
            key: key.into(),
            value: object(fields),
        };
        let mut entries = Entries::default();
        write(&mut entries, 2, vec![put("a", "f:x"), put("b", "f:y")]);
        write(&mut entries, 3, vec![put("c", "f:x"), put("b", "f:x")]);
        let found = |key: &str| entries.get(key).unwrap();
        assert!(found("a").shares_with(found("c")) && found("a").shares_with(found("b")));
        assert_eq!(found("c").value(), object("f:x").at(3));
    }

    #[test]
    fn a_delete_of_nothing_is_no_change() {
        let mut entries = Entries::default();
        let applied = write(&mut entries, 2, vec![delete("a")]);
        assert!(applied.events.is_empty() && applied.entries.is_empty());
    }

    #[test]
    fn a_failed_condition_changes_nothing() {
        let mut entries = Entries::default();
        write(&mut entries, 2, vec![put("a", "1")]);
        let conditions = vec![
            Condition::Revision {
                key: "a".into(),
                revision: 2,
            },
            Condition::Absent { key: "a".into() },
        ];
        let refused = apply(
            &mut entries,
            &Transaction {
                conditions,
                writes: vec![put("b", "1")],
            },
            3,
        );
        let Err(CommitError::Condition {
            index: 1,
            found: Some(found),
        }) = refused
        else {
            panic!("{refused:?}");
        };
        assert_eq!(found.revision, 2);
        assert!(entries.get("b").is_none());
    }

    #[test]
    fn what_has_no_room_is_refused() {
        let mut entries = Entries::default();
        let large = Write::Put {
            key: "a".into(),
            value: Encoded::plain(vec![0; MAX_VALUE + 1]),
        };
        for bad in [put("", "1"), put(&"k".repeat(MAX_KEY + 1), "1"), large] {
            let writes = vec![put("x", "1"), bad];
            let refused = apply(
                &mut entries,
                &Transaction {
                    conditions: Vec::new(),
                    writes,
                },
                2,
            );
            assert!(matches!(refused, Err(CommitError::Engine(_))));
            assert_eq!(entries.len(), 0);
        }
    }
}
