//! The keys of service account tokens: one signs, and any number of earlier ones still verify.

use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::claims::{Claims, LegacyClaims};
use crate::files;
use crate::jws::{self, Jwk, Refusal, SigningKey, VerifyingKey};
use crate::{PkiError, PrivateKey};

/// The key that signs, made when there is none.
const SIGNING: &str = "service-account.key";
/// Keys whose tokens are still taken: `service-account-ANYTHING.key`.
const RETIRED: (&str, &str) = ("service-account-", ".key");

/// Signs and verifies. To change the key, rename `service-account.key` to `service-account-OLD.key` and start
/// again: a new one signs, and tokens of the old one are good until they end or the file is removed.
pub struct TokenKeys {
    signer: SigningKey,
    verifying: Vec<VerifyingKey>,
}

impl std::fmt::Debug for TokenKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenKeys")
            .field("verifying", &self.verifying)
            .finish_non_exhaustive()
    }
}

/// What a token turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Token {
    Bound(Box<Claims>),
    Legacy(Box<LegacyClaims>),
}

impl TokenKeys {
    /// Reads the keys in `folder`, or makes the one that signs.
    pub(crate) fn load_or_create(folder: &Path) -> Result<Self, PkiError> {
        let current = PrivateKey::load_or_create(&folder.join(SIGNING))?;
        let mut verifying = vec![VerifyingKey::of(&current)];
        for path in files::list(folder, RETIRED.0, RETIRED.1)? {
            verifying.push(VerifyingKey::of(&PrivateKey::load_or_create(&path)?));
        }
        Ok(Self {
            signer: SigningKey::new(&current)?,
            verifying,
        })
    }

    /// A signed token.
    pub fn sign(&self, claims: &impl Serialize) -> Result<String, PkiError> {
        let payload = serde_json::to_vec(claims).map_err(|error| PkiError::Crypto {
            what: "a token",
            detail: error.to_string(),
        })?;
        self.signer.sign(&payload)
    }

    /// The claims of a token that one of the keys signed. Time, audience and what it is bound to are the caller's.
    pub fn verify(&self, token: &str) -> Result<Token, Refusal> {
        let payload = jws::verify(token, &self.verifying)?;
        // The longer claims first: those of a legacy token are not enough for them.
        read(&payload)
            .map(Token::Bound)
            .or_else(|| read(&payload).map(Token::Legacy))
            .ok_or(Refusal::Malformed)
    }

    /// The public keys, the one that signs first.
    #[must_use]
    pub fn jwks(&self) -> Vec<Jwk> {
        self.verifying.iter().map(VerifyingKey::jwk).collect()
    }
}

fn read<T: DeserializeOwned>(payload: &[u8]) -> Option<Box<T>> {
    serde_json::from_slice(payload).ok()
}

/// The issuer that a token names, not verified: only to tell whose it might be.
#[must_use]
pub fn unverified_issuer(token: &str) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Issued {
        iss: String,
    }
    let payload = jws::unverified_payload(token)?;
    serde_json::from_slice::<Issued>(&payload)
        .ok()
        .map(|issued| issued.iss)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_retired_key_still_verifies_until_its_file_goes() {
        let folder = tempfile::tempdir().unwrap();
        let claims = LegacyClaims::new("ns", "robot", "u", "s");
        let first = TokenKeys::load_or_create(folder.path()).unwrap();
        let old = first.sign(&claims).unwrap();
        let retired = folder.path().join("service-account-2026.key");
        fs::rename(folder.path().join(SIGNING), &retired).unwrap();

        let second = TokenKeys::load_or_create(folder.path()).unwrap();
        let new = second.sign(&claims).unwrap();
        let known = Token::Legacy(Box::new(claims));
        assert_eq!(second.verify(&old).as_ref(), Ok(&known));
        assert_eq!(second.verify(&new).as_ref(), Ok(&known));
        assert_eq!(first.verify(&new), Err(Refusal::UnknownKey));
        assert_eq!(second.jwks().len(), 2);

        fs::remove_file(retired).unwrap();
        let third = TokenKeys::load_or_create(folder.path()).unwrap();
        assert_eq!(third.verify(&old), Err(Refusal::UnknownKey));
        assert_eq!(third.verify(&new).as_ref(), Ok(&known));
    }

    #[test]
    fn the_issuer_is_read_without_a_key() {
        let folder = tempfile::tempdir().unwrap();
        let keys = TokenKeys::load_or_create(folder.path()).unwrap();
        let token = keys.sign(&LegacyClaims::new("ns", "a", "u", "s")).unwrap();
        assert_eq!(
            unverified_issuer(&token).unwrap(),
            "kubernetes/serviceaccount"
        );
        for other in ["", "a.b", "a.b.c", "abcdef.0123456789abcdef"] {
            assert_eq!(unverified_issuer(other), None, "{other}");
        }
    }

    #[test]
    fn no_debug_shows_a_key() {
        let folder = tempfile::tempdir().unwrap();
        let keys = TokenKeys::load_or_create(folder.path()).unwrap();
        let pem = fs::read_to_string(folder.path().join(SIGNING)).unwrap();
        let line = pem.lines().nth(1).unwrap();
        assert!(!format!("{keys:?}").contains(line));
    }
}
