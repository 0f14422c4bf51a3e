//! A node writes what is its own, and nothing else (upstream: `plugin/pkg/admission/noderestriction`).

mod node;
mod pod;
mod token;

use kedge_machinery::{Object, Status};
use kedge_pki::CertificateRequest;

use super::{Admission, Attributes, Operation};
use crate::strategy::certificates;

const LEASES: &str = "kube-node-lease";
/// Signers whose certificates make nodes.
const SIGNERS: [&str; 2] = [
    "kubernetes.io/kubelet-serving",
    "kubernetes.io/kube-apiserver-client-kubelet",
];

/// The rule of upstream's plugin `NodeRestriction`, for users `system:node:NAME` in the group `system:nodes`.
pub struct NodeRestriction;

/// Why a write is refused: 403 with this text, or a `Status` of its own.
enum Refused {
    Forbidden(String),
    Other(Status),
}

impl From<String> for Refused {
    fn from(text: String) -> Self {
        Self::Forbidden(text)
    }
}

impl From<Status> for Refused {
    fn from(status: Status) -> Self {
        Self::Other(status)
    }
}

impl NodeRestriction {
    /// Refuses a token that a node asks for, unless it is one of a Pod that runs there.
    pub fn token(attributes: &Attributes<'_>, request: &Object) -> Result<(), Status> {
        let user = attributes.user;
        let Some(node) = user.and_then(|user| user.node()) else {
            return Ok(());
        };
        told(attributes, token::check(node, attributes, request))
    }

    fn judge(attributes: &Attributes<'_>, object: Option<&Object>) -> Result<(), Status> {
        let Some(node) = attributes.user.and_then(|user| user.node()) else {
            return Ok(());
        };
        if node.is_empty() {
            let user = attributes.user.map(|user| user.name.as_str());
            let why = format!(
                "could not determine node from user {:?}",
                user.unwrap_or_default()
            );
            return told(attributes, Err(why.into()));
        }
        let kind = &attributes.target.kind;
        let judged = match (kind.group.as_str(), kind.plural.as_str()) {
            ("", "pods") => pod::check(node, attributes, object),
            ("", "nodes") => node::check(node, attributes, object).map_err(Into::into),
            ("coordination.k8s.io", "leases") => lease(node, attributes).map_err(Into::into),
            ("storage.k8s.io", "csinodes") => own("CSINode", node, attributes).map_err(Into::into),
            ("certificates.k8s.io", "certificatesigningrequests") => {
                certificate(node, attributes, object).map_err(Into::into)
            }
            _ => Ok(()),
        };
        told(attributes, judged)
    }
}

impl Admission for NodeRestriction {
    fn change(&self, attributes: &Attributes<'_>, object: &mut Object) -> Result<(), Status> {
        Self::judge(attributes, Some(object))
    }

    fn check(&self, attributes: &Attributes<'_>, object: Option<&Object>) -> Result<(), Status> {
        // What is made or changed was judged before it was validated, as upstream does it.
        match attributes.operation {
            Operation::Delete => Self::judge(attributes, object),
            Operation::Create | Operation::Update => Ok(()),
        }
    }
}

fn told(attributes: &Attributes<'_>, judged: Result<(), Refused>) -> Result<(), Status> {
    let target = attributes.target;
    judged.map_err(|refused| match refused {
        Refused::Forbidden(why) => {
            Status::forbidden(&target.kind.group, &target.kind.plural, &target.name, &why)
        }
        Refused::Other(status) => status,
    })
}

fn lease(node: &str, attributes: &Attributes<'_>) -> Result<(), String> {
    if attributes.target.namespace != LEASES {
        return Err(format!(
            "can only access leases in the {LEASES:?} system namespace"
        ));
    }
    own("node lease", node, attributes)
}

/// Objects that have the name of their node.
fn own(what: &str, node: &str, attributes: &Attributes<'_>) -> Result<(), String> {
    if attributes.target.name == node {
        return Ok(());
    }
    Err(format!(
        "can only access {what} with the same name as the requesting node"
    ))
}

fn certificate(
    node: &str,
    attributes: &Attributes<'_>,
    csr: Option<&Object>,
) -> Result<(), String> {
    let Some(csr) = csr.filter(|_| attributes.operation == Operation::Create) else {
        return Ok(());
    };
    let signer = csr
        .at(&["spec", "signerName"])
        .and_then(|name| name.as_str());
    if !signer.is_some_and(|signer| SIGNERS.contains(&signer)) {
        return Ok(());
    }
    let name = format!("system:node:{node}");
    let of_node = |request: &CertificateRequest| request.common_name == name;
    match certificates::request(csr) {
        Some(request) if of_node(&request) => Ok(()),
        Some(_) => Err(format!("can only create a node CSR with CN={name}")),
        None => Err("unable to parse csr: PEM block type must be CERTIFICATE REQUEST".into()),
    }
}
