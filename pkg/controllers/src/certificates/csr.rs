//! A CertificateSigningRequest, as far as signing goes.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kedge_machinery::object::child_mut;
use kedge_machinery::{Object, time};
use kedge_pki::CertificateRequest;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::view::nullable;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Csr {
    #[serde(deserialize_with = "nullable")]
    pub spec: Spec,
    #[serde(deserialize_with = "nullable")]
    status: Status,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Spec {
    /// PEM, base64.
    request: String,
    pub signer_name: String,
    #[serde(deserialize_with = "nullable")]
    pub usages: Vec<String>,
    pub expiration_seconds: Option<i64>,
    #[serde(deserialize_with = "nullable")]
    pub username: String,
    #[serde(deserialize_with = "nullable")]
    pub groups: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Status {
    #[serde(deserialize_with = "nullable")]
    conditions: Vec<Condition>,
    #[serde(deserialize_with = "nullable")]
    certificate: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Condition {
    #[serde(rename = "type")]
    kind: String,
}

impl Csr {
    fn is(&self, kind: &str) -> bool {
        self.status
            .conditions
            .iter()
            .any(|condition| condition.kind == kind)
    }

    /// Approved, and neither denied, failed nor answered.
    pub(super) fn awaits_certificate(&self) -> bool {
        self.status.certificate.is_empty()
            && self.is("Approved")
            && !self.is("Denied")
            && !self.is("Failed")
    }

    /// Nobody has decided yet.
    pub(super) fn awaits_decision(&self) -> bool {
        self.status.certificate.is_empty() && !self.is("Approved") && !self.is("Denied")
    }

    /// What is asked for.
    pub(super) fn request(&self) -> Result<CertificateRequest, String> {
        let pem = STANDARD
            .decode(&self.spec.request)
            .map_err(|error| error.to_string())?;
        CertificateRequest::parse(&pem)
    }
}

/// Adds a condition, which is true from now on.
pub(super) fn add_condition(
    csr: &mut Object,
    kind: &str,
    reason: &str,
    message: &str,
    now: jiff::Timestamp,
) {
    let status = child_mut(&mut csr.0, "status");
    let list = status.entry("conditions").or_insert_with(|| json!([]));
    if list.is_null() {
        *list = json!([]);
    }
    if let Value::Array(list) = list {
        list.push(json!({
            "type": kind, "status": "True", "reason": reason, "message": message,
            "lastUpdateTime": time::rfc3339(now),
        }));
    }
}

/// Puts the certificate in.
pub(super) fn set_certificate(csr: &mut Object, pem: &str) {
    child_mut(&mut csr.0, "status").insert("certificate".into(), STANDARD.encode(pem).into());
}
