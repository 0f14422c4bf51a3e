//! What every request passes before its path counts: a number for the log, who asks, what they may, and whether
//! there is room.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use futures_util::FutureExt;
use http::{HeaderName, HeaderValue, Request};
use kedge_machinery::Status;
use tower::ServiceExt;

use crate::answer::{self, Answer, Wish};
use crate::app::SharedApp;
use crate::authn::{self, Peer, User};
use crate::in_flight::{Full, Place};
use crate::metrics::Requests;
use crate::request_info::RequestInfo;
use crate::{activity, authz, deadline, refusal, routes};

/// Identifies a request in answers and logs; a client may bring its own.
const AUDIT_ID: HeaderName = HeaderName::from_static("audit-id");

/// Takes requests of all connections.
pub(crate) struct Front {
    app: SharedApp,
    router: Router,
}

impl Front {
    pub(crate) fn new(app: SharedApp) -> Self {
        Self {
            router: routes::router(Arc::clone(&app)),
            app,
        }
    }

    pub(crate) fn app(&self) -> &SharedApp {
        &self.app
    }

    /// Answers one request; a panic in a handler is its answer's 500 and nobody else's.
    pub(crate) async fn answer(&self, peer: &Peer, request: Request<Body>) -> Answer {
        let audit_id = request
            .headers()
            .get(AUDIT_ID)
            .filter(|id| !id.is_empty())
            .cloned()
            .or_else(|| HeaderValue::try_from(uuid::Uuid::new_v4().to_string()).ok());
        let wish = Wish::of(&request);
        let (method, path) = (request.method().clone(), request.uri().path().to_string());
        let mut answer = match AssertUnwindSafe(self.admit_and_route(peer, request))
            .catch_unwind()
            .await
        {
            Ok(answer) => answer,
            Err(_) => {
                tracing::error!(%method, path, audit_id = ?audit_id, "a handler panicked");
                answer::refuse(&Status::internal(
                    "this request met a defect of the server; its log says more",
                ))
            }
        };
        answer = wish.refused(answer);
        tracing::debug!(%method, path, code = answer.status().as_u16());
        if let Some(id) = audit_id {
            answer.headers_mut().insert(AUDIT_ID, id);
        }
        self.app.served.notify_one();
        answer
    }

    async fn admit_and_route(&self, peer: &Peer, request: Request<Body>) -> Answer {
        let (parts, body) = request.into_parts();
        let query = parts.uri.query().unwrap_or_default();
        let info = RequestInfo::parse(&parts.method, parts.uri.path(), query);
        if info.is_cut_short {
            return refusal::cut_short(&parts.uri);
        }
        let time = match deadline::of(&info, query) {
            Ok(time) => time,
            Err(status) => return answer::refuse(&status),
        };
        let begun = Requests::begin(&info, &self.app.registry.catalog());
        let answer = self.admit_and_serve(peer, parts, body, info, time).await;
        if let Some(begun) = begun {
            self.app.requests.end(begun, answer.status());
        }
        answer
    }

    async fn admit_and_serve(
        &self,
        peer: &Peer,
        mut parts: http::request::Parts,
        body: Body,
        info: RequestInfo,
        time: Option<Duration>,
    ) -> Answer {
        let admitted = self.admit(peer, &parts, &info);
        let (user, place) = match admitted {
            Ok(admitted) => admitted,
            Err(refused) => return refused.answer(),
        };
        parts.extensions.insert(Arc::new(info));
        parts.extensions.insert(Arc::new(user));
        let routed = self
            .router
            .clone()
            .oneshot(Request::from_parts(parts, body));
        let routed: Result<Answer, Infallible> = match time {
            None => routed.await,
            Some(time) => tokio::time::timeout(time, routed)
                .await
                .unwrap_or_else(|_| Ok(answer::refuse(&refusal::deadline()))),
        };
        match routed {
            Ok(answer) => activity::hold(answer, place),
            Err(never) => match never {},
        }
    }

    fn admit(
        &self,
        peer: &Peer,
        parts: &http::request::Parts,
        info: &RequestInfo,
    ) -> Result<(User, Option<Place>), NotAdmitted> {
        let user = authn::authenticate(&self.app.authenticators, parts, peer)
            .map_err(NotAdmitted::Unknown)?;
        let user = authn::impersonate(user, &parts.headers, &self.app.authorizers)
            .map_err(NotAdmitted::Forbidden)?;
        let place = self.app.in_flight.enter(info, &user.name);
        let place = place.map_err(|Full| NotAdmitted::Full)?;
        authz::authorize(&self.app.authorizers, &user, info).map_err(NotAdmitted::Forbidden)?;
        Ok((user, place))
    }
}

/// Why a request goes no further.
enum NotAdmitted {
    /// Nobody knows who asks.
    Unknown(Status),
    /// He may not, or may not be whom he wants to be.
    Forbidden(Status),
    /// There are too many at work.
    Full,
}

impl NotAdmitted {
    fn answer(&self) -> Answer {
        match self {
            Self::Unknown(status) => answer::refuse(status),
            Self::Forbidden(status) => {
                let mut answer = answer::refuse(status);
                answer::no_sniffing(&mut answer);
                answer
            }
            Self::Full => refusal::too_many_requests(),
        }
    }
}
