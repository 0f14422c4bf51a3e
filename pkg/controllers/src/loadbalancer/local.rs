//! Which Services have endpoints on this machine: with `externalTrafficPolicy: Local` only those are announced from here.

use std::collections::HashMap;
use std::sync::Arc;

use kedge_client::Json;
use kedge_client::ObjectKey;

use super::outcome::Name;
use crate::view::{self, EndpointSlice};

const SERVICE: &str = "kubernetes.io/service-name";

/// EndpointSlices with an endpoint here that can serve, and their Services. There may be as many as there are Services, so each
/// name is one text, `namespace/name`, and a Service's is shared.
#[derive(Debug, Default)]
pub(super) struct LocalEndpoints {
    /// The Service of each slice.
    slices: HashMap<Box<str>, Arc<str>>,
    /// Slices of each Service.
    services: HashMap<Arc<str>, u32>,
}

impl LocalEndpoints {
    /// Takes an EndpointSlice in. True where a Service has endpoints here now and had none, or the other way round.
    pub(super) fn observe(&mut self, key: &ObjectKey, bytes: Option<&Json>, node: &str) -> bool {
        let slice = path(&key.namespace, &key.name);
        let new = bytes.and_then(|bytes| service_here(bytes, node));
        if self.slices.get(&*slice).map(|known| &**known) == new.as_deref() {
            return false;
        }
        let old = self.slices.remove(&*slice);
        let last = old.is_some_and(|service| self.leave(&service));
        let first = new.is_some_and(|service| self.join(slice, &service));
        last || first
    }

    /// The Service has endpoints here.
    pub(super) fn of(&self, (namespace, name): &Name) -> bool {
        self.services.contains_key(&*path(namespace, name))
    }

    /// Counts a slice with its Service. True for the first.
    fn join(&mut self, slice: Box<str>, service: &str) -> bool {
        let known = self.services.get_key_value(service);
        let shared = known.map_or_else(|| service.into(), |(shared, _)| Arc::clone(shared));
        let count = self.services.entry(Arc::clone(&shared)).or_default();
        *count += 1;
        self.slices.insert(slice, shared);
        *count == 1
    }

    /// Counts a slice out that its Service had. True for the last.
    fn leave(&mut self, service: &str) -> bool {
        if let Some(count) = self.services.get_mut(service)
            && *count > 1
        {
            *count -= 1;
            return false;
        }
        self.services.remove(service).is_some()
    }
}

fn path(namespace: &str, name: &str) -> Box<str> {
    format!("{namespace}/{name}").into()
}

/// The Service of a slice that has an endpoint on this node.
fn service_here(bytes: &Json, node: &str) -> Option<Box<str>> {
    let EndpointSlice {
        metadata,
        endpoints,
    } = view::read(bytes)?;
    let mut endpoints = endpoints.iter();
    endpoints.find(|endpoint| endpoint.node_name == node && endpoint.can_serve())?;
    let service = metadata.labels.get(SERVICE)?;
    Some(path(&metadata.namespace, service))
}

#[cfg(test)]
mod tests {
    use kedge_client::Resource;
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;
    use crate::engine::key;

    fn slice(name: &str, service: &str, endpoints: Value) -> (ObjectKey, Json) {
        let object = json!({
            "metadata": {"namespace": "a", "name": name, "labels": {SERVICE: service}},
            "endpoints": endpoints,
        });
        let key = key(Resource::ENDPOINTSLICES, "a", name);
        (key, Json::from(object.to_string()))
    }

    #[rstest]
    #[case::ready(json!({"nodeName": "edge", "conditions": {"ready": true}}), true)]
    #[case::nobody_said(json!({"nodeName": "edge"}), true)]
    #[case::serving_alone(json!({"nodeName": "edge", "conditions": {"serving": true}}), true)]
    // Of these `publishNotReadyAddresses` makes the first.
    #[case::ready_and_not_serving(json!({"nodeName": "edge", "conditions": {"ready": true, "serving": false}}), true)]
    #[case::not_serving_alone(json!({"nodeName": "edge", "conditions": {"serving": false}}), true)]
    #[case::elsewhere(json!({"nodeName": "other", "conditions": {"ready": true}}), false)]
    #[case::nowhere(json!({"conditions": {"ready": true}}), false)]
    #[case::not_ready(json!({"nodeName": "edge", "conditions": {"ready": false}}), false)]
    #[case::going(json!({"nodeName": "edge", "conditions": {"ready": false, "serving": true, "terminating": true}}), true)]
    #[case::gone(json!({"nodeName": "edge", "conditions": {"ready": false, "serving": false, "terminating": true}}), false)]
    fn what_counts_as_an_endpoint_here(#[case] endpoint: Value, #[case] counts: bool) {
        let mut local = LocalEndpoints::default();
        let (key, bytes) = slice("web-1", "web", json!([endpoint]));
        assert_eq!(local.observe(&key, Some(&bytes), "edge"), counts);
        assert_eq!(local.of(&("a".into(), "web".into())), counts);
    }

    #[test]
    fn the_last_slice_that_goes_matters() {
        let mut local = LocalEndpoints::default();
        let here = json!([{"nodeName": "edge"}]);
        let web = ("a".into(), "web".into());
        let [(one, bytes), (two, more)] = ["web-1", "web-2"].map(|n| slice(n, "web", here.clone()));
        assert!(local.observe(&one, Some(&bytes), "edge"));
        assert!(!local.observe(&two, Some(&more), "edge"));
        assert!(!local.observe(&one, None, "edge"));
        assert!(local.of(&web));
        // The other becomes another Service's.
        let (_, moved) = slice("web-2", "api", here);
        assert!(local.observe(&two, Some(&moved), "edge"));
        assert!(!local.of(&web) && local.of(&("a".into(), "api".into())));
        assert!(local.observe(&two, None, "edge"));
    }
}
