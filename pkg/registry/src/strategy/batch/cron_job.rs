//! CronJobs (`pkg/apis/batch/v1/defaults.go` and `validation`).

use kedge_machinery::object::child_mut;
use kedge_machinery::{FieldError, Object};
use serde_json::{Value, json};

use super::{job, policy, schedule};
use crate::check;
use crate::strategy::{Strategy, pod_template};
use crate::value::{child, default, field, present, text};

const CONCURRENCY: &[&str] = &["Allow", "Forbid", "Replace"];
/// Its Jobs have 11 characters more in their names.
const MAX_NAME: usize = 52;
const MAX_ZONE_PART: usize = 14;

pub(in crate::strategy) struct CronJob;

impl Strategy for CronJob {
    fn default(&self, object: &mut Object) {
        let spec = child_mut(&mut object.0, "spec");
        default(spec, "concurrencyPolicy", "Allow");
        default(spec, "suspend", false);
        default(spec, "successfulJobsHistoryLimit", 3);
        default(spec, "failedJobsHistoryLimit", 1);
        let template = child_mut(spec, "jobTemplate");
        child_mut(template, "metadata");
        let job = child_mut(template, "spec");
        pod_template::default(job);
        policy::default(job);
        child_mut(&mut object.0, "status");
    }

    fn blank(&self) -> Option<Object> {
        let template = json!({"metadata": {}, "spec": {"template": pod_template::blank()}});
        Object::from_value(json!({
            "metadata": {}, "status": {}, "spec": {"jobTemplate": template},
        }))
    }

    fn prepare_create(&self, new: &mut Object) {
        new.0.insert("status".into(), json!({}));
    }

    fn validate(&self, object: &Object) -> Vec<FieldError> {
        let mut errors = spec(field(&object.0, "spec"));
        let name = object.name();
        if name.len() > MAX_NAME {
            let detail = format!("must be no more than {MAX_NAME} characters");
            errors.push(FieldError::invalid("metadata.name", name, detail));
        }
        errors
    }

    fn validate_update(&self, new: &Object, _old: &Object, subresource: &str) -> Vec<FieldError> {
        match subresource {
            "status" => Vec::new(),
            _ => spec(field(&new.0, "spec")),
        }
    }

    fn warnings(&self, new: &Object, old: Option<&Object>) -> Vec<String> {
        let mut said = Vec::from_iter(pod_template::name_warning(new, old));
        said.extend(job::warnings(&["spec", "jobTemplate", "spec"], new, old));
        said
    }
}

fn spec(spec: &Value) -> Vec<FieldError> {
    const SCHEDULE: &str = "spec.schedule";
    let number = |key: &str| {
        let number = present(spec, key).and_then(Value::as_i64)?;
        check::non_negative(&format!("spec.{key}"), number)
    };
    let mut errors = Vec::new();
    match text(spec, "schedule") {
        "" => errors.push(FieldError::required(SCHEDULE, "")),
        when => errors.extend(
            schedule::check(when)
                .err()
                .map(|why| FieldError::invalid(SCHEDULE, when, why)),
        ),
    }
    errors.extend(number("startingDeadlineSeconds"));
    errors.extend(time_zone(spec));
    errors.extend(check::one_of(
        "spec.concurrencyPolicy",
        text(spec, "concurrencyPolicy"),
        CONCURRENCY,
    ));
    const JOB: &str = "spec.jobTemplate.spec";
    let job = child(child(spec, "jobTemplate"), "spec");
    errors.extend(super::spec::validate(JOB, job));
    if let Some(selector) = present(job, "selector") {
        let detail = "`selector` will be auto-generated";
        let at = format!("{JOB}.selector");
        errors.push(FieldError::invalid(at, selector.clone(), detail));
    }
    if child(job, "manualSelector") == &json!(true) {
        let (at, none) = (format!("{JOB}.manualSelector"), &["nil", "false"]);
        errors.push(FieldError::not_supported(at, true, none));
    }
    errors.extend(number("successfulJobsHistoryLimit"));
    errors.extend(number("failedJobsHistoryLimit"));
    errors
}

/// What may stand between the slashes of a zone's name.
fn is_part_of_zone(part: &str) -> bool {
    let is_fit = |b: u8| b.is_ascii_alphanumeric() || b"._+-".contains(&b);
    (1..=MAX_ZONE_PART).contains(&part.len())
        && part.bytes().all(is_fit)
        && !part.starts_with('-')
        && !matches!(part, "." | "..")
}

/// A name of the time zone database, which is the machine's to know.
fn time_zone(spec: &Value) -> Option<FieldError> {
    let name = present(spec, "timeZone")?.as_str()?;
    let detail = if name.is_empty() {
        "timeZone must be nil or non-empty string".to_string()
    } else if name.eq_ignore_ascii_case("local") {
        "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones"
            .into()
    } else if !name.split('/').all(is_part_of_zone) {
        format!("unknown time zone {name}")
    } else {
        return None;
    };
    Some(FieldError::invalid("spec.timeZone", name, detail))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn cron_job(name: &str, more: Value) -> Object {
        let mut body = json!({"metadata": {"name": name}, "spec": {
            "schedule": "*/5 * * * *",
            "jobTemplate": {"spec": {"template": {
                "spec": {"restartPolicy": "OnFailure", "containers": [{"name": "c", "image": "i:1"}]},
            }}},
        }});
        let spec = body["spec"].as_object_mut().unwrap();
        spec.extend(more.as_object().unwrap().clone());
        let mut object = Object::from_value(body).unwrap();
        CronJob.default(&mut object);
        object
    }

    #[test]
    fn what_is_filled_in() {
        let spec = cron_job("c", json!({})).into_value()["spec"].clone();
        assert_eq!(spec["concurrencyPolicy"], "Allow");
        assert_eq!(spec["suspend"], false);
        assert_eq!(spec["successfulJobsHistoryLimit"], 3);
        assert_eq!(spec["failedJobsHistoryLimit"], 1);
        assert_eq!(spec["jobTemplate"]["metadata"], json!({}));
        let pod = &spec["jobTemplate"]["spec"]["template"]["spec"];
        assert_eq!(pod["dnsPolicy"], "ClusterFirst");
    }

    #[rstest]
    #[case(json!({}), &[])]
    #[case(json!({"schedule": ""}), &["spec.schedule"])]
    #[case(json!({"schedule": "TZ=UTC * * * * *"}), &["spec.schedule"])]
    #[case(json!({"schedule": "* * * *"}), &["spec.schedule"])]
    #[case(json!({"timeZone": "Local"}), &["spec.timeZone"])]
    #[case(json!({"timeZone": "Europe/Berlin"}), &[])]
    #[case(json!({"timeZone": "Etc/GMT+1"}), &[])]
    #[case(json!({"timeZone": "/UTC"}), &["spec.timeZone"])]
    #[case(json!({"timeZone": "Europe/../Berlin"}), &["spec.timeZone"])]
    #[case(json!({"timeZone": "Europe/-Berlin"}), &["spec.timeZone"])]
    #[case(json!({"timeZone": "Continent/Zone"}), &[])]
    #[case(json!({"timeZone": "TooLongContinent/A"}), &["spec.timeZone"])]
    #[case(json!({"concurrencyPolicy": "Maybe", "failedJobsHistoryLimit": -1}), &["spec.concurrencyPolicy", "spec.failedJobsHistoryLimit"])]
    #[case(json!({"jobTemplate": {"spec": {"manualSelector": true, "template": {"spec": {"containers": []}}}}}), &[
        "spec.jobTemplate.spec.template.spec.containers", "spec.jobTemplate.spec.template.spec.restartPolicy",
        "spec.jobTemplate.spec.manualSelector",
    ])]
    #[case(
        json!({"jobTemplate": {"spec": {"parallelism": -1, "selector": {}, "template": {
            "spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]},
        }}}}),
        &["spec.jobTemplate.spec.parallelism", "spec.jobTemplate.spec.selector"]
    )]
    fn what_is_wrong(#[case] spec: Value, #[case] wrong: &[&str]) {
        let errors = CronJob.validate(&cron_job("c", spec));
        let found: Vec<&str> = errors.iter().map(|e| e.field.as_str()).collect();
        assert_eq!(found, wrong);
    }

    #[test]
    fn names_leave_room_for_those_of_jobs() {
        let errors = CronJob.validate(&cron_job(&"c".repeat(53), json!({})));
        assert_eq!(errors[0].field, "metadata.name");
    }
}
