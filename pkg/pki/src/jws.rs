//! JSON Web Signatures in compact form (RFC 7515), signed with ECDSA on P-256 (`ES256`, RFC 7518 3.4) and nothing
//! else: an algorithm that a token could choose is one that its forger chooses.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, UnparsedPublicKey,
};
use serde::{Deserialize, Serialize};

use crate::{PkiError, PrivateKey};

/// The only algorithm.
pub const ALGORITHM: &str = "ES256";

/// Why a token is not taken; never with a part of the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Not three parts of base64url, or no JSON in them.
    #[error("token is malformed")]
    Malformed,
    /// Signed some other way than with ES256, or not at all.
    #[error("unexpected signature algorithm; expected [\"ES256\"]")]
    Algorithm,
    /// Its `kid` is of no key that is known.
    #[error("invalid signature, no keys found")]
    UnknownKey,
    #[error("error in cryptographic primitive")]
    Signature,
}

#[derive(Serialize, Deserialize)]
struct Header {
    alg: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    kid: String,
    /// Extensions that a reader must understand (RFC 7515, 4.1.11); none are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    crit: Option<serde_json::Value>,
}

/// A public key that verifies, with its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyingKey {
    /// As upstream derives it (`keyIDFromPublicKey`): SHA-256 of the key's SubjectPublicKeyInfo, base64url.
    pub id: String,
    /// The public point, uncompressed: 0x04, x, y.
    point: Vec<u8>,
}

impl VerifyingKey {
    /// The public half of a key.
    #[must_use]
    pub fn of(key: &PrivateKey) -> Self {
        Self {
            id: URL_SAFE_NO_PAD.encode(digest(&SHA256, &key.public_info())),
            point: key.public_raw().to_vec(),
        }
    }

    /// As a JSON Web Key (RFC 7517), members in upstream's order.
    #[must_use]
    pub fn jwk(&self) -> Jwk {
        let (x, y) = self
            .point
            .get(1..)
            .unwrap_or_default()
            .split_at_checked(32)
            .unwrap_or_default();
        Jwk {
            usage: "sig",
            kty: "EC",
            kid: self.id.clone(),
            crv: "P-256",
            alg: ALGORITHM,
            x: URL_SAFE_NO_PAD.encode(x),
            y: URL_SAFE_NO_PAD.encode(y),
        }
    }
}

/// A public key as others read it.
#[derive(Debug, Clone, Serialize)]
pub struct Jwk {
    #[serde(rename = "use")]
    usage: &'static str,
    kty: &'static str,
    kid: String,
    crv: &'static str,
    alg: &'static str,
    x: String,
    y: String,
}

/// A key that signs.
pub struct SigningKey {
    pair: EcdsaKeyPair,
    id: String,
    random: SystemRandom,
}

impl SigningKey {
    /// From a private key.
    pub fn new(key: &PrivateKey) -> Result<Self, PkiError> {
        let random = SystemRandom::new();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, key.der(), &random)
            .map_err(|error| PkiError::Crypto {
            what: "a signer of tokens",
            detail: error.to_string(),
        })?;
        Ok(Self {
            pair,
            id: VerifyingKey::of(key).id,
            random,
        })
    }

    /// `HEADER.PAYLOAD.SIGNATURE`.
    pub fn sign(&self, payload: &[u8]) -> Result<String, PkiError> {
        let failed = |detail: String| PkiError::Crypto {
            what: "a token",
            detail,
        };
        let header = Header {
            alg: ALGORITHM.into(),
            kid: self.id.clone(),
            crit: None,
        };
        let header = serde_json::to_vec(&header).map_err(|error| failed(error.to_string()))?;
        let mut token = URL_SAFE_NO_PAD.encode(header);
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(payload, &mut token);
        let signature = self
            .pair
            .sign(&self.random, token.as_bytes())
            .map_err(|_| failed("the signature failed".into()))?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok(token)
    }
}

/// What the token claims, not verified: only to tell whose token it might be.
#[must_use]
pub fn unverified_payload(token: &str) -> Option<Vec<u8>> {
    let mut parts = token.split('.');
    let (_, payload, _) = (parts.next()?, parts.next()?, parts.next()?);
    match parts.next() {
        Some(_) => None,
        None => URL_SAFE_NO_PAD.decode(payload).ok(),
    }
}

/// The token's payload, when one of these keys signed it. A token that names its key is verified with that one alone.
pub fn verify(token: &str, keys: &[VerifyingKey]) -> Result<Vec<u8>, Refusal> {
    let (signed, signature) = token.rsplit_once('.').ok_or(Refusal::Malformed)?;
    let (header, payload) = signed.split_once('.').ok_or(Refusal::Malformed)?;
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| Refusal::Malformed);
    let header: Header =
        serde_json::from_slice(&decode(header)?).map_err(|_| Refusal::Malformed)?;
    if header.alg != ALGORITHM || header.crit.is_some() {
        return Err(Refusal::Algorithm);
    }
    let (payload, signature) = (decode(payload)?, decode(signature)?);
    let mut candidates = keys
        .iter()
        .filter(|key| header.kid.is_empty() || key.id == header.kid)
        .peekable();
    if candidates.peek().is_none() {
        return Err(Refusal::UnknownKey);
    }
    let good = candidates.any(|key| {
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &key.point)
            .verify(signed.as_bytes(), &signature)
            .is_ok()
    });
    if good {
        Ok(payload)
    } else {
        Err(Refusal::Signature)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7515, A.3: its key and its token.
    const POINT: [&str; 2] = [
        "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    ];
    const TOKEN: &str = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";

    fn known() -> VerifyingKey {
        let mut point = vec![4];
        for half in POINT {
            point.extend(URL_SAFE_NO_PAD.decode(half).unwrap());
        }
        VerifyingKey {
            id: "rfc".into(),
            point,
        }
    }

    #[test]
    fn the_example_of_the_rfc_verifies() {
        let payload = verify(TOKEN, &[known()]).unwrap();
        assert!(payload.starts_with(b"{\"iss\":\"joe\""));
        let jwk = known().jwk();
        assert_eq!([jwk.x.as_str(), jwk.y.as_str()], POINT);
    }

    #[test]
    fn what_is_signed_verifies_with_its_own_key_alone() {
        let (mine, other) = (
            PrivateKey::generate().unwrap(),
            PrivateKey::generate().unwrap(),
        );
        let token = SigningKey::new(&mine).unwrap().sign(b"{}").unwrap();
        let (mine, other) = (VerifyingKey::of(&mine), VerifyingKey::of(&other));
        assert_eq!(
            verify(&token, &[other.clone(), mine.clone()]).unwrap(),
            b"{}"
        );
        assert_eq!(
            verify(&token, std::slice::from_ref(&other)),
            Err(Refusal::UnknownKey)
        );
        let disguised = VerifyingKey {
            id: mine.id,
            ..other
        };
        assert_eq!(verify(&token, &[disguised]), Err(Refusal::Signature));
    }

    #[test]
    fn nothing_else_is_a_token() {
        let key = PrivateKey::generate().unwrap();
        let token = SigningKey::new(&key).unwrap().sign(b"{\"a\":1}").unwrap();
        let keys = [VerifyingKey::of(&key)];
        let parts: Vec<&str> = token.split('.').collect();
        let header = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let with = |header: &str, payload: &str, signature: &str| {
            verify(&format!("{header}.{payload}.{signature}"), &keys).unwrap_err()
        };
        let none = header("{\"alg\":\"none\"}");
        assert_eq!(with(&none, parts[1], ""), Refusal::Algorithm);
        assert_eq!(with(&none, parts[1], parts[2]), Refusal::Algorithm);
        let hmac = header("{\"alg\":\"HS256\"}");
        assert_eq!(with(&hmac, parts[1], parts[2]), Refusal::Algorithm);
        let critical = header("{\"alg\":\"ES256\",\"crit\":[\"b64\"]}");
        assert_eq!(with(&critical, parts[1], parts[2]), Refusal::Algorithm);
        let changed = header("{\"a\":2}");
        assert_eq!(with(parts[0], &changed, parts[2]), Refusal::Signature);
        assert_eq!(with(parts[0], parts[1], ""), Refusal::Signature);
        assert_eq!(
            with(parts[0], parts[1], &parts[2][..84]),
            Refusal::Signature
        );
        for broken in [
            "",
            ".",
            "..",
            "a.b",
            "a.b.c.d",
            &token[..token.len() - 100],
            "\u{e9}.\u{e9}.\u{e9}",
        ] {
            let refusal = verify(broken, &keys).unwrap_err();
            assert_eq!(refusal, Refusal::Malformed, "{broken}");
        }
    }

    #[test]
    fn any_byte_changed_is_seen() {
        let key = PrivateKey::generate().unwrap();
        let token = SigningKey::new(&key)
            .unwrap()
            .sign(b"{\"sub\":\"x\"}")
            .unwrap();
        let keys = [VerifyingKey::of(&key)];
        for at in 0..token.len() {
            let mut bytes = token.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let forged = String::from_utf8(bytes).unwrap();
            assert!(verify(&forged, &keys).is_err(), "byte {at}");
        }
    }
}
