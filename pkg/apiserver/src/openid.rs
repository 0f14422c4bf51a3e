//! How others verify service account tokens: the issuer's discovery document and its public keys, as
//! kube-apiserver answers them (`pkg/routes/openidmetadata.go`; OpenID Connect Discovery 1.0, RFC 7517).
//!
//! The role `system:service-account-issuer-discovery` allows the paths.

use axum::extract::{Request, State};
use http::header::{CACHE_CONTROL, HOST};
use http::{HeaderValue, StatusCode};
use kedge_pki::jws::ALGORITHM;
use serde_json::json;

use crate::answer::{self, Answer};
use crate::app::SharedApp;

/// Where the discovery document stands.
pub(crate) const CONFIGURATION: &str = "/.well-known/openid-configuration";
/// Where the public keys stand.
pub(crate) const KEYS: &str = "/openid/v1/jwks";

/// How long others may keep both: a key that signs is in the set for as long before, after a start.
const MAX_AGE: HeaderValue = HeaderValue::from_static("public, max-age=3600");

pub(crate) async fn configuration(State(app): State<SharedApp>, request: Request) -> Answer {
    let parts = request.into_parts().0;
    // Under the address that this client reached it by: a server that listens on every address has no other to tell.
    let host = match parts.uri.authority() {
        Some(authority) => authority.as_str(),
        None => answer::header(&parts.headers, HOST),
    };
    let host = if host.is_empty() { &app.address } else { host };
    // Written by hand: the order of the members is upstream's.
    let body = format!(
        r#"{{"issuer":{},"jwks_uri":{},"response_types_supported":["id_token"],"subject_types_supported":["public"],"id_token_signing_alg_values_supported":["{ALGORITHM}"]}}"#,
        json!(app.tokens.issuer),
        json!(format!("https://{host}{KEYS}")),
    );
    document("application/json", body)
}

pub(crate) async fn keys(State(app): State<SharedApp>) -> Answer {
    match serde_json::to_string(&app.tokens.keys.jwks()) {
        Ok(keys) => document("application/jwk-set+json", format!(r#"{{"keys":{keys}}}"#)),
        Err(error) => answer::refuse(&kedge_machinery::Status::internal(error.to_string())),
    }
}

fn document(content_type: &'static str, body: String) -> Answer {
    let mut answer = answer::text(StatusCode::OK, content_type, body);
    answer.headers_mut().insert(CACHE_CONTROL, MAX_AGE);
    answer
}
