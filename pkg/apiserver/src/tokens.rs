//! What the makers and the checkers of tokens share.

use std::sync::Arc;

use kedge_pki::{TokenClock, TokenKeys};

/// Who signs service account tokens, in whose name, for whom, and by what time.
#[derive(Debug)]
pub struct Tokens {
    pub keys: Arc<TokenKeys>,
    pub clock: TokenClock,
    /// `iss`: an https URL.
    pub issuer: String,
    /// The audiences that this API is: those of tokens that name none.
    pub audiences: Vec<String>,
}

impl Tokens {
    /// Of an issuer that is the only audience, as kube-apiserver's is by default.
    #[must_use]
    pub fn new(keys: Arc<TokenKeys>, issuer: impl Into<String>) -> Self {
        let issuer = issuer.into();
        Self {
            keys,
            clock: TokenClock::default(),
            audiences: vec![issuer.clone()],
            issuer,
        }
    }

    /// The issuer of a cluster: the API's name inside it.
    #[must_use]
    pub fn issuer(cluster_domain: &str) -> String {
        format!("https://kubernetes.default.svc.{cluster_domain}")
    }
}
