//! Certificates for requests, as those who verify them see them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use kedge_pki::{Authority, CertificateRequest, Usage};
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, SanType};
use rustls::RootCertStore;
use rustls::server::WebPkiClientVerifier;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, UnixTime};
use x509_parser::prelude::{FromDer, X509Certificate};

const DAY: SignedDuration = SignedDuration::from_hours(24);
const NOW: &str = "2027-05-01T00:00:00Z";

fn request(names: Vec<SanType>) -> CertificateRequest {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::OrganizationName, "editors");
    params.distinguished_name.push(DnType::CommonName, "jo");
    params.subject_alt_names = names;
    let key = KeyPair::generate().unwrap();
    let pem = params.serialize_request(&key).unwrap().pem().unwrap();
    CertificateRequest::parse(pem.as_bytes()).unwrap()
}

fn authority() -> (tempfile::TempDir, Authority) {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::load_or_create(folder.path(), NOW.parse().unwrap()).unwrap();
    (folder, authority)
}

fn usages(words: &[&str]) -> Vec<Usage> {
    words
        .iter()
        .map(|word| Usage::parse(word).unwrap())
        .collect()
}

#[test]
fn a_signed_request_is_a_client_for_its_time() {
    let (_folder, authority) = authority();
    let now: Timestamp = NOW.parse().unwrap();
    let wanted = usages(&["digital signature", "key encipherment", "client auth"]);
    let pem = authority
        .sign_request(&request(Vec::new()), &wanted, DAY, now)
        .unwrap();
    let leaf = CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();

    let mut roots = RootCertStore::empty();
    roots.add(authority.certificate().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .unwrap();
    let verify = |at: Timestamp| {
        let at = UnixTime::since_unix_epoch(Duration::from_secs(at.as_second().unsigned_abs()));
        verifier.verify_client_cert(&leaf, &[], at)
    };
    verify(now).unwrap();
    verify(now - SignedDuration::from_mins(4)).unwrap();
    assert!(verify(now - SignedDuration::from_mins(6)).is_err());
    assert!(verify(now + DAY).is_err());

    let (rest, parsed) = X509Certificate::from_der(&leaf).unwrap();
    assert!(rest.is_empty() && !parsed.is_ca());
    assert_eq!(
        parsed.subject().iter_common_name().next().unwrap().as_str(),
        Ok("jo")
    );
    let uses = parsed.key_usage().unwrap().unwrap().value;
    assert!(uses.digital_signature() && uses.key_encipherment() && !uses.key_cert_sign());
    let extended = parsed.extended_key_usage().unwrap().unwrap().value;
    assert!(extended.client_auth && !extended.server_auth);
    let (_, own) = X509Certificate::from_der(authority.certificate()).unwrap();
    assert_eq!(parsed.issuer().as_raw(), own.subject().as_raw());
}

#[test]
fn alternative_names_are_taken_along_and_far_ends_are_written() {
    let (_folder, authority) = authority();
    let names = vec![
        SanType::DnsName("node.example".try_into().unwrap()),
        SanType::IpAddress([192, 0, 2, 1].into()),
    ];
    let life = SignedDuration::from_hours(24 * 365 * 40);
    let wanted = usages(&["server auth"]);
    let pem = authority
        .sign_request(&request(names), &wanted, life, NOW.parse().unwrap())
        .unwrap();
    let leaf = CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
    let (_, parsed) = X509Certificate::from_der(&leaf).unwrap();
    let found = parsed.subject_alternative_name().unwrap().unwrap();
    assert_eq!(found.value.general_names.len(), 2);
    let end = Timestamp::from_second(parsed.validity().not_after.timestamp()).unwrap();
    assert!(end > "2067-01-01T00:00:00Z".parse().unwrap());
    assert!(parsed.key_usage().unwrap().is_none());
}
