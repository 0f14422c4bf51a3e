//! The subresource `scale`: a part of an object that is a kind of its own.

use axum::body::Body;
use http::StatusCode;
use kedge_machinery::Status;
use kedge_registry::Written;

use super::{Ask, write};
use crate::answer::{self, Answer, Reply};
use crate::negotiate::Forms;
use crate::refusal;
use crate::route::Verb;

pub(super) const NAME: &str = "scale";

pub(super) async fn answer(verb: Verb, ask: &Ask<'_>, body: Body) -> Result<Answer, Status> {
    if verb == Verb::Patch {
        write::language(ask)?;
    }
    let reply = Reply::negotiate(&ask.parts, &ask.target.kind, Forms::None)?;
    let registry = &ask.app.registry;
    let written = match verb {
        Verb::Get => return reply.object(StatusCode::OK, registry.scale(&ask.target)?),
        Verb::Update => {
            let (object, options) = write::given(ask, body, write::UPDATE).await?;
            registry.update_scale(&ask.target, object, &options).await?
        }
        Verb::Patch => {
            let (patch, options) = write::read_patch(ask, body).await?;
            registry.patch_scale(&ask.target, patch, &options).await?
        }
        _ => return Err(refusal::method_not_allowed()),
    };
    let Written {
        value, warnings, ..
    } = written;
    let mut answer = reply.object(StatusCode::OK, value)?;
    answer::warn(&mut answer, &warnings);
    Ok(answer)
}
