//! Who am I (`kubectl auth whoami`).

use jiff::Timestamp;
use kedge_machinery::time;
use serde_json::{Value, json};

use super::user_info::user_info;
use crate::authn::User;

/// The answer has nothing of the question.
pub(super) fn answer(user: &User) -> Value {
    json!({
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "SelfSubjectReview",
        "metadata": {"creationTimestamp": time::rfc3339(Timestamp::now())},
        "status": {"userInfo": user_info(user)},
    })
}
