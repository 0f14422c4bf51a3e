//! Requests for tests.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, SanType};
use serde_json::{Value, json};

/// A request for a certificate.
pub(super) fn pem(organization: &str, name: &str, dns: bool) -> String {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::OrganizationName, organization);
    params.distinguished_name.push(DnType::CommonName, name);
    if dns {
        params.subject_alt_names = vec![SanType::DnsName("a.example".try_into().unwrap())];
    }
    let key = KeyPair::generate().unwrap();
    params.serialize_request(&key).unwrap().pem().unwrap()
}

/// It, as an object that has these conditions.
pub(super) fn csr(signer: &str, pem: &str, usages: &[&str], conditions: &[&str]) -> Value {
    let conditions: Vec<Value> = conditions
        .iter()
        .map(|kind| json!({"type": kind, "status": "True"}))
        .collect();
    json!({
        "metadata": {"name": "x"},
        "spec": {"request": STANDARD.encode(pem), "signerName": format!("kubernetes.io/{signer}"), "usages": usages},
        "status": {"conditions": conditions},
    })
}
