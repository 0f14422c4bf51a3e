//! What may I (`kubectl auth can-i --list`; upstream: `pkg/registry/authorization/selfsubjectrulesreview`).

use kedge_machinery::{Object, Status};
use kedge_rbac::Rule;
use serde_json::{Value, json};

use crate::authn::User;
use crate::authz::{self, Authorizer};

/// The rules of whoever asks, in the namespace of the question. The answer has nothing else of the question.
pub(super) fn answer(
    authorizers: &[Box<dyn Authorizer>],
    user: &User,
    review: &Object,
) -> Result<Value, Status> {
    let namespace = review.at(&["spec", "namespace"]).and_then(Value::as_str);
    let namespace = namespace.unwrap_or_default();
    if namespace.is_empty() {
        return Err(Status::bad_request("no namespace on request"));
    }
    let found = authz::rules(authorizers, user, namespace);
    let resource: Vec<Rule> = found
        .rules
        .iter()
        .filter(|rule| !rule.resources.is_empty())
        .map(|rule| Rule {
            non_resource_urls: Box::default(),
            ..rule.clone()
        })
        .collect();
    let paths: Vec<Rule> = found
        .rules
        .iter()
        .filter(|rule| !rule.non_resource_urls.is_empty())
        .map(|rule| Rule {
            verbs: rule.verbs.clone(),
            non_resource_urls: rule.non_resource_urls.clone(),
            ..Rule::default()
        })
        .collect();
    let mut status = json!({
        "resourceRules": resource, "nonResourceRules": paths, "incomplete": found.incomplete,
    });
    if let Some(error) = found.error {
        status["evaluationError"] = error.into();
    }
    Ok(json!({
        "kind": "SelfSubjectRulesReview",
        "apiVersion": "authorization.k8s.io/v1",
        "metadata": {},
        "spec": {},
        "status": status,
    }))
}
