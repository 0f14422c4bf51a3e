//! Discovery documents: legacy (`meta/v1` `APIVersions`, `APIGroup`, `APIResourceList`) and aggregated
//! (`apidiscovery.k8s.io/v2`, KEP-3352).

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::hash::Fnv1a;
use crate::kind::api_version;
use crate::verbs::GOING;
use crate::{Catalog, Kind, Subresource, version};

/// `/api`: `APIVersions`. `server` is the address that clients reach this server at, `host:port`.
#[must_use]
pub fn versions(server: &str) -> Value {
    json!({
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [{ "clientCIDR": "0.0.0.0/0", "serverAddress": server }],
    })
}

/// `/apis`: `APIGroupList`.
#[must_use]
pub fn groups(catalog: &Catalog) -> Value {
    let groups: Vec<Value> = named_groups(catalog)
        .map(|g| group_body(catalog, g))
        .map(Value::Object)
        .collect();
    json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": groups })
}

/// `/apis/<group>`: `APIGroup`; `None` when nothing of the group is served.
#[must_use]
pub fn group(catalog: &Catalog, group: &str) -> Option<Value> {
    named_groups(catalog).find(|g| *g == group)?;
    let mut body = group_body(catalog, group);
    body.insert("kind".into(), "APIGroup".into());
    body.insert("apiVersion".into(), "v1".into());
    Some(Value::Object(body))
}

/// `/api/v1` (empty group) and `/apis/<group>/<version>`: `APIResourceList`; `None` when nothing of it is served.
#[must_use]
pub fn resources(catalog: &Catalog, group: &str, version: &str) -> Option<Value> {
    let mut list = Vec::new();
    for kind in of_version(catalog, group, version) {
        list.push(resource(kind));
        list.extend(kind.subresources.iter().map(|s| subresource(kind, s)));
    }
    if list.is_empty() {
        return None;
    }
    let mut body = json!({ "kind": "APIResourceList", "groupVersion": api_version(group, version), "resources": list });
    if !group.is_empty() {
        body["apiVersion"] = "v1".into(); // upstream says it for groups alone
    }
    Some(body)
}

/// `/api` as `apidiscovery.k8s.io/v2` `APIGroupDiscoveryList`.
#[must_use]
pub fn aggregated_core(catalog: &Catalog) -> Value {
    aggregated(vec![aggregated_group(catalog, "")])
}

/// `/apis` as `apidiscovery.k8s.io/v2` `APIGroupDiscoveryList`.
#[must_use]
pub fn aggregated_groups(catalog: &Catalog) -> Value {
    aggregated(
        named_groups(catalog)
            .map(|g| aggregated_group(catalog, g))
            .collect(),
    )
}

/// Groups but the core one, in the order of their first kind.
fn named_groups(catalog: &Catalog) -> impl Iterator<Item = &str> {
    distinct(catalog.kinds().iter().map(|k| k.group.as_str()))
        .into_iter()
        .filter(|g| !g.is_empty())
}

/// Versions of a group, the preferred one first.
fn group_versions<'a>(catalog: &'a Catalog, group: &str) -> Vec<&'a str> {
    let mut versions = distinct(
        catalog
            .kinds()
            .iter()
            .filter(|k| k.group == group)
            .map(|k| k.version.as_str()),
    );
    versions.sort_by(|a, b| version::order(b, a));
    versions
}

fn of_version<'a>(
    catalog: &'a Catalog,
    group: &str,
    version: &str,
) -> impl Iterator<Item = &'a Kind> {
    catalog
        .kinds()
        .iter()
        .map(AsRef::as_ref)
        .filter(move |k: &&Kind| k.group == group && k.version == version)
}

fn distinct<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut found = Vec::new();
    for name in names {
        if !found.contains(&name) {
            found.push(name);
        }
    }
    found
}

fn group_body(catalog: &Catalog, group: &str) -> Map<String, Value> {
    let versions: Vec<Value> = group_versions(catalog, group)
        .iter()
        .map(|version| json!({ "groupVersion": api_version(group, version), "version": version }))
        .collect();
    let mut body = Map::new();
    body.insert("name".into(), group.into());
    body.insert(
        "preferredVersion".into(),
        versions.first().cloned().unwrap_or_default(),
    );
    body.insert("versions".into(), versions.into());
    body
}

fn resource(kind: &Kind) -> Value {
    let mut body = json!({
        "name": kind.plural,
        "singularName": kind.singular,
        "namespaced": kind.namespaced,
        "kind": kind.kind,
        "verbs": verbs(kind),
    });
    if kind.is_stored() {
        body["storageVersionHash"] = storage_version_hash(kind).into();
    }
    names(&mut body, kind);
    body
}

fn subresource(kind: &Kind, subresource: &Subresource) -> Value {
    let mut body = json!({
        "name": format!("{}/{}", kind.plural, subresource.name),
        "singularName": "",
        "namespaced": kind.namespaced,
        "kind": subresource.kind,
        "verbs": subresource.verbs,
    });
    if (&subresource.group, &subresource.version) != (&kind.group, &kind.version) {
        body["group"] = subresource.group.as_str().into();
        body["version"] = subresource.version.as_str().into();
    }
    body
}

/// What clients are told of. An object of a definition that is going can still be changed, so that its finalizers can be taken off.
fn verbs(kind: &Kind) -> &[&'static str] {
    match &kind.custom {
        Some(custom) if custom.terminating => GOING,
        _ => &kind.verbs,
    }
}

/// Short names and categories, where there are any.
fn names(body: &mut Value, kind: &Kind) {
    if !kind.short_names.is_empty() {
        body["shortNames"] = json!(kind.short_names);
    }
    if !kind.categories.is_empty() {
        body["categories"] = json!(kind.categories);
    }
}

/// Says to clients which version is stored: the same for as long as group, version and kind are.
fn storage_version_hash(kind: &Kind) -> String {
    let mut hash = Fnv1a::default();
    // Writing to a hash cannot fail.
    let stored = kind.custom.as_ref().map(|custom| &custom.storage);
    let version = stored.unwrap_or(&kind.version);
    let _ = write!(hash, "{}/{version}/{}", kind.group, kind.kind);
    STANDARD.encode(hash.0.to_be_bytes())
}

fn aggregated(items: Vec<Value>) -> Value {
    json!({ "kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items })
}

fn aggregated_group(catalog: &Catalog, group: &str) -> Value {
    let versions: Vec<Value> = group_versions(catalog, group)
        .iter()
        .map(|version| {
            let resources: Vec<Value> = of_version(catalog, group, version)
                .map(aggregated_resource)
                .collect();
            json!({ "version": version, "resources": resources, "freshness": "Current" })
        })
        .collect();
    let mut metadata = json!({ "creationTimestamp": null });
    if !group.is_empty() {
        metadata["name"] = group.into();
    }
    json!({ "metadata": metadata, "versions": versions })
}

fn aggregated_resource(kind: &Kind) -> Value {
    let mut body = json!({
        "resource": kind.plural,
        "responseKind": response_kind(&kind.group, &kind.version, &kind.kind),
        "scope": if kind.namespaced { "Namespaced" } else { "Cluster" },
        "singularResource": kind.singular,
        "verbs": verbs(kind),
    });
    names(&mut body, kind);
    let subresources: Vec<Value> = kind
        .subresources
        .iter()
        .map(|s| {
            json!({
                "subresource": s.name,
                "responseKind": response_kind(&s.group, &s.version, &s.kind),
                "verbs": s.verbs,
            })
        })
        .collect();
    if !subresources.is_empty() {
        body["subresources"] = subresources.into();
    }
    body
}

fn response_kind(group: &str, version: &str, kind: &str) -> Value {
    json!({ "group": group, "version": version, "kind": kind })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What kube-apiserver 1.36 answers, less the value of `storageVersionHash`.
    #[test]
    fn the_discovery_group_is_as_upstream_says_it() {
        let catalog = Catalog::builtin();
        let version = json!({ "groupVersion": "discovery.k8s.io/v1", "version": "v1" });
        assert_eq!(
            group(&catalog, "discovery.k8s.io").unwrap(),
            json!({
                "apiVersion": "v1", "kind": "APIGroup", "name": "discovery.k8s.io",
                "preferredVersion": version, "versions": [version],
            })
        );
        let mut list = resources(&catalog, "discovery.k8s.io", "v1").unwrap();
        let hash = list["resources"][0]
            .as_object_mut()
            .unwrap()
            .remove("storageVersionHash")
            .unwrap();
        assert_eq!(STANDARD.decode(hash.as_str().unwrap()).unwrap().len(), 8);
        assert_eq!(
            list,
            json!({
                "apiVersion": "v1", "groupVersion": "discovery.k8s.io/v1", "kind": "APIResourceList",
                "resources": [{
                    "kind": "EndpointSlice", "name": "endpointslices", "namespaced": true, "singularName": "endpointslice",
                    "verbs": ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"],
                }],
            })
        );
    }

    #[test]
    fn what_is_not_served_has_no_document() {
        let catalog = Catalog::builtin();
        assert_eq!(group(&catalog, ""), None);
        assert_eq!(group(&catalog, "none.example.com"), None);
        assert_eq!(resources(&catalog, "", "v2"), None);
    }

    #[test]
    fn subresources_follow_their_resource() {
        let list = resources(&Catalog::builtin(), "", "v1").unwrap();
        let names: Vec<_> = list["resources"]
            .as_array()
            .unwrap()
            .iter()
            .map(|r| r["name"].as_str().unwrap())
            .collect();
        assert!(names.is_sorted(), "{names:?}");
        assert!(names.contains(&"namespaces/finalize") && names.contains(&"services/status"));
        assert_eq!(list.get("apiVersion"), None);
    }

    #[test]
    fn aggregated_discovery_names_every_resource() {
        let catalog = Catalog::builtin();
        let core = aggregated_core(&catalog);
        let resources = core["items"][0]["versions"][0]["resources"]
            .as_array()
            .unwrap();
        let services = resources
            .iter()
            .find(|r| r["resource"] == "services")
            .unwrap();
        assert_eq!(services["shortNames"], json!(["svc"]));
        assert_eq!(
            services["responseKind"],
            json!({ "group": "", "version": "v1", "kind": "Service" })
        );
        assert_eq!(services["subresources"][0]["subresource"], "status");
        let groups = aggregated_groups(&catalog);
        let names: Vec<_> = groups["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|g| g["metadata"]["name"].as_str().unwrap())
            .collect();
        assert_eq!(
            names,
            [
                "apps",
                "events.k8s.io",
                "authentication.k8s.io",
                "authorization.k8s.io",
                "batch",
                "certificates.k8s.io",
                "networking.k8s.io",
                "policy",
                "rbac.authorization.k8s.io",
                "storage.k8s.io",
                "apiextensions.k8s.io",
                "scheduling.k8s.io",
                "coordination.k8s.io",
                "node.k8s.io",
                "discovery.k8s.io",
                "metallb.io",
            ]
        );
        let served = catalog.kinds().len();
        let listed = |v: &Value| {
            v["items"]
                .as_array()
                .unwrap()
                .iter()
                .flat_map(|g| g["versions"].as_array().unwrap())
                .map(|v| v["resources"].as_array().unwrap().len())
                .sum::<usize>()
        };
        assert_eq!(listed(&core) + listed(&groups), served);
    }
}
