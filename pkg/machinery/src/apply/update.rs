//! Who owns what after a create, an update or a patch: whoever wrote owns what differs.

use serde_json::Map;

use super::compare::Comparison;
use super::managers::{Managers, Operation};
use super::{Context, first, zero};
use crate::Object;

/// Records in `managedFields` what a create (`old` is `None`), an update or a patch has changed.
///
/// `managedFields: [{}]` or `[]` in the new object forgets all owners (the client's wish); other entries of it replace the
/// live ones, except through a subresource. An object that has no owners gets none by an update; one without a uid is only being
/// made, and what stands in it already is nobody's.
pub fn track_update(context: &Context<'_>, old: Option<&Object>, new: &mut Object) {
    let whole = context.subresource.is_empty();
    let live = || old.map(Managers::read).unwrap_or_default();
    let mut managers = if whole && Managers::is_reset(new) {
        Managers::default()
    } else {
        match Managers::read(new) {
            given if whole && !given.is_empty() => given,
            _ => live(),
        }
    };
    let exists = old.is_some_and(|old| !old.uid().is_empty());
    if managers.is_empty() && exists {
        new.meta_mut().remove("managedFields");
        return;
    }
    managers.forget_versions(context);
    managers.reconcile(context);
    if managers.is_empty() {
        first::write(context, old, new);
    } else {
        again(context, managers, old, new);
    }
}

/// Gives the writer what it changed of an object that others have written to.
pub(super) fn again(
    context: &Context<'_>,
    mut managers: Managers,
    old: Option<&Object>,
    new: &mut Object,
) {
    let zero = match old {
        Some(_) => Map::new(),
        None => zero::of(context, new),
    };
    let before = old.map_or(&zero, |old| &old.0);
    // Nobody owns `managedFields`; they have been read, and are written anew.
    let typed = context.typed();
    let difference = typed.compare_objects(context.schema, before, &new.0);
    record(context, &mut managers, difference);
    managers.bundle_old_updates();
    managers.write(new);
}

/// Gives what changed to the writer, and takes it, with what went, from the others.
pub(super) fn record(context: &Context<'_>, managers: &mut Managers, difference: Comparison) {
    let (changed, removed) = difference.into_changed();
    managers.lose(&[&changed, &removed]);
    let taken = context.own(changed);
    if !taken.is_empty() {
        let id = context.id(Operation::Update);
        managers.give(&id, taken, &context.api_version);
        context.stamp(managers, &id);
    }
}
