//! What an Event may say, in the form of `v1`: upstream names fields so in errors, whichever API was used
//! (`pkg/apis/core/validation/events.go`).

use kedge_machinery::{FieldError, Object};

use crate::check;
use crate::value::{child, field, int, is_empty, text};

/// Namespaces that hold the Events of cluster-scoped objects; the last only for those that have an `eventTime`.
const CLUSTER_NAMESPACES: [&str; 3] = ["", "default", "kube-system"];
/// Characters of the words that say who did what, and of the text.
const MAX_WORD: usize = 128;
const MAX_TEXT: usize = 1024;
const TYPES: [&str; 2] = ["Normal", "Warning"];
const COMPONENT: &str = "reportingController";

fn word<'a>(event: &'a Object, key: &str) -> &'a str {
    field(&event.0, key).as_str().unwrap_or_default()
}

/// What both APIs ask. One field alone has the name that it has in the API that was used.
pub(super) fn common(event: &Object, is_core: bool) -> Vec<FieldError> {
    let namespace = text(field(&event.0, "involvedObject"), "namespace");
    let timed = !field(&event.0, "eventTime").is_null();
    let cluster = match timed {
        true => &CLUSTER_NAMESPACES[1..],
        false => &CLUSTER_NAMESPACES[..2],
    };
    let agrees = if namespace.is_empty() {
        cluster.contains(&event.namespace())
    } else {
        timed || namespace == event.namespace()
    };
    let mut errors = Vec::new();
    if !agrees {
        let at = "involvedObject.namespace";
        errors.push(FieldError::invalid(
            at,
            namespace,
            "does not match event.namespace",
        ));
    }
    if timed {
        let component = if is_core {
            "reportingComponent"
        } else {
            COMPONENT
        };
        errors.extend(words(event, component));
    }
    errors
}

/// An Event with a time says who did what.
fn words(event: &Object, at: &str) -> Vec<FieldError> {
    let component = word(event, "reportingComponent");
    let mut errors = Vec::new();
    if component.is_empty() {
        errors.push(FieldError::required(at, ""));
    }
    errors.extend(check::qualified_name(at, component));
    let too_long = |key: &str, most: usize| {
        let detail = format!("can have at most {most} characters");
        FieldError::invalid(key, "", detail)
    };
    for key in ["reportingInstance", "action", "reason"] {
        match word(event, key) {
            "" => errors.push(FieldError::required(key, "")),
            long if long.len() > MAX_WORD => errors.push(too_long(key, MAX_WORD)),
            _ => {}
        }
    }
    if word(event, "message").len() > MAX_TEXT {
        errors.push(too_long("message", MAX_TEXT));
    }
    errors
}

/// What `events.k8s.io` asks of a new one besides.
pub(super) fn create(event: &Object) -> Vec<FieldError> {
    let mut errors = series(event);
    if field(&event.0, "eventTime").is_null() {
        errors.push(FieldError::required("eventTime", ""));
    }
    let kind = word(event, "type");
    if !TYPES.contains(&kind) {
        errors.push(FieldError::invalid(
            "type",
            "",
            format!("has invalid value: {kind}"),
        ));
    }
    for key in ["firstTimestamp", "lastTimestamp", "count", "source"] {
        if !is_empty(field(&event.0, key)) {
            errors.push(FieldError::invalid(key, "", "needs to be unset"));
        }
    }
    errors
}

/// Through `events.k8s.io` only the series changes: `v1`'s name of a field, and upstream's in errors.
const FROZEN: [(&str, &str); 14] = [
    ("involvedObject", "involvedObject"),
    ("reason", "reason"),
    ("message", "message"),
    ("source", "source"),
    ("firstTimestamp", "firstTimestamp"),
    ("lastTimestamp", "lastTimestamp"),
    ("count", "count"),
    // Upstream looks at it twice.
    ("reason", "reason"),
    ("type", "type"),
    ("eventTime", "eventTime"),
    ("action", "action"),
    ("related", "related"),
    ("reportingComponent", COMPONENT),
    ("reportingInstance", "reportingInstance"),
];

/// What `events.k8s.io` asks of a change besides.
pub(super) fn update(new: &Object, old: &Object) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if field(&new.0, "series") != field(&old.0, "series") {
        errors.extend(series(new));
    }
    for (key, at) in FROZEN {
        let (is, was) = (field(&new.0, key), field(&old.0, key));
        if !(is_empty(is) && is_empty(was)) {
            errors.extend(check::immutable(at, Some(is), Some(was)));
        }
    }
    errors
}

fn series(event: &Object) -> Vec<FieldError> {
    let series = field(&event.0, "series");
    if series.is_null() {
        return Vec::new();
    }
    let mut errors = Vec::new();
    if int(series, "count") < 2 {
        errors.push(FieldError::invalid(
            "series.count",
            "",
            "should be at least 2",
        ));
    }
    if child(series, "lastObservedTime").is_null() {
        errors.push(FieldError::required("series.lastObservedTime", ""));
    }
    errors
}
