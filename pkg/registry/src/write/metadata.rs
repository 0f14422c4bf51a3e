//! Metadata that the server owns.

use jiff::Timestamp;
use kedge_api::Kind;
use kedge_machinery::{FieldError, Object, Status, meta_validate, names, time};
use serde_json::{Map, Value};

use crate::check;
use crate::request::Target;
use crate::strategy::looks::Part;
use crate::strategy::{NameRule, Rules};
use crate::value::{copy_field, field};

/// The namespace of an object is that of its path; the object may leave it out.
pub(super) fn agree_on_namespace(target: &Target, object: &mut Object) -> Result<(), Status> {
    if !target.kind.namespaced {
        object.meta_mut().remove("namespace");
    } else if object.namespace().is_empty() {
        object
            .meta_mut()
            .insert("namespace".into(), target.namespace.as_str().into());
    } else if object.namespace() != target.namespace {
        return Err(Status::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    Ok(())
}

/// Gives an object without a name that of its path.
pub(super) fn fill_name(target: &Target, object: &mut Object) {
    if object.name().is_empty() {
        let name = target.name.as_str().into();
        object.meta_mut().insert("name".into(), name);
    }
}

/// An update names the object of its path.
pub(super) fn agree_on_name(target: &Target, object: &Object) -> Result<(), Status> {
    if object.name().is_empty() {
        return Err(nameless(target));
    }
    if object.name() != target.name {
        return Err(Status::bad_request(format!(
            "the name of the object ({}) does not match the name on the URL ({})",
            object.name(),
            target.name
        )));
    }
    Ok(())
}

/// 400: nothing says what an object is called.
pub(super) fn nameless(target: &Target) -> Status {
    Status::bad_request(format!(
        "the name of the object ({} based on URL) was undeterminable: name must be provided",
        target.name
    ))
}

/// Takes out owner references that are there already; what the client is told of it, in other words of a patch.
pub(super) fn deduplicate_owners(object: &mut Object, patched: bool) -> Option<String> {
    let owners = object
        .meta_mut()
        .get_mut("ownerReferences")?
        .as_array_mut()?;
    let (mut kept, mut again) = (Vec::with_capacity(owners.len()), Vec::new());
    for owner in owners.drain(..) {
        if kept.contains(&owner) {
            again.push(field_text(&owner, "uid"));
        } else {
            kept.push(owner);
        }
    }
    *owners = kept;
    let again = again.join(", ");
    // Upstream looks at a patch's outcome when admission is done with it.
    let when = if patched {
        " after mutating admission happens"
    } else {
        ""
    };
    (!again.is_empty()).then(|| {
        format!(
            ".metadata.ownerReferences contains duplicate entries{when}; API server dedups owner references in 1.20+, and may reject \
             such requests as early as 1.24; please fix your requests; duplicate UID(s) observed: {again}"
        )
    })
}

fn field_text(value: &Value, key: &str) -> String {
    let text = value.get(key).and_then(Value::as_str);
    text.unwrap_or_default().to_string()
}

/// Fields of a new object; its name is made where only the beginning was given. An address has no beginning: it is the
/// name.
pub(super) fn begin(object: &mut Object, rules: Rules, now: Timestamp) {
    let base = object.meta_text("generateName");
    if object.name().is_empty() && !base.is_empty() {
        let name = match rules.name {
            NameRule::Address => base.to_string(),
            _ => names::generate(base, crate::registry::random()),
        };
        object.meta_mut().insert("name".into(), name.into());
    }
    let meta = object.meta_mut();
    for key in [
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "resourceVersion",
        "selfLink",
        "generation",
    ] {
        meta.remove(key);
    }
    meta.insert(
        "uid".into(),
        uuid::Uuid::from_u128(crate::registry::random())
            .to_string()
            .into(),
    );
    meta.insert("creationTimestamp".into(), time::rfc3339(now).into());
    if rules.generation {
        meta.insert("generation".into(), 1.into());
    }
}

/// Fields that an update cannot lose: filled from the old object where the new one has none. When the object was made
/// nobody is asked.
pub(super) fn keep(new: &mut Object, old: &Object) {
    let Some(before) = old.meta() else { return };
    let meta = new.meta_mut();
    if field(meta, "uid").as_str().unwrap_or_default().is_empty() {
        copy_field(meta, before, "uid");
    }
    copy_field(meta, before, "creationTimestamp");
    // What the client knew of it has been checked.
    copy_field(meta, before, "resourceVersion");
    copy_field(meta, before, "generation");
    if old.is_terminating() {
        copy_field(meta, before, "deletionTimestamp");
        if field(meta, "deletionGracePeriodSeconds").is_null() {
            copy_field(meta, before, "deletionGracePeriodSeconds");
        }
    }
    meta.remove("selfLink");
}

/// Counts a change of anything but metadata and status. Of an EndpointSlice, labels count too.
pub(super) fn count_generation(new: &mut Object, old: &Object, has_status: bool) {
    let counted = |key: &str| key != "metadata" && !(has_status && key == "status");
    let labelled = new.kind() == "EndpointSlice" && labels(new) != labels(old);
    if labelled || !same_fields(&new.0, &old.0, counted) {
        bump(new);
    }
}

fn labels(object: &Object) -> Option<&Value> {
    object.meta().map(|meta| field(meta, "labels"))
}

/// Equal in the fields of these names.
fn same_fields(a: &Map<String, Value>, b: &Map<String, Value>, of: impl Fn(&str) -> bool) -> bool {
    let named = |(key, _): &(&String, &Value)| of(key);
    a.iter().filter(named).eq(b.iter().filter(named))
}

/// The next generation, of an object that has one.
pub(super) fn bump(object: &mut Object) {
    let meta = object.meta_mut();
    if let Some(generation) = field(meta, "generation").as_i64().filter(|g| *g > 0) {
        meta.insert("generation".into(), (generation + 1).into());
    }
}

/// What the strategy of a kind finds wrong with the metadata of a new object.
pub(super) fn validate(object: &Object, kind: &Kind, rule: NameRule) -> Vec<FieldError> {
    let mut errors = object_meta(object, kind, rule);
    errors.extend(finalizers(object, kind));
    errors
}

/// What is wrong with the metadata of any new object.
pub(super) fn validate_any(object: &Object, kind: &Kind) -> Vec<FieldError> {
    object_meta(object, kind, NameRule::PathSegment)
}

fn object_meta(object: &Object, kind: &Kind, rule: NameRule) -> Vec<FieldError> {
    let check = |name: &str, prefix: bool| rule.check(name, prefix);
    meta_validate::object_meta(object, kind.namespaced, check)
}

/// What is wrong with a change. Each look at a part finds the same however often it is told, so it is taken once.
pub(super) struct Findings {
    any: Vec<FieldError>,
    whole: Vec<FieldError>,
    change: Vec<FieldError>,
    finalizers: Vec<FieldError>,
    object: Vec<FieldError>,
    moved: Vec<FieldError>,
}

impl Findings {
    /// What the kind's strategy will find when it looks at these parts, and the one look that every kind gets.
    pub(super) fn of(target: &Target, new: &Object, old: &Object, parts: &[Part]) -> Self {
        let (kind, strategy) = (&target.kind, target.strategy());
        let at = |part: Part, look: &dyn Fn() -> Vec<FieldError>| match parts.contains(&part) {
            true => look(),
            false => Vec::new(),
        };
        Self {
            any: validate_any(new, kind),
            whole: at(Part::Whole, &|| object_meta(new, kind, target.rules().name)),
            change: meta_validate::object_meta_update(new, old),
            finalizers: finalizers(new, kind),
            object: at(Part::Object, &|| {
                strategy.validate_update(new, old, &target.subresource)
            }),
            moved: at(Part::Moved, &|| strategy.validate_change(new, old)),
        }
    }

    /// Of any kind.
    pub(super) fn any(&self) -> Vec<FieldError> {
        [&self.any[..], &self.change].concat()
    }

    /// Of the kind's strategy, in its order.
    pub(super) fn told(&self, parts: &[Part]) -> Vec<FieldError> {
        let mut told = Vec::new();
        for part in parts {
            let (found, finalizers) = match part {
                Part::Whole => (&self.whole, &self.finalizers[..]),
                Part::Change => (&self.change, &self.finalizers[..]),
                Part::Object => (&self.object, &[][..]),
                Part::Moved => (&self.moved, &[][..]),
            };
            told.extend(found.iter().chain(finalizers).cloned());
        }
        told
    }
}

fn finalizers(object: &Object, kind: &Kind) -> Vec<FieldError> {
    // Upstream checks the metadata of these as any object's.
    let any = matches!(
        kind.group.as_str(),
        "apiextensions.k8s.io" | "coordination.k8s.io"
    );
    match any || is_defined(kind) {
        true => Vec::new(),
        false => meta_validate::finalizers(object),
    }
}

/// True for a kind that upstream has from a definition.
fn is_defined(kind: &Kind) -> bool {
    kind.custom.is_some() || kind.group == "metallb.io"
}

/// What is taken, and said to be better otherwise.
pub(super) fn warnings(new: &Object, old: Option<&Object>, kind: &Kind) -> Vec<String> {
    match is_defined(kind) {
        true => meta_validate::finalizer_warnings(new, old),
        false => Vec::new(),
    }
}

impl NameRule {
    /// Messages about a name, or about the beginning of one.
    fn check(self, name: &str, prefix: bool) -> Vec<String> {
        let masked = if prefix { masked(name) } else { None };
        let name = masked.as_deref().unwrap_or(name);
        match self {
            Self::Subdomain => names::dns1123_subdomain(name),
            Self::Label => names::dns1123_label(name),
            Self::PathSegment => names::path_segment(name),
            Self::Address => address_name(name),
        }
    }
}

/// A beginning that ends with a dash, as upstream looks at it: what is appended ends well (`maskTrailingDash`).
fn masked(name: &str) -> Option<String> {
    let kept = name.len().checked_sub(2)?;
    let kept = name.get(..kept).filter(|_| name.ends_with('-'))?;
    Some(format!("{kept}a"))
}

fn address_name(name: &str) -> Vec<String> {
    match check::ip("", name) {
        Ok(address) if address.to_string() == name => Vec::new(),
        Ok(address) => vec![format!("must be in canonical form (\"{address}\")")],
        Err(error) => vec![error.detail],
    }
}

/// Equal apart from when managers last wrote: such a write is none.
pub(super) fn is_same(new: &Object, old: &Object) -> bool {
    let same_meta = match (new.meta(), old.meta()) {
        (Some(new), Some(old)) => {
            same_managers(new.get("managedFields"), old.get("managedFields"))
                && same_fields(new, old, |key| key != "managedFields")
        }
        (new, old) => new == old,
    };
    same_meta && same_fields(&new.0, &old.0, |key| key != "metadata")
}

/// Equal entries, in their order, apart from their times.
fn same_managers(a: Option<&Value>, b: Option<&Value>) -> bool {
    let (Some(Value::Array(a)), Some(Value::Array(b))) = (a, b) else {
        return a == b;
    };
    let same = |(a, b): (&Value, &Value)| match (a, b) {
        (Value::Object(a), Value::Object(b)) => same_fields(a, b, |key| key != "time"),
        _ => a == b,
    };
    a.len() == b.len() && a.iter().zip(b).all(same)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("web-", true)]
    #[case("web--", true)]
    #[case("web.-", true)]
    #[case("-", false)]
    #[case("-a-", false)]
    #[case("web.", false)]
    fn beginnings_of_names(#[case] name: &str, #[case] right: bool) {
        assert_eq!(NameRule::Subdomain.check(name, true).is_empty(), right);
    }
}
