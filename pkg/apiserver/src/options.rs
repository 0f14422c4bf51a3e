//! The options of each verb, out of the query (and, for a delete, the body).
//!
//! What is no number is 400; what is not allowed is 422 about the options' kind in `meta.k8s.io`, as upstream
//! has it (`meta/v1/validation`).

use http::HeaderMap;
use http::header::USER_AGENT;
use kedge_machinery::status::{FieldError, FieldErrorKind};
use kedge_machinery::{Object, Status};
use kedge_registry::{
    DeleteOptions, FieldValidation, GetOptions, IncludeObject, ListOptions, PatchKind, Propagation,
    WatchOptions, WriteOptions,
};
use serde_json::{Map, Value};

use crate::query;

/// The longest field manager.
const MANAGER_LENGTH: usize = 128;
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

/// Reads what create, update and patch share; true when `force` was given at all.
fn read_write(query: &str, options: &mut WriteOptions, errors: &mut Vec<FieldError>) -> bool {
    let mut forced = false;
    for (key, value) in query::pairs(query) {
        match key.as_ref() {
            "dryRun" => options.dry_run = dry_run(&value, errors),
            "fieldManager" => {
                check_manager(&value, errors);
                options.field_manager = value.into_owned();
            }
            "fieldValidation" => match value.as_ref() {
                "" => {}
                "Strict" => options.field_validation = FieldValidation::Strict,
                "Warn" => options.field_validation = FieldValidation::Warn,
                "Ignore" => options.field_validation = FieldValidation::Ignore,
                other => errors.push(FieldError::not_supported(
                    "fieldValidation",
                    other,
                    &["Ignore", "Strict", "Warn"],
                )),
            },
            "force" => {
                forced = true;
                options.force = query::truth(&value);
            }
            _ => {}
        }
    }
    // In upstream's order, not the query's.
    errors.sort_by_key(|error| {
        let order = ["fieldManager", "dryRun", "fieldValidation"];
        order.iter().position(|field| *field == error.field)
    });
    forced
}

fn dry_run(value: &str, errors: &mut Vec<FieldError>) -> bool {
    if value != DRY_RUN {
        errors.push(FieldError::not_supported("dryRun", value, &[DRY_RUN]));
    }
    true
}

fn check_manager(manager: &str, errors: &mut Vec<FieldError>) {
    if manager.len() > MANAGER_LENGTH {
        errors.push(FieldError::new(
            FieldErrorKind::TooLong,
            "fieldManager",
            None,
            format!("may not be more than {MANAGER_LENGTH} bytes"),
        ));
    }
    if manager.chars().any(char::is_control) {
        errors.push(FieldError::invalid(
            "fieldManager",
            manager,
            "should only contain printable characters",
        ));
    }
}

/// The field manager of a client that names none: its `User-Agent` up to the first slash.
fn manager(headers: &HeaderMap) -> String {
    let agent = headers
        .get(USER_AGENT)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let agent = agent.split('/').next().unwrap_or_default();
    let mut manager: String = agent
        .chars()
        .filter(|c| !c.is_control())
        .take(MANAGER_LENGTH)
        .collect();
    if manager.is_empty() {
        manager = "unknown".into();
    }
    manager
}

/// Options of a get.
pub fn get(query: &str) -> GetOptions {
    let mut options = GetOptions::default();
    for (key, value) in query::pairs(query) {
        if key == "resourceVersion" {
            options.resource_version = value.into_owned();
        }
    }
    options
}

/// Options of a list, or the selection of a deletecollection.
pub fn list(query: &str) -> Result<ListOptions, Status> {
    let mut options = ListOptions::default();
    for (key, value) in query::pairs(query) {
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
    for (key, value) in query::pairs(query) {
        match key.as_ref() {
            "limit" => drop(query::number(&value)?),
            "timeoutSeconds" => {
                timeout = u64::try_from(query::number(&value)?)
                    .ok()
                    .filter(|seconds| *seconds > 0)
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
    let given = query::pairs(query)
        .find(|(key, _)| key == "includeObject")
        .map(|(_, value)| value);
    match given.as_deref() {
        None | Some("" | "Metadata") => Ok(IncludeObject::Metadata),
        Some("None") => Ok(IncludeObject::None),
        Some("Object") => Ok(IncludeObject::Object),
        Some(other) => Err(Status::bad_request(format!(
            "unrecognized includeObject value: {other:?}"
        ))),
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
    let mut options = DeleteOptions::default();
    for value in given
        .get("dryRun")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        options.dry_run = dry_run(value.as_str().unwrap_or_default(), &mut errors);
    }
    options.grace_period = number_of(given, "gracePeriodSeconds")?;
    let policy = given.get("propagationPolicy").and_then(Value::as_str);
    let orphan = given.get("orphanDependents").and_then(Value::as_bool);
    options.propagation = match (policy, orphan) {
        (Some(policy), Some(_)) => {
            let detail = "orphanDependents and deletionPropagation cannot be both set";
            errors.push(FieldError::invalid("propagationPolicy", policy, detail));
            None
        }
        (Some("Orphan"), None) | (None, Some(true)) => Some(Propagation::Orphan),
        (Some("Background"), None) | (None, Some(false)) => Some(Propagation::Background),
        (Some("Foreground"), None) => Some(Propagation::Foreground),
        (Some(policy), None) => {
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

fn number_of(given: &Map<String, Value>, key: &str) -> Result<Option<i64>, Status> {
    match given.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => value.as_i64().map(Some).ok_or_else(|| {
            Status::bad_request(format!("json: cannot unmarshal {value} into Go struct field DeleteOptions.{key} of type int64"))
        }),
    }
}

/// The query as a `DeleteOptions` object.
fn delete_query(query: &str) -> Result<Map<String, Value>, Status> {
    let mut object = Map::new();
    for (key, value) in query::pairs(query) {
        let value = match key.as_ref() {
            "gracePeriodSeconds" => query::number(&value)?.into(),
            "orphanDependents" => query::truth(&value).into(),
            "propagationPolicy" => value.as_ref().into(),
            "dryRun" => Value::Array(vec![value.as_ref().into()]),
            _ => continue,
        };
        object.insert(key.into_owned(), value);
    }
    Ok(object)
}

#[cfg(test)]
#[path = "options_tests.rs"]
mod tests;
