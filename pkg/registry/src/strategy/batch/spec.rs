//! The spec of a Job, and of the Jobs that a CronJob makes (upstream: `validateJobSpec`).

use kedge_machinery::FieldError;
use kedge_machinery::status::FieldErrorKind;
use serde_json::Value;

use super::policy;
use crate::check;
use crate::strategy::pod_template;
use crate::value::{child, present, text};

const COMPLETION_MODES: &[&str] = &["NonIndexed", "Indexed"];
const REPLACEMENT: &[&str] = &["Failed", "TerminatingOrFailed"];
/// A template's Pods end.
const RESTART: &[&str] = &["OnFailure", "Never"];
/// Bytes of `managedBy`.
const MAX_MANAGER: usize = 63;
/// Of an Indexed Job: Pods at once, and indexes that may fail.
const MAX_INDEXED: i64 = 100_000;
/// Beyond so many completions fewer Pods run at once and fewer indexes may fail, where each has a limit of its own.
pub(super) const MANY_COMPLETIONS: i64 = 100_000;
pub(super) const MAX_OF_MANY: i64 = 10_000;

const COUNTS: [&str; 7] = [
    "parallelism",
    "completions",
    "activeDeadlineSeconds",
    "backoffLimit",
    "ttlSecondsAfterFinished",
    "backoffLimitPerIndex",
    "maxFailedIndexes",
];

pub(super) fn validate(at: &str, spec: &Value) -> Vec<FieldError> {
    let path = |key: &str| format!("{at}.{key}");
    let number = |key: &str| present(spec, key).and_then(Value::as_i64);
    let mut errors: Vec<FieldError> = COUNTS
        .iter()
        .filter_map(|key| check::non_negative(&path(key), number(key)?))
        .collect();
    let per_index = number("backoffLimitPerIndex");
    if number("maxFailedIndexes").is_some() && per_index.is_none() {
        let detail = "when maxFailedIndexes is specified";
        errors.push(FieldError::required(path("backoffLimitPerIndex"), detail));
    }
    if let Some(manager) = present(spec, "managedBy").and_then(Value::as_str) {
        errors.extend(check::prefixed_path(&path("managedBy"), manager));
        if manager.len() > MAX_MANAGER {
            let detail = format!("may not be more than {MAX_MANAGER} bytes");
            let kind = FieldErrorKind::TooLong;
            errors.push(FieldError::new(kind, path("managedBy"), None, detail));
        }
    }
    let mode = present(spec, "completionMode").and_then(Value::as_str);
    if let Some(other) = mode.filter(|mode| !COMPLETION_MODES.contains(mode)) {
        let at = path("completionMode");
        errors.push(FieldError::not_supported(at, other, COMPLETION_MODES));
    }
    match mode {
        Some("Indexed") => errors.extend(indexed(at, spec)),
        None | Some("NonIndexed") => {
            for key in ["backoffLimitPerIndex", "maxFailedIndexes"] {
                let detail = "requires indexed completion mode";
                let given = number(key).into_iter();
                errors.extend(given.map(|n| FieldError::invalid(path(key), n, detail)));
            }
        }
        Some(_) => {}
    }
    errors.extend(policy::failure(&path("podFailurePolicy"), spec));
    errors.extend(policy::success(&path("successPolicy"), spec));
    errors.extend(replacement(&path("podReplacementPolicy"), spec));
    errors.extend(template(&path("template"), spec));
    errors
}

fn indexed(at: &str, spec: &Value) -> Vec<FieldError> {
    let number = |key: &str| present(spec, key).and_then(Value::as_i64);
    let keys = ["completions", "parallelism", "maxFailedIndexes"];
    let [completions, parallelism, failed] = keys.map(number);
    let at_most = |key: &str, number: Option<i64>, most: i64, words: &str| {
        let detail = format!("must be less than or equal to {words}");
        let number = number.filter(|number| *number > most)?;
        Some(FieldError::invalid(format!("{at}.{key}"), number, detail))
    };
    let required = |key: &str, detail: &str| FieldError::required(format!("{at}.{key}"), detail);
    let [all, pods, indexes] = keys;
    let mut errors = Vec::new();
    if completions.is_none() {
        errors.push(required(all, "when completion mode is Indexed"));
    }
    let words = format!("{MAX_INDEXED} when completion mode is Indexed");
    errors.extend(at_most(pods, parallelism, MAX_INDEXED, &words));
    let most = completions.unwrap_or(i64::MAX);
    errors.extend(at_most(indexes, failed, most, "completions"));
    let words = MAX_INDEXED.to_string();
    errors.extend(at_most(indexes, failed, MAX_INDEXED, &words));
    let is_many = completions.is_some_and(|completions| completions > MANY_COMPLETIONS);
    if is_many && number("backoffLimitPerIndex").is_some() {
        if failed.is_none() {
            let detail = format!("must be specified when completions is above {MANY_COMPLETIONS}");
            errors.push(required(indexes, &detail));
        }
        let words = format!(
            "{MAX_OF_MANY} when completions are above {MANY_COMPLETIONS} and used with backoff limit per index"
        );
        errors.extend(at_most(pods, parallelism, MAX_OF_MANY, &words));
        errors.extend(at_most(indexes, failed, MAX_OF_MANY, &words));
    }
    errors
}

/// A Job that judges failures makes a Pod anew only once the last has failed.
fn replacement(at: &str, spec: &Value) -> Option<FieldError> {
    let policy = present(spec, "podReplacementPolicy")?.as_str()?;
    let policies = match present(spec, "podFailurePolicy") {
        Some(_) => &REPLACEMENT[..1],
        None => REPLACEMENT,
    };
    (!policies.contains(&policy)).then(|| FieldError::not_supported(at, policy, policies))
}

/// A template whose Pods end.
fn template(at: &str, spec: &Value) -> Vec<FieldError> {
    let template = child(spec, "template");
    let mut errors = pod_template::validate(at, template);
    let policy = text(child(template, "spec"), "restartPolicy");
    let at = format!("{at}.spec.restartPolicy");
    if matches!(policy, "" | "Always") {
        let detail = "valid values: \"OnFailure\", \"Never\"";
        errors.push(FieldError::required(at, detail));
    } else if !RESTART.contains(&policy) {
        errors.push(FieldError::not_supported(at, policy, RESTART));
    } else if present(spec, "podFailurePolicy").is_some() && policy != "Never" {
        let detail = "only \"Never\" is supported when podFailurePolicy is specified";
        errors.push(FieldError::invalid(at, policy, detail));
    }
    errors
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn said(more: Value) -> Vec<String> {
        let mut spec = json!({"template": {
            "spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i:1"}]},
        }});
        let map = spec.as_object_mut().unwrap();
        pod_template::default(map);
        map.extend(more.as_object().unwrap().clone());
        let errors = validate("s", &spec);
        errors.iter().map(ToString::to_string).collect()
    }

    #[rstest]
    #[case(json!({"completionMode": "Other"}), &["s.completionMode: Unsupported value: \"Other\": supported values: \"NonIndexed\", \"Indexed\""])]
    #[case(json!({"maxFailedIndexes": 1}), &[
        "s.backoffLimitPerIndex: Required value: when maxFailedIndexes is specified",
        "s.maxFailedIndexes: Invalid value: 1: requires indexed completion mode",
    ])]
    #[case(json!({"completionMode": "Indexed", "completions": 1, "parallelism": 100_001}), &[
        "s.parallelism: Invalid value: 100001: must be less than or equal to 100000 when completion mode is Indexed",
    ])]
    #[case(json!({"completionMode": "Indexed", "completions": 1, "maxFailedIndexes": 2, "backoffLimitPerIndex": 1}), &[
        "s.maxFailedIndexes: Invalid value: 2: must be less than or equal to completions",
    ])]
    #[case(json!({"completionMode": "Indexed", "completions": 200_000, "maxFailedIndexes": 100_001}), &[
        "s.backoffLimitPerIndex: Required value: when maxFailedIndexes is specified",
        "s.maxFailedIndexes: Invalid value: 100001: must be less than or equal to 100000",
    ])]
    #[case(json!({"completionMode": "Indexed", "completions": 100_001, "parallelism": 10_001, "backoffLimitPerIndex": 1}), &[
        "s.maxFailedIndexes: Required value: must be specified when completions is above 100000",
        "s.parallelism: Invalid value: 10001: must be less than or equal to 10000 when completions are above 100000 and used with backoff limit per index",
    ])]
    #[case(json!({"completionMode": "Indexed", "completions": 100_001, "maxFailedIndexes": 10_001, "backoffLimitPerIndex": 1}), &[
        "s.maxFailedIndexes: Invalid value: 10001: must be less than or equal to 10000 when completions are above 100000 and used with backoff limit per index",
    ])]
    #[case(json!({"managedBy": "example.com/controller"}), &[])]
    #[case(json!({"managedBy": "controller"}), &["s.managedBy: Invalid value: \"controller\": must be a domain-prefixed path (such as \"acme.io/foo\")"])]
    #[case(json!({"managedBy": format!("a.b/{}", "c".repeat(60))}), &["s.managedBy: Too long: may not be more than 63 bytes"])]
    #[case(json!({"podReplacementPolicy": "Never"}), &["s.podReplacementPolicy: Unsupported value: \"Never\": supported values: \"Failed\", \"TerminatingOrFailed\""])]
    #[case(json!({"podReplacementPolicy": "TerminatingOrFailed", "podFailurePolicy": {"rules": []}}), &[
        "s.podReplacementPolicy: Unsupported value: \"TerminatingOrFailed\": supported values: \"Failed\"",
    ])]
    #[case(
        json!({"podFailurePolicy": {"rules": []}, "template": {"spec": {
            "restartPolicy": "OnFailure", "dnsPolicy": "Default", "containers": [{
                "name": "c", "image": "i", "imagePullPolicy": "Always", "terminationMessagePolicy": "File",
            }],
        }}}),
        &["s.template.spec.restartPolicy: Invalid value: \"OnFailure\": only \"Never\" is supported when podFailurePolicy is specified"]
    )]
    fn what_is_wrong(#[case] spec: Value, #[case] wrong: &[&str]) {
        assert_eq!(said(spec), wrong);
    }
}
