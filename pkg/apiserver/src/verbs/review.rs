//! Kinds that are asked and answered: a body in, an answer out, nothing stored.

use axum::body::Body;
use kedge_machinery::Status;

use super::Ask;
use crate::answer::Answer;
use crate::refusal;

/// True for a request that this module answers and no store.
pub(super) fn is_review(ask: &Ask<'_>) -> bool {
    let target = &ask.target;
    !target.kind.is_stored() || matches!(target.subresource.as_str(), "scale" | "token")
}

/// Answers by group, kind and subresource. 404 for what has no answer.
pub(super) async fn answer(_ask: &Ask<'_>, _body: Body) -> Result<Answer, Status> {
    Err(refusal::no_such_resource())
}
