//! Requests at work, counted and bounded; watches apart, since they stay.

use std::sync::Arc;

use kedge_machinery::Status;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::refusal;
use crate::request_info::RequestInfo;
use crate::{Limits, authz};

/// The counters of one server.
pub(crate) struct InFlight {
    requests: Arc<Semaphore>,
    watches: Arc<Semaphore>,
}

impl InFlight {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            requests: Arc::new(Semaphore::new(limits.requests)),
            watches: Arc::new(Semaphore::new(limits.watches)),
        }
    }

    /// A place for the request, until what is returned is dropped; 429 when there is none. Health is always
    /// answered: who watches a busy server must not take it for a dead one.
    pub(crate) fn enter(
        &self,
        request: &RequestInfo,
    ) -> Result<Option<OwnedSemaphorePermit>, Status> {
        if authz::is_public(request) {
            return Ok(None);
        }
        let places = if request.is_long_running() {
            &self.watches
        } else {
            &self.requests
        };
        Arc::clone(places)
            .try_acquire_owned()
            .map(Some)
            .map_err(|_| refusal::too_many_requests())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activity::hold;
    use crate::answer::Answer;
    use http::Method;

    fn ask(path: &str, query: &str) -> RequestInfo {
        RequestInfo::parse(&Method::GET, path, query)
    }

    #[test]
    fn places_are_bounded_and_given_back() {
        let limits = Limits {
            requests: 1,
            watches: 1,
            ..Limits::default()
        };
        let counters = InFlight::new(&limits);
        let place = counters.enter(&ask("/api/v1/pods", "")).unwrap();
        let refused = counters.enter(&ask("/api/v1/pods", "")).unwrap_err();
        assert_eq!((refused.code, refused.reason), (429, "TooManyRequests"));
        let watch = counters.enter(&ask("/api/v1/pods", "watch=true")).unwrap();
        assert!(counters.enter(&ask("/api/v1/pods", "watch=true")).is_err());
        assert!(counters.enter(&ask("/readyz", "")).unwrap().is_none());
        let answer = hold(Answer::default(), place);
        assert!(counters.enter(&ask("/api/v1/pods", "")).is_err());
        drop((answer, watch));
        assert!(counters.enter(&ask("/api/v1/pods", "")).is_ok());
    }
}
