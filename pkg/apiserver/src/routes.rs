//! The fixed paths; every other one is a resource's.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::routing::get;
use axum::{Extension, Router};
use http::Method;

use crate::answer::{self, Answer};
use crate::app::SharedApp;
use crate::authn::User;
use crate::request_info::RequestInfo;
use crate::route::{self, Route};
use crate::verbs::{self, Ask};
use crate::{discovery, health, metrics, openapi, openid, refusal, version};

/// All paths over one application.
pub(crate) fn router(app: SharedApp) -> Router {
    Router::new()
        .route("/version", get(version::version))
        .route("/version/", get(version::version))
        .route("/livez", get(health::live))
        .route("/livez/{check}", get(health::live_check))
        .route("/healthz", get(health::live))
        .route("/healthz/{check}", get(health::live_check))
        .route("/readyz", get(health::ready))
        .route("/readyz/{check}", get(health::ready_check))
        .route("/metrics", get(measured))
        .route("/", get(index))
        .route("/index.html", get(index))
        .route("/api", get(discovery::core))
        .route("/api/", get(discovery::core))
        .route("/api/{version}", get(core_resources))
        .route("/api/{version}/", get(core_resources))
        .route("/apis", get(discovery::groups))
        .route("/apis/", get(discovery::groups))
        .route("/apis/{group}", get(discovery::group))
        .route("/apis/{group}/", get(discovery::group))
        .route("/apis/{group}/{version}", get(group_resources))
        .route("/apis/{group}/{version}/", get(group_resources))
        .route(openid::CONFIGURATION, get(openid::configuration))
        .route(openid::KEYS, get(openid::keys))
        .route("/openapi/v2", get(openapi::v2))
        .route("/openapi/v3", get(openapi::v3_index))
        .route("/openapi/v3/{*path}", get(openapi::v3))
        .method_not_allowed_fallback(|| async { answer::refuse(&refusal::method_not_allowed()) })
        .fallback(resource)
        .with_state(app)
}

async fn core_resources(
    state: State<SharedApp>,
    Path(version): Path<String>,
    request: Request,
) -> Answer {
    discovery::resources(&state, "", &version, &request.into_parts().0)
}

async fn group_resources(
    state: State<SharedApp>,
    Path((group, version)): Path<(String, String)>,
    request: Request,
) -> Answer {
    discovery::resources(&state, &group, &version, &request.into_parts().0)
}

async fn measured(State(app): State<SharedApp>) -> Answer {
    metrics::page(&app.metrics).await
}

/// `/`: the paths there are, for who looks around.
async fn index(State(app): State<SharedApp>) -> Answer {
    discovery::paths(&app)
}

async fn resource(
    State(app): State<SharedApp>,
    Extension(info): Extension<Arc<RequestInfo>>,
    Extension(user): Extension<Arc<User>>,
    request: Request,
) -> Answer {
    let (parts, body) = request.into_parts();
    let is_head = parts.method == Method::HEAD;
    let route = route::find(&app.registry.catalog(), &parts.method, &info);
    let answered = match route {
        Route::Nowhere => return answer::page_not_found(),
        Route::Refused(status) => Err(status),
        Route::Verb(verb, target) => {
            verbs::serve(
                verb,
                Ask {
                    app: &app,
                    user,
                    target,
                    parts,
                },
                body,
            )
            .await
        }
    };
    let mut answer = answered.unwrap_or_else(|status| answer::refuse(&status));
    if is_head {
        *answer.body_mut() = Body::empty();
    }
    answer
}
