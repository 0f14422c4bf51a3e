//! EndpointSlice objects: what they say beside their endpoints, and the writes that make them so.

use std::collections::BTreeMap;

use kedge_client::{ObjectKey, Resource};
use kedge_machinery::object::child_mut;
use kedge_machinery::{Object, names};
use serde_json::{Map, Value, json};

use super::MAX_ENDPOINTS;
use super::pack::{Group, Packing, pack};
use crate::engine::{Write, key};
use crate::view::Service;

pub(crate) const LABEL_SERVICE: &str = "kubernetes.io/service-name";
pub(crate) const LABEL_MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by";
pub(crate) const LABEL_HEADLESS: &str = "service.kubernetes.io/headless";
/// Of a usual endpoint's share of connections, in percent: the proxy reads it on slices, people write it on Pods.
pub(crate) const WEIGHT: &str = "kedge.io/weight";
pub(crate) const TRIGGER_TIME: &str = "endpoints.kubernetes.io/last-change-trigger-time";

/// What all slices of a Service have in common.
pub(crate) struct Template<'a> {
    pub namespace: &'a str,
    pub service: &'a str,
    pub manager: &'a str,
    pub labels: BTreeMap<String, String>,
    pub annotations: BTreeMap<String, String>,
    pub owner: Owned<'a>,
}

/// The object that the slices go with.
pub(crate) struct Owned<'a> {
    pub api_version: &'a str,
    pub kind: &'a str,
    pub name: &'a str,
    pub uid: &'a str,
}

/// A Service's own labels, and the one that says it has no address.
pub(crate) fn service_labels(service: &Service) -> BTreeMap<String, String> {
    let mut labels = service.metadata.labels.clone();
    labels.remove(LABEL_HEADLESS);
    if service.is_headless() || service.spec.cluster_ip.is_empty() {
        labels.insert(LABEL_HEADLESS.into(), String::new());
    }
    labels
}

/// The writes after which the Service's slices hold these groups. `changed_at` goes into what is written; it is no reason
/// to write.
pub(crate) fn writes(
    about: &ObjectKey,
    template: &Template<'_>,
    groups: Vec<Group>,
    existing: Vec<Object>,
    changed_at: &str,
) -> Vec<Write> {
    let (ours, foreign): (Vec<_>, Vec<_>) =
        existing.into_iter().partition(|slice| template.owns(slice));
    let held: Vec<Group> = ours.iter().map(|slice| template.held(slice)).collect();
    let groups = groups.into_iter().map(sorted).collect();
    let Packing {
        create,
        mut update,
        delete,
    } = pack(&held, groups, MAX_ENDPOINTS);

    let remove = |slice: &Object| {
        let target = key(Resource::ENDPOINTSLICES, template.namespace, slice.name());
        (!slice.is_terminating()).then(|| Write::delete(about, target, slice.uid()))
    };
    let change = |object| Write::update(about, Resource::ENDPOINTSLICES, "", object);
    // Of an earlier Service of that name: nobody else may be there to remove them.
    let mut writes: Vec<Write> = foreign.iter().filter_map(remove).collect();
    let settled =
        (0..ours.len()).filter(|i| !delete.contains(i) && update.iter().all(|(at, _)| at != i));
    let relabelled = settled.filter(|i| !template.labelled(&ours[*i]));
    writes.extend(relabelled.map(|i| change(template.apply(ours[i].clone(), None, changed_at))));
    // Where an endpoint comes before where it goes: one that changes slices is never without any.
    writes.extend(create.into_iter().map(|group| {
        Write::create(
            about,
            Resource::ENDPOINTSLICES,
            template.apply(template.empty(), Some(group), changed_at),
        )
    }));
    let grows = |i: usize, group: &Group| group.endpoints.len() > held[i].endpoints.len();
    update.sort_by_key(|(i, group)| !grows(*i, group));
    writes.extend(
        update
            .into_iter()
            .map(|(i, group)| change(template.apply(ours[i].clone(), Some(group), changed_at))),
    );
    writes.extend(delete.into_iter().filter_map(|i| remove(&ours[i])));
    writes
}

impl Template<'_> {
    fn owns(&self, slice: &Object) -> bool {
        let owners = slice
            .meta()
            .and_then(|meta| meta.get("ownerReferences"))
            .and_then(Value::as_array);
        owners
            .into_iter()
            .flatten()
            .any(|owner| owner.get("uid").and_then(Value::as_str) == Some(self.owner.uid))
    }

    fn all_labels(&self) -> BTreeMap<&str, &str> {
        let mut labels: BTreeMap<&str, &str> = self
            .labels
            .iter()
            .map(|(k, v)| (k.as_str(), v.as_str()))
            .collect();
        labels.insert(LABEL_SERVICE, self.service);
        labels.insert(LABEL_MANAGED_BY, self.manager);
        labels
    }

    /// Whether each slice has a weight of its own. Where all are copies of one object's annotations, that says theirs.
    fn by_weight(&self) -> bool {
        !self.annotations.contains_key(WEIGHT)
    }

    /// What a slice that exists holds.
    fn held(&self, slice: &Object) -> Group {
        let list = |key: &str| {
            slice
                .0
                .get(key)
                .and_then(Value::as_array)
                .cloned()
                .unwrap_or_default()
        };
        let address_type = slice
            .0
            .get("addressType")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let weight = slice.annotations().find(|(key, _)| *key == WEIGHT);
        sorted(Group {
            address_type: address_type.into(),
            ports: list("ports"),
            weight: weight
                .filter(|_| self.by_weight())
                .map(|(_, weight)| weight.into()),
            endpoints: list("endpoints"),
        })
    }

    /// True when labels and annotations are as they should be.
    fn labelled(&self, slice: &Object) -> bool {
        let annotations: BTreeMap<&str, &str> = slice
            .annotations()
            .filter(|(key, _)| *key != TRIGGER_TIME && !(*key == WEIGHT && self.by_weight()))
            .collect();
        let wanted = self
            .annotations
            .iter()
            .map(|(k, v)| (k.as_str(), v.as_str()))
            .collect();
        slice.labels().collect::<BTreeMap<_, _>>() == self.all_labels() && annotations == wanted
    }

    fn empty(&self) -> Object {
        let mut slice = Object::default();
        slice
            .0
            .insert("apiVersion".into(), "discovery.k8s.io/v1".into());
        slice.0.insert("kind".into(), "EndpointSlice".into());
        let meta = slice.meta_mut();
        meta.insert("generateName".into(), prefix(self.service).into());
        meta.insert("namespace".into(), self.namespace.into());
        let Owned {
            api_version,
            kind,
            name,
            uid,
        } = &self.owner;
        let owner = json!({
            "apiVersion": api_version, "kind": kind, "name": name, "uid": uid,
            "controller": true, "blockOwnerDeletion": true,
        });
        meta.insert("ownerReferences".into(), json!([owner]));
        slice
    }

    fn apply(&self, mut slice: Object, group: Option<Group>, changed_at: &str) -> Object {
        let mut weight = self.held(&slice).weight;
        if let Some(group) = group {
            weight = group.weight;
            let (address_type, ports, endpoints) =
                (group.address_type, group.ports, group.endpoints);
            slice.0.insert("addressType".into(), address_type.into());
            slice.0.insert("ports".into(), ports.into());
            slice.0.insert("endpoints".into(), endpoints.into());
        }
        let meta = slice.meta_mut();
        meta.insert("labels".into(), json!(self.all_labels()));
        meta.remove("annotations");
        let mut annotations: Map<String, Value> = self
            .annotations
            .iter()
            .map(|(key, value)| (key.clone(), value.clone().into()))
            .collect();
        annotations.extend(weight.map(|weight| (WEIGHT.into(), weight.into())));
        if !changed_at.is_empty() {
            annotations.insert(TRIGGER_TIME.into(), changed_at.into());
        }
        if !annotations.is_empty() {
            *child_mut(meta, "annotations") = annotations;
        }
        slice
    }
}

/// The start of the names of a Service's slices: with a dash, where such names are valid.
fn prefix(service: &str) -> String {
    let prefix = format!("{service}-");
    let valid = names::dns1123_subdomain(&format!("{prefix}x")).is_empty();
    if valid { prefix } else { service.into() }
}

/// Ports in an order that does not depend on who wrote them.
fn sorted(mut group: Group) -> Group {
    group.ports.sort_by_cached_key(Value::to_string);
    group
}
