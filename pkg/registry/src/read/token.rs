//! Continue tokens: where the next page begins, and at which revision. The form is kube-apiserver's,
//! base64 of JSON, but nobody except this module reads it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kedge_machinery::Status;
use serde::{Deserialize, Serialize};

const VERSION: &str = "meta.k8s.io/v1";

/// The revision of a token that takes the latest state, whatever it is.
pub(super) const LATEST: i64 = -1;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Token {
    v: String,
    pub(super) rv: i64,
    /// The last key of the page before, without what all keys of the list begin with.
    pub(super) start: String,
}

impl Token {
    pub(super) fn new(revision: i64, start: &str) -> Self {
        Self {
            v: VERSION.into(),
            rv: revision,
            start: start.into(),
        }
    }

    pub(super) fn encode(&self) -> String {
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).unwrap_or_default())
    }

    /// 400 for what is no token.
    pub(super) fn decode(text: &str) -> Result<Self, Status> {
        let bad = |why: String| Status::bad_request(format!("continue key is not valid: {why}"));
        let bytes = URL_SAFE_NO_PAD
            .decode(text.trim_end_matches('='))
            .map_err(|e| bad(e.to_string()))?;
        let token: Self = serde_json::from_slice(&bytes).map_err(|e| bad(e.to_string()))?;
        if token.v != VERSION {
            return Err(bad(format!(
                "server does not recognize this encoded version \"{}\"",
                token.v
            )));
        }
        let escapes =
            token.start.is_empty() || token.start.starts_with('/') || token.start.contains("..");
        if token.rv == 0 || token.rv < LATEST || escapes {
            return Err(bad("incorrect encoded revision or start".into()));
        }
        Ok(token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let token = Token::new(7, "default/web");
        assert_eq!(Token::decode(&token.encode()).unwrap(), token);
    }

    #[test]
    fn not_tokens() {
        let encoded = |token: Token| token.encode();
        let other = Token {
            v: "v2".into(),
            ..Token::new(7, "a")
        };
        for bad in [
            "garbage".into(),
            "%".into(),
            encoded(other),
            encoded(Token::new(0, "a")),
            encoded(Token::new(3, "/x")),
        ] {
            assert_eq!(Token::decode(&bad).unwrap_err().code, 400, "{bad}");
        }
    }
}
