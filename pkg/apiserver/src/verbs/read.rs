//! get and list.

use http::StatusCode;
use kedge_machinery::Status;
use kedge_registry::resume_token;

use super::{Ask, form};
use crate::answer::{self, Answer, Reply};
use crate::options;

pub(super) fn get(ask: &Ask<'_>) -> Result<Answer, Status> {
    let reply = Reply::negotiate(&ask.parts, &ask.target.kind, form::FORMS)?;
    let entry = ask
        .app
        .registry
        .get(&ask.target, &options::get(ask.query()))?;
    form::object(ask, reply, StatusCode::OK, entry.bytes())
}

pub(super) fn list(ask: &Ask<'_>) -> Result<Answer, Status> {
    let reply = Reply::negotiate(&ask.parts, &ask.target.kind, form::FORMS)?;
    let kind = &ask.target.kind;
    let options = options::list(ask.query())?;
    let page = match ask.app.registry.list(kind, &ask.target.namespace, &options) {
        Ok(page) => page,
        Err(status) => return expired(status, &options.continue_token),
    };
    reply.list(kind, page, form::items(ask, reply)?)
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
    Ok(answer::refusal(&status, &body))
}
