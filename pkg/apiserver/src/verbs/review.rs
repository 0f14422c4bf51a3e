//! Kinds that are asked and answered: a body in, an answer out, and the body is not stored.

mod access_review;
mod attributes;
mod bound_object;
mod eviction;
mod rules_review;
mod self_subject_review;
mod token_request;
mod token_review;
mod user_info;

use std::sync::Arc;

use axum::body::Body;
use http::StatusCode;
use kedge_api::Kind;
use kedge_machinery::{Object, Status};
use kedge_registry::{Question, Target, WriteOptions};
use serde_json::{Value, json};

use super::{Ask, write};
use crate::answer::{self, Answer, Reply};
use crate::negotiate::Forms;

/// True for a request that this module answers and no store.
pub(super) fn is_review(ask: &Ask<'_>) -> bool {
    let kind = &ask.target.kind;
    let part = kind.subresource(&ask.target.subresource);
    !kind.is_stored() || part.is_some_and(|part| part.verbs == ["create"])
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
        ("", "Binding", "") => {
            let mut question = question(ask, body).await?;
            let pod = older_binding(ask, &mut question.object)?;
            let options = written(ask, &question);
            app.registry.bind(&pod, question.object, &options).await?;
            created(ask, &success(), &question.warnings)
        }
        ("", "Pod", "binding") => {
            let question = question(ask, body).await?;
            let options = written(ask, &question);
            app.registry.bind(target, question.object, &options).await?;
            created(ask, &success(), &question.warnings)
        }
        ("", "Pod", "eviction") => {
            let question = question(ask, body).await?;
            let mut options = eviction::options(&question)?;
            options.user = Some(Arc::clone(&ask.user));
            app.registry
                .evict(target, question.object, &options)
                .await?;
            created(ask, &success(), &question.warnings)
        }
        ("", "ServiceAccount", "token") => {
            let question = question(ask, body).await?;
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
            let question = question(ask, body).await?;
            let review = token_review::answer(&app.bearers, question.object)?;
            created(ask, &review.into_value(), &question.warnings)
        }
        ("authentication.k8s.io", "SelfSubjectReview", "") => {
            let question = question(ask, body).await?;
            created(
                ask,
                &self_subject_review::answer(&ask.user),
                &question.warnings,
            )
        }
        ("authorization.k8s.io", kind, "") => {
            let question = question(ask, body).await?;
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

/// The body, as the schema of its kind knows it.
async fn question(ask: &Ask<'_>, body: Body) -> Result<Question, Status> {
    let (mut object, options) = write::given(ask, body, write::CREATE).await?;
    let target = Target {
        kind: kind(ask)?,
        ..ask.target.clone()
    };
    if target.kind.kind == "Eviction" {
        eviction::as_served(&mut object);
    }
    ask.app.registry.question(&target, object, &options)
}

/// The kind of the body: of the resource, or of the subresource.
fn kind(ask: &Ask<'_>) -> Result<Arc<Kind>, Status> {
    let own = &ask.target.kind;
    let Some(part) = own.subresource(&ask.target.subresource) else {
        return Ok(Arc::clone(own));
    };
    let catalog = ask.app.registry.catalog();
    let kind = catalog.find_kind(&part.group, &part.version, &part.kind);
    kind.cloned().ok_or_else(Status::no_such_resource)
}

/// The subresource that a Binding means which names its Pod in itself alone. It does not say which of that name.
fn older_binding(ask: &Ask<'_>, binding: &mut Object) -> Result<Target, Status> {
    binding.meta_mut().remove("uid");
    let catalog = ask.app.registry.catalog();
    let pods = catalog.find("", "v1", "pods");
    let pods = Arc::clone(pods.ok_or_else(Status::no_such_resource)?);
    let pod = Target::new(pods, ask.target.namespace.as_str(), binding.name());
    Ok(pod.subresource("binding"))
}

/// How what a body asks for is written.
fn written(ask: &Ask<'_>, question: &Question) -> WriteOptions {
    WriteOptions {
        user: Some(Arc::clone(&ask.user)),
        dry_run: question.dry_run,
        ..WriteOptions::default()
    }
}

/// The answer to a body that asked for something to be done.
fn success() -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201})
}

/// 201, as for everything that is posted.
fn created(ask: &Ask<'_>, value: &Value, warnings: &[String]) -> Result<Answer, Status> {
    let reply = Reply::negotiate(&ask.parts, &ask.target.kind, Forms::None)?;
    let mut answer = reply.value(StatusCode::CREATED, value)?;
    answer::warn(&mut answer, warnings);
    Ok(answer)
}
