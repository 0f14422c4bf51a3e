//! Whether a certificate and a private key are a pair, in the words of Go's `tls.X509KeyPair`.

use rcgen::KeyPair;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use x509_parser::prelude::{FromDer, X509Certificate};

const CERTIFICATE: &str = "CERTIFICATE";
const PRIVATE_KEY: &str = "PRIVATE KEY";
const BEGIN: &str = "-----BEGIN ";

/// What is wrong with a certificate (the first of a chain) and a key, both PEM. A key in a form that this program does
/// not read is taken for the right one.
#[must_use]
pub fn check_pair(certificate: &[u8], key: &[u8]) -> Option<String> {
    let (certificates, keys) = (labels(certificate), labels(key));
    if !certificates.contains(&CERTIFICATE) {
        return Some(missing(
            "certificate",
            "\"CERTIFICATE\" PEM block",
            &certificates,
        ));
    }
    if !keys.iter().any(|label| label.ends_with(PRIVATE_KEY)) {
        return Some(missing(
            "key",
            "PEM block with type \"PRIVATE KEY\" or ending in \" PRIVATE KEY\"",
            &keys,
        ));
    }
    let der = match CertificateDer::from_pem_slice(certificate) {
        Ok(der) => der,
        Err(_) => return Some(missing("certificate", "", &[])),
    };
    let leaf = match X509Certificate::from_der(&der) {
        Ok((_, leaf)) => leaf,
        Err(error) => return Some(format!("x509: malformed certificate: {error}")),
    };
    let pair = KeyPair::from_pem(std::str::from_utf8(key).ok()?).ok()?;
    let own = leaf.public_key().subject_public_key.data.as_ref();
    (own != pair.public_key_raw()).then(|| "tls: private key does not match public key".to_string())
}

fn missing(what: &str, block: &str, found: &[&str]) -> String {
    if found.is_empty() {
        return format!("tls: failed to find any PEM data in {what} input");
    }
    format!(
        "tls: failed to find {block} in {what} input after skipping PEM blocks of the following types: [{}]",
        found.join(" ")
    )
}

/// The labels of the PEM blocks in a text.
fn labels(pem: &[u8]) -> Vec<&str> {
    let lines = pem.split(|byte| *byte == b'\n');
    lines
        .filter_map(|line| std::str::from_utf8(line).ok())
        .filter_map(|line| line.trim().strip_prefix(BEGIN)?.strip_suffix("-----"))
        .collect()
}

#[cfg(test)]
mod tests {
    use rcgen::CertificateParams;

    use super::*;

    fn pair() -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec!["a".into()])
            .unwrap()
            .self_signed(&key)
            .unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    #[test]
    fn pairs_and_others() {
        let (certificate, key) = pair();
        let (_, other) = pair();
        let said = |certificate: &str, key: &str| {
            check_pair(certificate.as_bytes(), key.as_bytes()).unwrap_or_default()
        };
        assert_eq!(said(&certificate, &key), "");
        assert!(said(&certificate, &other).ends_with("does not match public key"));
        assert!(said("abc", &key).contains("any PEM data in certificate input"));
        assert!(said(&certificate, "").contains("any PEM data in key input"));
        assert!(said(&key, &certificate).contains("[PRIVATE KEY]"));
        let unread = "-----BEGIN RSA PRIVATE KEY-----\nAA==\n-----END RSA PRIVATE KEY-----\n";
        assert_eq!(said(&certificate, unread), "");
    }
}
