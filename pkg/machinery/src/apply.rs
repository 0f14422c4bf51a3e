//! Server-side apply and field ownership (KEP-555): who set which field, and what an apply may take from whom.

mod check;
mod compare;
mod first;
mod last_applied;
mod managers;
mod merge;
mod remove;
mod typed;
mod update;
mod zero;

use jiff::Timestamp;
use serde_json::Value;

use crate::fields::{FieldSet, PathElement};
use crate::schema::{Definitions, Schema};
use crate::status::{Cause, Details};
use crate::{Object, Status, time};
use compare::Comparison;
use managers::{Id, Managers, Operation};
use typed::Typed;
use update::record;

pub use update::track_update;

/// What a write is, as far as ownership goes.
#[derive(Debug, Clone)]
pub struct Context<'a> {
    pub definitions: &'a Definitions,
    /// The schema of the kind.
    pub schema: &'a Schema,
    /// `v1`, `discovery.k8s.io/v1`.
    pub api_version: String,
    /// Other versions that the kind has.
    pub also: Vec<String>,
    /// A custom resource: fields have no zero values, and what is owned in any version counts.
    pub custom: bool,
    /// The status is written apart from the rest, as a subresource.
    pub status_apart: bool,
    /// Leaves of a configuration what the subresource takes, where that is but a part of the spec.
    pub narrow: Option<fn(&mut Object)>,
    /// The field manager's name.
    pub manager: &'a str,
    /// Empty, or for example `status`.
    pub subresource: &'a str,
    /// Take fields from their owners.
    pub force: bool,
    pub now: Timestamp,
}

/// Why an apply makes nothing of an object.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ApplyError {
    /// Other managers own fields that the configuration has another value for.
    #[error("{}", conflict_text(.0))]
    Conflicts(Vec<Conflict>),
    /// `metadata.managedFields` in the configuration: 400.
    #[error("metadata.managedFields must be nil")]
    ManagedFields,
    /// Fields that the schema does not know, or items with the same keys. Upstream has no status of its own for these: 500 without
    /// a reason.
    #[error("failed to create typed patch object ({object}): {problems}")]
    Untyped { object: String, problems: String },
}

/// One field that another manager owns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// The other manager, in upstream's words: `"kubectl" using v1`.
    pub manager: String,
    /// `.spec.ports[port=80,protocol="TCP"].name`
    pub field: String,
}

fn conflict_text(conflicts: &[Conflict]) -> String {
    if let [one] = conflicts {
        let Conflict { manager, field } = one;
        return format!("Apply failed with 1 conflict: conflict with {manager}: {field}");
    }
    let mut lines = Vec::new();
    let mut last = "";
    for Conflict { manager, field } in conflicts {
        if manager != last {
            lines.push(format!("conflicts with {manager}:"));
            last = manager;
        }
        lines.push(format!("- {field}"));
    }
    let many = conflicts.len();
    format!("Apply failed with {many} conflicts: {}", lines.join("\n"))
}

impl ApplyError {
    /// As the client sees it.
    #[must_use]
    pub fn status(&self) -> Status {
        let message = self.to_string();
        match self {
            Self::ManagedFields => Status::bad_request(message),
            Self::Untyped { .. } => Status::new(500, "", message),
            Self::Conflicts(conflicts) => {
                let causes = conflicts.iter().map(|conflict| Cause {
                    reason: "FieldManagerConflict".into(),
                    message: format!("conflict with {}", conflict.manager),
                    field: conflict.field.clone(),
                });
                let details = Details {
                    causes: causes.collect(),
                    ..Details::default()
                };
                let mut status = Status::new(409, "Conflict", message);
                status.details = Some(Box::new(details));
                status
            }
        }
    }
}

/// Metadata that nobody owns: the server sets it, or it names the object.
const UNOWNED: [&str; 9] = [
    "name",
    "namespace",
    "creationTimestamp",
    "selfLink",
    "uid",
    "clusterName",
    "generation",
    "managedFields",
    "resourceVersion",
];

/// Owner of what an object had when it was first applied to and nobody had kept track.
const BEFORE_FIRST_APPLY: &str = "before-first-apply";

impl<'a> Context<'a> {
    fn typed(&self) -> Typed<'a> {
        Typed {
            definitions: self.definitions,
        }
    }

    fn id(&self, operation: Operation) -> Id {
        let named = !self.manager.is_empty();
        Id {
            manager: if named { self.manager } else { "unknown" }.into(),
            operation,
            // An applier stays the same one across versions.
            api_version: match operation {
                Operation::Update => self.api_version.clone(),
                Operation::Apply => String::new(),
            },
            subresource: self.subresource.into(),
        }
    }

    /// When the manager wrote. Upstream loses that of a Scale on the way to the object that it stands for (`ScaleHandler`).
    fn time(&self) -> Option<String> {
        (self.subresource != "scale").then(|| time::rfc3339(self.now))
    }

    fn stamp(&self, managers: &mut Managers, id: &Id) {
        if let Some(time) = self.time() {
            managers.stamp(id, time);
        }
    }

    /// True for a field of the object that this write can own, or something below it.
    fn can_own(&self, field: &str) -> bool {
        match (self.subresource, field) {
            (_, "apiVersion" | "kind") => false,
            ("", "status") => !self.status_apart,
            ("status", _) => matches!(field, "metadata" | "status"),
            _ => true,
        }
    }

    /// Leaves what this write can own.
    fn own(&self, mut set: FieldSet) -> FieldSet {
        set.retain_fields(|field| self.can_own(field));
        for field in UNOWNED {
            set.remove_branch(&["metadata", field]);
        }
        set
    }
}

/// Lays a configuration over the live object, as its manager's whole intent: fields that it no longer names and nobody
/// else owns go. The result carries its `managedFields`; an apply that changes nothing gives the live object back.
///
/// A `resourceVersion` or `uid` in the configuration is in the result, for the caller to compare with the live one.
///
/// # Errors
/// See [`ApplyError`].
pub fn apply(
    context: &Context<'_>,
    live: Option<&Object>,
    config: &Object,
) -> Result<Object, ApplyError> {
    let given = config.meta().and_then(|meta| meta.get("managedFields"));
    if given.is_some_and(|fields| !fields.is_null()) {
        return Err(ApplyError::ManagedFields);
    }
    check(context, config)?;
    let mut applied = once(context, live, config);
    if let (Err(ApplyError::Conflicts(conflicts)), Some(live)) = (&applied, live) {
        // kubectl that goes over from client-side to server-side apply takes along what it had applied before.
        let was_ours = last_applied::fields(context, live);
        let theirs = |conflict: &&Conflict| !was_ours.contains(&conflict.field);
        let left: Vec<Conflict> = conflicts.iter().filter(theirs).cloned().collect();
        applied = if left.is_empty() {
            let context = Context {
                force: true,
                ..context.clone()
            };
            once(&context, Some(live), config)
        } else {
            Err(ApplyError::Conflicts(left))
        };
    }
    let mut object = applied?;
    last_applied::refresh(context, &mut object, config);
    Ok(object)
}

fn check(context: &Context<'_>, config: &Object) -> Result<(), ApplyError> {
    let problems = context
        .typed()
        .check(context.schema, &tree(config.clone()), context.custom);
    let problems = match &problems[..] {
        [] => return Ok(()),
        [one] => one.clone(),
        many => format!("errors:\n  {}", many.join("\n  ")),
    };
    let (group, version) = context
        .api_version
        .split_once('/')
        .unwrap_or(("", &context.api_version));
    let (namespace, name, kind) = (config.namespace(), config.name(), config.kind());
    let object = format!("{namespace}/{name}; {group}/{version}, Kind={kind}");
    Err(ApplyError::Untyped { object, problems })
}

fn once(
    context: &Context<'_>,
    live: Option<&Object>,
    config: &Object,
) -> Result<Object, ApplyError> {
    let (typed, schema) = (context.typed(), context.schema);
    let before = live.map(Managers::read).unwrap_or_default();
    let mut managers = before.clone();
    let live_tree = tree(live.cloned().unwrap_or_default());
    if let Some(live) = live.filter(|_| managers.is_empty()) {
        let context = Context {
            manager: BEFORE_FIRST_APPLY,
            ..context.clone()
        };
        let there = typed.compare_objects(schema, &zero::of(&context, live), &live.0);
        record(&context, &mut managers, there);
    }
    managers.forget_versions(context);
    managers.reconcile(context);
    let config_tree = intent(context, config, live.is_none());
    let merged = typed.merge(Some(schema), &live_tree, &config_tree);

    let id = context.id(Operation::Apply);
    let last = context.own(managers.fields(&id));
    let set = context.own(typed.fields(schema, &config_tree));
    managers.set(&id, set, &context.api_version);
    let (pruned, emptied) = prune(context, merged, &last, &managers);

    let mut difference = typed.compare(schema, &live_tree, &pruned);
    // The order of list items alone is no difference, and not worth a write.
    let same = difference == Comparison::default();
    difference.removed = difference.removed.difference(&emptied);
    take(context, &mut managers, &id, difference)?;
    let mut object = match live {
        Some(live) if same && managers == before => return Ok(live.clone()),
        Some(live) if same => live.clone(),
        _ => {
            context.stamp(&mut managers, &id);
            Object::from_value(pruned).unwrap_or_default()
        }
    };
    managers.write(&mut object);
    Ok(object)
}

/// The object without its `managedFields`, which are no fields to own.
fn tree(mut object: Object) -> Value {
    if object.meta().is_some() {
        object.meta_mut().remove("managedFields");
    }
    object.into_value()
}

/// Metadata that a configuration cannot set.
const SET_BY_SERVER: [&str; 4] = [
    "creationTimestamp",
    "generation",
    "managedFields",
    "selfLink",
];

/// The configuration without what this write cannot set. Whether a new object may have a status is its kind's matter.
fn intent(context: &Context<'_>, config: &Object, is_new: bool) -> Value {
    let mut config = config.clone();
    match context.subresource {
        "" if context.status_apart && !is_new => {
            config.0.remove("status");
        }
        "status" => {
            let kept = ["apiVersion", "kind", "metadata", "status"];
            config.0.retain(|key, _| kept.contains(&key.as_str()));
        }
        _ => {}
    }
    if let Some(narrow) = context.narrow {
        narrow(&mut config);
    }
    if config.meta().is_some() {
        let meta = config.meta_mut();
        meta.retain(|key, _| !SET_BY_SERVER.contains(&key.as_str()));
    }
    config.into_value()
}

/// Takes out what the manager set last time and neither it nor another sets now. Gives the fields too that this has emptied.
fn prune(
    context: &Context<'_>,
    merged: Value,
    last: &FieldSet,
    managers: &Managers,
) -> (Value, FieldSet) {
    if last.is_empty() {
        return (merged, FieldSet::default());
    }
    let mut owned = managers.all().with_named_parents();
    // Nobody owns the name, and yet its metadata is everybody's.
    owned.insert(&[PathElement::field("metadata")]);
    let gone = last.with_named_parents().difference(&owned);
    let rest = context
        .typed()
        .remove(context.schema, &merged, &gone, context.custom);
    (rest.value.unwrap_or_default(), rest.emptied)
}

/// Takes from the other managers what changed under them.
fn take(
    context: &Context<'_>,
    managers: &mut Managers,
    id: &Id,
    difference: Comparison,
) -> Result<(), ApplyError> {
    let (changed, removed) = difference.into_changed();
    let mut conflicts = Vec::new();
    for other in managers.others(id) {
        let fields = managers.fields(&other);
        let taken = fields.intersection(&changed);
        if !context.force {
            let manager = Managers::describe(&other);
            conflicts.extend(taken.paths().into_iter().map(|field| Conflict {
                manager: manager.clone(),
                field,
            }));
        }
        let left = fields.difference(&taken).difference(&removed);
        managers.keep(&other, left);
    }
    if conflicts.is_empty() {
        Ok(())
    } else {
        Err(ApplyError::Conflicts(conflicts))
    }
}

#[cfg(test)]
impl<'a> Context<'a> {
    /// An update of a whole object of `v1`, at the beginning of time.
    fn example(definitions: &'a Definitions, schema: &'a Schema) -> Self {
        Self {
            definitions,
            schema,
            api_version: "v1".into(),
            also: Vec::new(),
            custom: false,
            status_apart: true,
            narrow: None,
            manager: "m",
            subresource: "",
            force: false,
            now: Timestamp::UNIX_EPOCH,
        }
    }
}

#[cfg(test)]
#[path = "apply/tests.rs"]
mod tests;
