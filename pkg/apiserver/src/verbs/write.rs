//! create, update and patch.

use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use http::StatusCode;
use kedge_machinery::{Object, Status, decode};
use kedge_registry::{Patch, PatchKind, WriteOptions, Written};

use super::{Ask, form};
use crate::answer::{self, Answer, Reply};
use crate::request_info::RequestInfo;
use crate::{authz, body, options, refusal};

/// The kinds of options.
pub(super) const CREATE: &str = "CreateOptions";
pub(super) const UPDATE: &str = "UpdateOptions";

pub(super) async fn create(ask: &Ask<'_>, body: Body) -> Result<Answer, Status> {
    let reply = Reply::negotiate(&ask.parts, &ask.target.kind, form::FORMS)?;
    let (object, options) = given(ask, body, CREATE).await?;
    let written = ask
        .app
        .registry
        .create(&ask.target, object, &options)
        .await?;
    answer(ask, reply, written)
}

pub(super) async fn update(ask: &Ask<'_>, body: Body) -> Result<Answer, Status> {
    let reply = Reply::negotiate(&ask.parts, &ask.target.kind, form::FORMS)?;
    let (object, mut options) = given(ask, body, UPDATE).await?;
    if kedge_registry::creates_on_update(&ask.target.kind) {
        options.may_not_create = refused_to_create(ask);
    }
    let written = ask
        .app
        .registry
        .update(&ask.target, object, &options)
        .await?;
    answer(ask, reply, written)
}

pub(super) async fn patch(ask: &Ask<'_>, body: Body) -> Result<Answer, Status> {
    // Before what the answer is to be: upstream's order.
    language(ask)?;
    let reply = Reply::negotiate(&ask.parts, &ask.target.kind, form::FORMS)?;
    let (patch, options) = read_patch(ask, body).await?;
    let registry = &ask.app.registry;
    let written = registry.patch(&ask.target, patch, &options).await?;
    answer(ask, reply, written)
}

/// Why the user may not make the object that he may change (upstream: `withAuthorization`).
fn refused_to_create(ask: &Ask<'_>) -> Option<Box<Status>> {
    let (authorizers, target) = (&ask.app.authorizers, &ask.target);
    let question = RequestInfo {
        is_resource: true,
        verb: "create".into(),
        group: target.kind.group.clone(),
        version: target.kind.version.clone(),
        namespace: target.namespace.clone(),
        resource: target.kind.plural.clone(),
        subresource: target.subresource.clone(),
        name: target.name.clone(),
        named: true,
        ..RequestInfo::default()
    };
    let verdict = authz::decide(authorizers, &ask.user, &question);
    if verdict.allowed {
        return None;
    }
    let (group, plural) = (&target.kind.group, &target.kind.plural);
    let refusal = Status::forbidden(group, plural, &target.name, &verdict.reason);
    Some(Box::new(refusal))
}

/// The language of a patch, which its type names; 415 for one that the kind has not.
pub(super) fn language(ask: &Ask<'_>) -> Result<PatchKind, Status> {
    let is_custom = ask.target.kind.custom.is_some();
    Ok(match body::media_type(&ask.parts.headers) {
        "application/json-patch+json" => PatchKind::Json,
        "application/merge-patch+json" => PatchKind::Merge,
        // Lists of custom resources have no strategies.
        "application/strategic-merge-patch+json" if !is_custom => PatchKind::Strategic,
        "application/apply-patch+yaml" => PatchKind::Apply,
        _ if is_custom => return Err(refusal::unsupported_custom_patch()),
        _ => return Err(refusal::unsupported_patch()),
    })
}

/// A patch and its options.
pub(super) async fn read_patch(ask: &Ask<'_>, body: Body) -> Result<(Patch, WriteOptions), Status> {
    let language = language(ask)?;
    let mut body = read(ask, body).await?;
    let mut options = options::patch(language, ask.query(), &ask.parts.headers)?;
    options.user = Some(Arc::clone(&ask.user));
    if language == PatchKind::Apply {
        options.may_not_create = refused_to_create(ask);
        let (value, duplicates) = body::yaml(&body)?;
        options.duplicates = duplicates;
        body = value.to_string().into();
        options.source = body.clone();
    } else if let Ok(decoded) = decode::json(&body) {
        // What is no JSON at all is refused where it is applied.
        options.duplicates = match language {
            PatchKind::Json => json_patch_problems(&body, decoded),
            _ => decoded.duplicates,
        };
    }
    let patch = Patch {
        kind: language,
        body,
    };
    Ok((patch, options))
}

/// What a JSON patch says twice, and what its operations do not have.
fn json_patch_problems(body: &[u8], decoded: decode::Decoded) -> Vec<String> {
    let mut problems = decoded.duplicates;
    let operations = decoded.value.as_array().into_iter().flatten().enumerate();
    for (i, operation) in operations {
        let fields = operation.as_object().into_iter().flat_map(|map| map.keys());
        let unknown = fields.filter(|key| !["op", "path", "from", "value"].contains(&key.as_str()));
        problems.extend(unknown.map(|key| format!("unknown field \"[{i}].{key}\"")));
    }
    decode::in_order(body, &mut problems);
    let told = problems.into_iter();
    told.map(|problem| format!("json patch {problem}"))
        .collect()
}

pub(super) async fn read(ask: &Ask<'_>, body: Body) -> Result<Bytes, Status> {
    let limits = &ask.app.limits;
    body::read(body, &ask.parts.headers, limits.body, limits.body_time).await
}

/// The object in a body, and its options, whose kind is [`CREATE`] or [`UPDATE`]. What is wrong first is told: with a create the type of its body,
/// with an update that last.
pub(super) async fn given(
    ask: &Ask<'_>,
    body: Body,
    kind: &str,
) -> Result<(Object, WriteOptions), Status> {
    if kind == CREATE {
        body::check_type(&ask.parts.headers)?;
    }
    let bytes = read(ask, body).await?;
    let mut options = options::write(kind, ask.query(), &ask.parts.headers)?;
    options.user = Some(Arc::clone(&ask.user));
    let decoded = body::object(&ask.app.registry.catalog(), &ask.parts.headers, &bytes);
    let decoded = decoded.map_err(|status| match status.code {
        400 => body::unrecognized(wanted(ask), &status.message, &bytes),
        _ => status,
    })?;
    options.duplicates = decoded.duplicates;
    options.source = bytes;
    Ok((decoded.object, options))
}

/// The kind that a body should be of.
fn wanted<'a>(ask: &'a Ask<'_>) -> &'a str {
    let kind = &ask.target.kind;
    let part = kind.subresource(&ask.target.subresource);
    part.map_or(&kind.kind, |part| &part.kind)
}

fn answer(ask: &Ask<'_>, reply: Reply, written: Written) -> Result<Answer, Status> {
    let code = if written.created {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    let mut answer = form::object(ask, reply, code, written.value)?;
    answer::warn(&mut answer, &written.warnings);
    Ok(answer)
}
