//! Tokens whose signature was found good, kept for a while: verifying one takes most of the time of a small request
//! on a small machine. Only the signature is remembered, which cannot turn bad; time and objects are asked anew.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use kedge_pki::jws::Refusal;
use kedge_pki::{Token, TokenKeys, fingerprint};

/// Tokens remembered: about 1 KiB each.
const CAPACITY: usize = 128;

type Fingerprint = [u8; 32];

/// Keys, and what they have verified lately. No token is kept, only its hash and claims.
pub(super) struct Verified {
    keys: Arc<TokenKeys>,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    claims: HashMap<Fingerprint, Arc<Token>>,
    /// The oldest first.
    order: VecDeque<Fingerprint>,
}

impl Verified {
    pub(super) fn new(keys: Arc<TokenKeys>) -> Self {
        Self {
            keys,
            known: Mutex::default(),
        }
    }

    /// The claims of a token that is signed well.
    pub(super) fn claims(&self, token: &str) -> Result<Arc<Token>, Refusal> {
        let print = fingerprint(token.as_bytes());
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(claims) = known().claims.get(&print) {
            return Ok(Arc::clone(claims));
        }
        let claims = Arc::new(self.keys.verify(token)?);
        let mut known = known();
        if known.claims.insert(print, Arc::clone(&claims)).is_none() {
            known.order.push_back(print);
        }
        if known.order.len() > CAPACITY
            && let Some(oldest) = known.order.pop_front()
        {
            known.claims.remove(&oldest);
        }
        Ok(claims)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kedge_pki::claims::LegacyClaims;

    #[test]
    fn what_is_remembered_is_bounded_and_bad_tokens_never_are() {
        let folder = tempfile::tempdir().unwrap();
        let authority =
            kedge_pki::Authority::load_or_create(folder.path(), jiff::Timestamp::now()).unwrap();
        let keys = Arc::new(authority.token_keys().unwrap());
        let verified = Verified::new(Arc::clone(&keys));
        for number in 0..CAPACITY + 10 {
            let claims = LegacyClaims::new("ns", "a", "u", &number.to_string());
            let token = keys.sign(&claims).unwrap();
            let expected = Token::Legacy(Box::new(claims));
            assert_eq!(*verified.claims(&token).unwrap(), expected);
            assert_eq!(*verified.claims(&token).unwrap(), expected);
            assert!(verified.claims(&token[..token.len() - 4]).is_err());
        }
        let known = verified.known.lock().unwrap();
        assert_eq!(
            (known.claims.len(), known.order.len()),
            (CAPACITY, CAPACITY)
        );
    }
}
