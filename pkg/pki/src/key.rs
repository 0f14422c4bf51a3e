//! Private keys: ECDSA on P-256, PKCS #8 in PEM.

use std::fmt;
use std::path::Path;

use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData};

use crate::PkiError;
use crate::files::{self, Access};

/// A private key. It shows itself to nobody: `Debug` prints a placeholder.
pub struct PrivateKey(pub(crate) KeyPair);

impl PrivateKey {
    /// A new key, from the system's randomness.
    pub fn generate() -> Result<Self, PkiError> {
        KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)
            .map(Self)
            .map_err(|error| PkiError::Crypto {
                what: "a private key",
                detail: error.to_string(),
            })
    }

    /// Reads PKCS #8 or SEC 1 PEM; the error says what is wrong, never what was read.
    pub fn from_pem(pem: &str) -> Result<Self, String> {
        let key =
            KeyPair::from_pem(pem).map_err(|_| "it holds no private key in PEM".to_string())?;
        Ok(Self(key))
    }

    /// PKCS #8 in PEM, for files and kubeconfigs.
    #[must_use]
    pub fn to_pem(&self) -> String {
        self.0.serialize_pem()
    }

    /// PKCS #8 in DER, for signers.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        self.0.serialized_der()
    }

    /// SubjectPublicKeyInfo in DER.
    #[must_use]
    pub fn public_info(&self) -> Vec<u8> {
        self.0.subject_public_key_info()
    }

    /// SubjectPublicKeyInfo in PEM.
    #[must_use]
    pub fn public_pem(&self) -> String {
        self.0.public_key_pem()
    }

    /// The public point, uncompressed (65 bytes).
    #[must_use]
    pub fn public_raw(&self) -> &[u8] {
        self.0.public_key_raw()
    }

    /// Reads the key at `path`, or makes one there.
    pub(crate) fn load_or_create(path: &Path) -> Result<Self, PkiError> {
        match files::read(path, Access::Private)? {
            Some(pem) => Self::from_pem(&pem).map_err(|detail| PkiError::Key {
                path: path.to_path_buf(),
                detail,
            }),
            None => {
                let key = Self::generate()?;
                files::write(path, &key.to_pem(), Access::Private)?;
                Ok(key)
            }
        }
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_survives_its_pem_and_hides_in_debug() {
        let key = PrivateKey::generate().unwrap();
        let pem = key.to_pem();
        let again = PrivateKey::from_pem(&pem).unwrap();
        assert_eq!(again.public_raw(), key.public_raw());
        assert_eq!(format!("{key:?}"), "PrivateKey(..)");
    }

    #[test]
    fn no_error_tells_what_was_read() {
        let error = PrivateKey::from_pem(
            "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n",
        )
        .unwrap_err();
        assert!(!error.contains("c2VjcmV0"), "{error}");
    }
}
