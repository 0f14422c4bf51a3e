//! One way to list, watch and write, in process or over the API.
//!
//! Controllers, the proxy and DNS see objects only through [`Client`] and [`Feed`]; whether the API server is
//! this process or another is not theirs to know.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod http;
mod json;
pub mod kubeconfig;
pub mod local;
pub mod remote;

use std::collections::HashSet;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

pub use json::Json;
use kedge_machinery::{Object, Status};

/// A resource, by what its path needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Resource {
    pub group: &'static str,
    pub version: &'static str,
    pub plural: &'static str,
    pub kind: &'static str,
}

macro_rules! resources {
    ($($name:ident = $group:literal $version:literal $plural:literal $kind:literal;)*) => {
        impl Resource { $(
            pub const $name: Resource = Resource { group: $group, version: $version, plural: $plural, kind: $kind };
        )* }
    };
}

resources! {
    NAMESPACES = "" "v1" "namespaces" "Namespace";
    SERVICES = "" "v1" "services" "Service";
    ENDPOINTS = "" "v1" "endpoints" "Endpoints";
    NODES = "" "v1" "nodes" "Node";
    PODS = "" "v1" "pods" "Pod";
    CONFIGMAPS = "" "v1" "configmaps" "ConfigMap";
    SECRETS = "" "v1" "secrets" "Secret";
    EVENTS = "" "v1" "events" "Event";
    SERVICEACCOUNTS = "" "v1" "serviceaccounts" "ServiceAccount";
    CERTIFICATESIGNINGREQUESTS = "certificates.k8s.io" "v1" "certificatesigningrequests" "CertificateSigningRequest";
    CLUSTERROLES = "rbac.authorization.k8s.io" "v1" "clusterroles" "ClusterRole";
    CLUSTERROLEBINDINGS = "rbac.authorization.k8s.io" "v1" "clusterrolebindings" "ClusterRoleBinding";
    IPADDRESSPOOLS = "metallb.io" "v1beta1" "ipaddresspools" "IPAddressPool";
    L2ADVERTISEMENTS = "metallb.io" "v1beta1" "l2advertisements" "L2Advertisement";
    SERVICEL2STATUSES = "metallb.io" "v1beta1" "servicel2statuses" "ServiceL2Status";
    IPADDRESSES = "networking.k8s.io" "v1" "ipaddresses" "IPAddress";
    SERVICECIDRS = "networking.k8s.io" "v1" "servicecidrs" "ServiceCIDR";
    ENDPOINTSLICES = "discovery.k8s.io" "v1" "endpointslices" "EndpointSlice";
}

/// Which object: empty `namespace` for cluster-scoped kinds.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectKey {
    pub resource: Resource,
    pub namespace: String,
    pub name: String,
}

/// One step of a [`Feed`]: the object's JSON, or nothing once it is gone.
#[derive(Debug, Clone)]
pub struct Change {
    pub key: ObjectKey,
    /// The object now; `None` when it was deleted.
    pub object: Option<Json>,
}

/// The state of some kinds and then every change of it, forever: list, watch, and list again after a gap
/// are behind it, and a gap shows only as the changes that bridge it.
pub trait Feed: Send {
    /// Everything that is here now, at least one change; waits for it. The first batch is the whole state (and may be empty).
    /// Changes of one object keep their order; later ones may replace earlier ones in one batch.
    fn next_batch(&mut self) -> BoxFuture<'_, Result<Vec<Change>, Status>>;
}

/// Of the changes of one object the last, in their order: the ones before it are history already.
fn last_of_each(changes: Vec<Change>) -> Vec<Change> {
    let mut seen = HashSet::new();
    let mut kept: Vec<Change> = changes
        .into_iter()
        .rev()
        .filter(|change| seen.insert(change.key.clone()))
        .collect();
    kept.reverse();
    kept
}

pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Reads and writes objects.
pub trait Client: Send + Sync + 'static {
    fn get<'a>(&'a self, key: &'a ObjectKey) -> BoxFuture<'a, Result<Object, Status>>;

    /// All objects of a kind, in a namespace or (empty) in all.
    fn list<'a>(
        &'a self,
        resource: Resource,
        namespace: &'a str,
    ) -> BoxFuture<'a, Result<Vec<Object>, Status>>;

    fn create<'a>(
        &'a self,
        resource: Resource,
        object: Object,
    ) -> BoxFuture<'a, Result<Object, Status>>;

    /// Replaces the object; `subresource` is empty or, for example, `status`.
    /// 409 `Conflict` when `metadata.resourceVersion` is given and is not the latest.
    fn update<'a>(
        &'a self,
        resource: Resource,
        subresource: &'a str,
        object: Object,
    ) -> BoxFuture<'a, Result<Object, Status>>;

    /// Applies what the object says (server-side apply), in the name of a manager that takes fields from their owners.
    fn apply<'a>(
        &'a self,
        resource: Resource,
        manager: &'a str,
        object: Object,
    ) -> BoxFuture<'a, Result<Object, Status>>;

    /// Deletes at once, without grace, dependents in the background; `uid` is a precondition where given. 404 when there is none.
    fn delete<'a>(
        &'a self,
        key: &'a ObjectKey,
        uid: Option<&'a str>,
    ) -> BoxFuture<'a, Result<(), Status>>;

    /// Deletes at once that very object, which stays until its dependents are gone. Who has no garbage collector leaves them to
    /// the background.
    fn delete_after_dependents<'a>(
        &'a self,
        key: &'a ObjectKey,
        uid: &'a str,
    ) -> BoxFuture<'a, Result<(), Status>> {
        self.delete(key, Some(uid))
    }

    /// Follows kinds, in all namespaces.
    fn feed(&self, resources: &[Resource]) -> Box<dyn Feed>;

    /// The same, and every custom resource that is there or will be. Who does not know of definitions follows the kinds alone.
    fn feed_with_custom(&self, resources: &[Resource]) -> Box<dyn Feed> {
        self.feed(resources)
    }

    /// A custom resource by what an owner reference says of it, as feeds name it, and whether it is in namespaces.
    fn find_custom(&self, api_version: &str, kind: &str) -> Option<(Resource, bool)> {
        let _ = (api_version, kind);
        None
    }
}

/// A client as everybody holds it.
pub type SharedClient = Arc<dyn Client>;
