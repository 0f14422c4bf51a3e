//! Users by bearer token (RFC 6750): each [`TokenAuthenticator`] knows one kind of token.

use http::header::AUTHORIZATION;
use http::request::Parts;
use kedge_machinery::Status;

use super::{AUTHENTICATED, Authenticator, Peer, User};

/// Whom a token speaks for, and to whom: those of the audiences asked for that it is meant for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authenticated {
    pub user: User,
    pub audiences: Vec<String>,
}

/// Why a token that is of a kind known here is not good. Never holds a part of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadToken(pub String);

/// Knows one kind of token.
pub trait TokenAuthenticator: Send + Sync {
    /// Whose token it is, for one of the audiences asked for; `None` when it is not of this kind.
    fn authenticate(
        &self,
        token: &str,
        audiences: &[String],
    ) -> Result<Option<Authenticated>, BadToken>;
}

/// What is said of a token that nobody takes; upstream's words, before the reason where there is one.
const INVALID: &str = "invalid bearer token";

/// Asks each kind of token in turn.
pub struct BearerTokens {
    kinds: Vec<Box<dyn TokenAuthenticator>>,
    /// The audiences that this API is.
    audiences: Vec<String>,
}

impl BearerTokens {
    #[must_use]
    pub fn new(kinds: Vec<Box<dyn TokenAuthenticator>>, audiences: Vec<String>) -> Self {
        Self { kinds, audiences }
    }

    /// Whose token it is, for one of these audiences; for this API's own when none are given.
    pub fn review(&self, token: &str, audiences: &[String]) -> Result<Authenticated, BadToken> {
        let audiences = if audiences.is_empty() {
            &self.audiences
        } else {
            audiences
        };
        let mut reasons = Vec::new();
        for kind in &self.kinds {
            match kind.authenticate(token, audiences) {
                Ok(Some(mut found)) => {
                    found.user.groups.push(AUTHENTICATED.into());
                    return Ok(found);
                }
                Ok(None) => {}
                Err(BadToken(reason)) => reasons.push(reason),
            }
        }
        Err(BadToken(match reasons.as_slice() {
            [] => INVALID.into(),
            reasons => format!("[{INVALID}, {}]", reasons.join(", ")),
        }))
    }
}

impl Authenticator for BearerTokens {
    fn authenticate(&self, request: &Parts, _: &Peer) -> Result<Option<User>, Status> {
        let Some(token) = token(request) else {
            return Ok(None);
        };
        match self.review(token, &[]) {
            Ok(found) => Ok(Some(found.user)),
            Err(why) => {
                tracing::debug!(%why, "bearer token refused");
                Err(Status::unauthorized())
            }
        }
    }
}

/// The token of the request, where it has one.
fn token(request: &Parts) -> Option<&str> {
    let value = request.headers.get(AUTHORIZATION)?.to_str().ok()?;
    let mut words = value.trim().split(' ');
    let scheme = words.next()?;
    let token = words.next()?;
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    struct Fixed(Result<Option<Authenticated>, BadToken>);

    impl TokenAuthenticator for Fixed {
        fn authenticate(&self, _: &str, _: &[String]) -> Result<Option<Authenticated>, BadToken> {
            self.0.clone()
        }
    }

    fn review(kinds: Vec<Fixed>) -> Result<Authenticated, String> {
        let kinds = kinds
            .into_iter()
            .map(|kind| Box::new(kind) as Box<dyn TokenAuthenticator>);
        BearerTokens::new(kinds.collect(), vec!["api".into()])
            .review("x", &[])
            .map_err(|why| why.to_string())
    }

    #[test]
    fn reasons_are_told_as_upstream_tells_them() {
        assert_eq!(
            review(vec![Fixed(Ok(None))]).unwrap_err(),
            "invalid bearer token"
        );
        let bad = || Fixed(Err(BadToken("service account token has expired".into())));
        assert_eq!(
            review(vec![bad(), Fixed(Ok(None))]).unwrap_err(),
            "[invalid bearer token, service account token has expired]"
        );
        let good = Fixed(Ok(Some(Authenticated {
            user: User::default(),
            audiences: vec!["api".into()],
        })));
        let user = review(vec![bad(), good]).unwrap().user;
        assert_eq!(user.groups, [AUTHENTICATED]);
    }

    #[rstest]
    #[case("Bearer abc", Some("abc"))]
    #[case("bearer abc", Some("abc"))]
    #[case("Bearer abc def", Some("abc"))]
    #[case("Bearer  abc", None)]
    #[case("Bearer", None)]
    #[case("Basic abc", None)]
    #[case("", None)]
    fn the_header_is_read_as_upstream_reads_it(
        #[case] value: &'static str,
        #[case] expected: Option<&str>,
    ) {
        let request = http::Request::builder()
            .header(AUTHORIZATION, value)
            .body(())
            .unwrap();
        assert_eq!(token(&request.into_parts().0), expected);
    }
}
