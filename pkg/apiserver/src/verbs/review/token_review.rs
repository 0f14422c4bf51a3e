//! Whose token is this (upstream: `pkg/registry/authentication/tokenreview`).

use kedge_machinery::{Object, Status};
use serde_json::{Value, json};

use super::user_info::user_info;
use crate::authn::BearerTokens;

/// Fills the status: whether the token is good, for whom, and for which of the audiences asked for.
pub(super) fn answer(bearers: &BearerTokens, mut review: Object) -> Result<Object, Status> {
    let text = |value: &Value| value.as_str().map(String::from);
    let token = review
        .at(&["spec", "token"])
        .and_then(text)
        .unwrap_or_default();
    if token.is_empty() {
        return Err(Status::bad_request(
            "token is required for TokenReview in authentication",
        ));
    }
    let audiences = review.at(&["spec", "audiences"]).and_then(Value::as_array);
    let audiences: Vec<String> = audiences.into_iter().flatten().filter_map(text).collect();
    let status = match bearers.review(&token, &audiences) {
        Ok(found) => json!({
            "authenticated": true,
            "user": user_info(&found.user),
            "audiences": found.audiences,
        }),
        Err(why) => json!({"user": {}, "error": why.to_string()}),
    };
    review.0.insert("status".into(), status);
    Ok(review)
}
