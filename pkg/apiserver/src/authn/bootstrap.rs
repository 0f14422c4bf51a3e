//! Bootstrap tokens: how a machine that has no certificate yet asks for one.
//!
//! `ID.SECRET`, kept in the Secret `bootstrap-token-ID` of `kube-system`; the rules are upstream's
//! (`plugin/pkg/auth/authenticator/token/bootstrap`, `cluster-bootstrap/util/secrets`).

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use kedge_pki::is_same_secret;
use kedge_registry::Registry;

use super::User;
use super::bearer::{Authenticated, BadToken, TokenAuthenticator};
use super::stored::{self, Secret};
use crate::tokens::Tokens;

const NAMESPACE: &str = "kube-system";
const TYPE: &str = "bootstrap.kubernetes.io/token";
const GROUP: &str = "system:bootstrappers";

/// Looks them up.
pub(crate) struct BootstrapTokens {
    registry: Registry,
    tokens: Arc<Tokens>,
}

impl BootstrapTokens {
    pub(crate) fn new(registry: Registry, tokens: Arc<Tokens>) -> Self {
        Self { registry, tokens }
    }
}

impl TokenAuthenticator for BootstrapTokens {
    fn authenticate(
        &self,
        token: &str,
        audiences: &[String],
    ) -> Result<Option<Authenticated>, BadToken> {
        let Some((id, secret)) = parse(token) else {
            return Ok(None);
        };
        let shared: Vec<String> = self
            .tokens
            .audiences
            .iter()
            .filter(|audience| audiences.contains(audience))
            .cloned()
            .collect();
        let name = format!("bootstrap-token-{id}");
        let stored = stored::find::<Secret>(&self.registry, "secrets", NAMESPACE, &name);
        let (Ok(stored), false) = (stored, shared.is_empty()) else {
            return Ok(None);
        };
        match groups(
            &stored,
            id,
            secret,
            self.tokens.clock.read(Timestamp::now()),
        ) {
            Ok(groups) => Ok(Some(Authenticated {
                user: User {
                    name: format!("system:bootstrap:{id}"),
                    groups,
                    ..User::default()
                },
                audiences: shared,
            })),
            Err(why) => {
                tracing::debug!(secret = name, why, "bootstrap token refused");
                Ok(None)
            }
        }
    }
}

/// The id and the secret of a token: 6 and 16 of `a-z0-9`.
fn parse(token: &str) -> Option<(&str, &str)> {
    let (id, secret) = token.split_once('.')?;
    let plain = |text: &str, length| {
        text.len() == length
            && text
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    (plain(id, 6) && plain(secret, 16)).then_some((id, secret))
}

/// The groups that the token's bearer is in, or why it is not good.
fn groups(
    stored: &Secret,
    id: &str,
    secret: &str,
    now: Timestamp,
) -> Result<Vec<String>, &'static str> {
    if stored.metadata.deletion_timestamp.is_some() {
        return Err("it is on its way out");
    }
    if stored.kind != TYPE {
        return Err("its type is another");
    }
    if !is_same_secret(&stored.value("token-secret"), secret.as_bytes()) {
        return Err("its token-secret is another");
    }
    if stored.text("token-id") != id {
        return Err("its token-id is not that of its name");
    }
    let expiration = stored.text("expiration");
    let is_over = |end: &str| end.parse::<Timestamp>().map_or(true, |end| end <= now);
    if !expiration.is_empty() && is_over(&expiration) {
        return Err("it has expired, or its expiration is no time");
    }
    if stored.text("usage-bootstrap-authentication") != "true" {
        return Err("it is not for authentication");
    }
    let extra = stored.text("auth-extra-groups");
    let mut groups = BTreeSet::from([GROUP.to_string()]);
    for group in extra.split(',').filter(|_| !extra.is_empty()) {
        if !is_group(group) {
            return Err("its auth-extra-groups are no groups of bootstrappers");
        }
        groups.insert(group.into());
    }
    Ok(groups.into_iter().collect())
}

/// `system:bootstrappers:` and up to 256 of `a-z0-9:-`, the last a letter or digit.
fn is_group(group: &str) -> bool {
    let Some(rest) = group
        .strip_prefix(GROUP)
        .and_then(|rest| rest.strip_prefix(':'))
    else {
        return false;
    };
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    rest.len() <= 256
        && rest.bytes().next_back().is_some_and(plain)
        && rest
            .bytes()
            .all(|byte| plain(byte) || b":-".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use rstest::rstest;
    use serde_json::{Value, json};

    const SECRET: &str = "0123456789abcdef";

    fn stored(changes: &[(&str, &str)]) -> Value {
        let mut object = json!({
            "metadata": {"uid": "u"},
            "type": TYPE,
            "data": {},
        });
        let usual = [
            ("token-id", "abcdef"),
            ("token-secret", SECRET),
            ("usage-bootstrap-authentication", "true"),
        ];
        for (key, value) in usual.iter().chain(changes) {
            object["data"][key] = STANDARD.encode(value).into();
        }
        object
    }

    fn ask(stored: Value) -> Result<Vec<String>, &'static str> {
        let secret = serde_json::from_value(stored).unwrap();
        groups(
            &secret,
            "abcdef",
            SECRET,
            "2027-01-01T00:00:00Z".parse().unwrap(),
        )
    }

    #[rstest]
    #[case(&[], Some(vec!["system:bootstrappers"]))]
    #[case(&[("expiration", "2027-01-01T00:00:01Z")], Some(vec!["system:bootstrappers"]))]
    #[case(&[("auth-extra-groups", "system:bootstrappers:b,system:bootstrappers:a:x-1")],
        Some(vec!["system:bootstrappers", "system:bootstrappers:a:x-1", "system:bootstrappers:b"]))]
    #[case(&[("expiration", "2027-01-01T00:00:00Z")], None)]
    #[case(&[("expiration", "soon")], None)]
    #[case(&[("token-id", "abcdeg")], None)]
    #[case(&[("token-secret", "0123456789abcdee")], None)]
    #[case(&[("token-secret", "")], None)]
    #[case(&[("usage-bootstrap-authentication", "false")], None)]
    #[case(&[("auth-extra-groups", "system:masters")], None)]
    #[case(&[("auth-extra-groups", "system:bootstrappers:")], None)]
    #[case(&[("auth-extra-groups", "system:bootstrappers:A")], None)]
    #[case(&[("auth-extra-groups", "system:bootstrappers:a,")], None)]
    fn only_a_whole_one_counts(
        #[case] changes: &[(&str, &str)],
        #[case] expected: Option<Vec<&str>>,
    ) {
        let expected = expected.map(|groups| groups.into_iter().map(String::from).collect());
        assert_eq!(ask(stored(changes)).ok(), expected);
    }

    #[test]
    fn one_of_another_type_or_on_its_way_out_does_not() {
        let mut other = stored(&[]);
        other["type"] = "Opaque".into();
        assert!(ask(other).is_err());
        let mut going = stored(&[]);
        going["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
        assert!(ask(going).is_err());
    }

    #[test]
    fn what_a_token_looks_like() {
        assert_eq!(parse("abcdef.0123456789abcdef"), Some(("abcdef", SECRET)));
        for other in [
            "abcdef",
            "abcde.0123456789abcdef",
            "abcdeF.0123456789abcdef",
            "abcdef.0123456789abcde",
            "a.b.c",
        ] {
            assert_eq!(parse(other), None, "{other}");
        }
    }
}
