//! What a service account's token says (KEP-1205, KEP-4193; upstream: `pkg/serviceaccount/claims.go`, `legacy.go`).

use serde::{Deserialize, Deserializer, Serialize};

/// The issuer of tokens in Secrets of type `kubernetes.io/service-account-token`.
pub const LEGACY_ISSUER: &str = "kubernetes/serviceaccount";

/// The claims of a token that is bound: to a time, to audiences, and perhaps to an object.
///
/// Times are seconds since 1970. Fields stand in the order of their names, as upstream's encoder leaves them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    #[serde(default, deserialize_with = "one_or_many")]
    pub aud: Vec<String>,
    pub exp: i64,
    pub iat: i64,
    pub iss: String,
    #[serde(default)]
    pub jti: String,
    #[serde(rename = "kubernetes.io")]
    pub kubernetes: Kubernetes,
    pub nbf: i64,
    pub sub: String,
}

/// The private claims: whose token it is, and what it ends with.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Kubernetes {
    pub namespace: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<Reference>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<Reference>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<Reference>,
    pub serviceaccount: Reference,
    /// From when on the use of a token that was made to live longer than asked for is to be remarked on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warnafter: Option<i64>,
}

/// One very object, not another of its name.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Reference {
    pub name: String,
    /// Empty for a pod's node that was not known when the token was made.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub uid: String,
}

/// The claims of a token that lives in a Secret, for as long as the Secret does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LegacyClaims {
    pub iss: String,
    #[serde(rename = "kubernetes.io/serviceaccount/namespace")]
    pub namespace: String,
    #[serde(rename = "kubernetes.io/serviceaccount/secret.name")]
    pub secret: String,
    #[serde(rename = "kubernetes.io/serviceaccount/service-account.name")]
    pub account: String,
    #[serde(rename = "kubernetes.io/serviceaccount/service-account.uid")]
    pub uid: String,
    pub sub: String,
}

impl LegacyClaims {
    #[must_use]
    pub fn new(namespace: &str, account: &str, uid: &str, secret: &str) -> Self {
        Self {
            iss: LEGACY_ISSUER.into(),
            namespace: namespace.into(),
            secret: secret.into(),
            account: account.into(),
            uid: uid.into(),
            sub: user_name(namespace, account),
        }
    }
}

/// `system:serviceaccount:NAMESPACE:NAME`.
#[must_use]
pub fn user_name(namespace: &str, account: &str) -> String {
    format!("system:serviceaccount:{namespace}:{account}")
}

/// `aud` is a text or a list of them (RFC 7519, 4.1.3).
fn one_or_many<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Audience {
        One(String),
        Many(Vec<String>),
    }
    Ok(match Audience::deserialize(from)? {
        Audience::One(audience) => vec![audience],
        Audience::Many(audiences) => audiences,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_read_as_upstreams() {
        let reference = |name: &str, uid: &str| Reference {
            name: name.into(),
            uid: uid.into(),
        };
        let claims = Claims {
            aud: vec!["https://kubernetes.default.svc.cluster.local".into()],
            exp: 1_767_229_200,
            iat: 1_767_225_600,
            iss: "https://kubernetes.default.svc.cluster.local".into(),
            jti: "7ff0a4c8".into(),
            kubernetes: Kubernetes {
                namespace: "default".into(),
                node: Some(reference("edge", "")),
                pod: Some(reference("p", "u1")),
                secret: None,
                serviceaccount: reference("robot", "u2"),
                warnafter: Some(1_767_229_207),
            },
            nbf: 1_767_225_600,
            sub: user_name("default", "robot"),
        };
        let text = serde_json::to_string(&claims).unwrap();
        let expected = concat!(
            r#"{"aud":["https://kubernetes.default.svc.cluster.local"],"exp":1767229200,"iat":1767225600,"#,
            r#""iss":"https://kubernetes.default.svc.cluster.local","jti":"7ff0a4c8","kubernetes.io":{"namespace":"default","#,
            r#""node":{"name":"edge"},"pod":{"name":"p","uid":"u1"},"serviceaccount":{"name":"robot","uid":"u2"},"#,
            r#""warnafter":1767229207},"nbf":1767225600,"sub":"system:serviceaccount:default:robot"}"#
        );
        assert_eq!(text, expected);
        assert_eq!(serde_json::from_str::<Claims>(&text).unwrap(), claims);
        let one = text.replace(
            r#"["https://kubernetes.default.svc.cluster.local"]"#,
            "\"a\"",
        );
        assert_eq!(serde_json::from_str::<Claims>(&one).unwrap().aud, ["a"]);
    }

    #[test]
    fn legacy_claims_read_as_upstreams() {
        let text = serde_json::to_string(&LegacyClaims::new("ns", "robot", "u", "s")).unwrap();
        let expected = concat!(
            r#"{"iss":"kubernetes/serviceaccount","kubernetes.io/serviceaccount/namespace":"ns","#,
            r#""kubernetes.io/serviceaccount/secret.name":"s","kubernetes.io/serviceaccount/service-account.name":"robot","#,
            r#""kubernetes.io/serviceaccount/service-account.uid":"u","sub":"system:serviceaccount:ns:robot"}"#
        );
        assert_eq!(text, expected);
    }
}
