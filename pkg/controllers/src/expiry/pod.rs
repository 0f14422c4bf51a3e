//! Pods whose grace is over. Elsewhere a kubelet ends them once the containers have stopped; on this node there is none,
//! and whoever runs what a Pod stands for has had its time.

use jiff::Timestamp;
use kedge_client::{Json, Resource};
use serde::Deserialize;

use super::{End, Mortal};
use crate::view;

/// Pods of this node that are on their way out.
pub(crate) struct Pod {
    node: String,
}

impl Pod {
    pub(crate) fn of(node: impl Into<String>) -> Self {
        Self { node: node.into() }
    }
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

impl Mortal for Pod {
    const NAME: &'static str = "grace";
    const RESOURCE: Resource = Resource::PODS;

    fn end(&self, object: &Json) -> Option<End> {
        let pod = view::read::<View>(object).filter(|pod| pod.spec.node_name == self.node)?;
        Some(End {
            at: pod.metadata.deletion_timestamp?,
            uid: pod.metadata.uid,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_pods_of_this_node_that_are_deleted_end() {
        let end = |node: &str, deleted: Option<&str>| {
            let mut pod = json!({"metadata": {"uid": "u"}, "spec": {"nodeName": node}});
            if let Some(at) = deleted {
                pod["metadata"]["deletionTimestamp"] = json!(at);
            }
            Pod::of("here").end(&pod.to_string().into())
        };
        let time = "2026-01-01T00:00:30Z";
        assert_eq!(end("here", None), None);
        assert_eq!(end("there", Some(time)), None);
        let there = End {
            at: time.parse().unwrap(),
            uid: "u".into(),
        };
        assert_eq!(end("here", Some(time)), Some(there));
    }
}
