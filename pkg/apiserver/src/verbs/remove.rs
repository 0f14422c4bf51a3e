//! delete and deletecollection.

use std::sync::Arc;

use axum::body::Body;
use http::StatusCode;
use kedge_api::openapi;
use kedge_machinery::schema::{self, Schema, Shape};
use kedge_machinery::{Object, Status};
use kedge_registry::{DeleteOptions, deletion_warnings};

use super::{Ask, form};
use crate::answer::{self, Answer, Reply};
use crate::{body, members, options};

pub(super) async fn delete(ask: &Ask<'_>, body: Body) -> Result<Answer, Status> {
    let reply = Reply::negotiate(&ask.parts, &ask.target.kind, form::FORMS)?;
    let (options, cascade) = read_options(ask, body).await?;
    let deleted = ask.app.registry.delete(&ask.target, &options).await?;
    // Upstream: who asked in the older way for dependents to go with it learns that this takes time.
    let code = if cascade && !deleted.gone {
        StatusCode::ACCEPTED
    } else {
        StatusCode::OK
    };
    let is_status = members::members(&deleted.value)
        .any(|member| member.key == b"kind" && member.value == br#""Status""#);
    let mut answer = match is_status {
        true => reply.object(code, deleted.value)?,
        false => form::object(ask, reply, code, deleted.value)?,
    };
    answer::warn(&mut answer, &deletion_warnings(&ask.target.kind, &options));
    Ok(answer)
}

pub(super) async fn delete_collection(ask: &Ask<'_>, body: Body) -> Result<Answer, Status> {
    let reply = Reply::negotiate(&ask.parts, &ask.target.kind, form::FORMS)?;
    let selection = options::list(ask.query())?;
    let (options, _) = read_options(ask, body).await?;
    let kind = &ask.target.kind;
    let page = ask
        .app
        .registry
        .delete_collection(kind, &ask.target.namespace, &options, &selection)
        .await?;
    let mut answer = reply.list(kind, page, form::items(ask, reply)?)?;
    answer::warn(&mut answer, &deletion_warnings(kind, &options));
    Ok(answer)
}

async fn read_options(ask: &Ask<'_>, body: Body) -> Result<(DeleteOptions, bool), Status> {
    let limits = &ask.app.limits;
    let bytes = body::read(body, &ask.parts.headers, limits.body, limits.body_time).await?;
    let object = match bytes.is_empty() {
        true => None,
        false => Some(given_options(ask, &bytes)?),
    };
    let (mut options, cascade) = options::delete(ask.query(), object.as_ref())?;
    options.user = Some(Arc::clone(&ask.user));
    Ok((options, cascade))
}

/// The options in a body. What cannot be read as such has no status of its own upstream: 500 without a reason.
fn given_options(ask: &Ask<'_>, bytes: &[u8]) -> Result<Object, Status> {
    let wrong = |why: String| Status::new(500, "", why);
    let catalog = ask.app.registry.catalog();
    let object = match body::object(&catalog, &ask.parts.headers, bytes) {
        Ok(decoded) => decoded.object,
        Err(status) if status.code == 400 => return Err(wrong(status.message)),
        Err(status) => return Err(status),
    };
    if !matches!(object.kind(), "" | "DeleteOptions") {
        return Err(wrong(
            "decoded object cannot be converted to DeleteOptions".into(),
        ));
    }
    let schema = Schema {
        shape: Shape::Reference(openapi::DELETE_OPTIONS.into()),
        ..Schema::default()
    };
    let tree = object.into_value();
    schema::types::check(catalog.definitions(), &schema, &tree)
        .map_err(|error| wrong(error.to_string()))?;
    Ok(Object::from_value(tree).unwrap_or_default())
}
