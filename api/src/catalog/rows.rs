//! The built-in kinds: one row each. Groups are in the order of kube-apiserver's
//! discovery, which is that of preference; resources of a group version are in alphabetical order, as there.

use crate::verbs::{ALL, PART};
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
    subresources: &'static [Below],
    verbs: &'static [&'static str],
}

/// A subresource.
struct Below {
    name: &'static str,
    verbs: &'static [&'static str],
    /// Group version and kind of the body, where it is not the kind's own.
    body: Option<(Group, &'static str)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    Cluster,
    Namespaced,
}
use Scope::{Cluster, Namespaced};

/// Namespaces are deleted one at a time, since each takes its contents along.
const NO_BULK: &[&str] = &[
    "create", "delete", "get", "list", "patch", "update", "watch",
];

const APPROVAL: Below = part("approval");
const BINDING: Below = Below {
    name: "binding",
    verbs: &["create"],
    body: Some((CORE, "Binding")),
};
const EPHEMERAL_CONTAINERS: Below = part("ephemeralcontainers");
const EVICTION: Below = Below {
    name: "eviction",
    verbs: &["create"],
    body: Some((POLICY, "Eviction")),
};
const FINALIZE: Below = Below {
    name: "finalize",
    verbs: &["update"],
    body: None,
};
const RESIZE: Below = part("resize");
const SCALE: Below = Below {
    body: Some((AUTOSCALING, "Scale")),
    ..part("scale")
};
const STATUS: Below = part("status");
const TOKEN: Below = Below {
    name: "token",
    verbs: &["create"],
    body: Some((AUTHENTICATION, "TokenRequest")),
};

const fn part(name: &'static str) -> Below {
    Below {
        name,
        verbs: PART,
        body: None,
    }
}

/// A group version, and the package of its types in OpenAPI names.
#[derive(Clone, Copy)]
struct Group {
    api_version: &'static str,
    package: &'static str,
}

const fn group(api_version: &'static str, package: &'static str) -> Group {
    Group {
        api_version,
        package,
    }
}

const APIEXTENSIONS: Group = group(
    "apiextensions.k8s.io/v1",
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1",
);
const APPS: Group = group("apps/v1", "io.k8s.api.apps.v1");
const AUTHENTICATION: Group = group("authentication.k8s.io/v1", "io.k8s.api.authentication.v1");
const AUTHORIZATION: Group = group("authorization.k8s.io/v1", "io.k8s.api.authorization.v1");
const AUTOSCALING: Group = group("autoscaling/v1", "io.k8s.api.autoscaling.v1");
const BATCH: Group = group("batch/v1", "io.k8s.api.batch.v1");
const CERTIFICATES: Group = group("certificates.k8s.io/v1", "io.k8s.api.certificates.v1");
const COORDINATION: Group = group("coordination.k8s.io/v1", "io.k8s.api.coordination.v1");
const CORE: Group = group("v1", "io.k8s.api.core.v1");
const DISCOVERY: Group = group("discovery.k8s.io/v1", "io.k8s.api.discovery.v1");
const EVENTS: Group = group("events.k8s.io/v1", "io.k8s.api.events.v1");
const METALLB: Group = group("metallb.io/v1beta1", "io.metallb.v1beta1");
const NETWORKING: Group = group("networking.k8s.io/v1", "io.k8s.api.networking.v1");
const NODE: Group = group("node.k8s.io/v1", "io.k8s.api.node.v1");
const POLICY: Group = group("policy/v1", "io.k8s.api.policy.v1");
const RBAC: Group = group("rbac.authorization.k8s.io/v1", "io.k8s.api.rbac.v1");
const SCHEDULING: Group = group("scheduling.k8s.io/v1", "io.k8s.api.scheduling.v1");
const STORAGE: Group = group("storage.k8s.io/v1", "io.k8s.api.storage.v1");

/// A kind with every verb, and nothing besides.
const fn row(group: Group, kind: &'static str, plural: &'static str, scope: Scope) -> Row {
    Row {
        api_version: group.api_version,
        kind,
        plural,
        scope,
        short_names: &[],
        categories: &[],
        package: group.package,
        subresources: &[],
        verbs: ALL,
    }
}

/// A kind that is asked and answered, and never stored.
const fn review(group: Group, kind: &'static str, plural: &'static str, scope: Scope) -> Row {
    Row {
        verbs: &["create"],
        ..row(group, kind, plural, scope)
    }
}

/// A kind that is only ever the body of a subresource.
const fn body(group: Group, kind: &'static str) -> Row {
    Row {
        verbs: &[],
        ..row(group, kind, "", Namespaced)
    }
}

pub(super) const ROWS: &[Row] = &[
    review(CORE, "Binding", "bindings", Namespaced),
    Row {
        short_names: &["cm"],
        ..row(CORE, "ConfigMap", "configmaps", Namespaced)
    },
    Row {
        short_names: &["ep"],
        ..row(CORE, "Endpoints", "endpoints", Namespaced)
    },
    Row {
        short_names: &["ev"],
        ..row(CORE, "Event", "events", Namespaced)
    },
    Row {
        short_names: &["ns"],
        subresources: &[FINALIZE, STATUS],
        verbs: NO_BULK,
        ..row(CORE, "Namespace", "namespaces", Cluster)
    },
    Row {
        short_names: &["no"],
        subresources: &[STATUS],
        ..row(CORE, "Node", "nodes", Cluster)
    },
    Row {
        short_names: &["po"],
        categories: &["all"],
        subresources: &[BINDING, EPHEMERAL_CONTAINERS, EVICTION, RESIZE, STATUS],
        ..row(CORE, "Pod", "pods", Namespaced)
    },
    row(CORE, "PodTemplate", "podtemplates", Namespaced),
    row(CORE, "Secret", "secrets", Namespaced),
    Row {
        short_names: &["sa"],
        subresources: &[TOKEN],
        ..row(CORE, "ServiceAccount", "serviceaccounts", Namespaced)
    },
    Row {
        short_names: &["svc"],
        categories: &["all"],
        subresources: &[STATUS],
        ..row(CORE, "Service", "services", Namespaced)
    },
    row(
        APPS,
        "ControllerRevision",
        "controllerrevisions",
        Namespaced,
    ),
    Row {
        short_names: &["ds"],
        categories: &["all"],
        subresources: &[STATUS],
        ..row(APPS, "DaemonSet", "daemonsets", Namespaced)
    },
    Row {
        short_names: &["deploy"],
        categories: &["all"],
        subresources: &[SCALE, STATUS],
        ..row(APPS, "Deployment", "deployments", Namespaced)
    },
    Row {
        short_names: &["rs"],
        categories: &["all"],
        subresources: &[SCALE, STATUS],
        ..row(APPS, "ReplicaSet", "replicasets", Namespaced)
    },
    Row {
        short_names: &["sts"],
        categories: &["all"],
        subresources: &[SCALE, STATUS],
        ..row(APPS, "StatefulSet", "statefulsets", Namespaced)
    },
    Row {
        short_names: &["ev"],
        ..row(EVENTS, "Event", "events", Namespaced)
    },
    review(
        AUTHENTICATION,
        "SelfSubjectReview",
        "selfsubjectreviews",
        Cluster,
    ),
    review(AUTHENTICATION, "TokenReview", "tokenreviews", Cluster),
    review(
        AUTHORIZATION,
        "LocalSubjectAccessReview",
        "localsubjectaccessreviews",
        Namespaced,
    ),
    review(
        AUTHORIZATION,
        "SelfSubjectAccessReview",
        "selfsubjectaccessreviews",
        Cluster,
    ),
    review(
        AUTHORIZATION,
        "SelfSubjectRulesReview",
        "selfsubjectrulesreviews",
        Cluster,
    ),
    review(
        AUTHORIZATION,
        "SubjectAccessReview",
        "subjectaccessreviews",
        Cluster,
    ),
    Row {
        short_names: &["cj"],
        categories: &["all"],
        subresources: &[STATUS],
        ..row(BATCH, "CronJob", "cronjobs", Namespaced)
    },
    Row {
        categories: &["all"],
        subresources: &[STATUS],
        ..row(BATCH, "Job", "jobs", Namespaced)
    },
    Row {
        short_names: &["csr"],
        subresources: &[APPROVAL, STATUS],
        ..row(
            CERTIFICATES,
            "CertificateSigningRequest",
            "certificatesigningrequests",
            Cluster,
        )
    },
    row(NETWORKING, "IngressClass", "ingressclasses", Cluster),
    Row {
        short_names: &["ing"],
        subresources: &[STATUS],
        ..row(NETWORKING, "Ingress", "ingresses", Namespaced)
    },
    Row {
        short_names: &["ip"],
        ..row(NETWORKING, "IPAddress", "ipaddresses", Cluster)
    },
    Row {
        short_names: &["netpol"],
        ..row(NETWORKING, "NetworkPolicy", "networkpolicies", Namespaced)
    },
    Row {
        subresources: &[STATUS],
        ..row(NETWORKING, "ServiceCIDR", "servicecidrs", Cluster)
    },
    Row {
        short_names: &["pdb"],
        subresources: &[STATUS],
        ..row(
            POLICY,
            "PodDisruptionBudget",
            "poddisruptionbudgets",
            Namespaced,
        )
    },
    row(RBAC, "ClusterRoleBinding", "clusterrolebindings", Cluster),
    row(RBAC, "ClusterRole", "clusterroles", Cluster),
    row(RBAC, "RoleBinding", "rolebindings", Namespaced),
    row(RBAC, "Role", "roles", Namespaced),
    row(STORAGE, "CSIDriver", "csidrivers", Cluster),
    row(STORAGE, "CSINode", "csinodes", Cluster),
    Row {
        short_names: &["sc"],
        ..row(STORAGE, "StorageClass", "storageclasses", Cluster)
    },
    Row {
        short_names: &["crd", "crds"],
        categories: &["api-extensions"],
        subresources: &[STATUS],
        ..row(
            APIEXTENSIONS,
            "CustomResourceDefinition",
            "customresourcedefinitions",
            Cluster,
        )
    },
    Row {
        short_names: &["pc"],
        ..row(SCHEDULING, "PriorityClass", "priorityclasses", Cluster)
    },
    row(COORDINATION, "Lease", "leases", Namespaced),
    row(NODE, "RuntimeClass", "runtimeclasses", Cluster),
    row(DISCOVERY, "EndpointSlice", "endpointslices", Namespaced),
    Row {
        subresources: &[STATUS],
        ..row(METALLB, "IPAddressPool", "ipaddresspools", Namespaced)
    },
    Row {
        subresources: &[STATUS],
        ..row(METALLB, "L2Advertisement", "l2advertisements", Namespaced)
    },
    Row {
        subresources: &[STATUS],
        ..row(METALLB, "ServiceL2Status", "servicel2statuses", Namespaced)
    },
];

/// Bodies of subresources that are no resources here.
pub(super) const BODIES: &[Row] = &[
    body(AUTHENTICATION, "TokenRequest"),
    body(AUTOSCALING, "Scale"),
    body(POLICY, "Eviction"),
];

/// A built-in kind that is stored, in words that last as long as the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredKind {
    pub group: &'static str,
    pub version: &'static str,
    pub kind: &'static str,
    pub plural: &'static str,
    pub namespaced: bool,
}

/// Every built-in kind that is stored, once: Events have one store and two groups.
pub fn stored() -> impl Iterator<Item = StoredKind> {
    let own = |row: &&Row| row.verbs.contains(&"get") && row.api_version != EVENTS.api_version;
    ROWS.iter().filter(own).map(|row| {
        let (group, version) = split(row.api_version);
        StoredKind {
            group,
            version,
            kind: row.kind,
            plural: row.plural,
            namespaced: row.scope == Namespaced,
        }
    })
}

impl Row {
    pub(super) fn kind(&self) -> Kind {
        let (group, version) = split(self.api_version);
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
                .map(|below| below.subresource(self))
                .collect(),
            verbs: self.verbs.to_vec(),
            custom: None,
        }
    }
}

impl Below {
    fn subresource(&self, row: &Row) -> Subresource {
        let own = (row.api_version, row.kind);
        let (api_version, kind) = self
            .body
            .map_or(own, |(group, kind)| (group.api_version, kind));
        let (group, version) = split(api_version);
        Subresource {
            name: self.name.into(),
            group: group.into(),
            version: version.into(),
            kind: kind.into(),
            verbs: self.verbs.to_vec(),
        }
    }
}

/// Group (empty for core) and version.
fn split(api_version: &'static str) -> (&'static str, &'static str) {
    api_version.split_once('/').unwrap_or(("", api_version))
}
