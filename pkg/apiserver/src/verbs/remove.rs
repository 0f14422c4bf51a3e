//! delete and deletecollection.

use std::sync::Arc;

use axum::body::Body;
use http::StatusCode;
use kedge_machinery::Status;
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
    let of_user = |(mut options, cascade): (DeleteOptions, bool)| {
        options.user = Some(Arc::clone(&ask.user));
        (options, cascade)
    };
    let bytes = body::read(body, &ask.parts.headers, limits.body, limits.body_time).await?;
    if bytes.is_empty() {
        return options::delete(ask.query(), None).map(of_user);
    }
    let object = body::object(&ask.app.registry.catalog(), &ask.parts.headers, &bytes)?.object;
    if !matches!(object.kind(), "" | "DeleteOptions") {
        return Err(Status::bad_request(format!(
            "decoded object cannot be converted to DeleteOptions: it is a {}",
            object.kind()
        )));
    }
    options::delete(ask.query(), Some(&object)).map(of_user)
}
