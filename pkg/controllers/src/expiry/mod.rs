//! Deletes objects whose time is over: each kind says when that is, and one timer runs until the first of them.

mod bootstrap_token;
mod certificate_request;
mod pod;

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use kedge_client::{Change, Json, ObjectKey, Resource, SharedClient};

use crate::engine::{Reconcile, Write};

pub(crate) use bootstrap_token::BootstrapToken;
pub(crate) use certificate_request::CertificateRequest;
pub(crate) use pod::Pod;

/// When objects of a kind are to go.
pub(crate) trait Mortal: Send {
    /// For the log.
    const NAME: &'static str;
    const RESOURCE: Resource;

    /// The end of an object, given as its JSON; `None` for one that stays.
    fn end(&self, object: &Json) -> Option<End>;
}

/// From when on an object is deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct End {
    pub at: Timestamp,
    /// Only that very object goes, not one of the same name.
    pub uid: String,
}

/// The controller of one kind.
pub(crate) struct Expiry<M> {
    mortal: M,
    waiting: BTreeMap<ObjectKey, Going>,
}

struct Going {
    end: End,
    /// Its deletion was asked for.
    asked: bool,
}

impl<M: Mortal> Expiry<M> {
    pub(crate) fn of(mortal: M) -> Self {
        Self {
            mortal,
            waiting: BTreeMap::new(),
        }
    }

    /// How long it is until the first may go.
    fn first(&self, now: Timestamp) -> Option<Duration> {
        let waiting = self.waiting.values().filter(|going| !going.asked);
        let first = waiting.map(|going| going.end.at).min()?;
        // A time that is over is no length of time.
        Some(Duration::try_from(first.duration_since(now)).unwrap_or_default())
    }
}

impl<M: Mortal> Reconcile for Expiry<M> {
    const NAME: &'static str = M::NAME;

    fn resources(&self) -> Vec<Resource> {
        vec![M::RESOURCE]
    }

    fn observe(&mut self, change: &Change) {
        self.waiting.remove(&change.key);
        let end = change
            .object
            .as_ref()
            .and_then(|json| self.mortal.end(json));
        if let Some(end) = end {
            let going = Going { end, asked: false };
            self.waiting.insert(change.key.clone(), going);
        }
    }

    async fn plan(&mut self, _client: &SharedClient, now: Timestamp) -> Vec<Write> {
        let over = self
            .waiting
            .iter_mut()
            .filter(|(_, going)| !going.asked && going.end.at <= now);
        over.map(|(key, going)| {
            going.asked = true;
            Write::delete(key, key.clone(), &going.end.uid)
        })
        .collect()
    }

    fn again(&mut self, about: &ObjectKey) {
        if let Some(going) = self.waiting.get_mut(about) {
            going.asked = false;
        }
    }

    async fn changed(&mut self) {
        match self.first(Timestamp::now()) {
            Some(wait) => tokio::time::sleep(wait).await,
            None => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use kedge_client::Json;

    use super::*;
    use crate::engine::key;

    /// Its objects are the time of their end.
    struct Written;

    impl Mortal for Written {
        const NAME: &'static str = "written";
        const RESOURCE: Resource = Resource::PODS;

        fn end(&self, object: &Json) -> Option<End> {
            let at = std::str::from_utf8(&object.text()).unwrap().parse().ok()?;
            Some(End {
                at,
                uid: "u".into(),
            })
        }
    }

    fn change(name: &str, object: Option<&'static str>) -> Change {
        Change {
            key: key(Resource::PODS, "default", name),
            object: object.map(Json::from),
        }
    }

    #[test]
    fn the_next_end_is_waited_for() {
        let mut expiry = Expiry::of(Written);
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        expiry.observe(&change("stays", Some("never")));
        assert_eq!(expiry.first(at("2026-01-01T00:00:00Z")), None);
        expiry.observe(&change("later", Some("2026-01-01T00:01:00Z")));
        expiry.observe(&change("goes", Some("2026-01-01T00:00:30Z")));
        for (now, seconds) in [("2026-01-01T00:00:00Z", 30), ("2026-01-01T00:00:45Z", 0)] {
            assert_eq!(expiry.first(at(now)), Some(Duration::from_secs(seconds)));
        }
        expiry.observe(&change("goes", None));
        assert_eq!(
            expiry.first(at("2026-01-01T00:00:00Z")),
            Some(Duration::from_secs(60))
        );
    }
}
