//! Approving and signing are for those who may do it for that signer.

use kedge_machinery::{Object, Status};
use kedge_rbac::{MASTERS, Request, Who};

use super::policy::policy;
use super::{Admission, Attributes, Operation};
use crate::user::User;
use crate::value::{field, text};

const GROUP: &str = "certificates.k8s.io";

/// Upstream's plugin `CertificateApproval`: the verb `approve` on the signer, for writes of `approval`.
pub struct CertificateApproval;

/// Upstream's plugin `CertificateSigning`: the verb `sign` on the signer, for writes of `status` that change the certificate or the
/// conditions.
pub struct CertificateSigning;

impl Admission for CertificateApproval {
    fn plugin(&self) -> Option<&'static str> {
        Some("CertificateApproval")
    }

    fn check(&self, attributes: &Attributes<'_>, _: Option<&Object>) -> Result<(), Status> {
        match old(attributes, "approval") {
            Some(csr) => check(attributes, csr, "approve"),
            None => Ok(()),
        }
    }
}

impl Admission for CertificateSigning {
    fn plugin(&self) -> Option<&'static str> {
        Some("CertificateSigning")
    }

    fn check(&self, attributes: &Attributes<'_>, new: Option<&Object>) -> Result<(), Status> {
        let (Some(csr), Some(new)) = (old(attributes, "status"), new) else {
            return Ok(());
        };
        let same = ["certificate", "conditions"]
            .iter()
            .all(|key| csr.at(&["status", key]) == new.at(&["status", key]));
        if same {
            Ok(())
        } else {
            check(attributes, csr, "sign")
        }
    }
}

/// The request as it stands, when it is this subresource that is written.
fn old<'a>(attributes: &Attributes<'a>, subresource: &str) -> Option<&'a Object> {
    let target = attributes.target;
    let written = attributes.operation == Operation::Update
        && target.kind.group == GROUP
        && target.kind.kind == "CertificateSigningRequest"
        && target.subresource == subresource;
    attributes.old.filter(|_| written)
}

fn check(attributes: &Attributes<'_>, csr: &Object, verb: &str) -> Result<(), Status> {
    let signer = text(field(&csr.0, "spec"), "signerName");
    let allowed = attributes
        .user
        .is_none_or(|user| user.is_in(MASTERS) || may(attributes, user, verb, signer));
    if allowed {
        return Ok(());
    }
    let why = format!("user not permitted to {verb} requests with signerName {signer:?}");
    let target = attributes.target;
    Err(Status::forbidden(
        GROUP,
        &target.kind.plural,
        &target.name,
        &why,
    ))
}

/// For this signer, or for all of its domain (`example.com/*`).
fn may(attributes: &Attributes<'_>, user: &User, verb: &str, signer: &str) -> bool {
    let policy = policy(&attributes.view);
    let who = Who {
        name: &user.name,
        groups: &user.groups,
    };
    let domain = signer.split('/').next().unwrap_or_default();
    [signer, &format!("{domain}/*")].iter().any(|name| {
        let request = Request::Resource {
            verb,
            group: GROUP,
            resource: "signers",
            subresource: "",
            namespace: "",
            name,
        };
        policy.allows(who, &request).is_some()
    })
}
