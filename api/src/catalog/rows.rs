//! The built-in kinds: one row each. Groups are in the order of kube-apiserver's
//! discovery, which is that of preference; resources of a group version are in alphabetical order, as there.

use crate::{Kind, Subresource};

/// A built-in kind, written down.
pub(super) struct Row {
    /// `v1` or `group/version`.
    api_version: &'static str,
    kind: &'static str,
    plural: &'static str,
    scope: Scope,
    short_names: &'static [&'static str],
    categories: &'static [&'static str],
    /// Prefix of the OpenAPI name, before the kind.
    package: &'static str,
    subresources: &'static [(&'static str, &'static [&'static str])],
    verbs: &'static [&'static str],
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    Cluster,
    Namespaced,
}
use Scope::{Cluster, Namespaced};

/// Every verb of an ordinary resource.
const ALL: &[&str] = &[
    "create",
    "delete",
    "deletecollection",
    "get",
    "list",
    "patch",
    "update",
    "watch",
];
/// Namespaces are deleted one at a time, since each takes its contents along.
const NO_BULK: &[&str] = &[
    "create", "delete", "get", "list", "patch", "update", "watch",
];
const STATUS: &[&str] = &["get", "patch", "update"];

const COORDINATION: &str = "io.k8s.api.coordination.v1";
const CORE: &str = "io.k8s.api.core.v1";
const DISCOVERY: &str = "io.k8s.api.discovery.v1";
const NETWORKING: &str = "io.k8s.api.networking.v1";

const fn row(
    api_version: &'static str,
    package: &'static str,
    kind: &'static str,
    plural: &'static str,
    scope: Scope,
) -> Row {
    Row {
        api_version,
        kind,
        plural,
        scope,
        short_names: &[],
        categories: &[],
        package,
        subresources: &[],
        verbs: ALL,
    }
}

pub(super) const ROWS: &[Row] = &[
    Row {
        short_names: &["cm"],
        ..row("v1", CORE, "ConfigMap", "configmaps", Namespaced)
    },
    Row {
        short_names: &["ep"],
        ..row("v1", CORE, "Endpoints", "endpoints", Namespaced)
    },
    Row {
        short_names: &["ev"],
        ..row("v1", CORE, "Event", "events", Namespaced)
    },
    Row {
        short_names: &["ns"],
        subresources: &[("finalize", &["update"]), ("status", STATUS)],
        verbs: NO_BULK,
        ..row("v1", CORE, "Namespace", "namespaces", Cluster)
    },
    Row {
        short_names: &["no"],
        subresources: &[("status", STATUS)],
        ..row("v1", CORE, "Node", "nodes", Cluster)
    },
    Row {
        short_names: &["po"],
        categories: &["all"],
        subresources: &[("status", STATUS)],
        ..row("v1", CORE, "Pod", "pods", Namespaced)
    },
    row("v1", CORE, "Secret", "secrets", Namespaced),
    Row {
        short_names: &["sa"],
        ..row("v1", CORE, "ServiceAccount", "serviceaccounts", Namespaced)
    },
    Row {
        short_names: &["svc"],
        categories: &["all"],
        subresources: &[("status", STATUS)],
        ..row("v1", CORE, "Service", "services", Namespaced)
    },
    row(
        "networking.k8s.io/v1",
        NETWORKING,
        "IngressClass",
        "ingressclasses",
        Cluster,
    ),
    Row {
        short_names: &["ing"],
        subresources: &[("status", STATUS)],
        ..row(
            "networking.k8s.io/v1",
            NETWORKING,
            "Ingress",
            "ingresses",
            Namespaced,
        )
    },
    Row {
        short_names: &["netpol"],
        ..row(
            "networking.k8s.io/v1",
            NETWORKING,
            "NetworkPolicy",
            "networkpolicies",
            Namespaced,
        )
    },
    row(
        "coordination.k8s.io/v1",
        COORDINATION,
        "Lease",
        "leases",
        Namespaced,
    ),
    row(
        "discovery.k8s.io/v1",
        DISCOVERY,
        "EndpointSlice",
        "endpointslices",
        Namespaced,
    ),
];

impl Row {
    pub(super) fn kind(&self) -> Kind {
        let (group, version) = self
            .api_version
            .split_once('/')
            .unwrap_or(("", self.api_version));
        let owned = |list: &[&str]| list.iter().map(ToString::to_string).collect();
        Kind {
            group: group.into(),
            version: version.into(),
            kind: self.kind.into(),
            plural: self.plural.into(),
            singular: self.kind.to_lowercase(),
            short_names: owned(self.short_names),
            categories: owned(self.categories),
            namespaced: self.scope == Namespaced,
            definition: format!("{}.{}", self.package, self.kind),
            subresources: self
                .subresources
                .iter()
                .map(|(name, verbs)| Subresource {
                    name: (*name).into(),
                    group: group.into(),
                    version: version.into(),
                    kind: self.kind.into(),
                    verbs: verbs.to_vec(),
                })
                .collect(),
            verbs: self.verbs.to_vec(),
        }
    }
}
