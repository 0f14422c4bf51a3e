//! `metadata.managedFields`: who owns what.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::Context;
use crate::Object;
use crate::fields::FieldSet;

/// Update managers kept apart; older ones are bundled, so that a long-lived object does not grow with every client.
const MAX_UPDATERS: usize = 10;
const BUNDLE: &str = "ancient-changes";

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Operation {
    Apply,
    Update,
}

impl Operation {
    fn word(self) -> &'static str {
        match self {
            Self::Apply => "Apply",
            Self::Update => "Update",
        }
    }
}

/// What tells one manager from another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Id {
    pub manager: String,
    pub operation: Operation,
    /// Empty for appliers.
    pub api_version: String,
    pub subresource: String,
}

#[derive(Debug, Clone, Default, PartialEq)]
struct Owned {
    fields: FieldSet,
    api_version: String,
    /// RFC 3339, as found; empty when unknown.
    time: String,
}

/// All managers of an object.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Managers(BTreeMap<Id, Owned>);

impl Managers {
    /// Those of an object; none when an entry cannot be read, as upstream has it.
    pub(super) fn read(object: &Object) -> Self {
        let entries = object
            .meta()
            .and_then(|m| m.get("managedFields"))
            .and_then(Value::as_array);
        let read: Option<BTreeMap<_, _>> = entries.into_iter().flatten().map(entry).collect();
        Self(read.unwrap_or_default())
    }

    /// True for `[]` and `[{}]`: all owners are to be forgotten.
    pub(super) fn is_reset(object: &Object) -> bool {
        match object
            .meta()
            .and_then(|m| m.get("managedFields"))
            .and_then(Value::as_array)
            .map(Vec::as_slice)
        {
            Some([]) => true,
            Some([one]) => one.as_object().is_some_and(Map::is_empty),
            _ => false,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Leaves those whose version the kind has: fields of another cannot be compared with an object of this one.
    pub(super) fn forget_versions(&mut self, context: &Context<'_>) {
        if !context.custom {
            self.0.retain(|_, owned| {
                let version = &owned.api_version;
                *version == context.api_version || context.also.contains(version)
            });
        }
    }

    /// Fields of this version as its schema has them now: a definition may have been changed since they were taken.
    pub(super) fn reconcile(&mut self, context: &Context<'_>) {
        let version = &context.api_version;
        for owned in self.0.values_mut() {
            if owned.api_version == *version {
                let typed = context.typed();
                typed.reconcile(Some(context.schema), &mut owned.fields);
            }
        }
    }

    pub(super) fn fields(&self, id: &Id) -> FieldSet {
        self.0
            .get(id)
            .map(|owned| owned.fields.clone())
            .unwrap_or_default()
    }

    /// Every field that anybody owns.
    pub(super) fn all(&self) -> FieldSet {
        self.0
            .values()
            .fold(FieldSet::default(), |all, owned| all.union(&owned.fields))
    }

    pub(super) fn others(&self, id: &Id) -> Vec<Id> {
        self.0
            .keys()
            .filter(|other| *other != id)
            .cloned()
            .collect()
    }

    /// Gives a manager these fields; without any it is one no more.
    pub(super) fn set(&mut self, id: &Id, fields: FieldSet, api_version: &str) {
        if fields.is_empty() {
            self.0.remove(id);
            return;
        }
        let owned = self.0.entry(id.clone()).or_default();
        owned.fields = fields;
        owned.api_version = api_version.into();
    }

    /// Leaves a manager these fields of its own.
    pub(super) fn keep(&mut self, id: &Id, fields: FieldSet) {
        match self.0.get_mut(id) {
            Some(owned) if !fields.is_empty() => owned.fields = fields,
            _ => {
                self.0.remove(id);
            }
        }
    }

    /// Takes these fields from all; who has none left is a manager no more.
    pub(super) fn lose(&mut self, gone: &[&FieldSet]) {
        self.0.retain(|_, owned| {
            gone.iter().for_each(|gone| owned.fields.subtract(gone));
            !owned.fields.is_empty()
        });
    }

    /// Gives a manager these fields beside its own.
    pub(super) fn give(&mut self, id: &Id, fields: FieldSet, api_version: &str) {
        let owned = self.0.entry(id.clone()).or_default();
        owned.fields.extend(fields);
        owned.api_version = api_version.into();
    }

    pub(super) fn stamp(&mut self, id: &Id, time: String) {
        if let Some(owned) = self.0.get_mut(id) {
            owned.time = time;
        }
    }

    /// `"kubectl" with subresource "status" using v1`
    pub(super) fn describe(id: &Id) -> String {
        let mut text = format!("{:?}", id.manager);
        if !id.subresource.is_empty() {
            text.push_str(&format!(" with subresource {:?}", id.subresource));
        }
        if id.operation == Operation::Update {
            text.push_str(&format!(" using {}", id.api_version));
        }
        text
    }

    /// Makes one of the oldest update managers, an entry for each version, until there are few enough.
    pub(super) fn bundle_old_updates(&mut self) {
        if self.0.len() <= MAX_UPDATERS {
            return;
        }
        let mut updates: Vec<(String, Id)> = self
            .0
            .iter()
            .filter(|(id, _)| id.operation == Operation::Update)
            .map(|(id, owned)| (owned.time.clone(), id.clone()))
            .collect();
        updates.sort();
        let mut many = updates.len();
        let mut first_of: BTreeMap<String, Id> = BTreeMap::new();
        for (time, id) in updates {
            if many <= MAX_UPDATERS {
                break;
            }
            // Alone in its version, there is nothing to bundle it with.
            let Some(first) = first_of.get(&id.api_version) else {
                first_of.insert(id.api_version.clone(), id);
                continue;
            };
            let bundle = Id {
                manager: BUNDLE.into(),
                operation: Operation::Update,
                api_version: id.api_version.clone(),
                subresource: String::new(),
            };
            if !self.0.contains_key(&bundle)
                && let Some(oldest) = self.0.remove(first)
            {
                self.0.insert(bundle.clone(), oldest);
            }
            if let Some(old) = self.0.remove(&id) {
                let owned = self.0.entry(bundle).or_default();
                owned.fields = owned.fields.union(&old.fields);
                owned.api_version = old.api_version;
                owned.time = time;
            }
            many -= 1;
        }
    }

    /// Writes them into the object, in upstream's order: appliers first, then by time and name.
    pub(super) fn write(self, object: &mut Object) {
        fn order((id, owned): &(Id, Owned)) -> impl Ord {
            (
                id.operation,
                &owned.time,
                &id.manager,
                &owned.api_version,
                &id.subresource,
            )
        }
        let mut owners: Vec<(Id, Owned)> = self.0.into_iter().collect();
        owners.sort_by(|a, b| order(a).cmp(&order(b)));
        let entries = owners.into_iter().map(|(id, owned)| {
            let fields = owned.fields.to_json();
            written(id, owned.api_version, owned.time, fields)
        });
        put(object, entries.collect());
    }
}

/// Writes the one manager of an object.
pub(super) fn write_one(object: &mut Object, id: Id, time: String, fields: Map<String, Value>) {
    let api_version = id.api_version.clone();
    put(object, vec![written(id, api_version, time, fields.into())]);
}

fn put(object: &mut Object, entries: Vec<Value>) {
    let metadata = object.meta_mut();
    if entries.is_empty() {
        metadata.remove("managedFields");
    } else {
        metadata.insert("managedFields".into(), entries.into());
    }
}

/// One entry of `managedFields`.
fn written(id: Id, api_version: String, time: String, fields: Value) -> Value {
    let mut entry = Map::new();
    let mut say = |key: &str, value: Value| entry.insert(key.into(), value);
    say("apiVersion", api_version.into());
    say("fieldsType", "FieldsV1".into());
    say("fieldsV1", fields);
    say("manager", id.manager.into());
    say("operation", id.operation.word().into());
    if !id.subresource.is_empty() {
        say("subresource", id.subresource.into());
    }
    if !time.is_empty() {
        say("time", time.into());
    }
    entry.into()
}

fn entry(value: &Value) -> Option<(Id, Owned)> {
    let text = |key: &str| {
        value
            .get(key)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_string()
    };
    let operation = match text("operation").as_str() {
        "Apply" => Operation::Apply,
        "Update" => Operation::Update,
        _ => return None,
    };
    let api_version = text("apiVersion");
    if api_version.is_empty() || text("fieldsType") != "FieldsV1" {
        return None;
    }
    let id = Id {
        manager: text("manager"),
        operation,
        api_version: if operation == Operation::Update {
            api_version.clone()
        } else {
            String::new()
        },
        subresource: text("subresource"),
    };
    // Without fields it is a manager of none.
    let fields = value.get("fieldsV1").filter(|fields| !fields.is_null());
    let fields = fields.map_or_else(
        || Some(FieldSet::default()),
        |fields| FieldSet::from_json(fields).ok(),
    )?;
    Some((
        id,
        Owned {
            fields,
            api_version,
            time: text("time"),
        },
    ))
}
