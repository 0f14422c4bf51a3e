//! May somebody do something (upstream: `pkg/registry/authorization/*accessreview`).

use kedge_machinery::{FieldError, Object, Status};
use serde_json::{Map, Value, json};

use super::attributes::{self, Attributes};
use crate::authn::User;
use crate::authz::{self, Authorizer};

const GROUP: &str = "authorization.k8s.io";

/// `SelfSubjectAccessReview`: the one who asks.
pub(super) fn own(
    authorizers: &[Box<dyn Authorizer>],
    user: &User,
    review: Object,
) -> Result<Object, Status> {
    let mut errors = attributes::validate(spec(&review));
    errors.extend(bare_metadata(&review, false));
    answer(authorizers, user, review, &errors)
}

/// `SubjectAccessReview`: the one in the question.
pub(super) fn of_another(
    authorizers: &[Box<dyn Authorizer>],
    review: Object,
) -> Result<Object, Status> {
    let mut errors = validate(&review);
    errors.extend(bare_metadata(&review, false));
    let user = user(&review);
    answer(authorizers, &user, review, &errors)
}

/// `LocalSubjectAccessReview`: the one in the question, in the namespace of the path.
pub(super) fn local(
    authorizers: &[Box<dyn Authorizer>],
    namespace: &str,
    mut review: Object,
) -> Result<Object, Status> {
    if review.namespace().is_empty() {
        review
            .meta_mut()
            .insert("namespace".into(), namespace.into());
    } else if review.namespace() != namespace {
        return Err(Status::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    let mut errors = validate(&review);
    errors.extend(bare_metadata(&review, true));
    let spec = spec(&review);
    if let Some(resource) = attributes::member(spec, "resourceAttributes") {
        let own = resource
            .get("namespace")
            .and_then(Value::as_str)
            .unwrap_or_default();
        if own != namespace {
            let path = "spec.resourceAttributes.namespace";
            errors.push(FieldError::invalid(
                path,
                own,
                "must match metadata.namespace",
            ));
        }
    }
    if let Some(path) = attributes::member(spec, "nonResourceAttributes") {
        errors.push(FieldError::invalid(
            "spec.nonResourceAttributes",
            attributes::shown(path),
            "disallowed on this kind of request",
        ));
    }
    let user = user(&review);
    answer(authorizers, &user, review, &errors)
}

fn answer(
    authorizers: &[Box<dyn Authorizer>],
    user: &User,
    mut review: Object,
    errors: &[FieldError],
) -> Result<Object, Status> {
    if !errors.is_empty() {
        // Upstream's inner type has lost its kind by then.
        return Err(Status::invalid(GROUP, "", "", errors));
    }
    let Attributes { request, errors } = attributes::read(spec(&review));
    let verdict = authz::decide(authorizers, user, &request);
    let mut status = Map::new();
    status.insert("allowed".into(), verdict.allowed.into());
    if !verdict.reason.is_empty() {
        status.insert("reason".into(), verdict.reason.into());
    }
    if !errors.is_empty() {
        status.insert("evaluationError".into(), errors.join("; ").into());
    }
    review.0.insert("status".into(), status.into());
    Ok(review)
}

fn spec(review: &Object) -> &Value {
    review.0.get("spec").unwrap_or(&Value::Null)
}

fn validate(review: &Object) -> Vec<FieldError> {
    let mut errors = attributes::validate(spec(review));
    let user = user(review);
    if user.name.is_empty() && user.groups.is_empty() {
        let detail = "at least one of user or group must be specified";
        // Upstream looks at this before it looks into selectors.
        let at = errors
            .iter()
            .position(|error| error.field.contains("Selector"))
            .unwrap_or(errors.len());
        errors.insert(at, FieldError::invalid("spec.user", "", detail));
    }
    errors
}

/// Who is asked about.
fn user(review: &Object) -> User {
    let spec = spec(review);
    let texts = |value: &Value| -> Vec<String> {
        let list = value.as_array().into_iter().flatten();
        list.filter_map(Value::as_str).map(String::from).collect()
    };
    let text = |key: &str| {
        spec.get(key)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_string()
    };
    let extra = spec.get("extra").and_then(Value::as_object);
    User {
        name: text("user"),
        uid: text("uid"),
        groups: spec.get("groups").map(texts).unwrap_or_default(),
        extra: extra
            .into_iter()
            .flatten()
            .map(|(key, values)| (key.clone(), texts(values)))
            .collect(),
    }
}

/// A question is about nothing that has a name.
fn bare_metadata(review: &Object, namespaced: bool) -> Option<FieldError> {
    let meta = review.meta()?;
    let system = ["managedFields", "creationTimestamp", "uid"];
    let is_set = |(key, value): (&String, &Value)| {
        let ignored = system.contains(&key.as_str()) || (namespaced && key == "namespace");
        !(ignored || value.is_null() || *value == json!("") || *value == json!({}))
    };
    let detail = if namespaced {
        "must be empty except for namespace"
    } else {
        "must be empty"
    };
    meta.iter()
        .any(is_set)
        .then(|| FieldError::invalid("metadata", Value::Object(meta.clone()), detail))
}
