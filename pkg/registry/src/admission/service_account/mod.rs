//! A Pod runs as a ServiceAccount: `default` where it names none, and its token is mounted (upstream:
//! `plugin/pkg/admission/serviceaccount`).

mod mount;
mod secrets;

use kedge_machinery::{Object, Status};
use serde_json::{Map, Value};

use super::{Admission, Attributes, Operation};
use crate::strategy::pod::MIRROR;
use crate::value::{field, text};

/// The account of Pods that name none.
const DEFAULT: &str = "default";
/// On a ServiceAccount, a truth: Pods may use only the Secrets that it lists.
const ENFORCE_SECRETS: &str = "kubernetes.io/enforce-mountable-secrets";

/// The rule of upstream's plugin `ServiceAccount`.
///
/// One thing differs: where upstream waits a second or two for the controller that makes the account `default` of a
/// new namespace, a missing `default` is taken for the one that is about to be made.
pub struct ServiceAccount;

impl Admission for ServiceAccount {
    fn plugin(&self) -> Option<&'static str> {
        Some("ServiceAccount")
    }

    fn change(&self, attributes: &Attributes<'_>, pod: &mut Object) -> Result<(), Status> {
        if !is_new_pod(attributes) || is_mirror(pod) {
            return Ok(());
        }
        let Some(spec) = pod.0.get_mut("spec").and_then(Value::as_object_mut) else {
            return Ok(());
        };
        let name = match field(spec, "serviceAccountName").as_str() {
            None | Some("") => DEFAULT.to_string(),
            Some(name) => name.to_string(),
        };
        for key in ["serviceAccountName", "serviceAccount"] {
            spec.insert(key.into(), name.as_str().into());
        }
        let account = account(attributes, &name)?;
        if automounts(spec, &account) {
            mount::token(spec);
        }
        let pull = account.0.get("imagePullSecrets").filter(|_| {
            field(spec, "imagePullSecrets")
                .as_array()
                .is_none_or(Vec::is_empty)
        });
        if let Some(pull) = pull {
            spec.insert("imagePullSecrets".into(), pull.clone());
        }
        Ok(())
    }

    fn check(&self, attributes: &Attributes<'_>, pod: Option<&Object>) -> Result<(), Status> {
        let Some(pod) = pod.filter(|_| is_new_pod(attributes)) else {
            return Ok(());
        };
        let spec = pod.0.get("spec").unwrap_or(&Value::Null);
        let name = text(spec, "serviceAccountName");
        if is_mirror(pod) {
            return mirror(attributes, spec);
        }
        let account = account(attributes, name)?;
        let enforced = account
            .annotations()
            .any(|(key, value)| key == ENFORCE_SECRETS && is_true(value));
        match enforced
            .then(|| secrets::unlisted(spec, &account))
            .flatten()
        {
            Some(why) => Err(forbidden(attributes, &why)),
            None => Ok(()),
        }
    }
}

fn is_new_pod(attributes: &Attributes<'_>) -> bool {
    let target = attributes.target;
    attributes.operation == Operation::Create
        && target.subresource.is_empty()
        && target.kind.group.is_empty()
        && target.kind.kind == "Pod"
}

fn is_mirror(pod: &Object) -> bool {
    pod.annotations().any(|(key, _)| key == MIRROR)
}

fn forbidden(attributes: &Attributes<'_>, why: &str) -> Status {
    Status::forbidden("", "pods", &attributes.target.name, why)
}

fn account(attributes: &Attributes<'_>, name: &str) -> Result<Object, Status> {
    let namespace = &attributes.target.namespace;
    let found = attributes
        .view
        .object("", "serviceaccounts", namespace, name)?;
    match found {
        Some(account) => Ok(account),
        None if name == DEFAULT => Ok(Object::default()),
        None => Err(forbidden(
            attributes,
            &format!(
                "error looking up service account {namespace}/{name}: serviceaccount \"{name}\" not found"
            ),
        )),
    }
}

/// The Pod's wish counts, then the account's; without either, yes.
fn automounts(spec: &Map<String, Value>, account: &Object) -> bool {
    const KEY: &str = "automountServiceAccountToken";
    let wish = |map: &Map<String, Value>| field(map, KEY).as_bool();
    wish(spec).or_else(|| wish(&account.0)).unwrap_or(true)
}

/// What a kubelet runs of its own accord has no account, and may not use the cluster's secrets. Tokens are refused to all
/// that have no account.
fn mirror(attributes: &Attributes<'_>, spec: &Value) -> Result<(), Status> {
    let why = if !text(spec, "serviceAccountName").is_empty() {
        "a mirror pod may not reference service accounts"
    } else if secrets::all(spec).next().is_some() {
        "a mirror pod may not reference secrets"
    } else {
        return Ok(());
    };
    Err(forbidden(attributes, why))
}

/// As Go's `strconv.ParseBool`.
fn is_true(text: &str) -> bool {
    matches!(text, "1" | "t" | "T" | "true" | "TRUE" | "True")
}
