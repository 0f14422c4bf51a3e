//! Ends Pods whose grace is over. Elsewhere a kubelet does it once the containers have stopped; on this node there is none,
//! and whoever runs what a Pod stands for has had its time.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use kedge_client::{Change, ObjectKey, Resource, SharedClient};
use serde::Deserialize;

use crate::engine::{Reconcile, Write};

/// Pods of this node that are on their way out.
pub(crate) struct Grace {
    node: String,
    waiting: BTreeMap<ObjectKey, Going>,
}

/// A Pod on its way out.
struct Going {
    at: Timestamp,
    uid: String,
    /// Its deletion was asked for.
    asked: bool,
}

#[derive(Deserialize)]
struct View {
    metadata: Metadata,
    #[serde(default)]
    spec: Spec,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    uid: String,
    deletion_timestamp: Option<Timestamp>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Spec {
    node_name: String,
}

impl Grace {
    pub(crate) fn new(node: impl Into<String>) -> Self {
        Self {
            node: node.into(),
            waiting: BTreeMap::new(),
        }
    }

    /// How long it is until the first may go.
    fn first(&self, now: Timestamp) -> Option<Duration> {
        let waiting = self.waiting.values().filter(|going| !going.asked);
        let first = waiting.map(|going| going.at).min()?;
        // A time that is over is no length of time.
        Some(Duration::try_from(first.duration_since(now)).unwrap_or_default())
    }
}

impl Reconcile for Grace {
    const NAME: &'static str = "grace";

    fn resources(&self) -> Vec<Resource> {
        vec![Resource::PODS]
    }

    fn observe(&mut self, change: &Change) {
        self.waiting.remove(&change.key);
        let view = change
            .object
            .as_ref()
            .and_then(|json| serde_json::from_slice::<View>(json).ok());
        let Some(pod) = view.filter(|pod| pod.spec.node_name == self.node) else {
            return;
        };
        if let Some(at) = pod.metadata.deletion_timestamp {
            let uid = pod.metadata.uid;
            let going = Going {
                at,
                uid,
                asked: false,
            };
            self.waiting.insert(change.key.clone(), going);
        }
    }

    async fn plan(&mut self, _client: &SharedClient, now: Timestamp) -> Vec<Write> {
        let over = self
            .waiting
            .iter_mut()
            .filter(|(_, going)| !going.asked && going.at <= now);
        over.map(|(key, going)| {
            going.asked = true;
            Write::delete(key, key.clone(), &going.uid)
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
    use super::*;
    use crate::engine::key;
    use bytes::Bytes;
    use serde_json::json;

    fn change(name: &str, node: &str, deleted: Option<&str>) -> Change {
        let mut pod = json!({"metadata": {"uid": name}, "spec": {"nodeName": node}});
        if let Some(at) = deleted {
            pod["metadata"]["deletionTimestamp"] = json!(at);
        }
        Change {
            key: key(Resource::PODS, "default", name),
            object: Some(Bytes::from(pod.to_string())),
        }
    }

    #[test]
    fn only_pods_of_this_node_wait_and_only_until_their_time() {
        let mut grace = Grace::new("here");
        for change in [
            change("lives", "here", None),
            change("goes", "here", Some("2026-01-01T00:00:30Z")),
            change("elsewhere", "there", Some("2026-01-01T00:00:30Z")),
        ] {
            grace.observe(&change);
        }
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        assert_eq!(
            grace.first(at("2026-01-01T00:00:00Z")),
            Some(Duration::from_secs(30))
        );
        assert_eq!(
            grace.first(at("2026-01-01T00:01:00Z")),
            Some(Duration::ZERO)
        );
        grace.observe(&Change {
            key: key(Resource::PODS, "default", "goes"),
            object: None,
        });
        assert_eq!(grace.first(at("2026-01-01T00:00:00Z")), None);
    }
}
