//! A request for a certificate (PKCS #10, RFC 2986), read and its signature checked.

use rustls_pki_types::CertificateSigningRequestDer;
use rustls_pki_types::pem::PemObject;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::cri_attributes::ParsedCriAttribute;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::oid_registry::OID_X509_EXT_SUBJECT_ALT_NAME;
use x509_parser::prelude::{FromDer, X509Certificate};

/// What is asked for, by whoever holds the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateRequest {
    /// The last of the subject's common names, as Go reads it; empty when there is none.
    pub common_name: String,
    pub organizations: Vec<String>,
    pub names: AlternativeNames,
    /// The subject, DER.
    pub(crate) subject: Vec<u8>,
    /// SubjectPublicKeyInfo, DER.
    pub(crate) key: Vec<u8>,
    /// The value of the extension `subjectAltName`, DER; empty when there is none.
    pub(crate) alternative: Vec<u8>,
}

/// How many alternative names of each kind are asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AlternativeNames {
    pub dns: usize,
    pub emails: usize,
    pub addresses: usize,
    pub uris: usize,
}

impl CertificateRequest {
    /// Reads PEM of type `CERTIFICATE REQUEST`. An error says what is wrong: no such PEM, no such request, or a signature of
    /// another key.
    pub fn parse(pem: &[u8]) -> Result<Self, String> {
        let der = CertificateSigningRequestDer::from_pem_slice(pem)
            .map_err(|_| "PEM block type must be CERTIFICATE REQUEST".to_string())?;
        let (rest, request) = X509CertificationRequest::from_der(&der)
            .map_err(|error| format!("malformed certificate request: {error}"))?;
        if !rest.is_empty() {
            return Err("malformed certificate request: trailing data".into());
        }
        request
            .verify_signature()
            .map_err(|error| format!("the signature of the request is not good: {error}"))?;
        let info = &request.certification_request_info;
        let text = |value: &x509_parser::x509::AttributeTypeAndValue<'_>| {
            value.as_str().unwrap_or_default().to_string()
        };
        Ok(Self {
            common_name: info
                .subject
                .iter_common_name()
                .last()
                .map(text)
                .unwrap_or_default(),
            organizations: info.subject.iter_organization().map(text).collect(),
            names: count(&request),
            subject: info.subject.as_raw().to_vec(),
            key: info.subject_pki.raw.to_vec(),
            alternative: alternative(&request).unwrap_or_default(),
        })
    }
}

/// Whether these bytes are one certificate; the error says what they are not.
pub fn check_certificate(der: &[u8]) -> Result<(), String> {
    match X509Certificate::from_der(der) {
        Ok(([], _)) => Ok(()),
        Ok(_) => Err("malformed certificate: trailing data".into()),
        Err(error) => Err(format!("malformed certificate: {error}")),
    }
}

fn count(request: &X509CertificationRequest<'_>) -> AlternativeNames {
    let mut names = AlternativeNames::default();
    for extension in request.requested_extensions().into_iter().flatten() {
        let ParsedExtension::SubjectAlternativeName(list) = extension else {
            continue;
        };
        for name in &list.general_names {
            match name {
                GeneralName::DNSName(_) => names.dns += 1,
                GeneralName::RFC822Name(_) => names.emails += 1,
                GeneralName::IPAddress(_) => names.addresses += 1,
                GeneralName::URI(_) => names.uris += 1,
                _ => {}
            }
        }
    }
    names
}

fn alternative(request: &X509CertificationRequest<'_>) -> Option<Vec<u8>> {
    let attributes = request.certification_request_info.iter_attributes();
    let extensions = attributes.filter_map(|attribute| match attribute.parsed_attribute() {
        ParsedCriAttribute::ExtensionRequest(asked) => Some(&asked.extensions),
        _ => None,
    });
    extensions
        .flatten()
        .find(|extension| extension.oid == OID_X509_EXT_SUBJECT_ALT_NAME)
        .map(|extension| extension.value.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, SanType};

    fn pem(names: &[SanType]) -> String {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params
            .distinguished_name
            .push(DnType::OrganizationName, "system:nodes");
        params
            .distinguished_name
            .push(DnType::CommonName, "system:node:a");
        params.subject_alt_names = names.to_vec();
        let key = KeyPair::generate().unwrap();
        params.serialize_request(&key).unwrap().pem().unwrap()
    }

    #[test]
    fn a_request_is_read() {
        let request = CertificateRequest::parse(pem(&[]).as_bytes()).unwrap();
        assert_eq!(request.common_name, "system:node:a");
        assert_eq!(request.organizations, ["system:nodes"]);
        assert_eq!(request.names, AlternativeNames::default());
        let names = [
            SanType::DnsName("a.example".try_into().unwrap()),
            SanType::IpAddress([10, 0, 0, 1].into()),
        ];
        let request = CertificateRequest::parse(pem(&names).as_bytes()).unwrap();
        assert_eq!(
            (
                request.names.dns,
                request.names.addresses,
                request.names.uris
            ),
            (1, 1, 0)
        );
        assert!(!request.alternative.is_empty());
    }

    #[test]
    fn what_is_no_request_or_signed_by_another_is_refused() {
        assert!(CertificateRequest::parse(b"").is_err());
        let other = pem(&[]).replace("CERTIFICATE REQUEST", "CERTIFICATE");
        let error = CertificateRequest::parse(other.as_bytes()).unwrap_err();
        assert_eq!(error, "PEM block type must be CERTIFICATE REQUEST");
        let pem = pem(&[]);
        let der = CertificateSigningRequestDer::from_pem_slice(pem.as_bytes()).unwrap();
        // Another subject under the same signature.
        let text = b"system:node:a";
        let at = der
            .windows(text.len())
            .position(|window| window == text)
            .unwrap();
        let mut forged = der.to_vec();
        forged[at + text.len() - 1] = b'b';
        let (_, read) = X509CertificationRequest::from_der(&forged).unwrap();
        assert!(read.verify_signature().is_err());
    }
}
