//! The verbs, as HTTP has them: options out of the query, bodies in, answers out. What they mean is the registry's.

mod form;
mod read;
mod remove;
mod review;
mod scale;
mod watch;
mod write;

use std::sync::Arc;

use axum::body::Body;
use http::request::Parts;
use kedge_machinery::Status;
use kedge_registry::Target;

use crate::answer::{self, Answer};
use crate::app::App;
use crate::authn::User;
use crate::route::Verb;

/// One request for one verb of one resource.
pub(crate) struct Ask<'a> {
    pub app: &'a App,
    pub user: Arc<User>,
    pub target: Target,
    pub parts: Parts,
}

impl Ask<'_> {
    fn query(&self) -> &str {
        self.parts.uri.query().unwrap_or_default()
    }
}

/// Answers a verb.
pub(crate) async fn serve(verb: Verb, ask: Ask<'_>, body: Body) -> Result<Answer, Status> {
    if ask.target.subresource == scale::NAME {
        return scale::answer(verb, &ask, body).await;
    }
    if review::is_review(&ask) {
        return review::answer(&ask, body).await;
    }
    let deprecation = kedge_registry::deprecation(&ask.target.kind);
    let mut answered = match verb {
        Verb::Get => read::get(&ask),
        Verb::List => read::list(&ask),
        Verb::Watch => watch::watch(&ask),
        Verb::Create => write::create(&ask, body).await,
        Verb::Update => write::update(&ask, body).await,
        Verb::Patch => write::patch(&ask, body).await,
        Verb::Delete => remove::delete(&ask, body).await,
        Verb::DeleteCollection => remove::delete_collection(&ask, body).await,
    }
    .unwrap_or_else(|status| answer::refuse(&status));
    if let Some(text) = deprecation {
        answer::warn(&mut answered, &[text.into()]);
    }
    Ok(answered)
}
