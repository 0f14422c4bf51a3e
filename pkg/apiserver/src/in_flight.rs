//! Requests at work, counted and bounded: those that read, those that write, and watches, which stay. Of each, one
//! client may have half, so that none can keep the others out.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::request_info::RequestInfo;
use crate::{Limits, authz};

/// The counters of one server.
pub(crate) struct InFlight {
    reads: Arc<Places>,
    writes: Arc<Places>,
    watches: Arc<Places>,
}

/// Places of one sort.
struct Places {
    all: usize,
    /// Those that one client may have.
    share: usize,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    all: usize,
    /// By the name of the user; only who has any.
    by_client: HashMap<Arc<str>, usize>,
}

/// There is no place: the client is to come again.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Full;

/// A place, until it is dropped.
pub(crate) struct Place {
    places: Arc<Places>,
    client: Arc<str>,
}

impl InFlight {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            reads: Places::new(limits.reads),
            writes: Places::new(limits.writes),
            watches: Places::new(limits.watches),
        }
    }

    /// A place for a user's request, where there is one. Health is always answered: who watches a busy
    /// server must not take it for a dead one.
    pub(crate) fn enter(&self, request: &RequestInfo, client: &str) -> Result<Option<Place>, Full> {
        if authz::is_public(request) {
            return Ok(None);
        }
        let places = match request.verb.as_str() {
            _ if request.is_long_running() => &self.watches,
            "get" | "list" | "head" | "options" => &self.reads,
            _ => &self.writes,
        };
        places.enter(client).map(Some).ok_or(Full)
    }
}

impl Places {
    fn new(all: usize) -> Arc<Self> {
        Arc::new(Self {
            all,
            share: all.div_ceil(2),
            taken: Mutex::default(),
        })
    }

    fn enter(self: &Arc<Self>, client: &str) -> Option<Place> {
        let mut taken = self.taken();
        if taken.all >= self.all {
            return None;
        }
        let known = taken.by_client.get_key_value(client);
        let (client, own) = match known {
            Some((client, own)) => (Arc::clone(client), *own),
            None => (client.into(), 0),
        };
        if own >= self.share {
            return None;
        }
        taken.all += 1;
        taken.by_client.insert(Arc::clone(&client), own + 1);
        drop(taken);
        Some(Place {
            places: Arc::clone(self),
            client,
        })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        taken.all -= 1;
        let left = taken.by_client.get_mut(&self.client).map(|own| {
            *own -= 1;
            *own
        });
        if left == Some(0) {
            taken.by_client.remove(&self.client);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activity::hold;
    use crate::answer::Answer;
    use http::Method;

    fn ask(method: Method, path: &str, query: &str) -> RequestInfo {
        RequestInfo::parse(&method, path, query)
    }

    fn counters(places: usize) -> InFlight {
        InFlight::new(&Limits {
            reads: places,
            writes: places,
            watches: places,
            ..Limits::default()
        })
    }

    #[test]
    fn places_are_bounded_and_given_back() {
        let counters = counters(1);
        let read = ask(Method::GET, "/api/v1/pods", "");
        let write = ask(Method::PUT, "/api/v1/namespaces/a/pods/b", "");
        let watch = ask(Method::GET, "/api/v1/pods", "watch=true");
        let place = counters.enter(&read, "jo").unwrap();
        assert_eq!(counters.enter(&read, "al").err(), Some(Full));
        let others = [
            counters.enter(&write, "jo").unwrap(),
            counters.enter(&watch, "jo").unwrap(),
        ];
        assert!(counters.enter(&write, "jo").is_err());
        assert!(counters.enter(&watch, "jo").is_err());
        assert!(
            counters
                .enter(&ask(Method::GET, "/readyz", ""), "jo")
                .unwrap()
                .is_none()
        );
        let answer = hold(Answer::default(), place);
        assert!(counters.enter(&read, "jo").is_err());
        drop((answer, others));
        assert!(counters.enter(&read, "jo").is_ok());
        assert!(counters.reads.taken().by_client.is_empty());
    }

    #[test]
    fn one_client_leaves_half_to_the_others() {
        let counters = counters(10);
        let read = ask(Method::GET, "/api/v1/pods", "");
        let mut greedy: Vec<_> = (0..5)
            .map(|_| counters.enter(&read, "jo").unwrap())
            .collect();
        assert!(counters.enter(&read, "jo").is_err());
        let other = counters.enter(&read, "al").unwrap();
        assert!(greedy.pop().is_some());
        assert!(counters.enter(&read, "jo").is_ok());
        drop(other);
    }
}
