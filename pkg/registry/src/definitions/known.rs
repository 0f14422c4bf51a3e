//! A definition as far as serving it goes.

use std::sync::Arc;

use jiff::Timestamp;
use kedge_api::{Catalog, Kind, custom};
use kedge_machinery::Object;
use kedge_store::Entry;
use serde_json::{Map, Value};

use super::names::{Conflict, Names};
use crate::stored;
use crate::strategy::definition::{FINALIZER, set_condition};
use crate::value::{child, field, flag, list, text};

#[derive(Clone)]
pub(super) struct Known {
    pub(super) group: String,
    pub(super) terminating: bool,
    pub(super) has_finalizer: bool,
    created: String,
    name: String,
    namespaced: bool,
    storage: String,
    asked: Names,
    /// As the stored status has them.
    told: Told,
    /// As they are decided here.
    decided: Decided,
    kinds: Vec<Arc<Kind>>,
    /// What the kinds were made of.
    made_of: Option<(i64, bool, Value)>,
    generation: i64,
    source: Arc<Entry>,
}

#[derive(Clone, Default)]
struct Told {
    names: Names,
    accepted: Option<Said>,
    established: Option<Said>,
}

#[derive(Clone, PartialEq, Eq)]
struct Said {
    holds: bool,
    reason: String,
    message: String,
}

#[derive(Clone, Default)]
struct Decided {
    names: Names,
    conflict: Option<Conflict>,
    established: bool,
}

impl Known {
    /// `before` is what was known of it, for the kinds that were made of the same.
    pub(super) fn read(object: &Object, source: &Arc<Entry>, before: Option<Self>) -> Self {
        let (spec, status) = (field(&object.0, "spec"), field(&object.0, "status"));
        let said = |kind: &str| {
            let mut conditions = list(status, "conditions").iter();
            let found = conditions.find(|condition| text(condition, "type") == kind)?;
            Some(Said {
                holds: text(found, "status") == "True",
                reason: text(found, "reason").into(),
                message: text(found, "message").into(),
            })
        };
        let mut versions = list(spec, "versions").iter();
        let storage = versions.find(|version| flag(version, "storage"));
        let generation = object.at(&["metadata", "generation"]);
        let (kinds, made_of) = match before {
            Some(before) => (before.kinds, before.made_of),
            None => (Vec::new(), None),
        };
        Self {
            group: text(spec, "group").into(),
            terminating: object.is_terminating(),
            has_finalizer: object.finalizers().any(|finalizer| finalizer == FINALIZER),
            created: object.meta_text("creationTimestamp").into(),
            name: object.name().into(),
            namespaced: text(spec, "scope") == "Namespaced",
            storage: storage.map_or("", |version| text(version, "name")).into(),
            asked: Names::read(child(spec, "names")),
            told: Told {
                names: Names::read(child(status, "acceptedNames")),
                accepted: said("NamesAccepted"),
                established: said("Established"),
            },
            decided: Decided::default(),
            kinds,
            made_of,
            generation: generation.and_then(Value::as_i64).unwrap_or_default(),
            source: Arc::clone(source),
        }
    }

    /// Those that are served before those that are not, then by age.
    pub(super) fn seniority(&self) -> (bool, String, String) {
        (
            !self.was_established(),
            self.created.clone(),
            self.name.clone(),
        )
    }

    fn was_established(&self) -> bool {
        self.told
            .established
            .as_ref()
            .is_some_and(|said| said.holds)
    }

    pub(super) fn accepted(&self) -> &Names {
        &self.decided.names
    }

    /// Which names it has, and whether it is served. What was established once is so for good.
    pub(super) fn decide(&mut self, builtin: &Catalog, others: &[&Names]) {
        let of_group: Vec<Names> = Names::builtin(builtin, &self.group)
            // A kind that is built in here and that upstream has from this very definition: its names are its own.
            .filter(|names| !(self.is_native(builtin) && names.plural == self.asked.plural))
            .collect();
        let all: Vec<&Names> = others.iter().copied().chain(&of_group).collect();
        let (names, conflict) = self.asked.accept(&self.told.names, &all);
        self.decided = Decided {
            established: self.was_established() || conflict.is_none(),
            names,
            conflict,
        };
    }

    /// True for a definition of a kind that is built in here: it is taken, and changes nothing (`metallb.io`).
    pub(super) fn is_native(&self, builtin: &Catalog) -> bool {
        let mut kinds = builtin.kinds().iter();
        // Groups of Kubernetes itself are nobody's to define.
        self.group == "metallb.io"
            && kinds.any(|kind| {
                kind.group == self.group
                    && kind.plural == self.asked.plural
                    && kind.kind == self.asked.kind
            })
    }

    /// False for a definition whose names another kind has: the objects are the other's.
    pub(super) fn owns_objects(&self, builtin: &Catalog) -> bool {
        self.decided.established && !self.is_native(builtin)
    }

    /// Makes the kinds, where they are not what they were made of; true when they are others now.
    pub(super) fn make_kinds(&mut self, builtin: &Catalog) -> bool {
        let names = self.decided.names.to_json();
        let made_of = (self.generation, self.terminating, names);
        if !self.decided.established || self.is_native(builtin) {
            self.made_of = None;
            return !std::mem::take(&mut self.kinds).is_empty();
        }
        if self.made_of.as_ref() == Some(&made_of) {
            return false;
        }
        let source = &self.source;
        self.kinds = stored::parse(source)
            .map(|object| custom::kinds(&object, &made_of.2, &source.bytes(), source.revision))
            .unwrap_or_default();
        self.made_of = Some(made_of);
        true
    }

    pub(super) fn kinds(&self) -> &[Arc<Kind>] {
        &self.kinds
    }

    /// Where its objects are stored, whether any version is served or not.
    pub(super) fn plain(&self) -> Arc<Kind> {
        Arc::new(Kind {
            group: self.group.clone(),
            version: self.storage.clone(),
            kind: self.asked.kind.clone(),
            plural: self.asked.plural.clone(),
            namespaced: self.namespaced,
            ..Kind::default()
        })
    }

    fn says(&self) -> [(&'static str, Said); 2] {
        let Decided {
            conflict,
            established,
            ..
        } = &self.decided;
        let said = |holds, reason: &str, message: &str| Said {
            holds,
            reason: reason.into(),
            message: message.into(),
        };
        let accepted = match conflict {
            None => said(true, "NoConflicts", "no conflicts found"),
            Some(conflict) => said(false, conflict.reason, &conflict.message),
        };
        let established = if *established {
            said(
                true,
                "InitialNamesAccepted",
                "the initial names have been accepted",
            )
        } else {
            said(false, "NotAccepted", "not all names are accepted")
        };
        [("NamesAccepted", accepted), ("Established", established)]
    }

    /// True when the stored status says something else.
    pub(super) fn is_to_tell(&self) -> bool {
        let [(_, accepted), (_, established)] = self.says();
        !self.terminating
            && (self.told.names != self.decided.names
                || self.told.accepted.as_ref() != Some(&accepted)
                || self.told.established.as_ref() != Some(&established))
    }

    /// Writes into a status what was decided; true when that changes it.
    pub(super) fn tell(&self, status: &mut Map<String, Value>, now: Timestamp) -> bool {
        let names = self.decided.names.to_json();
        let mut changed = status.insert("acceptedNames".into(), names.clone()) != Some(names);
        for (kind, said) in self.says() {
            changed |= set_condition(status, kind, said.holds, &said.reason, &said.message, now);
        }
        changed
    }
}
