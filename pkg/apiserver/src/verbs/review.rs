//! Kinds that are asked and answered: a body in, an answer out, nothing stored.

mod access_review;
mod attributes;
mod bound_object;
mod rules_review;
mod self_subject_review;
mod token_request;
mod token_review;
mod user_info;

use std::sync::Arc;

use axum::body::Body;
use http::StatusCode;
use kedge_api::Kind;
use kedge_machinery::Status;
use kedge_registry::{Question, Target};
use serde_json::Value;

use super::{Ask, write};
use crate::answer::{self, Answer, Reply};
use crate::negotiate::Forms;

/// True for a request that this module answers and no store.
pub(super) fn is_review(ask: &Ask<'_>) -> bool {
    let target = &ask.target;
    !target.kind.is_stored() || target.subresource == "token"
}

/// Answers by group, kind and subresource. 404 for what has no answer.
pub(super) async fn answer(ask: &Ask<'_>, body: Body) -> Result<Answer, Status> {
    let (app, target) = (ask.app, &ask.target);
    let place = (
        target.kind.group.as_str(),
        target.kind.kind.as_str(),
        target.subresource.as_str(),
    );
    match place {
        ("", "ServiceAccount", "token") => {
            let catalog = app.registry.catalog();
            let kind = catalog.find_kind("authentication.k8s.io", "v1", "TokenRequest");
            let question = question(ask, kind.ok_or_else(Status::no_such_resource)?, body).await?;
            let account = Target::new(
                Arc::clone(&target.kind),
                target.namespace.as_str(),
                target.name.as_str(),
            );
            app.registry
                .admit_token(&account, &ask.user, &question.object)?;
            let made =
                token_request::answer(&app.registry, &app.tokens, &account, question.object)?;
            created(ask, &made.into_value(), &question.warnings)
        }
        ("authentication.k8s.io", "TokenReview", "") => {
            let question = question(ask, &target.kind, body).await?;
            let review = token_review::answer(&app.bearers, question.object)?;
            created(ask, &review.into_value(), &question.warnings)
        }
        ("authentication.k8s.io", "SelfSubjectReview", "") => {
            let question = question(ask, &target.kind, body).await?;
            created(
                ask,
                &self_subject_review::answer(&ask.user),
                &question.warnings,
            )
        }
        ("authorization.k8s.io", kind, "") => {
            let question = question(ask, &target.kind, body).await?;
            let (authorizers, object) = (&app.authorizers, question.object);
            let answer = match kind {
                "SelfSubjectAccessReview" => {
                    access_review::own(authorizers, &ask.user, object)?.into_value()
                }
                "SubjectAccessReview" => {
                    access_review::of_another(authorizers, object)?.into_value()
                }
                "LocalSubjectAccessReview" => {
                    access_review::local(authorizers, &target.namespace, object)?.into_value()
                }
                "SelfSubjectRulesReview" => rules_review::answer(authorizers, &ask.user, &object)?,
                _ => return Err(Status::no_such_resource()),
            };
            created(ask, &answer, &question.warnings)
        }
        _ => Err(Status::no_such_resource()),
    }
}

/// The body, as the kind's schema knows it.
async fn question(ask: &Ask<'_>, kind: &Arc<Kind>, body: Body) -> Result<Question, Status> {
    let (object, options) = write::given(ask, body, write::CREATE).await?;
    let target = Target {
        kind: Arc::clone(kind),
        ..ask.target.clone()
    };
    ask.app.registry.question(&target, object, &options)
}

/// 201, as for everything that is posted.
fn created(ask: &Ask<'_>, value: &Value, warnings: &[String]) -> Result<Answer, Status> {
    let reply = Reply::negotiate(&ask.parts, &ask.target.kind, Forms::None)?;
    let mut answer = reply.value(StatusCode::CREATED, value)?;
    answer::warn(&mut answer, warnings);
    Ok(answer)
}
