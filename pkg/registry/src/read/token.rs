//! Continue tokens: where the next page begins, and at which revision. The form is kube-apiserver's,
//! base64 of JSON, but nobody except this module reads it.
//!
//! A token of a revision is good for [`LIFE`], as upstream's is until its store is compacted: a client that counts on
//! being told to begin anew is told so here as well, however little was written meanwhile.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use kedge_machinery::{Status, json};
use serde::{Deserialize, Serialize};

const VERSION: &str = "meta.k8s.io/v1";

/// The revision of a token that takes the latest state, whatever it is.
const LATEST: i64 = -1;

/// How long a token of a revision is taken; upstream compacts its store every 5 minutes.
const LIFE: SignedDuration = SignedDuration::from_mins(5);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Token {
    v: String,
    pub(super) rv: i64,
    /// The last key of the page before, without what all keys of the list begin with.
    pub(super) start: String,
    /// Seconds since 1970 at which the list began.
    #[serde(default)]
    issued: i64,
}

impl Token {
    pub(super) fn new(revision: i64, start: &str, issued: Timestamp) -> Self {
        Self {
            v: VERSION.into(),
            rv: revision,
            start: start.into(),
            issued: issued.as_second(),
        }
    }

    /// The token that goes on from here in the latest state: it takes no revision, so it cannot be too old.
    pub(super) fn latest(start: &str) -> Self {
        Self {
            v: VERSION.into(),
            rv: LATEST,
            start: start.into(),
            issued: 0,
        }
    }

    /// When the list began whose next page this is; nothing where it begins anew, in the latest state.
    pub(super) fn issued(&self) -> Option<Timestamp> {
        let issued = Timestamp::from_second(self.issued).ok();
        issued.filter(|_| self.rv != LATEST)
    }

    /// True once its revision is no longer to be had. A clock that was set back or far ahead makes it so too: that
    /// costs a client one list.
    pub(super) fn is_over(&self, now: Timestamp) -> bool {
        let age = SignedDuration::from_secs(now.as_second().saturating_sub(self.issued));
        self.rv != LATEST && !(SignedDuration::ZERO..=LIFE).contains(&age)
    }

    pub(super) fn encode(&self) -> String {
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).unwrap_or_default())
    }

    /// 400 for what is no token.
    pub(super) fn decode(text: &str) -> Result<Self, Status> {
        let bad = |why: String| {
            let why = format!("continue key is not valid: {why}");
            Status::bad_request(format!("invalid continue token: {why}"))
        };
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| {
            let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
            let odd = text.bytes().position(|byte| !known(byte));
            // Or there is one letter too many.
            let at = odd.unwrap_or(text.len().saturating_sub(1));
            bad(format!("illegal base64 data at input byte {at}"))
        })?;
        let token: Self = serde_json::from_slice(&bytes)
            .map_err(|error| bad(json::problem(&bytes).unwrap_or_else(|| error.to_string())))?;
        if token.v != VERSION {
            return Err(bad(format!(
                "server does not recognize this encoded version \"{}\"",
                token.v
            )));
        }
        if token.rv == 0 || token.rv < LATEST {
            let why = "incorrect encoded start resourceVersion (version meta.k8s.io/v1)";
            return Err(bad(why.into()));
        }
        if token.start.is_empty() {
            let why = "encoded start key empty (version meta.k8s.io/v1)";
            return Err(bad(why.into()));
        }
        if token.start.starts_with('/') || token.start.contains("..") {
            return Err(bad(token.start));
        }
        Ok(token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn there_and_back() {
        let token = Token::new(7, "default/web", at(5));
        assert_eq!(Token::decode(&token.encode()).unwrap(), token);
    }

    #[test]
    fn a_token_of_a_revision_has_its_time() {
        let token = Token::new(7, "default/web", at(1000));
        for (now, over) in [(1000, false), (1300, false), (1301, true), (999, true)] {
            assert_eq!(token.is_over(at(now)), over, "{now}");
        }
        let latest = Token::latest("default/web");
        assert!(!latest.is_over(at(i64::from(u32::MAX))));
        assert_eq!((token.issued(), latest.issued()), (Some(at(1000)), None));
    }

    #[test]
    fn not_tokens() {
        let encoded = |token: Token| token.encode();
        let other = Token {
            v: "v2".into(),
            ..Token::new(7, "a", at(0))
        };
        for (bad, why) in [
            (
                "eCB5".into(),
                "invalid character 'x' looking for beginning of value",
            ),
            ("e%".into(), "illegal base64 data at input byte 1"),
            ("e30=".into(), "illegal base64 data at input byte 3"),
            ("eCB5a".into(), "illegal base64 data at input byte 4"),
            (
                encoded(other),
                "server does not recognize this encoded version \"v2\"",
            ),
            (
                encoded(Token::new(0, "a", at(0))),
                "incorrect encoded start resourceVersion (version meta.k8s.io/v1)",
            ),
            (
                encoded(Token::new(3, "", at(0))),
                "encoded start key empty (version meta.k8s.io/v1)",
            ),
            (encoded(Token::new(3, "/x", at(0))), "/x"),
            (encoded(Token::new(3, "a/../b", at(0))), "a/../b"),
        ] {
            let status = Token::decode(&bad).unwrap_err();
            assert_eq!(status.code, 400);
            let told = format!("invalid continue token: continue key is not valid: {why}");
            assert_eq!(status.message, told);
        }
    }
}
