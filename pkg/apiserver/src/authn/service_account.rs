//! Tokens of service accounts: signed by this cluster, and good only while what they are bound to is there.
//!
//! The rules are upstream's (`pkg/serviceaccount/jwt.go`, `claims.go`, `legacy.go`), and so are the reasons given. A
//! ServiceAccount, Pod, Secret or Node that is gone, or that is another of the same name, ends its tokens at the next request.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use kedge_pki::claims::{Claims, LEGACY_ISSUER, LegacyClaims, Reference, user_name};
use kedge_pki::jws::Refusal;
use kedge_pki::{Token, is_same_secret, unverified_issuer};
use kedge_registry::Registry;

use super::User;
use super::bearer::{Authenticated, BadToken, TokenAuthenticator};
use super::stored::{self, Meta, Secret, Stored};
use super::verified::Verified;
use crate::tokens::Tokens;

/// How far the clocks of those who make and those who check may be apart; also how long a token outlives the beginning of
/// the end of what it is bound to.
const LEEWAY: SignedDuration = SignedDuration::from_secs(60);
/// On a Secret: its token is no longer to be taken.
const INVALID_SINCE: &str = "kubernetes.io/legacy-token-invalid-since";

/// Verifies them.
pub(crate) struct ServiceAccountTokens {
    registry: Registry,
    tokens: Arc<Tokens>,
    verified: Verified,
}

impl ServiceAccountTokens {
    pub(crate) fn new(registry: Registry, tokens: Arc<Tokens>) -> Self {
        Self {
            verified: Verified::new(Arc::clone(&tokens.keys)),
            registry,
            tokens,
        }
    }

    fn bound(&self, claims: &Claims, machine: Timestamp) -> Result<User, BadToken> {
        let instant = |seconds| Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX);
        self.tokens.clock.has_passed(instant(claims.iat), machine);
        let now = self.tokens.clock.read(machine);
        check_times(claims, now)?;
        let bound = &claims.kubernetes;
        let (namespace, account) = (&bound.namespace, &bound.serviceaccount);
        self.check_account(namespace, account, now)?;
        let still = |plural, namespace: &str, what: &Reference, word| {
            let found = stored::find::<Stored>(&self.registry, plural, namespace, &what.name);
            check_bound(found.ok().map(|found| found.metadata), what, word, now)
        };
        if let Some(secret) = &bound.secret {
            still("secrets", namespace, secret, "secret")?;
        }
        match (&bound.pod, &bound.node) {
            (Some(pod), _) => still("pods", namespace, pod, "pod")?,
            (None, Some(node)) => still("nodes", "", node, "node")?,
            (None, None) => {}
        }
        Ok(user(namespace, account, extra(claims)))
    }

    fn legacy(&self, claims: &LegacyClaims, token: &str, now: Timestamp) -> Result<User, BadToken> {
        let LegacyClaims {
            namespace,
            account,
            uid,
            secret: name,
            ..
        } = claims;
        if claims.sub != user_name(namespace, account) {
            return Err(bad("sub claim is invalid"));
        }
        let secret = stored::find::<Secret>(&self.registry, "secrets", namespace, name);
        let secret = secret
            .ok()
            .filter(|secret| secret.metadata.deletion_timestamp.is_none());
        let secret = secret.ok_or_else(invalidated)?;
        if !is_same_secret(&secret.value("token"), token.as_bytes()) {
            return Err(bad("service account token does not match server's copy"));
        }
        let account = Reference {
            name: account.clone(),
            uid: uid.clone(),
        };
        self.check_account(namespace, &account, now)?;
        if secret.metadata.labels.contains_key(INVALID_SINCE) {
            return Err(BadToken(format!(
                "the token in secret {namespace}/{name} for service account {namespace}/{} has been marked invalid. Use tokens \
                 from the TokenRequest API or manually created secret-based tokens, or remove the '{INVALID_SINCE}' label from \
                 the secret to temporarily allow use of this token",
                account.name
            )));
        }
        Ok(user(namespace, &account, Vec::new()))
    }

    fn check_account(
        &self,
        namespace: &str,
        account: &Reference,
        now: Timestamp,
    ) -> Result<(), BadToken> {
        let name = &account.name;
        let found: Stored = stored::find(&self.registry, "serviceaccounts", namespace, name)
            .map_err(|status| BadToken(status.message))?;
        if found.metadata.uid != account.uid {
            return Err(BadToken(format!(
                "service account UID ({}) does not match claim ({})",
                found.metadata.uid, account.uid
            )));
        }
        if has_gone(&found.metadata, now) {
            return Err(BadToken(format!(
                "service account {namespace}/{name} has been deleted"
            )));
        }
        Ok(())
    }
}

impl TokenAuthenticator for ServiceAccountTokens {
    fn authenticate(
        &self,
        token: &str,
        audiences: &[String],
    ) -> Result<Option<Authenticated>, BadToken> {
        let own = unverified_issuer(token)
            .is_some_and(|issuer| issuer == self.tokens.issuer || issuer == LEGACY_ISSUER);
        if !own {
            return Ok(None);
        }
        let claims = match self.verified.claims(token) {
            Ok(claims) => claims,
            Err(Refusal::Malformed) => return Ok(None),
            Err(refusal) => return Err(BadToken(refusal.to_string())),
        };
        let (issuer, meant) = match &*claims {
            Token::Bound(claims) => (&claims.iss, &claims.aud),
            Token::Legacy(claims) => (&claims.iss, &self.tokens.audiences),
        };
        let wanted = match &*claims {
            Token::Bound(_) => &self.tokens.issuer,
            Token::Legacy(_) => LEGACY_ISSUER,
        };
        if issuer != wanted {
            return Err(BadToken(format!("token issuer {issuer:?} is invalid")));
        }
        let shared: Vec<String> = meant
            .iter()
            .filter(|audience| audiences.contains(audience))
            .cloned()
            .collect();
        if shared.is_empty() {
            return Err(BadToken(format!(
                "token audiences {} is invalid for the target audiences {}",
                quoted(meant),
                quoted(audiences)
            )));
        }
        let now = Timestamp::now();
        let user = match &*claims {
            Token::Bound(claims) => self.bound(claims, now)?,
            Token::Legacy(claims) => self.legacy(claims, token, self.tokens.clock.read(now))?,
        };
        Ok(Some(Authenticated {
            user,
            audiences: shared,
        }))
    }
}

fn bad(reason: &str) -> BadToken {
    BadToken(reason.into())
}

fn invalidated() -> BadToken {
    bad("service account token has been invalidated")
}

fn check_times(claims: &Claims, now: Timestamp) -> Result<(), BadToken> {
    let (now, leeway) = (now.as_second(), LEEWAY.as_secs());
    if now.saturating_add(leeway) < claims.nbf {
        return Err(bad("service account token is not valid yet"));
    }
    if now.saturating_sub(leeway) > claims.exp {
        return Err(bad("service account token has expired"));
    }
    if now.saturating_add(leeway) < claims.iat {
        return Err(bad("service account token is issued in the future"));
    }
    Ok(())
}

fn check_bound(
    found: Option<Meta>,
    bound: &Reference,
    word: &str,
    now: Timestamp,
) -> Result<(), BadToken> {
    let found = found.ok_or_else(invalidated)?;
    if found.uid != bound.uid {
        return Err(BadToken(format!(
            "{word} UID ({}) does not match service account {word} ref claim ({})",
            found.uid, bound.uid
        )));
    }
    if has_gone(&found, now) {
        return Err(invalidated());
    }
    Ok(())
}

/// Whether its end was due some time ago.
fn has_gone(meta: &Meta, now: Timestamp) -> bool {
    meta.deletion_timestamp
        .is_some_and(|at| at.saturating_add(LEEWAY).is_ok_and(|end| end < now))
}

fn user(namespace: &str, account: &Reference, extra: Vec<(String, Vec<String>)>) -> User {
    User {
        name: user_name(namespace, &account.name),
        uid: account.uid.clone(),
        groups: vec![
            "system:serviceaccounts".into(),
            format!("system:serviceaccounts:{namespace}"),
        ],
        extra,
    }
}

/// What else is known of the bearer, in the order of its keys.
fn extra(claims: &Claims) -> Vec<(String, Vec<String>)> {
    let bound = &claims.kubernetes;
    let of = |reference: &Option<Reference>| reference.clone().unwrap_or_default();
    let (node, pod) = (of(&bound.node), of(&bound.pod));
    let credential = match claims.jti.as_str() {
        "" => String::new(),
        id => format!("JTI={id}"),
    };
    let facts = [
        ("credential-id", credential),
        ("node-name", node.name),
        ("node-uid", node.uid),
        ("pod-name", pod.name),
        ("pod-uid", pod.uid),
    ];
    facts
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(key, value)| (format!("authentication.kubernetes.io/{key}"), vec![value]))
        .collect()
}

/// As Go prints a list of quoted texts.
fn quoted(texts: &[String]) -> String {
    let all: Vec<String> = texts.iter().map(|text| format!("{text:?}")).collect();
    format!("[{}]", all.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use kedge_pki::claims::Kubernetes;
    use rstest::rstest;

    fn claims() -> Claims {
        Claims {
            aud: vec!["api".into()],
            exp: 10_000,
            iat: 5_000,
            iss: "i".into(),
            jti: "7".into(),
            kubernetes: Kubernetes::default(),
            nbf: 5_000,
            sub: String::new(),
        }
    }

    #[rstest]
    #[case(4_939, Err("service account token is not valid yet"))]
    #[case(4_940, Ok(()))]
    #[case(10_060, Ok(()))]
    #[case(10_061, Err("service account token has expired"))]
    fn a_minute_of_leeway(#[case] now: i64, #[case] expected: Result<(), &str>) {
        let outcome = check_times(&claims(), Timestamp::from_second(now).unwrap());
        assert_eq!(outcome, expected.map_err(bad));
    }

    #[test]
    fn what_is_known_of_the_bearer() {
        let mut claims = claims();
        claims.kubernetes.pod = Some(Reference {
            name: "p".into(),
            uid: "u".into(),
        });
        claims.kubernetes.node = Some(Reference {
            name: "n".into(),
            uid: String::new(),
        });
        let facts: Vec<String> = extra(&claims)
            .into_iter()
            .map(|(key, values)| {
                format!(
                    "{}={}",
                    key.replace("authentication.kubernetes.io/", ""),
                    values[0]
                )
            })
            .collect();
        assert_eq!(
            facts,
            [
                "credential-id=JTI=7",
                "node-name=n",
                "pod-name=p",
                "pod-uid=u"
            ]
        );
    }
}
