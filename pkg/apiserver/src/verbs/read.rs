//! get and list.

use http::StatusCode;
use kedge_machinery::Status;
use kedge_registry::resume_token;

use super::{Ask, table};
use crate::answer::{self, Answer, Reply};
use crate::negotiate::Form;
use crate::options;

pub(super) fn get(ask: &Ask<'_>) -> Result<Answer, Status> {
    let reply = Reply::negotiate(&ask.parts, &table::FORMS)?;
    let entry = ask
        .app
        .registry
        .get(&ask.target, &options::get(ask.query()))?;
    table::object(ask, reply, StatusCode::OK, entry.value.clone())
}

pub(super) fn list(ask: &Ask<'_>) -> Result<Answer, Status> {
    let reply = Reply::negotiate(&ask.parts, &table::FORMS)?;
    let kind = &ask.target.kind;
    let options = options::list(ask.query())?;
    let page = match ask.app.registry.list(kind, &ask.target.namespace, &options) {
        Ok(page) => page,
        Err(status) => return expired(status, &options.continue_token),
    };
    if reply.media.form == Form::Table {
        let rows = page.items.iter().map(|entry| entry.value.as_ref());
        return reply.value(
            StatusCode::OK,
            &table::rows(ask, kind, rows, answer::list_metadata(&page))?,
        );
    }
    reply.list(kind, page)
}

/// A refusal; one for a page that is no longer known carries the token that goes on in the latest state.
fn expired(status: Status, token: &str) -> Result<Answer, Status> {
    let fresh = if status.code == 410 {
        resume_token(token)
    } else {
        None
    };
    let Some(fresh) = fresh else {
        return Err(status);
    };
    let mut body = status.to_json();
    body["metadata"]["continue"] = fresh.into();
    Ok(answer::text(
        StatusCode::GONE,
        "application/json",
        body.to_string(),
    ))
}
