//! What is served: `/api`, `/apis` and what is below them, in the older form and aggregated (KEP-3352).

use std::hash::{DefaultHasher, Hash, Hasher};

use axum::extract::{Path, Request, State};
use http::header::{ACCEPT, CACHE_CONTROL, ETAG, HOST, IF_NONE_MATCH, VARY};
use http::request::Parts;
use http::{HeaderValue, StatusCode};
use kedge_api::discovery;
use kedge_machinery::Status;
use serde_json::{Value, json};

use crate::answer::{self, Answer, Reply};
use crate::app::{App, SharedApp};
use crate::{negotiate, openid, route};

pub(crate) async fn core(State(app): State<SharedApp>, request: Request) -> Answer {
    let parts = request.into_parts().0;
    // Under the address that this client reached it by: a server that listens on every address has no other to tell.
    let asked = parts.uri.authority().map_or_else(
        || answer::header(&parts.headers, HOST),
        |host| host.as_str(),
    );
    let address = if asked.is_empty() {
        &app.address
    } else {
        asked
    };
    root(
        &parts,
        || discovery::versions(address),
        || discovery::aggregated_core(&app.registry.catalog()),
    )
}

pub(crate) async fn groups(State(app): State<SharedApp>, request: Request) -> Answer {
    let parts = request.into_parts().0;
    let catalog = app.registry.catalog();
    root(
        &parts,
        || discovery::groups(&catalog),
        || discovery::aggregated_groups(&catalog),
    )
}

pub(crate) async fn group(
    State(app): State<SharedApp>,
    Path(name): Path<String>,
    request: Request,
) -> Answer {
    match discovery::group(&app.registry.catalog(), &name) {
        Some(group) => document(&request.into_parts().0, &group),
        None => answer::page_not_found(),
    }
}

/// The resources of a version: `/api/v1`, `/apis/GROUP/VERSION`.
pub(crate) fn resources(app: &App, group: &str, version: &str, parts: &Parts) -> Answer {
    let catalog = app.registry.catalog();
    match discovery::resources(&catalog, group, version) {
        Some(resources) => document(parts, &resources),
        // A version that is not there of a group that has paths, is the group's to refuse; else it is nobody's.
        None if group.is_empty() || route::has_paths(&catalog, group) => {
            answer::refuse(&Status::no_such_resource())
        }
        None => answer::page_not_found(),
    }
}

/// Every path that answers, group versions included.
pub(crate) fn paths(app: &App) -> Answer {
    let mut paths: Vec<String> = [
        openid::CONFIGURATION,
        "/api",
        "/api/v1",
        "/apis",
        "/healthz",
        "/livez",
        "/metrics",
        "/openapi/v2",
        "/openapi/v3",
        openid::KEYS,
        "/readyz",
        "/version",
    ]
    .map(Into::into)
    .into();
    let catalog = app.registry.catalog();
    for kind in catalog.kinds().iter().filter(|kind| !kind.group.is_empty()) {
        paths.extend([
            format!("/apis/{}", kind.group),
            format!("/apis/{}/{}", kind.group, kind.version),
        ]);
    }
    paths.sort_unstable();
    paths.dedup();
    // Upstream indents these for everybody, in JSON.
    let reply = Reply {
        pretty: true,
        ..Reply::default()
    };
    reply
        .value(StatusCode::OK, &json!({ "paths": paths }))
        .unwrap_or_else(|status| answer::refuse(&status))
}

fn root(
    parts: &Parts,
    plain: impl FnOnce() -> Value,
    aggregated: impl FnOnce() -> Value,
) -> Answer {
    let mut answer = match negotiate::aggregated_discovery(answer::header(&parts.headers, ACCEPT)) {
        Ok(None) => document(parts, &plain()),
        Ok(Some(version)) => {
            let body = format!("{}\n", aggregated());
            let tag = etag(&body);
            let content_type = match version {
                "v2" => "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
                _ => "application/json",
            };
            let mut answer = if answer::header(&parts.headers, IF_NONE_MATCH) == tag {
                answer::text(StatusCode::NOT_MODIFIED, content_type, "")
            } else {
                answer::text(StatusCode::OK, content_type, body)
            };
            if let Ok(tag) = HeaderValue::try_from(tag) {
                answer.headers_mut().insert(ETAG, tag);
            }
            let public = HeaderValue::from_static("public");
            answer.headers_mut().insert(CACHE_CONTROL, public);
            answer
        }
        Err(status) => answer::refuse(&status),
    };
    answer
        .headers_mut()
        .insert(VARY, HeaderValue::from_static("Accept"));
    answer
}

/// A strong tag of a body that this process alone makes.
pub(crate) fn etag(body: &(impl Hash + ?Sized)) -> String {
    let mut hasher = DefaultHasher::new();
    body.hash(&mut hasher);
    format!("\"{:016X}\"", hasher.finish())
}

fn document(parts: &Parts, value: &Value) -> Answer {
    let answered: Result<Answer, Status> =
        Reply::document(parts).and_then(|reply| reply.value(StatusCode::OK, value));
    answered.unwrap_or_else(|status| answer::refuse(&status))
}
