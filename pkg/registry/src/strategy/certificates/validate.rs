//! What may be asked for, and what may be answered.

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kedge_machinery::{FieldError, Object, names};
use kedge_pki::{CertificateRequest, usage};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde_json::Value;

use crate::value::{present, text, texts};

/// Seconds that a certificate lives at least.
const MIN_SECONDS: i64 = 600;
/// The longest names: of a domain, and of what follows its slash (a namespace, a dot, a name).
const MAX_DOMAIN: usize = 253;
const MAX_PATH: usize = 63 + 1 + 253;
/// A signer that only the version before this one knew.
const LEGACY: &str = "kubernetes.io/legacy-unknown";

static WORDS: LazyLock<Vec<&'static str>> =
    LazyLock::new(|| usage::WORDS.iter().map(|(word, _)| *word).collect());

/// What is wrong with a request.
pub(super) fn spec(spec: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let request = text(spec, "request");
    let pem = STANDARD.decode(request).unwrap_or_default();
    if let Err(why) = CertificateRequest::parse(&pem) {
        errors.push(FieldError::invalid("spec.request", request, why));
    }
    errors.extend(usages(&texts(spec, "usages")));
    errors.extend(signer("spec.signerName", text(spec, "signerName")));
    let seconds = present(spec, "expirationSeconds").and_then(Value::as_i64);
    if let Some(seconds) = seconds.filter(|seconds| *seconds < MIN_SECONDS) {
        let detail = "may not specify a duration less than 600 seconds (10 minutes)";
        errors.push(FieldError::invalid(
            "spec.expirationSeconds",
            seconds,
            detail,
        ));
    }
    errors
}

fn usages(usages: &[&str]) -> Vec<FieldError> {
    if usages.is_empty() {
        return vec![FieldError::required("spec.usages", "")];
    }
    let path = |index| format!("spec.usages[{index}]");
    let unknown = usages
        .iter()
        .enumerate()
        .filter(|(_, usage)| !WORDS.contains(usage));
    let mut errors: Vec<_> = unknown
        .map(|(index, usage)| FieldError::not_supported(path(index), *usage, &WORDS))
        .collect();
    let repeated = usages
        .iter()
        .enumerate()
        .filter(|(index, usage)| usages[..*index].contains(usage));
    errors.extend(repeated.map(|(index, usage)| FieldError::duplicate(path(index), *usage)));
    errors
}

/// `example.com/signer-name`.
fn signer(path: &str, name: &str) -> Vec<FieldError> {
    let invalid = |detail: String| FieldError::invalid(path, name, detail);
    if name.is_empty() {
        return vec![FieldError::required(path, "")];
    }
    if name == LEGACY {
        return vec![invalid(
            "the legacy signerName is not allowed via this API version".into(),
        )];
    }
    let Some((domain, rest)) = name.split_once('/').filter(|(_, rest)| !rest.contains('/')) else {
        return vec![invalid(
            "must be a fully qualified domain and path of the form 'example.com/signer-name'"
                .into(),
        )];
    };
    let mut errors = Vec::new();
    let too_long = |part: &str, most: usize| {
        (part.len() > most).then(|| invalid(format!("may not be more than {most} bytes")))
    };
    errors.extend(too_long(domain, MAX_DOMAIN));
    let labels = |part: &str| {
        let part = part.to_string();
        let messages = part.split('.').flat_map(|label| {
            let messages = names::dns1123_label(label).into_iter();
            let told = messages.map(|message| format!("validating label {label:?}: {message}"));
            told.collect::<Vec<_>>()
        });
        messages.collect::<Vec<_>>()
    };
    errors.extend(labels(domain).into_iter().map(invalid));
    if !domain.contains('.') {
        errors.push(invalid(
            "should be a domain with at least two segments separated by dots".into(),
        ));
    }
    if rest.is_empty() {
        errors.push(invalid("path segment must not be empty".into()));
    } else {
        errors.extend(too_long(rest, MAX_PATH));
        errors.extend(labels(rest).into_iter().map(invalid));
    }
    errors
}

/// A certificate comes once, through `status`, and is one.
pub(super) fn certificate(new: &Object, old: &Object, issues: bool) -> Vec<FieldError> {
    const PATH: &str = "status.certificate";
    let of = |object: &Object| -> String {
        let certificate = object
            .at(&["status", "certificate"])
            .and_then(Value::as_str);
        certificate.unwrap_or_default().into()
    };
    let (after, before) = (of(new), of(old));
    if after == before {
        return Vec::new();
    }
    let mut errors = Vec::new();
    if !issues {
        errors.push(FieldError::forbidden(
            PATH,
            "updates may not set certificate content",
        ));
    } else if !before.is_empty() {
        errors.push(FieldError::forbidden(
            PATH,
            "updates may not modify existing certificate content",
        ));
    }
    let pem = STANDARD.decode(&after).unwrap_or_default();
    if let Err(why) = check_pem(&pem) {
        errors.push(FieldError::invalid(PATH, "<certificate data>", why));
    }
    errors
}

fn check_pem(pem: &[u8]) -> Result<(), String> {
    if pem.is_empty() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(pem);
    let begins = text
        .lines()
        .filter_map(|line| line.strip_prefix("-----BEGIN ")?.strip_suffix("-----"));
    let mut blocks = 0;
    for label in begins {
        if label != "CERTIFICATE" {
            return Err(format!(
                "only CERTIFICATE PEM blocks are allowed, found {label:?}"
            ));
        }
        blocks += 1;
    }
    if blocks == 0 {
        return Err("must contain at least one CERTIFICATE PEM block".into());
    }
    for found in CertificateDer::pem_slice_iter(pem) {
        let der = found.map_err(|error| error.to_string())?;
        kedge_pki::check_certificate(&der)?;
    }
    Ok(())
}
