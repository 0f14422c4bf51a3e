//! The options of each verb, out of the query (and, for a delete, the body).
//!
//! What is no number is 400; what is not allowed is 422 about the options' kind in `meta.k8s.io`, as upstream
//! has it (`meta/v1/validation`).

use http::header::USER_AGENT;
use http::{HeaderMap, HeaderValue};
use kedge_machinery::meta_validate::{MANAGER_LENGTH, field_manager, is_printable};
use kedge_machinery::{FieldError, Object, Status};
use kedge_registry::{
    DeleteOptions, FieldValidation, GetOptions, IncludeObject, ListOptions, PatchKind, Propagation,
    WatchOptions, WriteOptions,
};
use serde_json::{Map, Value};

use crate::query;

/// The only value of `dryRun`.
const DRY_RUN: &str = "All";

fn invalid(kind: &str, errors: &[FieldError]) -> Result<(), Status> {
    if errors.is_empty() {
        return Ok(());
    }
    Err(Status::invalid("meta.k8s.io", kind, "", errors))
}

/// Options of create and update; `kind` is `CreateOptions` or `UpdateOptions`.
pub fn write(kind: &str, query: &str, headers: &HeaderMap) -> Result<WriteOptions, Status> {
    let mut options = WriteOptions::default();
    let mut errors = Vec::new();
    read_write(query, &mut options, &mut errors);
    invalid(kind, &errors)?;
    if options.field_manager.is_empty() {
        options.field_manager = manager(headers);
    }
    Ok(options)
}

/// Options of a patch in the given language.
pub fn patch(
    language: PatchKind,
    query: &str,
    headers: &HeaderMap,
) -> Result<WriteOptions, Status> {
    let mut options = WriteOptions::default();
    let (mut errors, mut shared) = (Vec::new(), Vec::new());
    let forced = read_write(query, &mut options, &mut shared);
    if language == PatchKind::Apply {
        if options.field_manager.is_empty() {
            errors.push(FieldError::required(
                "fieldManager",
                "is required for apply patch",
            ));
        }
    } else if forced {
        errors.push(FieldError::forbidden(
            "force",
            "may not be specified for non-apply patch",
        ));
    }
    errors.append(&mut shared);
    invalid("PatchOptions", &errors)?;
    if options.field_manager.is_empty() {
        options.field_manager = manager(headers);
    }
    Ok(options)
}

/// Reads what create, update and patch share, and what is wrong in it, in upstream's order; true when `force` was given at all.
fn read_write(query: &str, options: &mut WriteOptions, errors: &mut Vec<FieldError>) -> bool {
    let given = |key: &str| query::first(query, key);
    options.field_manager = given("fieldManager").unwrap_or_default().into_owned();
    errors.extend(field_manager("fieldManager", &options.field_manager));
    options.dry_run = dry_run(dry_runs(query), errors);
    match given("fieldValidation").as_deref() {
        None | Some("") => {}
        Some("Strict") => options.field_validation = FieldValidation::Strict,
        Some("Warn") => options.field_validation = FieldValidation::Warn,
        Some("Ignore") => options.field_validation = FieldValidation::Ignore,
        Some(other) => errors.push(FieldError::not_supported(
            "fieldValidation",
            other,
            &["", "Ignore", "Strict", "Warn"],
        )),
    }
    let force = given("force");
    options.force = force.as_deref().is_some_and(query::truth);
    force.is_some()
}

/// The values of `dryRun`, a list.
fn dry_runs(query: &str) -> Vec<Value> {
    let all = query::pairs(query).filter(|(key, _)| key == "dryRun");
    all.map(|(_, value)| value.as_ref().into()).collect()
}

/// Whether anything is said of a dry run; all that is must be the one value that there is.
fn dry_run(given: Vec<Value>, errors: &mut Vec<FieldError>) -> bool {
    let asked = !given.is_empty();
    if given.iter().any(|value| value != DRY_RUN) {
        errors.push(FieldError::not_supported("dryRun", given, &[DRY_RUN]));
    }
    asked
}

/// The field manager of a client that names none: its `User-Agent` up to the first slash.
fn manager(headers: &HeaderMap) -> String {
    let agent = headers.get(USER_AGENT).map(HeaderValue::as_bytes);
    let agent = String::from_utf8_lossy(agent.unwrap_or_default());
    let agent = agent.split('/').next().unwrap_or_default();
    let mut manager = String::new();
    for c in agent.chars().filter(|c| is_printable(*c)) {
        if manager.len() + c.len_utf8() > MANAGER_LENGTH {
            break;
        }
        manager.push(c);
    }
    if manager.is_empty() {
        manager = "unknown".into();
    }
    manager
}

/// Options of a get.
pub fn get(query: &str) -> GetOptions {
    let asked = query::first(query, "resourceVersion");
    GetOptions {
        resource_version: asked.unwrap_or_default().into_owned(),
    }
}

/// Options of a list, or the selection of a deletecollection.
pub fn list(query: &str) -> Result<ListOptions, Status> {
    let mut options = ListOptions::default();
    for (key, value) in query::firsts(query) {
        match key.as_ref() {
            // Upstream takes a limit below zero for none.
            "limit" => options.limit = usize::try_from(query::number(&value)?).unwrap_or(0),
            "timeoutSeconds" => drop(query::number(&value)?),
            "continue" => options.continue_token = value.into_owned(),
            "resourceVersion" => options.resource_version = value.into_owned(),
            "resourceVersionMatch" => options.resource_version_match = value.into_owned(),
            "labelSelector" => options.label_selector = value.into_owned(),
            "fieldSelector" => options.field_selector = value.into_owned(),
            "sendInitialEvents" => options.send_initial_events = Some(query::truth(&value)),
            _ => {}
        }
    }
    Ok(options)
}

/// Options of a watch, with its `timeoutSeconds`.
pub fn watch(query: &str) -> Result<(WatchOptions, Option<u64>), Status> {
    let mut options = WatchOptions::default();
    let mut timeout = None;
    for (key, value) in query::firsts(query) {
        match key.as_ref() {
            "limit" => drop(query::number(&value)?),
            // Less than none is over at once.
            "timeoutSeconds" => {
                timeout = Some(query::number(&value)?)
                    .filter(|seconds| *seconds != 0)
                    .map(|seconds| u64::try_from(seconds).unwrap_or(0));
            }
            "continue" => options.continue_token = value.into_owned(),
            "resourceVersion" => options.resource_version = value.into_owned(),
            "resourceVersionMatch" => options.resource_version_match = value.into_owned(),
            "labelSelector" => options.label_selector = value.into_owned(),
            "fieldSelector" => options.field_selector = value.into_owned(),
            "allowWatchBookmarks" => options.allow_bookmarks = query::truth(&value),
            "sendInitialEvents" => options.send_initial_events = Some(query::truth(&value)),
            _ => {}
        }
    }
    Ok((options, timeout))
}

/// `includeObject` of a Table; 400 when it is none of upstream's three.
pub fn include_object(query: &str) -> Result<IncludeObject, Status> {
    match query::first(query, "includeObject").as_deref() {
        None | Some("" | "Metadata") => Ok(IncludeObject::Metadata),
        Some("None") => Ok(IncludeObject::None),
        Some("Object") => Ok(IncludeObject::Object),
        Some(other) => {
            let why = "must be 'Metadata', 'Object', 'None', or empty";
            let error = FieldError::invalid("includeObject", other, why);
            Err(Status::bad_request(format!(
                "Unable to convert to Table as requested: {error}"
            )))
        }
    }
}

/// Options of a delete: from the body where there is one, else from the query. The flag is true when the client
/// asked, in the older way, that dependents be deleted (`orphanDependents: false`).
pub fn delete(query: &str, body: Option<&Object>) -> Result<(DeleteOptions, bool), Status> {
    let from_query;
    let given = match body {
        Some(body) => &body.0,
        None => {
            from_query = delete_query(query)?;
            &from_query
        }
    };
    let mut errors = Vec::new();
    let mut options = DeleteOptions {
        grace_period: given.get("gracePeriodSeconds").and_then(Value::as_i64),
        ..DeleteOptions::default()
    };
    let policy = given.get("propagationPolicy").and_then(Value::as_str);
    let orphan = given.get("orphanDependents").and_then(Value::as_bool);
    if let (Some(policy), Some(_)) = (policy, orphan) {
        let detail = "orphanDependents and deletionPropagation cannot be both set";
        errors.push(FieldError::invalid("propagationPolicy", policy, detail));
    }
    options.propagation = match (policy, orphan) {
        (Some("Orphan"), _) | (None, Some(true)) => Some(Propagation::Orphan),
        (Some("Background"), _) | (None, Some(false)) => Some(Propagation::Background),
        (Some("Foreground"), _) => Some(Propagation::Foreground),
        (Some(policy), _) => {
            let supported = ["Foreground", "Background", "Orphan", "nil"];
            errors.push(FieldError::not_supported(
                "propagationPolicy",
                policy,
                &supported,
            ));
            None
        }
        (None, None) => None,
    };
    let dry_runs = given.get("dryRun").and_then(Value::as_array);
    options.dry_run = dry_run(dry_runs.cloned().unwrap_or_default(), &mut errors);
    let preconditions = given.get("preconditions").and_then(Value::as_object);
    let text = |key: &str| {
        preconditions
            .and_then(|p| p.get(key))
            .and_then(Value::as_str)
            .map(Into::into)
    };
    options.uid = text("uid");
    options.resource_version = text("resourceVersion");
    invalid("DeleteOptions", &errors)?;
    Ok((options, orphan == Some(false)))
}

/// The query as a `DeleteOptions` object.
fn delete_query(query: &str) -> Result<Map<String, Value>, Status> {
    let mut object = Map::new();
    let mut preconditions = Map::new();
    for (key, value) in query::firsts(query) {
        let of = match key.as_ref() {
            "uid" | "resourceVersion" => &mut preconditions,
            _ => &mut object,
        };
        let value = match key.as_ref() {
            "gracePeriodSeconds" => query::number(&value)?.into(),
            "orphanDependents" => query::truth(&value).into(),
            "propagationPolicy" => value.as_ref().into(),
            "dryRun" => dry_runs(query).into(),
            "uid" | "resourceVersion" if !value.is_empty() => value.as_ref().into(),
            _ => continue,
        };
        of.insert(key.into_owned(), value);
    }
    object.insert("preconditions".into(), preconditions.into());
    Ok(object)
}

#[cfg(test)]
#[path = "options_tests.rs"]
mod tests;
