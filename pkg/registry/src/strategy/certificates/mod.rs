//! CertificateSigningRequests (upstream: `pkg/registry/certificates`, `pkg/apis/certificates/validation`).
//!
//! Who asks is written down by the server, and what is asked never changes. Approval goes through one subresource
//! and the certificate through another, so that each can be left to somebody else.

mod conditions;
mod validate;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kedge_machinery::object::child_mut;
use kedge_machinery::{FieldError, Object};
use kedge_pki::CertificateRequest;
use serde_json::{Map, Value, json};

use super::Strategy;
use crate::user::User;
use crate::value::{copy_field, field};

/// What the server writes down of who asks.
const REQUESTER: [&str; 4] = ["username", "uid", "groups", "extra"];

pub(super) struct CertificateSigningRequest;

impl Strategy for CertificateSigningRequest {
    fn reset(&self, new: &mut Object, old: Option<&Object>, subresource: &str) {
        let Some(old) = old else {
            let spec = child_mut(&mut new.0, "spec");
            REQUESTER.iter().for_each(|key| drop(spec.remove(*key)));
            return;
        };
        copy_field(&mut new.0, &old.0, "spec");
        match subresource {
            "approval" => {
                let conditions = new.at(&["status", "conditions"]).cloned();
                copy_field(&mut new.0, &old.0, "status");
                let status = child_mut(&mut new.0, "status");
                match conditions {
                    Some(conditions) => status.insert("conditions".into(), conditions),
                    None => status.remove("conditions"),
                };
            }
            "status" => conditions::keep_decisions(new, old),
            _ => {}
        }
    }

    fn ask(&self, new: &mut Object, user: Option<&User>) {
        let Some(user) = user else { return };
        let spec = child_mut(&mut new.0, "spec");
        let extra = user.extra.iter();
        let extra: Map<String, Value> = extra
            .map(|(key, values)| (key.clone(), json!(values)))
            .collect();
        let facts: [(&str, Value); 4] = [
            ("username", user.name.as_str().into()),
            ("uid", user.uid.as_str().into()),
            ("groups", json!(user.groups)),
            ("extra", extra.into()),
        ];
        for (key, value) in facts {
            if !crate::value::is_empty(&value) {
                spec.insert(key.into(), value);
            }
        }
    }

    fn prepare_create(&self, new: &mut Object) {
        new.0.insert("status".into(), json!({}));
    }

    fn prepare_update(&self, new: &mut Object, old: &Object, subresource: &str) {
        if !subresource.is_empty() {
            conditions::stamp(new, old, jiff::Timestamp::now());
        }
    }

    fn validate(&self, object: &Object) -> Vec<FieldError> {
        validate::spec(field(&object.0, "spec"))
    }

    fn validate_update(&self, new: &Object, old: &Object, subresource: &str) -> Vec<FieldError> {
        let mut errors = conditions::validate(new, old, subresource == "approval");
        errors.extend(validate::certificate(new, old, subresource == "status"));
        errors
    }
}

/// What is asked for, as far as it can be read.
pub(crate) fn request(csr: &Object) -> Option<CertificateRequest> {
    let text = csr.at(&["spec", "request"])?.as_str()?;
    CertificateRequest::parse(&STANDARD.decode(text).ok()?).ok()
}

#[cfg(test)]
mod tests;
