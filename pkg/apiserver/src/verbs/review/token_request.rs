//! A token for a service account (KEP-1205; upstream: `pkg/registry/core/serviceaccount/storage/token.go`).

use jiff::{SignedDuration, Timestamp};
use kedge_machinery::object::child_mut;
use kedge_machinery::{FieldError, Object, Status, time};
use kedge_pki::claims::{Claims, Kubernetes, Reference, user_name};
use kedge_registry::{GetOptions, Registry, Target};
use serde_json::{Value, json};

use super::bound_object::{self, Bound};
use crate::Tokens;

const GROUP: &str = "authentication.k8s.io";
const KIND: &str = "TokenRequest";
/// Seconds that a token lives when nothing is said.
const DEFAULT_SECONDS: i64 = 3600;
const MIN_SECONDS: i64 = 600;
const MAX_SECONDS: i64 = 1 << 32;
/// What the mounted volumes of Pods ask for. Many programs read their token once and never again: theirs lives for a year, and is
/// only remarked on after this time (`--service-account-extend-token-expiration`, on by default upstream).
const MOUNTED_SECONDS: i64 = 3607;
const EXTENDED_SECONDS: i64 = 365 * 24 * 3600;

/// Makes the token. `account` is the service account of the path, `request` the body with its defaults.
pub(super) fn answer(
    registry: &Registry,
    tokens: &Tokens,
    account: &Target,
    mut request: Object,
) -> Result<Object, Status> {
    agree(
        &request,
        "name",
        &account.name,
        "service account name",
        &account.name,
    )?;
    agree(
        &request,
        "namespace",
        &account.namespace,
        "service account namespace",
        &account.name,
    )?;
    let entry = registry.get(account, &GetOptions::default())?;
    let found = bound_object::parse(&entry)?;
    let asked = request.uid();
    if !asked.is_empty() && asked != found.uid() {
        let why = format!(
            "the UID in the token request ({asked}) does not match the UID of the service account ({})",
            found.uid()
        );
        return Err(Status::conflict(GROUP, KIND, &account.name, &why));
    }
    let now = tokens.clock.read(Timestamp::now());
    let audiences = audiences(&request).unwrap_or_else(|| tokens.audiences.clone());
    let seconds = request
        .at(&["spec", "expirationSeconds"])
        .and_then(Value::as_i64);
    let seconds = seconds.unwrap_or(DEFAULT_SECONDS);
    check_seconds(seconds)?;
    let bound = bound_object::find(registry, account, request.at(&["spec", "boundObjectRef"]))?;

    let own = audiences
        .iter()
        .all(|audience| tokens.audiences.contains(audience));
    let extended = bound.pod.is_some() && seconds == MOUNTED_SECONDS && own;
    let life = if extended { EXTENDED_SECONDS } else { seconds };
    let warn_after = extended.then_some(seconds);
    let claims = claims(tokens, &found, bound, &audiences, now, (life, warn_after));
    let token = tokens
        .keys
        .sign(&claims)
        .map_err(|error| Status::internal(format!("failed to generate token: {error}")))?;

    let meta = request.meta_mut();
    for (key, value) in [
        ("name", found.name()),
        ("namespace", found.namespace()),
        ("uid", found.uid()),
        ("creationTimestamp", &time::rfc3339(now)),
    ] {
        meta.insert(key.into(), value.into());
    }
    let spec = child_mut(&mut request.0, "spec");
    spec.insert("audiences".into(), json!(audiences));
    spec.insert("expirationSeconds".into(), seconds.into());
    spec.entry("boundObjectRef").or_insert(Value::Null);
    let end = now
        .saturating_add(SignedDuration::from_secs(seconds))
        .unwrap_or(Timestamp::MAX);
    let status = json!({"token": token, "expirationTimestamp": time::rfc3339(end)});
    request.0.insert("status".into(), status);
    Ok(request)
}

/// A name in the body, where there is one, is that of the path.
fn agree(request: &Object, key: &str, path: &str, what: &str, name: &str) -> Result<(), Status> {
    let given = request.meta_text(key);
    if given.is_empty() || given == path {
        return Ok(());
    }
    let error = FieldError::invalid(
        format!("metadata.{key}"),
        given,
        format!("must match the {what} if specified"),
    );
    Err(Status::invalid(GROUP, KIND, name, &[error]))
}

/// Those that the request names, if any.
fn audiences(request: &Object) -> Option<Vec<String>> {
    let list = request.at(&["spec", "audiences"])?.as_array()?;
    let texts = list.iter().filter_map(Value::as_str).map(String::from);
    Some(texts.collect()).filter(|list: &Vec<String>| !list.is_empty())
}

fn check_seconds(seconds: i64) -> Result<(), Status> {
    let why = if seconds < MIN_SECONDS {
        "may not specify a duration less than 10 minutes"
    } else if seconds > MAX_SECONDS {
        "may not specify a duration larger than 2^32 seconds"
    } else {
        return Ok(());
    };
    let error = FieldError::invalid("spec.expirationSeconds", seconds, why);
    Err(Status::invalid(GROUP, KIND, "", &[error]))
}

fn claims(
    tokens: &Tokens,
    account: &Object,
    bound: Bound,
    audiences: &[String],
    now: Timestamp,
    (life, warn_after): (i64, Option<i64>),
) -> Claims {
    let now = now.as_second();
    Claims {
        aud: audiences.to_vec(),
        exp: now.saturating_add(life),
        iat: now,
        iss: tokens.issuer.clone(),
        jti: uuid::Uuid::new_v4().to_string(),
        kubernetes: Kubernetes {
            namespace: account.namespace().into(),
            node: bound.node,
            pod: bound.pod,
            secret: bound.secret,
            serviceaccount: Reference {
                name: account.name().into(),
                uid: account.uid().into(),
            },
            warnafter: warn_after.map(|seconds| now.saturating_add(seconds)),
        },
        nbf: now,
        sub: user_name(account.namespace(), account.name()),
    }
}
