//! Which Services have endpoints on this machine: with `externalTrafficPolicy: Local` only those are announced from here.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use kedge_client::ObjectKey;

use super::outcome::Name;
use crate::view::{self, EndpointSlice};

const SERVICE: &str = "kubernetes.io/service-name";

/// EndpointSlices with an endpoint here that can serve, by their Service.
#[derive(Debug, Default)]
pub(super) struct LocalEndpoints {
    slices: BTreeMap<Name, BTreeSet<String>>,
    services: BTreeMap<Name, Name>,
}

impl LocalEndpoints {
    /// Takes an EndpointSlice in. True where a Service has endpoints here now and had none, or the other way round.
    pub(super) fn observe(&mut self, key: &ObjectKey, bytes: Option<&Bytes>, node: &str) -> bool {
        let slice = (key.namespace.clone(), key.name.clone());
        let new = bytes.and_then(|bytes| service_here(bytes, node));
        let old = self.services.get(&slice).cloned();
        if old == new {
            return false;
        }
        let before = [&old, &new].map(|service| self.has(service));
        if let Some(service) = &old {
            let slices = self.slices.entry(service.clone()).or_default();
            slices.remove(&key.name);
            if slices.is_empty() {
                self.slices.remove(service);
            }
            self.services.remove(&slice);
        }
        if let Some(service) = &new {
            let slices = self.slices.entry(service.clone()).or_default();
            slices.insert(key.name.clone());
            self.services.insert(slice, service.clone());
        }
        before != [&old, &new].map(|service| self.has(service))
    }

    /// The Service has endpoints here.
    pub(super) fn of(&self, service: &Name) -> bool {
        self.slices.contains_key(service)
    }

    fn has(&self, service: &Option<Name>) -> bool {
        service.as_ref().is_some_and(|service| self.of(service))
    }
}

/// The Service of a slice that has an endpoint on this node.
fn service_here(bytes: &Bytes, node: &str) -> Option<Name> {
    let EndpointSlice {
        metadata,
        endpoints,
    } = view::read(bytes)?;
    let mut endpoints = endpoints.iter();
    endpoints.find(|endpoint| endpoint.node_name == node && endpoint.can_serve())?;
    let service = metadata.labels.get(SERVICE)?.clone();
    Some((metadata.namespace, service))
}

#[cfg(test)]
mod tests {
    use kedge_client::Resource;
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;
    use crate::engine::key;

    fn slice(name: &str, service: &str, endpoints: Value) -> (ObjectKey, Bytes) {
        let object = json!({
            "metadata": {"namespace": "a", "name": name, "labels": {SERVICE: service}},
            "endpoints": endpoints,
        });
        let key = key(Resource::ENDPOINTSLICES, "a", name);
        (key, Bytes::from(object.to_string()))
    }

    #[rstest]
    #[case::ready(json!({"nodeName": "edge", "conditions": {"ready": true}}), true)]
    #[case::nobody_said(json!({"nodeName": "edge"}), true)]
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
