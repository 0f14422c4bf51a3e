//! Nobody asks the signer of the API's users for a certificate that may do everything.

use kedge_machinery::{Object, Status};

use super::{Admission, Attributes, Operation};
use crate::strategy::certificates;

const GROUP: &str = "certificates.k8s.io";
const SIGNER: &str = "kubernetes.io/kube-apiserver-client";
const MASTERS: &str = "system:masters";

/// The rule of upstream's plugin `CertificateSubjectRestriction`.
pub struct CertificateSubjectRestriction;

impl Admission for CertificateSubjectRestriction {
    fn plugin(&self) -> Option<&'static str> {
        Some("CertificateSubjectRestriction")
    }

    fn check(&self, attributes: &Attributes<'_>, object: Option<&Object>) -> Result<(), Status> {
        let target = attributes.target;
        let asked = target.kind.group == GROUP
            && target.kind.kind == "CertificateSigningRequest"
            && target.subresource.is_empty()
            && attributes.operation == Operation::Create;
        let Some(csr) = object.filter(|_| asked) else {
            return Ok(());
        };
        let signer = csr
            .at(&["spec", "signerName"])
            .and_then(|name| name.as_str());
        let masters = signer == Some(SIGNER)
            && certificates::request(csr)
                .is_some_and(|request| request.organizations.iter().any(|o| o == MASTERS));
        if !masters {
            return Ok(());
        }
        let why = format!("use of {SIGNER} signer with {MASTERS} group is not allowed");
        Err(Status::forbidden(
            GROUP,
            &target.kind.plural,
            &target.name,
            &why,
        ))
    }
}
