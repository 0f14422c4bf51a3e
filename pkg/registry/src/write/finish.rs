//! The steps between an object as its client means it and one that can be committed.

use bytes::Bytes;
use jiff::Timestamp;
use kedge_machinery::{Object, Status, apply};
use kedge_store::Snapshot;
use serde_json::Value;

use super::metadata::Findings;
use super::{custom, metadata, scale};
use crate::admission::{Attributes, Operation, View};
use crate::allocate::{Claim, Environment, ranges};
use crate::registry::{Registry, random};
use crate::request::{Target, WriteOptions};
use crate::strategy::looks;
use crate::value::copy_field;

/// An object as it would be answered, without a commit.
pub(super) fn bytes(object: Object) -> Bytes {
    Bytes::from(object.into_value().to_string())
}

impl Registry {
    /// Gives the fields that the client set their owner. An apply has done that itself, with the client's words.
    pub(super) fn own(
        &self,
        target: &Target,
        old: Option<&Object>,
        new: &mut Object,
        options: &WriteOptions,
        applied: bool,
        now: Timestamp,
    ) {
        keep_reset(target, old, new);
        let blank = target.strategy().blank();
        if !applied {
            let old = old.or(blank.as_ref());
            apply::track_update(&self.apply_context(target, options, now), old, new);
        }
    }

    pub(super) fn apply_context<'a>(
        &'a self,
        target: &'a Target,
        options: &'a WriteOptions,
        now: Timestamp,
    ) -> apply::Context<'a> {
        let (catalog, kind) = (&self.inner.builtin, &target.kind);
        // The one kind that two groups serve.
        let also = match kind.kind.as_str() {
            "Event" => ["v1", "events.k8s.io/v1"].map(String::from).into(),
            _ => Vec::new(),
        };
        apply::Context {
            definitions: catalog.definitions(),
            schema: catalog.schema(kind),
            api_version: kind.api_version(),
            also,
            custom: kind.custom.is_some(),
            status_apart: kind.subresource("status").is_some(),
            narrow: target.strategy().narrow(&target.subresource),
            manager: &options.field_manager,
            subresource: &target.subresource,
            force: options.force,
            now,
        }
    }

    /// Allocates, prepares and validates a new object; what is said of it nevertheless.
    pub(super) fn finish_create(
        &self,
        target: &Target,
        new: &mut Object,
        snapshot: &Snapshot,
        options: &WriteOptions,
    ) -> Result<Vec<String>, Status> {
        let (strategy, rules) = (target.strategy(), target.rules());
        let attributes = self.attributes(Operation::Create, target, None, snapshot, options);
        self.admit_change(&attributes, new)?;
        self.allocate(target, new, None, snapshot)?;
        strategy.ask(new, options.user.as_deref());
        strategy.prepare_create(new);
        let kind = &target.kind;
        let own_look = looks::at_new(kind);
        let mut errors = match own_look {
            true => metadata::validate(new, kind, rules.name),
            false => Vec::new(),
        };
        errors.extend(strategy.validate(new));
        if let Some(own) = &target.kind.custom {
            errors.extend(custom::validate(own, new, None));
            errors.extend(scale::validate(own, new, ""));
        }
        // What passed a look of its own passes this one: each kind's names fit into a path.
        if errors.is_empty() && !own_look {
            errors = metadata::validate_any(new, kind);
        }
        if errors.is_empty() {
            if let Some(refusal) = &options.may_not_create {
                return Err(Status::clone(refusal));
            }
            self.admit(&attributes, Some(new))?;
            let mut said = strategy.warnings(new, None);
            said.extend(metadata::warnings(new, None, kind));
            return Ok(said);
        }
        Err(Status::invalid(
            &kind.group,
            &kind.kind,
            new.name(),
            &errors,
        ))
    }

    /// The same for a changed one.
    pub(super) fn finish_update(
        &self,
        target: &Target,
        new: &mut Object,
        old: &Object,
        snapshot: &Snapshot,
        options: &WriteOptions,
    ) -> Result<Vec<String>, Status> {
        let (strategy, rules) = (target.strategy(), target.rules());
        let attributes = self.attributes(Operation::Update, target, Some(old), snapshot, options);
        self.admit_change(&attributes, new)?;
        if target.subresource.is_empty() {
            self.allocate(target, new, Some(old), snapshot)?;
        }
        strategy.prepare_update(new, old, &target.subresource);
        if rules.generation && target.subresource != "status" {
            // The status of a custom resource without that subresource is a field like others.
            let has_status =
                target.kind.custom.is_none() || target.kind.subresource("status").is_some();
            metadata::count_generation(new, old, has_status);
        }
        let kind = &target.kind;
        let parts = looks::at_change(kind, &target.subresource);
        let found = Findings::of(target, new, old, parts);
        let mut errors = found.any();
        errors.extend(found.told(parts));
        if let Some(own) = &target.kind.custom {
            errors.extend(custom::validate(own, new, Some(old)));
            errors.extend(scale::validate(own, new, &target.subresource));
        }
        if errors.is_empty() {
            self.admit(&attributes, Some(new))?;
            if target.subresource == "status" {
                return Ok(strategy.status_warnings(new));
            }
            let mut said = strategy.warnings(new, Some(old));
            said.extend(metadata::warnings(new, Some(old), kind));
            return Ok(said);
        }
        Err(Status::invalid(
            &kind.group,
            &kind.kind,
            new.name(),
            &errors,
        ))
    }

    fn attributes<'a>(
        &'a self,
        operation: Operation,
        target: &'a Target,
        old: Option<&'a Object>,
        snapshot: &'a Snapshot,
        options: &'a WriteOptions,
    ) -> Attributes<'a> {
        Attributes {
            operation,
            target,
            user: options.user.as_deref(),
            old,
            dry_run: options.dry_run,
            view: self.view(snapshot),
        }
    }

    pub(super) fn view<'a>(&'a self, snapshot: &'a Snapshot) -> View<'a> {
        View {
            snapshot,
            catalog: &self.inner.builtin,
        }
    }

    pub(super) fn admit_change(
        &self,
        attributes: &Attributes<'_>,
        new: &mut Object,
    ) -> Result<(), Status> {
        let mut all = self.inner.admission.iter();
        all.try_for_each(|admission| admission.change(attributes, new))
    }

    pub(super) fn admit(
        &self,
        attributes: &Attributes<'_>,
        object: Option<&Object>,
    ) -> Result<(), Status> {
        let mut all = self.inner.admission.iter();
        all.try_for_each(|admission| admission.check(attributes, object))
    }

    fn allocate(
        &self,
        target: &Target,
        new: &mut Object,
        old: Option<&Object>,
        snapshot: &Snapshot,
    ) -> Result<(), Status> {
        let taken = |claim: &Claim| snapshot.get(&claim.key()).is_some();
        let world = Environment {
            pools: &self.inner.pools,
            further: &|| ranges::ready(snapshot),
            taken: &taken,
            random: &random,
        };
        target.strategy().allocate(new, old, &world)
    }
}

/// What this request cannot write is as it was: the status, or all but the status.
fn keep_reset(target: &Target, old: Option<&Object>, new: &mut Object) {
    let has_status = target.kind.subresource("status").is_some();
    match (target.subresource.as_str(), old) {
        ("status", Some(old)) => {
            let keep: Vec<String> = new.0.keys().chain(old.0.keys()).cloned().collect();
            for key in keep
                .iter()
                .filter(|key| !matches!(key.as_str(), "metadata" | "status"))
            {
                copy_field(&mut new.0, &old.0, key);
            }
            if target.kind.custom.is_some() {
                custom::keep_metadata(new, old);
            }
        }
        ("", Some(old)) if has_status => copy_field(&mut new.0, &old.0, "status"),
        ("", None) if has_status && !target.rules().status_on_create => {
            new.0.remove("status");
        }
        _ => {}
    }
    target.strategy().reset(new, old, &target.subresource);
}

/// True when an update has taken away the last thing that held an object which is to go.
pub(super) fn ends(target: &Target, new: &Object, old: &Object) -> bool {
    let grace = old
        .at(&["metadata", "deletionGracePeriodSeconds"])
        .and_then(Value::as_i64)
        .unwrap_or_default();
    old.is_terminating()
        && grace == 0
        && new.finalizers().next().is_none()
        && target.strategy().is_released(new)
}
