//! What a controller of Jobs may report (upstream: `validateJobStatus`, `ValidateJobStatusUpdate`).
//!
//! Most rules hold only for what a report changes, so that what broke one before does not keep the rest from being
//! reported.

use std::collections::BTreeSet;

use kedge_machinery::status::FieldErrorKind;
use kedge_machinery::{FieldError, Object, time};
use serde_json::{Value, json};

use super::indexes;
use crate::check;
use crate::value::{child, field, int, list, present, text, texts};

const COUNTS: [&str; 5] = ["active", "succeeded", "failed", "ready", "terminating"];

pub(super) fn validate(new: &Object, old: &Object) -> Vec<FieldError> {
    let spec = field(&new.0, "spec");
    let [is, was] = [new, old].map(|job| Report(field(&job.0, "status")));
    let mut errors: Vec<FieldError> = COUNTS
        .iter()
        .filter_map(|key| check::non_negative(&at(key), int(is.0, key)))
        .collect();
    errors.extend(uncounted(is.0));
    errors.extend(ending(is, was));
    errors.extend(lists_of_indexes(spec, is, was));
    let moved = |key: &str| is.changes(was, key);
    let terminating = int(is.0, "terminating");
    if (is.is_finished() != was.is_finished() || moved("terminating"))
        && terminating > 0
        && is.is_finished()
    {
        let detail = "terminating>0 is invalid for finished job";
        errors.push(invalid("terminating", terminating, detail));
    }
    let ready = int(is.0, "ready");
    if (moved("ready") || moved("active")) && ready > int(is.0, "active") {
        let detail = "cannot set more ready pods than active";
        errors.push(invalid("ready", ready, detail));
    }
    errors.extend(success(spec, is));
    errors.extend(transitions(spec, is, was));
    errors
}

#[derive(Clone, Copy)]
struct Report<'a>(&'a Value);

impl Report<'_> {
    fn has(self, condition: &str) -> bool {
        let holds = |c: &Value| text(c, "type") == condition && text(c, "status") == "True";
        list(self.0, "conditions").iter().any(holds)
    }

    fn is_finished(self) -> bool {
        self.has("Complete") || self.has("Failed")
    }

    fn changes(self, was: Self, key: &str) -> bool {
        present(self.0, key) != present(was.0, key)
    }
}

fn at(key: &str) -> String {
    format!("status.{key}")
}

fn invalid(key: &str, value: impl Into<Value>, detail: &str) -> FieldError {
    FieldError::invalid(at(key), value, detail)
}

/// About all conditions, none of which is shown.
fn conditions(detail: impl Into<String>) -> FieldError {
    FieldError::new(
        FieldErrorKind::Invalid,
        at("conditions"),
        None,
        detail.into(),
    )
}

/// Pods that ended and are not counted yet: each once.
fn uncounted(status: &Value) -> Vec<FieldError> {
    let pods = child(status, "uncountedTerminatedPods");
    let mut seen = BTreeSet::new();
    let mut errors = Vec::new();
    for key in ["succeeded", "failed"] {
        for (i, uid) in texts(pods, key).into_iter().enumerate() {
            let at = format!("status.uncountedTerminatedPods.{key}[{i}]");
            if uid.is_empty() {
                errors.push(FieldError::invalid(at, "", "must not be empty"));
            } else if !seen.insert(uid) {
                errors.push(FieldError::duplicate(at, uid));
            }
        }
    }
    errors
}

/// How a Job ends, and when.
fn ending(is: Report<'_>, was: Report<'_>) -> Vec<FieldError> {
    let turned = |condition: &str| is.has(condition) != was.has(condition);
    let moved = |key: &str| is.changes(was, key);
    let (complete, failed, target) = (
        is.has("Complete"),
        is.has("Failed"),
        is.has("FailureTarget"),
    );
    let [start, end] = ["startTime", "completionTime"].map(|key| present(is.0, key));
    let shown = |value: Option<&Value>| value.cloned().unwrap_or_default();
    let mut errors = Vec::new();
    let mut say = |when: bool, error: FieldError| errors.extend(when.then_some(error));
    say(
        (turned("Complete") || turned("Failed")) && complete && failed,
        conditions("cannot set Complete=True and Failed=true conditions"),
    );
    say(
        (turned("Complete") || turned("FailureTarget")) && complete && target,
        conditions("cannot set Complete=True and FailureTarget=true conditions"),
    );
    let ended = turned("Complete") || moved("completionTime");
    let detail = "cannot set completionTime when there is no Complete=True condition";
    say(
        ended && end.is_some() && !complete,
        invalid("completionTime", shown(end), detail),
    );
    let detail = "completionTime is required for Complete jobs";
    say(
        ended && end.is_none() && complete,
        FieldError::required(at("completionTime"), detail),
    );
    let [began, ended] = [start, end].map(|t| t.and_then(Value::as_str).and_then(time::parse));
    let detail = "completionTime cannot be set before startTime";
    say(
        (moved("startTime") || moved("completionTime"))
            && began.zip(ended).is_some_and(|(began, ended)| ended < began),
        invalid("completionTime", shown(end), detail),
    );
    say(
        (turned("Failed") || moved("failedIndexes")) && failed && !target,
        conditions("cannot set Failed=True condition without the FailureTarget=true condition"),
    );
    say(
        (turned("Complete") || turned("SuccessCriteriaMet"))
            && complete
            && !is.has("SuccessCriteriaMet"),
        conditions(
            "cannot set Complete=True condition without the SuccessCriteriaMet=true condition",
        ),
    );
    let (done, turned) = (is.is_finished(), is.is_finished() != was.is_finished());
    let (before, active) = (int(was.0, "active"), int(is.0, "active"));
    let detail = "active>0 is invalid for finished job";
    say(
        (turned || active != before) && done && active > 0,
        invalid("active", active, detail),
    );
    let detail = "startTime is required for finished job";
    say(
        (turned || moved("startTime")) && done && start.is_none(),
        FieldError::required(at("startTime"), detail),
    );
    let pods = child(is.0, "uncountedTerminatedPods");
    let [succeeded, failed] = ["succeeded", "failed"].map(|key| list(pods, key));
    let left = !succeeded.is_empty() || !failed.is_empty();
    // With Go's names of the fields, as upstream shows them.
    let shown = json!({"Succeeded": succeeded, "Failed": failed});
    let detail = "uncountedTerminatedPods needs to be empty for finished job";
    say(
        (turned || moved("uncountedTerminatedPods")) && done && left,
        invalid("uncountedTerminatedPods", shown, detail),
    );
    errors
}

fn lists_of_indexes(spec: &Value, is: Report<'_>, was: Report<'_>) -> Vec<FieldError> {
    const COMPLETED: &str = "completedIndexes";
    const FAILED: &str = "failedIndexes";
    let completions = present(spec, "completions").and_then(Value::as_i64);
    let per_index = present(spec, "backoffLimitPerIndex").is_some();
    let completed = text(is.0, COMPLETED);
    let failed = present(is.0, FAILED).and_then(Value::as_str);
    let (completed_moved, failed_moved) =
        (completed != text(was.0, COMPLETED), is.changes(was, FAILED));
    let misread = |key: &str, indexes: &str| {
        let why = indexes::count(indexes, completions?).err()?;
        Some(invalid(
            key,
            indexes,
            &format!("error parsing {key}: {why}"),
        ))
    };
    let mut errors = Vec::new();
    if completed_moved {
        errors.extend(misread(COMPLETED, completed));
    }
    let given = failed.filter(|_| failed_moved);
    errors.extend(
        given
            .filter(|_| per_index)
            .and_then(|failed| misread(FAILED, failed)),
    );
    if completed_moved && !completed.is_empty() && text(spec, "completionMode") != "Indexed" {
        let detail = "cannot set non-empty completedIndexes when non-indexed completion mode";
        errors.push(invalid(COMPLETED, completed, detail));
    }
    if let Some(failed) = given.filter(|_| !per_index) {
        let detail = "cannot set non-null failedIndexes when backoffLimitPerIndex is null";
        errors.push(invalid(FAILED, failed, detail));
    }
    if (failed_moved || completed_moved)
        && let (Some(completions), Some(failed)) = (completions, failed)
        && let Some(index) = indexes::common(completed, failed, completions)
    {
        let detail = format!("failedIndexes and completedIndexes overlap at index: {index}");
        errors.push(invalid(FAILED, failed, &detail));
    }
    errors
}

/// What goes with having succeeded.
fn success(spec: &Value, is: Report<'_>) -> Vec<FieldError> {
    let met = is.has("SuccessCriteriaMet");
    let mut errors = Vec::new();
    for failure in ["Failed", "FailureTarget"] {
        if met && is.has(failure) {
            errors.push(conditions(format!(
                "cannot set SuccessCriteriaMet=True and {failure}=true conditions"
            )));
        }
    }
    if present(spec, "successPolicy").is_some() && !met && is.has("Complete") {
        errors.push(conditions(
            "cannot set Complete=True for Job with SuccessPolicy unless SuccessCriteriaMet=True",
        ));
    }
    errors
}

/// What a report cannot take back.
fn transitions(spec: &Value, is: Report<'_>, was: Report<'_>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for condition in ["Failed", "Complete", "FailureTarget"] {
        if was.has(condition) && !is.has(condition) {
            let detail = format!("cannot disable the terminal {condition}=True condition");
            errors.push(conditions(detail));
        }
    }
    let is_elastic = text(spec, "completionMode") == "Indexed"
        && child(spec, "completions") == child(spec, "parallelism");
    for (key, may_fall) in [("failed", false), ("succeeded", is_elastic)] {
        let (before, after) = (int(was.0, key), int(is.0, key));
        if !may_fall && after < before {
            let detail = format!("cannot decrease the {key} counter");
            errors.push(invalid(key, after, &detail));
        }
    }
    let both = |key: &str| present(is.0, key).zip(present(was.0, key));
    if let Some((after, _)) = both("completionTime").filter(|(after, before)| after != before) {
        let detail = "completionTime cannot be mutated";
        errors.push(invalid("completionTime", after.clone(), detail));
    }
    if present(was.0, "startTime").is_some()
        && is.changes(was, "startTime")
        && child(spec, "suspend") != &Value::Bool(true)
    {
        let detail = "startTime cannot be removed for unsuspended job";
        errors.push(FieldError::required(at("startTime"), detail));
    }
    let [met_before, met] = [was, is].map(|report| report.has("SuccessCriteriaMet"));
    if met_before && !met {
        let detail = "cannot disable the SuccessCriteriaMet=True condition";
        errors.push(conditions(detail));
    }
    if was.has("Complete") && !met_before && met {
        errors.push(conditions(
            "cannot set SuccessCriteriaMet=True for Job already has Complete=true conditions",
        ));
    }
    errors
}

#[cfg(test)]
mod tests;
