//! The rules of a kind that are data.

use kedge_api::Kind;

/// What a name may look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NameRule {
    /// RFC 1123 subdomain: most kinds.
    Subdomain,
    /// RFC 1123 label: Namespaces, and since KEP-5311 Services.
    Label,
    /// Anything that fits into a path: RBAC, CertificateSigningRequests.
    PathSegment,
    /// An address in canonical form.
    Address,
}

/// What becomes of an object's dependents when its deletion does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dependents {
    /// They are deleted after it: most kinds.
    Deleted,
    /// They are left: Jobs of `batch/v1`.
    Orphaned,
    /// It has none, and its deletion never waits for any: Events.
    None,
}

/// How the common write path treats a kind.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    pub(crate) name: NameRule,
    /// `metadata.generation` counts changes of what is neither metadata nor status.
    pub(crate) generation: bool,
    /// PUT of an absent object creates it.
    pub(crate) create_on_update: bool,
    /// PUT without a resource version is allowed.
    pub(crate) unconditional_update: bool,
    /// DELETE answers the object, not a `Status`.
    pub(crate) returns_deleted: bool,
    /// POST keeps the status that the client sends.
    pub(crate) status_on_create: bool,
    pub(crate) dependents: Dependents,
}

const COMMON: Rules = Rules {
    name: NameRule::Subdomain,
    generation: false,
    create_on_update: false,
    unconditional_update: true,
    returns_deleted: false,
    status_on_create: false,
    dependents: Dependents::Deleted,
};

/// The rules of a kind; one that is not listed counts generations and must be updated with its version, as
/// upstream treats custom resources.
pub(crate) fn of(kind: &Kind) -> Rules {
    let counted = Rules {
        generation: true,
        ..COMMON
    };
    match (kind.group.as_str(), kind.kind.as_str()) {
        ("", "Namespace") => Rules {
            name: NameRule::Label,
            returns_deleted: true,
            ..COMMON
        },
        ("", "Service") => Rules {
            name: NameRule::Label,
            create_on_update: true,
            returns_deleted: true,
            ..COMMON
        },
        ("", "Pod") => Rules {
            returns_deleted: true,
            ..counted
        },
        ("", "PodTemplate") => Rules {
            returns_deleted: true,
            ..counted
        },
        ("", "ServiceAccount") => Rules {
            returns_deleted: true,
            ..COMMON
        },
        ("", "Node") => Rules {
            status_on_create: true,
            ..COMMON
        },
        ("", "Endpoints") => Rules {
            create_on_update: true,
            ..COMMON
        },
        ("" | "events.k8s.io", "Event") => Rules {
            create_on_update: true,
            dependents: Dependents::None,
            ..COMMON
        },
        ("batch", "Job") => Rules {
            dependents: Dependents::Orphaned,
            ..counted
        },
        ("coordination.k8s.io", "Lease") => Rules {
            create_on_update: true,
            unconditional_update: false,
            ..COMMON
        },
        ("rbac.authorization.k8s.io", _) => Rules {
            name: NameRule::PathSegment,
            create_on_update: true,
            ..COMMON
        },
        ("networking.k8s.io", "IPAddress") => Rules {
            name: NameRule::Address,
            ..COMMON
        },
        ("storage.k8s.io", "CSIDriver" | "CSINode") | ("node.k8s.io", _) => Rules {
            unconditional_update: false,
            ..COMMON
        },
        ("apps", "StatefulSet") => Rules {
            name: NameRule::Label,
            ..counted
        },
        ("policy", _) => Rules {
            unconditional_update: false,
            ..counted
        },
        ("certificates.k8s.io", "CertificateSigningRequest") => Rules {
            name: NameRule::PathSegment,
            ..COMMON
        },
        ("", _)
        | ("networking.k8s.io", "ServiceCIDR")
        | ("apps", "ControllerRevision")
        | ("certificates.k8s.io" | "scheduling.k8s.io" | "storage.k8s.io", _) => COMMON,
        ("apps" | "batch" | "discovery.k8s.io" | "networking.k8s.io", _) => counted,
        _ => Rules {
            unconditional_update: false,
            ..counted
        },
    }
}
